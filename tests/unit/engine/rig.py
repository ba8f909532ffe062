"""One processor on fakes: the source, the producer and the functions do what a test tells them to.

`until` is the only way to wait: it turns the fake world round and round until a condition holds.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.fakes.invoker import FakeInvoker
from tests.fakes.kafka import FakeCluster, FakeProducer
from tests.fakes.kafka_source import WIDE, FakeSource, FakeSourceSettings
from tests.fakes.transactions import FakeTransactions
from topics.headers import DEAD_LETTER
from workers.adapters.error_file import shipped_errors
from workers.counting import Metrics
from workers.emit.dead_letter import DeadLetterPolicy
from workers.engine.call_line import CallLine
from workers.engine.callees import Callees
from workers.engine.holding import ProbePace
from workers.engine.intake import Intake
from workers.engine.letters import LetterSettings
from workers.engine.processor import Parts, Processor, ProcessorSettings
from workers.engine.transaction import TransactionSettings
from workers.model import (
    DROPPED,
    PROCESSOR_SCOPE,
    Document,
    Emission,
    Headers,
    Many,
    Meta,
    Refused,
    TopicPartition,
)
from workers.pipeline.program import CallSite, Outcome, Program, RetrySpec, Segment, Sink, ThrottleSpec
from workers.ports import Client
from workers.progress.room import RoomLimits

DEADLINE_SECONDS: Final = 5.0
TOPIC: Final = "in"
RESULTS: Final = "results"
DEAD: Final = "dead"
FIRST: Final = TopicPartition(TOPIC, 0)
SECOND: Final = TopicPartition(TOPIC, 1)
QUICK: Final = RetrySpec(max_attempts=3, max_elapsed_seconds=5.0, base_seconds=0.001, cap_seconds=0.002)

TRANSACTIONS: Final = TransactionSettings("orders", 0.001, 1_000, 10_000, 1_000_000)
QUICKLY: Final = ProbePace(0.002, 0.005)
NEVER: Final = ProbePace(1e6, 1e6)
SETTINGS: Final = ProcessorSettings(
    name="orders",
    dead_letters=LetterSettings(DEAD, DeadLetterPolicy("orders")),
    tombstones="pass",
    max_record_bytes=1_000_000,
    slice_records=10,
    commit_interval_seconds=0.001,
    drain_timeout_seconds=2.0,
    revoke_drain_seconds=1.0,
)


def apply(doc: Document) -> Outcome:
    """What the segment of these tests makes of a document: what its field `do` says."""
    match doc.get("do"):
        case "drop":
            return DROPPED
        case "refuse":
            return Refused("asked for it", "$project", "pipeline[1]", doc)
        case "many":
            return Many([{"id": f"{doc['id']}.{n}"} for n in range(doc["count"])])
        case "mixed":
            refused = Refused("asked for it", "$project", "pipeline[1]", doc)
            return Many([{"id": f"{doc['id']}.0"}, refused, {"id": f"{doc['id']}.2"}])
        case "fail":
            return Refused("asked to stop", "$validate", "pipeline[1]", doc, scope=PROCESSOR_SCOPE)
        case "nan":
            return {"id": doc["id"], "beyond": 2**70}
        case "crash":
            raise RuntimeError("a planted bug")
        case "grow":
            return {"id": doc["id"], "text": "x" * doc["size"]}
    return doc


def segment(run: Callable[[Document], Outcome] = apply) -> Segment:
    """A segment that treats each document by itself."""

    def over_all(docs: Sequence[Document], _metas: Sequence[Meta] | None) -> list[Outcome]:
        return [run(doc) for doc in docs]

    return Segment(over_all, ("$test",), "")


def _no_emission(*_: object) -> Emission:
    raise AssertionError("a plain sink makes no emissions")


PLAIN_SINK: Final = Sink("kafka", RESULTS, True, _no_emission, path="pipeline[9].$emit")


def renaming_sink() -> Sink:
    """A sink whose topic is an expression."""

    def emission(
        doc: Document, _meta: Meta | None, key: bytes | None, headers: Headers | None
    ) -> Emission | Refused:
        if doc.get("to") is None:
            return Refused("no topic", "$emit", "pipeline[9].$emit.topic", doc)
        return Emission(doc["to"], json.dumps(doc).encode(), key, headers)

    return Sink("kafka", None, False, emission, path="pipeline[9].$emit")


def site(**changes: Any) -> CallSite:
    """A call that sets its answer at `answer`."""

    def set_result(doc: Document, value: Any) -> Document:
        return {**doc, "answer": value}

    plain = CallSite(
        "pipeline[2].$externalFunction", "aws", "f", set_result=set_result, retry=QUICK, parallelism=4
    )
    return replace(plain, **changes)


def plain_program() -> Program:
    return Program(None, (segment(),), (), PLAIN_SINK)


def calling_program(*sites: CallSite | ThrottleSpec, sink: Sink | None = PLAIN_SINK) -> Program:
    """A segment before and after each call."""
    return Program(None, (segment(),) * (len(sites) + 1), sites, sink)


@dataclass
class Rig:
    """The processor under test and the world around it."""

    processor: Processor
    cluster: FakeCluster
    source: FakeSource
    producer: FakeProducer
    invoker: FakeInvoker
    metrics: Metrics
    crashes: list[BaseException] = field(default_factory=list)
    transactions: FakeTransactions | None = None
    """There under exactly-once."""
    callees: Callees = field(default_factory=Callees)

    def settled(self) -> bool:
        """Whether every permit and every byte was given back."""
        found = [self.callees.of(site.connection, site.function) for site in self.sites]
        return all(
            not (one.limit.in_flight or one.limit.open or one.share.waiting or one.bytes.used_bytes)
            for one in found
        )

    @property
    def sites(self) -> list[CallSite]:
        """The call sites of the processor."""
        return [one.site for one in self.processor.fanouts if isinstance(one, CallLine)]

    def give(self, *docs: Any, to: TopicPartition = FIRST, **how: Any) -> None:
        """Write records: documents as JSON, bytes and None as they are."""
        for doc in docs:
            value = doc if doc is None or isinstance(doc, bytes) else json.dumps(doc).encode()
            self.cluster.append(to, value, **how)

    def turn(self) -> None:
        self.source.turn(time.monotonic())
        self.producer.poll()

    async def until(self, holds: Callable[[], bool], what: str = "", *, advance: float = 0.0) -> None:
        """Turn the world until the condition holds; fail at the deadline. Each turn lets so many seconds of
        the functions' virtual time pass."""
        ends = time.monotonic() + DEADLINE_SECONDS
        while not holds():
            assert time.monotonic() < ends, f"never came: {what or 'the condition'}"
            assert not self.crashes, f"the engine crashed: {self.crashes}"
            self.turn()
            if advance:
                self.invoker.advance(advance)
            await asyncio.sleep(0)

    async def rest(self) -> None:
        """Turn the world a good while: nothing that could happen without time passing is left to happen."""
        for _ in range(100):
            self.turn()
            await asyncio.sleep(0)

    def committed(self, partition: TopicPartition = FIRST) -> int:
        return self.source.committed().get(partition, 0)

    async def all_committed(self, count: int, partition: TopicPartition = FIRST) -> None:
        await self.until(
            lambda: self.committed(partition) >= count,
            f"{count} committed, was {self.committed(partition)}",
        )

    def results(self, topic: str = RESULTS) -> list[Any]:
        """The documents on a topic, in order."""
        values = (self.transactions or self.producer).values(topic)
        return [None if value is None else json.loads(value) for value in values]

    def ids(self, topic: str = RESULTS) -> list[Any]:
        return [doc["id"] for doc in self.results(topic)]

    def letters(self) -> list[dict[str, Any]]:
        """Why each dead letter is one, in order."""
        return [
            json.loads(dict(record.headers() or [])[DEAD_LETTER.name] or b"")
            for record in (self.transactions or self.producer).written
            if record.topic() == DEAD
        ]

    def invoked(self) -> list[Any]:
        """The bodies of all requests so far."""
        return [json.loads(request.body) for request in self.invoker.requests]

    async def revoke(self, *partitions: TopicPartition) -> None:
        """Move partitions away as the poll thread does, on a thread of its own, while the world turns."""
        moving = asyncio.create_task(asyncio.to_thread(self.source.revoke, partitions))
        ends = time.monotonic() + DEADLINE_SECONDS
        while not moving.done():
            assert time.monotonic() < ends, "the revocation never ended"
            self.producer.poll()
            await asyncio.sleep(0)
        await moving

    async def stop(self) -> None:
        """Stop the processor while the world turns."""
        stopping = asyncio.create_task(self.processor.stop())
        await self.until(stopping.done, "the processor stopped")
        await stopping


