"""Batches of 100 through a whole worker: CPU of the engine process an event, events a second, and what order
costs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.broker import Broker
from benchmarks.cases.calls import calling_app
from benchmarks.report import Findings
from benchmarks.watching import lambda_stub, program, watch, worker_command

IN_FLIGHT: Final = 20
BATCH: Final = {"maxRecords": 100, "maxDelay": "5ms", "contract": "array"}
LATENCY_MS: Final = 20
WAYS: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "no order": ({}, {"ordering": "none"}),
    "partition order, partitionBy": ({"partitionBy": "$customer"}, {"ordering": "partition"}),
}
"""By name: fields of the call, options of the processor."""

GOAL_CPU_US: Final = 8.0
GOAL_PER_SECOND: Final = 80_000
GOAL_RATIO: Final = 1.15


def run(broker: Broker, records: int, rounds: int) -> Findings:
    """Every way in turns, `rounds` times, over the same `records`."""
    findings = Findings(
        "batches",
        f"Batches of 100, {IN_FLIGHT} in flight, {LATENCY_MS} ms, one engine process",
        ("way", "round", "CPU us an event", "events/s", "RSS MB"),
    )
    source = broker.make_topic("in")
    broker.fill(source, records)
    best: dict[str, float] = {}
    fastest: dict[str, float] = {}
    with lambda_stub() as url, tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        for number in range(1, rounds + 1):
            for way, (fields, options) in WAYS.items():
                target = broker.make_topic("out-batches")
                place = Path(folder) / f"{target}"
                place.mkdir()
                call = {"functionName": f"f{LATENCY_MS}", "parallelism": IN_FLIGHT, "batch": BATCH, **fields}
                app = calling_app(place / "app", broker, (source, target), url, call, options)
                with program(worker_command(app), place / "log") as process:
                    measured = watch(process, broker, target, records, place / "log")
                broker.delete_topic(target)
                findings.add(way, number, measured.cpu_us, measured.per_second, measured.rss_mb)
                best[way] = min(measured.cpu_us, best.get(way, measured.cpu_us))
                fastest[way] = max(measured.per_second, fastest.get(way, 0.0))
    free, ordered = best.values()
    findings.summary = {
        "best_cpu_us": best, "best_per_second": fastest, "order_costs": ordered / free, "records": records,
        "goals": {"cpu_us": GOAL_CPU_US, "per_second": GOAL_PER_SECOND, "order_costs": GOAL_RATIO},
    }  # fmt: skip
    findings.notes.append(
        f"{records:,} records, contract array, each answer set at `answer`; user and system time of the "
        "engine process between the first and the last output."
    )
    findings.notes.append(
        f"Goals: {GOAL_CPU_US:g} us an event, {GOAL_PER_SECOND:,} events/s, order within "
        f"{GOAL_RATIO - 1:.0%}. Order costs {ordered / free - 1:.0%}."
    )
    broker.delete_topic(source)
    return findings
