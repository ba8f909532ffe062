"""`python -m tests.chaos.memory`: a function that is stalled for good beside a healthy one, in one worker.

The stalled processor has a million records before it. What must hold: the engine's memory is flat and under
its bound, the healthy processor keeps its rate, and no more is fetched than is consumed. Exit code 1: it does
not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression
from typing import Any, Final

import psutil
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from tests.chaos.feeder import QUIET
from tests.kafka_fixture import TEST_SETTINGS
from tests.scenarios.world import WorkerProcess, World, until
from workers.local.kafka import KafkaServer

PARTITIONS: Final = 8
MIB: Final = 1024 * 1024
HEALTHY, STALLED = "healthy", "stalled"
# 16 places and 20 ms make 800 records/s: a rate that the latency bounds and not the machine, so that it can
# be compared from one minute to the next.
HEALTHY_PLACES: Final = 16
HEALTHY_LATENCY_MS: Final = 20
# Kept in front of the healthy processor: four times its room. At the end it goes through all of it, so that
# what was fetched can be held against what was consumed with nothing left in the client.
HEALTHY_BACKLOG: Final = 40_000
FETCH_TOLD_SECONDS: Final = 12.0
# Longer than any run: the function never answers, and nothing gives it up.
STALLED_TIMEOUT: Final = "16m"
WARM_UP_SECONDS: Final = 15.0
SETTLING_SECONDS: Final = 60.0

MAX_SLOPE_MIB_A_MINUTE: Final = 1.0
MAX_RSS_MIB: Final = 250.0
MIN_RATE_SHARE: Final = 0.9
MAX_FETCHED_SHARE: Final = 1.2


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes of one process over time: (seconds, bytes)."""

    samples: Sequence[tuple[float, int]]

    @property
    def most_mib(self) -> float:
        return max(size for _, size in self.samples) / MIB

    @property
    def slope_mib_a_minute(self) -> float:
        """Of the straight line through all samples."""
        seconds, sizes = zip(*self.samples, strict=True)
        return linear_regression(seconds, sizes).slope * 60 / MIB


@dataclass(frozen=True, slots=True)
class Counts:
    """Records of one processor: received by its client, and consumed."""

    fetched: float
    consumed: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that must hold, and what was seen."""

    what: str
    seen: float
    bound: float
    is_right: bool

    def __str__(self) -> str:
        return (
            f"| {self.what} | {self.seen:,.2f} | {self.bound:g} | {'right' if self.is_right else 'WRONG'} |"
        )


def at_most(what: str, seen: float, bound: float) -> Verdict:
    return Verdict(what, seen, bound, seen <= bound)


def at_least(what: str, seen: float, bound: float) -> Verdict:
    return Verdict(what, seen, bound, seen >= bound)


def value_of(number: int) -> bytes:
    """A small document that compresses as documents do: names and digits well, contents hardly."""
    customer = hashlib.md5(b"%d" % number, usedforsecurity=False).hexdigest().encode()
    return b'{"id":%d,"customer":"%s","status":"placed","items":[]}' % (number, customer)


class Backlog(threading.Thread):
    """Keeps records in front of a processor until it is told to end."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        super().__init__(name=f"backlog of {topic}", daemon=True)
        self._topic = topic
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "linger.ms": 20,
                "compression.type": "lz4",
                # A broker answers a fetch with whole batches. The client's default of 10,000 records a batch
                # would measure those; most producers write less at once.
                "batch.num.messages": 500,
                "queue.buffering.max.messages": 200_000,
            },
            logger=QUIET,
        )
        self.written = 0
        self.consumed = 0
        self.ending = threading.Event()

    def write(self, count: int) -> None:
        """Write `count` records and wait until they are there."""
        for number in range(self.written, self.written + count):
            while True:
                try:
                    self._producer.produce(self._topic, value_of(number))
                    break
                except BufferError:
                    self._producer.poll(0.05)
        assert self._producer.flush(120) == 0
        self.written += count

    def run(self) -> None:
        while not self.ending.wait(1.0):
            short = HEALTHY_BACKLOG - (self.written - self.consumed)
            if short > 0:
                self.write(short)


class Watched:
    """One worker with its engine, looked at once a second."""

    def __init__(self, worker: WorkerProcess, backlog: Backlog) -> None:
        self._worker = worker
        self._backlog = backlog
        (pid,) = worker.engine_pids()
        self._engine = psutil.Process(pid)
        self._supervisor = psutil.Process(worker.process.pid)

    def emitted(self) -> int:
        found = int(self._worker.status(HEALTHY).get("emitted", 0))
        self._backlog.consumed = max(self._backlog.consumed, found)
        return found

    def look(self, seconds: float) -> tuple[Memory, Memory, float]:
        """(the engine's memory, the supervisor's, records/s of the healthy processor) over that time."""
        began, first = time.monotonic(), self.emitted()
        engine: list[tuple[float, int]] = []
        supervisor: list[tuple[float, int]] = []
        while (passed := time.monotonic() - began) < seconds:
            engine.append((passed, self._engine.memory_info().rss))
            supervisor.append((passed, self._supervisor.memory_info().rss))
            self.emitted()
            time.sleep(max(0.0, len(engine) - (time.monotonic() - began)))
        rate = (self.emitted() - first) / (time.monotonic() - began)
        return Memory(engine), Memory(supervisor), rate

    def counted(self, metric: str, processor: str) -> float:
        """A counter of one processor over its other labels."""
        _, text = self._worker.get("/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == metric and sample.labels.get("processor") == processor
        )


