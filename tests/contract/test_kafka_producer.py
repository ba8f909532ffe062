"""The port `Producer`: kept by the fake, and by the client on a real broker."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

import pytest
from confluent_kafka import Consumer, KafkaError
from confluent_kafka import TopicPartition as ClientPartition

from tests.fakes.kafka import FakeProducer, FakeRecord
from tests.kafka_fixture import MakeTopic
from workers.adapters.kafka_producer import KafkaProducer
from workers.model import Headers, TopicPartition
from workers.ports import Producer, SendFailure

DEADLINE_SECONDS: Final = 60.0
LARGE: Final = random.Random(1).randbytes(50_000)  # no compression makes it small
NOBODY: Final = "127.0.0.1:1"
HEADERS: Final[Headers] = [("b", b"1"), ("a", None), ("b", b""), ("ü", b"\xff")]


@dataclass
class Acks:
    """What came back for each record that was sent."""

    producer: Producer
    failures: dict[Any, list[SendFailure | None]] = field(default_factory=dict)

    def send(
        self, name: Any, topic: str, value: bytes | None, key: bytes | None = None,
        headers: Headers | None = None, timestamp_ms: int = 0,
    ) -> SendFailure | bool:  # fmt: skip
        def delivered(error: Any, _record: Any) -> None:
            failure = None if error is None else self.producer.failure(error)
            self.failures.setdefault(name, []).append(failure)

        return self.producer.send(topic, value, key, headers, timestamp_ms, delivered)

    def wait(self) -> None:
        """Poll until nothing is outstanding."""
        ends = time.monotonic() + DEADLINE_SECONDS
        while self.producer.outstanding():
            assert time.monotonic() < ends, f"{self.producer.outstanding()} records never came back"
            self.producer.poll()


def _note(errors: list[Any], error: Any, _record: Any) -> None:
    errors.append(error)


Seen: TypeAlias = "tuple[bytes | None, bytes | None, Headers | None, int]"
"""(key, value, headers, timestamp in ms) of a record as a topic holds it."""


class World(Protocol):
    """What a test of a producer needs of a cluster."""

    def topic(self, max_bytes: int = 1_000_000) -> str: ...
    def producer(self, *, max_request_bytes: int = 1_000_000, capacity: int = 10_000) -> Producer: ...
    def silent_producer(self) -> Producer:
        """One that nobody answers."""
        ...

    def producer_without(self, topic: str) -> Producer:
        """One of a cluster that does not have this topic and makes none."""
        ...

    def read(self, topic: str, count: int) -> list[Seen]: ...


@dataclass
class FakeWorld:
    """In memory."""

    limits: dict[str, int] = field(default_factory=dict)
    made: list[FakeProducer] = field(default_factory=list)

    def topic(self, max_bytes: int = 1_000_000) -> str:
        name = f"topic-{len(self.limits)}"
        self.limits[name] = max_bytes
        return name

    def producer(self, *, max_request_bytes: int = 1_000_000, capacity: int = 10_000) -> Producer:
        producer = FakeProducer(capacity)
        producer.max_request_bytes, producer.max_topic_bytes = max_request_bytes, self.limits
        self.made.append(producer)
        return producer

    def silent_producer(self) -> Producer:
        producer = FakeProducer()
        producer.hold()
        return producer

    def producer_without(self, topic: str) -> Producer:
        producer = FakeProducer()
        producer.absent.add(topic)
        return producer

    def read(self, topic: str, count: int) -> list[Seen]:
        def seen(record: FakeRecord) -> Seen:
            return record.key(), record.value(), record.headers(), record.timestamp()[1]

        return [seen(r) for producer in self.made for r in producer.written if r.topic() == topic][:count]


@dataclass
class RealWorld:
    """On a broker."""

    bootstrap: str
    make_topic: MakeTopic
    made: list[KafkaProducer] = field(default_factory=list)

    def topic(self, max_bytes: int = 1_000_000) -> str:
        return self.make_topic("out", config={"max.message.bytes": str(max_bytes)})

    def producer(self, *, max_request_bytes: int = 1_000_000, capacity: int = 10_000) -> Producer:
        config = {"message.max.bytes": max_request_bytes, "queue.buffering.max.messages": capacity}
        return self._make(self.bootstrap, config)

    def silent_producer(self) -> KafkaProducer:
        return self._make(NOBODY, {})

    def producer_without(self, topic: str) -> Producer:
        # The client waits 30 s for a topic that is being created.
        patience = {"topic.metadata.propagation.max.ms": 200, "allow.auto.create.topics": "false"}
        return self._make(self.bootstrap, patience)

    def _make(self, bootstrap: str, config: Mapping[str, Any]) -> KafkaProducer:
        self.made.append(KafkaProducer({"bootstrap.servers": bootstrap, **config}, "contract"))
        return self.made[-1]

    def messages(self, topic: str, count: int, partitions: int = 1) -> list[Any]:
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "reads without committing"})
        consumer.assign([ClientPartition(topic, number, 0) for number in range(partitions)])
        found: list[Any] = []
        ends = time.monotonic() + DEADLINE_SECONDS
        while len(found) < count:
            assert time.monotonic() < ends, f"{len(found)} of {count} records"
            found += consumer.consume(count - len(found), 0.5)
        consumer.close()
        return found

    def read(self, topic: str, count: int) -> list[Seen]:
        return [(m.key(), m.value(), m.headers(), m.timestamp()[1]) for m in self.messages(topic, count)]


class ProducerContract:
    """What every producer does."""

    def test_each_record_comes_back_once(self, world: World) -> None:
        """`delivered` is called once a record, from `poll`; then nothing is outstanding."""
        topic, acks = world.topic(), Acks(world.producer())
        for number in range(100):
            assert acks.send(number, topic, b"%d" % number) is True
        assert acks.failures == {}, "callbacks run in poll only"
        assert acks.producer.outstanding() == 100
        acks.wait()
        assert acks.failures == {number: [None] for number in range(100)}
        assert acks.producer.poll() == 0
        assert [value for _, value, _, _ in world.read(topic, 100)] == [b"%d" % n for n in range(100)]

    def test_key_headers_and_timestamp_are_kept(self, world: World) -> None:
        """Order, duplicates, nulls and empty values of headers; an empty key is not a null one."""
        topic, acks = world.topic(), Acks(world.producer())
        acks.send(1, topic, b"v", b"k", HEADERS, 1_600_000_000_123)
        acks.send(2, topic, None, b"", None, 1_600_000_000_124)
        acks.wait()
        assert world.read(topic, 2) == [
            (b"k", b"v", HEADERS, 1_600_000_000_123), (b"", None, None, 1_600_000_000_124),
        ]  # fmt: skip

    def test_a_timestamp_of_0_is_now(self, world: World) -> None:
        """As the port says."""
        topic, acks = world.topic(), Acks(world.producer())
        acks.send(1, topic, b"v")
        acks.wait()
        ((_, _, _, timestamp_ms),) = world.read(topic, 1)
        assert timestamp_ms > 1_700_000_000_000

    def test_what_the_topic_does_not_take_comes_back_as_too_large(self, world: World) -> None:
        """Once, named, and not fatal: what follows is written."""
        topic, acks = world.topic(max_bytes=20_000), Acks(world.producer())
        acks.send("large", topic, LARGE)
        acks.wait()
        acks.send("small", topic, b"v")
        acks.wait()
        (failure,) = acks.failures["large"]
        assert failure is not None
        assert (failure.too_large, failure.fatal) == (True, False)
        assert acks.failures["small"] == [None]

    def test_many_go_with_the_key_headers_and_time_of_their_records(self, world: World) -> None:
        """None is passed over, each has its own callback, and the answer is the end of the places."""
        topic, acks, seen = world.topic(), Acks(world.producer()), list[Any]()
        source = TopicPartition("in", 0)
        records = [
            FakeRecord(source, n, b"x", b"k%d" % n, [("h", b"%d" % n)] if n else None, 1_000 + n)
            for n in range(4)
        ]
        values = [b"v0", None, b"v2", b"v3"]
        assert acks.producer.send_many(topic, values, records, range(3), partial(_note, seen)) == 3
        acks.wait()
        assert seen == [None, None]
        assert sorted(world.read(topic, 2)) == [
            (b"k0", b"v0", None, 1_000),
            (b"k2", b"v2", [("h", b"2")], 1_002),
        ]

    def test_many_stop_at_what_does_not_fit(self, world: World) -> None:
        """The first place that was not queued is named, whether the queue is full or the record too large."""
        records = [FakeRecord(TopicPartition("in", 0), n, b"x", None, None, 1) for n in range(3)]
        small = world.producer(max_request_bytes=2_000)
        values = [b"v", LARGE, b"v"]
        assert small.send_many(world.topic(), values, records, range(3), lambda *_: None) == 1

    def test_a_record_by_itself_is_judged_by_itself(self, world: World) -> None:
        """`send_alone`: its neighbours' size is not its fault."""
        topic, acks = world.topic(max_bytes=20_000), Acks(world.producer())
        large: list[Any] = []
        small: list[Any] = []
        for value, errors in ((LARGE, large), (b"v", small)):
            acks.producer.send_alone(topic, value, None, None, 0, partial(_note, errors))
        acks.wait()
        assert [acks.producer.failure(error).too_large for error in large] == [True]
        assert small == [None]

    def test_what_the_producer_does_not_take_is_refused_at_once(self, world: World) -> None:
        """`send` answers with the failure, and `delivered` is never called."""
        topic, acks = world.topic(), Acks(world.producer(max_request_bytes=2_000))
        answer = acks.send("large", topic, b"x" * 5_000)
        assert isinstance(answer, SendFailure)
        assert answer.too_large
        acks.wait()
        assert acks.failures == {}

    def test_a_topic_that_is_not_there_is_said_so(self, world: World) -> None:
        """The record comes back as such, a second one too, at once or later; others are written."""
        topic, gone = world.topic(), "t-nobody-makes-this-topic"
        acks = Acks(world.producer_without(gone))
        acks.send("first", gone, b"v")
        acks.wait()
        answer = acks.send("second", gone, b"v")
        acks.send("other", topic, b"v")
        acks.wait()
        second = answer if isinstance(answer, SendFailure) else acks.failures["second"][0]
        for failure in (acks.failures["first"][0], second):
            assert failure is not None
            assert (failure.no_topic, failure.too_large, failure.fatal) == (True, False, False)
        assert acks.failures["other"] == [None]

    def test_a_full_queue_says_so(self, world: World) -> None:
        """False, and `delivered` is not called for that record; after polling there is room again."""
        topic, acks = world.topic(), Acks(world.producer(capacity=5))
        answers = [acks.send(number, topic, b"v") for number in range(7)]
        assert answers == [True] * 5 + [False] * 2
        acks.wait()
        assert sorted(acks.failures) == list(range(5))
        assert acks.send(7, topic, b"v") is True
        acks.wait()

    def test_close_gives_up_what_is_outstanding(self, world: World) -> None:
        """Each callback runs, as a failure that is neither too large nor fatal; a second time is no error."""
        acks = Acks(world.silent_producer())
        for number in range(3):
            acks.send(number, "nowhere", b"v")
        acks.producer.poll()
        acks.producer.close()
        acks.producer.close()
        for number in range(3):
            (failure,) = acks.failures[number]
            assert failure is not None
            assert (failure.too_large, failure.fatal) == (False, False)

    def test_replacing_a_healthy_client_does_nothing(self, world: World) -> None:
        """Of several processors that ask for it only the first finds it broken."""
        topic, acks = world.topic(), Acks(world.producer())
        acks.send(1, topic, b"v")
        acks.producer.replace()
        acks.wait()
        assert acks.failures == {1: [None]}


