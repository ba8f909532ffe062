"""The Lambda client alone: CPU of a signed call with 200 in flight, against the stub."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import uvloop

from benchmarks.orders import orders
from benchmarks.report import Findings
from benchmarks.watching import lambda_stub
from tests.fakes.lambda_client import invoker_for
from workers.ports import InvokeRequest

IN_FLIGHT: Final = 200
WARM_UP_CALLS: Final = 2_000


def run(records: int, rounds: int) -> Findings:
    """`records` calls a round, at 0 and 20 ms."""
    findings = Findings(
        "invoker",
        "The Lambda client alone: signed calls of 300 bytes, 200 in flight",
        ("latency ms", "round", "CPU us a call", "calls/s", "share of Little's law"),
    )
    with lambda_stub() as url:
        for latency in (0, 20):
            measured = uvloop.run(_rounds(url, latency, records, rounds))
            for number, (cpu_us, per_second) in enumerate(measured, 1):
                share = per_second * latency / 1000 / IN_FLIGHT if latency else "-"
                findings.add(latency, number, cpu_us, per_second, share)
            findings.summary[f"best_cpu_us_{latency}_ms"] = min(cpu_us for cpu_us, _ in measured)
    findings.notes.append(
        "CPU is `process_time` of the client's process: signing, libcurl, loop. The stub has another core."
    )
    return findings


async def _rounds(url: str, latency: int, records: int, rounds: int) -> list[tuple[float, float]]:
    """(CPU us a call, calls/s) of each round."""
    invoker = invoker_for(url)
    request = InvokeRequest(f"f{latency}", next(orders(1)).value)
    left = 0

    async def caller() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            answer = await invoker.invoke(request)
            assert answer.status == 200
            assert answer.body == request.body

    async def call(count: int) -> None:
        nonlocal left
        left = count
        await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))

    await call(WARM_UP_CALLS)
    measured = []
    for _ in range(rounds):
        cpu, wall = time.process_time(), time.perf_counter()
        await call(records)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        measured.append((cpu / records * 1e6, records / wall))
    await invoker.close()
    return measured
