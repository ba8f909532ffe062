"""Programs under measurement, watched from outside: all of them by the same clock and the same counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import psutil

from benchmarks.broker import Broker

RUN_SECONDS: Final = 180.0
STOP_SECONDS: Final = 40.0
LOOK_SECONDS: Final = 0.05
ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Measured:
    """One run, between the first and the last output that was seen.

    `cpu_us` is user and system time of the process per output; `per_second` outputs a second; `rss_mb` at
    the end.
    """

    outputs: int
    cpu_us: float
    per_second: float
    rss_mb: float


@contextmanager
def program(command: Sequence[str], log: Path, **environment: str) -> Iterator[psutil.Popen]:
    """Run a command with its output in `log`; at the end it gets SIGTERM, after 40 s SIGKILL."""
    with log.open("wb") as sink:
        process = psutil.Popen(
            list(command), stdout=sink, stderr=sink, stdin=subprocess.DEVNULL, cwd=ROOT,
            env=os.environ | environment,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.is_running():
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)


def watch(process: psutil.Popen, broker: Broker, topic: str, expected: int, log: Path) -> Measured:
    """Follow `topic` until it holds `expected` records.

    CPU is that of the busiest process below `process` (the engine process of a worker), or its own. Raises
    RuntimeError with the end of the log when the program ends early or takes longer than 180 s.
    """
    deadline = time.monotonic() + RUN_SECONDS
    first: tuple[float, int] | None = None
    cpu_at_first: dict[int, float] = {}
    while True:
        count, now = broker.count(topic), time.monotonic()
        tree = _tree(process)
        if first is None and count:
            first, cpu_at_first = (now, count), {each.pid: _cpu(each) for each in tree}
        if first is not None and count >= expected:
            break
        if not tree or now > deadline:
            raise RuntimeError(f"{count} of {expected} outputs, then no more:\n{_tail(log)}")
        time.sleep(LOOK_SECONDS)
    spent = {each: _cpu(each) - cpu_at_first.get(each.pid, 0.0) for each in tree}
    busiest = max(spent, key=lambda each: spent[each])
    outputs = count - first[1]
    if outputs < expected // 2:
        raise RuntimeError(
            f"{first[1]} of {expected} outputs were there at the first look: take more records"
        )
    return Measured(
        outputs, spent[busiest] / outputs * 1e6, outputs / (now - first[0]),
        busiest.memory_info().rss / 1_048_576,
    )  # fmt: skip


def worker_command(app: Path) -> list[str]:
    """`penstock worker` for an app folder, beside the Python that runs us."""
    penstock = Path(sys.executable).parent / "penstock"
    return [str(penstock), "worker", "--app", str(app), "--metrics-port", "0"]


@contextmanager
def lambda_stub() -> Iterator[str]:
    """The URL of a stub of the Invoke API in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.lambda_stub"], cwd=ROOT, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(STOP_SECONDS)


def write_app(folder: Path, connections: dict[str, Any], processor: dict[str, Any]) -> Path:
    """An app folder with one processor."""
    (folder / "processors").mkdir(parents=True, exist_ok=True)
    (folder / "connections.json").write_bytes(orjson.dumps(connections))
    (folder / "processors" / f"{processor['name']}.json").write_bytes(orjson.dumps(processor))
    return folder


def _tree(process: psutil.Popen) -> list[psutil.Process]:
    try:
        running = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        return [process, *process.children(recursive=True)] if running else []
    except psutil.NoSuchProcess:
        return []


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