class TestFakeProducer(ProducerContract):
    """In memory."""

    @pytest.fixture
    def world(self) -> World:
        return FakeWorld()

    def test_a_broken_client_gives_back_all_and_its_successor_works(self) -> None:
        """In order, the fatal one first; until it is replaced nothing is taken."""
        producer = FakeProducer()
        acks = Acks(producer)
        for number in range(3):
            acks.send(number, "t", b"v")
        producer.break_down()
        producer.poll()
        assert isinstance(acks.send(3, "t", b"v"), SendFailure)
        producer.replace()
        assert list(acks.failures) == [0, 1, 2]
        acks.send(4, "t", b"v")
        acks.wait()
        assert acks.failures[4] == [None]


class TestKafkaProducer(ProducerContract):
    """On a real broker."""

    @pytest.fixture
    def world(self, kafka: str, make_topic: MakeTopic) -> Iterator[RealWorld]:
        world = RealWorld(kafka, make_topic)
        yield world
        for producer in world.made:
            producer.close()

    def test_keys_land_where_javas_clients_put_them(self, world: RealWorld, make_topic: MakeTopic) -> None:
        """murmur2, so that a topic that is written by both is partitioned by key."""
        topic, acks = make_topic("keys", partitions=7), Acks(world.producer())
        keys = [f"customer-{n}".encode() for n in range(60)] + [b"", b"a", b"ab", b"abc", "ü".encode()]
        for key in keys:
            acks.send(key, topic, key, key)
        acks.wait()
        found = {message.key() or b"": message.partition() for message in world.messages(topic, len(keys), 7)}
        assert found == {key: (_murmur2(key) & 0x7FFFFFFF) % 7 for key in keys}


def _broken(make: Callable[[], KafkaProducer]) -> tuple[KafkaProducer, Acks]:
    producer = make()
    acks = Acks(producer)
    for number in range(3):
        acks.send(number, "nowhere", b"v")
    producer.failure(KafkaError(KafkaError._FATAL, fatal=True))
    return producer, acks


def test_a_broken_client_is_replaced_once() -> None:
    """What was outstanding comes back; whoever asks a second time finds the new client healthy, even when
    records came back as fatal while the old one was given up."""
    producer, acks = _broken(lambda: KafkaProducer({"bootstrap.servers": NOBODY}, "unit"))
    fatal = KafkaError(KafkaError._FATAL, fatal=True)

    def says_fatal(_error: Any, _record: Any) -> None:
        producer.failure(fatal)

    producer.send("nowhere", b"v", None, None, 0, says_fatal)
    producer.replace()
    assert sorted(acks.failures) == [0, 1, 2]
    acks.send("after", "nowhere", b"v")
    producer.replace()
    assert "after" not in acks.failures
    producer.close()
    assert len(acks.failures["after"]) == 1


def _murmur2(data: bytes) -> int:
    """The hash of Kafka's Java clients, over unsigned 32 bits."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = (0x9747B28C ^ len(data)) & mask
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15
