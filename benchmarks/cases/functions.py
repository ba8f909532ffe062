"""The function host: calls a second and CPU a call over HTTP, in both languages, and cold starts."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final, cast

import psutil
import uvloop

from benchmarks.orders import orders
from benchmarks.report import Findings
from benchmarks.watching import ROOT
from tests.fakes.function_host import start_host_process, write_functions
from workers.functions import HostSettings

CALLS: Final = 20_000
CALLERS: Final = (1, 50)
COLD_STARTS: Final = 10
START_SECONDS: Final = 20.0
_JAVASCRIPT: Final = "exports = async (event) => ({ ...event, seen: true })"
_PYTHON: Final = "def handler(event, context):\n    return {**event, 'seen': True}\n"
_PEER: Final = ROOT / "benchmarks" / "peers" / "node_pool.mjs"
_PATH: Final = "/2015-03-31/functions/{}/invocations"


def run(records: int, rounds: int) -> Findings:
    """`records` calls a round with 50 callers, a fifth of them with one."""
    findings = Findings(
        "functions",
        "The function host: an order of 300 bytes in, the order and one field out, over HTTP",
        ("host", "callers", "round", "CPU us a call", "of it the host", "calls/s a core", "calls/s"),
    )
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as place:
        app = write_functions(Path(place), {"js.js": _JAVASCRIPT, "py.py": _PYTHON})
        host = start_host_process(app, HostSettings(concurrency=2))
        try:
            for name, title in (("js", "Penstock, JavaScript"), ("py", "Penstock, Python")):
                _measure(
                    findings, title, host.endpoint + _PATH.format(name), host.process.pid, (records, rounds)
                )
        finally:
            host.stop()
        node = shutil.which("node")
        if node is None:
            findings.notes.append("Node was not measured: there is none here.")
        else:
            with _node(node, app / "functions" / "js.js") as (url, pid):
                _measure(findings, "Node, worker threads", url, pid, (records, rounds))
        for name in ("js", "py"):
            findings.summary[f"cold_start_ms_{name}"] = median(_cold_starts(app, name))
    cold = {name: findings.summary[f"cold_start_ms_{name}"] for name in ("js", "py")}
    findings.notes += [
        "CPU is that of the host's process and its workers together, by the system's count, and none of the "
        "client's. Calls/s a core are what one core takes that does nothing else.",
        f"Cold start, the median of {COLD_STARTS}: JavaScript {cold['js']:.0f}, Python {cold['py']:.0f} ms "
        "from the request to the answer.",
        "The Node pool has no limits, manifest, access, log or SigV4: it is there for the scale.",
    ]
    return findings


def _measure(findings: Findings, title: str, url: str, pid: int, size: tuple[int, int]) -> None:
    records, rounds = size
    for callers in CALLERS:
        calls = records if callers > 1 else records // 5
        uvloop.run(_load(url, callers, max(calls // 5, 200)))
        for number in range(1, rounds + 1):
            before, started = _cpu(pid), time.perf_counter()
            uvloop.run(_load(url, callers, calls))
            seconds, after = time.perf_counter() - started, _cpu(pid)
            whole = (after[0] + after[1] - before[0] - before[1]) / calls * 1e6
            own = (after[0] - before[0]) / calls * 1e6
            findings.add(title, callers, number, whole, own, 1e6 / whole, calls / seconds)
            name = f"best_cpu_us_{title.rpartition(' ')[2].lower()}_{callers}"
            findings.summary[name] = min(whole, findings.summary.get(name, whole))


def _cpu(pid: int) -> tuple[float, float]:
    """CPU seconds of a process, and of those below it."""
    process = psutil.Process(pid)
    times = [sum(one.cpu_times()[:2]) for one in (process, *process.children(recursive=True))]
    return times[0], sum(times[1:])


class _Caller(asyncio.Protocol):
    """Sends a request, reads the whole answer, sends the next: as little client as there can be."""

    def __init__(self, request: bytes, left: list[int], done: asyncio.Future[None]) -> None:
        self._request, self._left, self._done = request, left, done
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        self._next()

    def data_received(self, data: bytes) -> None:
        self._held += data
        head, mark, body = self._held.partition(b"\r\n\r\n")
        if not mark:
            return
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        assert body.endswith(b'"seen":true}') or body.endswith(b'"seen": true}'), body
        self._held = b""
        self._next()

    def _next(self) -> None:
        if self._left[0]:
            self._left[0] -= 1
            self._transport.write(self._request)
        elif not self._done.done():
            self._transport.close()
            self._done.set_result(None)

    def connection_lost(self, problem: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(problem or ConnectionError("closed by the host"))


async def _load(url: str, callers: int, calls: int) -> None:
    place, _, path = url.removeprefix("http://").partition("/")
    address, _, port = place.partition(":")
    body = next(orders(1)).value
    head = f"POST /{path} HTTP/1.1\r\nHost: {place}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    loop = asyncio.get_running_loop()
    left = [calls]
    ends = [loop.create_future() for _ in range(callers)]
    for end in ends:
        await loop.create_connection(lambda end=end: _Caller(request, left, end), address, int(port))  # type: ignore[misc]
    await asyncio.gather(*ends)


def _cold_starts(app: Path, name: str) -> Sequence[float]:
    """Milliseconds from request to answer of a function that has no process yet."""
    found = []
    for _ in range(COLD_STARTS):
        host = start_host_process(app)
        try:
            started = time.perf_counter()
            uvloop.run(_load(host.endpoint + _PATH.format(name), 1, 1))
            found.append((time.perf_counter() - started) * 1000)
        finally:
            host.stop()
    return found


@contextmanager
def _node(node: str, function: Path) -> Iterator[tuple[str, int]]:
    """The URL and process of the pool written in Node, with two threads."""
    process = subprocess.Popen([node, str(_PEER), str(function), "2"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip() + "/", process.pid
    finally:
        process.terminate()
        process.wait(START_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