def build(
    program: Program,
    *,
    settings: Mapping[str, Any] | None = None,
    partitions: int = 1,
    limits: RoomLimits = WIDE,
    capacity: int = 100_000,
    exactly_once: bool = False,
) -> Rig:
    """A rig whose processor was not started yet. Among the settings: `clients`, one for each call, where
    functions are not enough; `pace` of the probes; `callees` that are shared with others."""
    cluster, metrics, invoker = FakeCluster(), Metrics(with_process=False), FakeInvoker()
    cluster.create(TOPIC, partitions)
    producer = FakeProducer(capacity)
    crashes: list[BaseException] = []
    changes = dict(settings or {})
    transactions = None
    if exactly_once:
        transactions = FakeTransactions(cluster)
        changes.setdefault("transactions", TRANSACTIONS)
    pace: ProbePace = changes.pop("pace", QUICKLY)
    callees: Callees = changes.pop("callees", Callees())
    clients: tuple[Client, ...] = changes.pop("clients", (invoker,) * len(program.calls))
    processor = Processor(
        program,
        replace(SETTINGS, **changes),
        Parts(producer, producer, clients, metrics, shipped_errors(), transactions, pace, callees),
        crashes.append,
    )
    intake = Intake(asyncio.get_running_loop(), processor, SETTINGS.revoke_drain_seconds)
    reading = FakeSourceSettings("group", (TOPIC,), limits=limits, is_transactional=exactly_once)
    source = FakeSource(reading, intake, cluster)
    return Rig(processor, cluster, source, producer, invoker, metrics, crashes, transactions, callees)


@asynccontextmanager
async def running(program: Program, **how: Any) -> AsyncIterator[Rig]:
    """A started processor; stopped at the end, and no part of it may have crashed."""
    rig = build(program, **how)
    rig.processor.start(rig.source)
    try:
        yield rig
        assert not rig.crashes, f"the engine crashed: {rig.crashes}"
    finally:
        rig.producer.release()
        if rig.transactions is not None:
            rig.transactions.release()
        rig.invoker.advance(1e6)
        await rig.invoker.close()
        await rig.stop()
    assert rig.settled(), "permits and bytes are given back whatever happens"