def processor(source: str, call: dict[str, Any], results: str) -> dict[str, Any]:
    """`$source` -> `$externalFunction` -> `$emit`."""
    config = {"auto_offset_reset": "earliest", "group_id": f"memory-{source}"}
    return {
        "pipeline": [
            {"$source": {"connectionName": "kafka", "topic": source, "config": config}},
            {"$externalFunction": {"connectionName": "functions", "as": "answer", **call}},
            {"$emit": {"connectionName": "kafka", "topic": results}},
        ],
        "options": {"dlq": {"connectionName": "kafka", "topic": f"{source}-dead"}},
    }


class MemoryRun:
    """The whole measurement on a broker of its own."""

    def __init__(self, arguments: argparse.Namespace, world: World) -> None:
        self._arguments, self._world = arguments, world
        self._source = {name: world.topic(name, PARTITIONS) for name in (HEALTHY, STALLED)}
        results = world.topic("results", PARTITIONS)
        world.drop_admin()
        world.kafka_extra["config"] = json.loads(arguments.config)
        world.start_stub(
            healthy={"outcome": "static", "body": "{}", "latency_ms": HEALTHY_LATENCY_MS},
            stalled={"outcome": "hang"},
        )
        healthy = {"functionName": HEALTHY, "parallelism": HEALTHY_PLACES}
        stalled = {"functionName": STALLED, "timeout": STALLED_TIMEOUT}
        self._app = world.write_app(
            world.connections(),
            {
                HEALTHY: processor(self._source[HEALTHY], healthy, results),
                STALLED: processor(self._source[STALLED], stalled, results),
            },
        )
        self._backlog = Backlog(world.bootstrap, self._source[HEALTHY])

    def run(self) -> list[Verdict]:
        """Alone first, then both."""
        Backlog(self._world.bootstrap, self._source[STALLED]).write(self._arguments.records)
        self._backlog.write(HEALTHY_BACKLOG)
        self._backlog.start()
        say(f"{self._arguments.records:,} records wait for {STALLED}")
        alone = self._alone()
        self._backlog.consumed = 0
        self._backlog.written -= alone[1]
        return self._together(alone[0])

    def _alone(self) -> tuple[float, int]:
        """(records/s of the healthy processor with nothing beside it, records it took)."""
        worker = self._world.ready_worker(self._app, "--processor", HEALTHY)
        watched = Watched(worker, self._backlog)
        watched.look(WARM_UP_SECONDS)
        memory, _, rate = watched.look(self._arguments.alone)
        taken = watched.emitted()
        say(f"alone: {rate:.0f} records/s, engine at most {memory.most_mib:.0f} MiB")
        worker.terminate()
        assert worker.wait() == 0, worker.log()[-2_000:]
        return rate, taken

    def _together(self, alone: float) -> list[Verdict]:
        worker = self._world.ready_worker(self._app)
        watched = Watched(worker, self._backlog)
        watched.look(SETTLING_SECONDS)
        before = self._counts(watched, STALLED)
        engine, supervisor, rate = watched.look(self._arguments.minutes * 60)
        say(f"beside: {rate:.0f} records/s")
        assert worker.status(STALLED)["state"] == "STARTED", worker.status(STALLED)
        self._drain(watched)
        healthy, stalled = self._counts(watched, HEALTHY), self._counts(watched, STALLED)
        say(f"healthy: {healthy}\nstalled: {stalled}")
        assert healthy.fetched > 0, "the worker counts what it fetches"
        assert stalled.consumed > 0, "the stalled processor took records"
        used = healthy.fetched / healthy.consumed
        worker.kill()  # a drain would wait for calls that never end
        return [
            at_most("engine, MiB/min", engine.slope_mib_a_minute, MAX_SLOPE_MIB_A_MINUTE),
            at_most("engine, MiB at most", engine.most_mib, MAX_RSS_MIB),
            at_most("supervisor, MiB at most", supervisor.most_mib, MAX_RSS_MIB),
            at_least(f"rate beside / alone ({rate:.0f} / {alone:.0f})", rate / alone, MIN_RATE_SHARE),
            at_most("healthy: fetched / consumed", used, MAX_FETCHED_SHARE),
            at_most("stalled: fetched after the first minute", stalled.fetched - before.fetched, 0),
        ]

    def _drain(self, watched: Watched) -> None:
        """Let the healthy processor come to the end of its topic, and its client tell of it."""
        self._backlog.ending.set()
        self._backlog.join(120)
        group, topic = f"memory-{self._source[HEALTHY]}", self._source[HEALTHY]
        until(lambda: self._world.lag(group, topic) == 0, 200, "the end of the healthy processor's topic")
        watched.look(FETCH_TOLD_SECONDS)

    def _counts(self, watched: Watched, name: str) -> Counts:
        metrics = ("records_fetched_total", "records_consumed_total")
        return Counts(*(watched.counted(f"penstock_{metric}", name) for metric in metrics))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Measure, print the figures and a verdict on each."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="after the first minute")
    parser.add_argument("--alone", type=float, default=45.0, help="seconds of the healthy processor alone")
    parser.add_argument("--config", default="{}", help="librdkafka settings of the connection, JSON")
    parser.add_argument("--records", type=int, default=1_000_000, help="in front of the stalled processor")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="penstock-memory-"))
    with KafkaServer(folder / "kafka", TEST_SETTINGS) as server:
        world = World(server.address, folder, lambda purpose: f"{purpose}-{uuid.uuid4().hex[:6]}")
        try:
            verdicts = MemoryRun(arguments, world).run()
        finally:
            world.stop()
    print("| what | seen | bound | verdict |\n|---|---|---|---|")
    print("\n".join(map(str, verdicts)))
    if all(verdict.is_right for verdict in verdicts):
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    say(f"evidence: {folder}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
