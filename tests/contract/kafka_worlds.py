"""Two worlds for the contract of sources: a cluster in memory, and a real one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as ClientPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from tests.contract.kafka_events import RecordedEvents
from tests.fakes.kafka import FakeCluster
from tests.fakes.kafka_source import FakeSource, FakeSourceSettings
from tests.kafka_fixture import MakeTopic
from workers.adapters.kafka_consumer import KafkaSource
from workers.adapters.kafka_source_settings import GroupProtocol, SourceSettings
from workers.model import TopicPartition
from workers.progress.room import RoomLimits
from workers.progress.start import StartPolicy

DEADLINE_SECONDS: Final = 60.0
EARLIEST: Final = StartPolicy("earliest", "fail")
WIDE: Final = RoomLimits(10_000, 10_000_000, 1.0)

Committed = Mapping[int, tuple[int, str]]
"""(offset, metadata) by partition."""


@dataclass
class Reader:
    """A source and what it told."""

    source: FakeSource | KafkaSource
    events: RecordedEvents

    def until(self, holds: Callable[[], bool], what: str = "", *others: Reader) -> None:
        """Turn, and the others too, until the condition holds."""
        ends = time.monotonic() + DEADLINE_SECONDS
        while not holds():
            assert time.monotonic() < ends, f"never came: {what}; {self.events.failures}"
            for reader in (self, *others):
                reader.source.turn(time.monotonic(), 0.01)

    def turn_for(self, seconds: float) -> None:
        """Turn so long: to see that something does not happen."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self.source.turn(time.monotonic(), 0.01)

    def stop(self) -> None:
        """The two steps of a poll thread that was asked to stop a source."""
        future = self.source.stop()
        self.source.turn(time.monotonic(), 0.0)
        if isinstance(self.source, KafkaSource):
            self.source.close()
        assert future.done()


class World(Protocol):
    """What a test of a source needs of a cluster."""

    def topic(self, partitions: int = 1) -> str: ...
    def group(self) -> str: ...
    def produce(self, topic: str, values: Sequence[bytes | None], partition: int = 0) -> None: ...
    def delete_before(self, topic: str, offset: int) -> None: ...
    def grow(self, topic: str, partitions: int) -> None: ...
    def commit(self, group: str, topic: str, offset: int, metadata: str) -> None: ...
    def committed(self, group: str, topic: str) -> Committed: ...
    def open(
        self, group: str, topic: str, start: StartPolicy = EARLIEST, limits: RoomLimits = WIDE
    ) -> Reader: ...
    def move_one(self, reader: Reader, group: str, topic: str) -> None:
        """One partition moves to another member of the group."""
        ...


@dataclass
class FakeWorld:
    """In memory."""

    cluster: FakeCluster = field(default_factory=FakeCluster)
    names: Iterator[int] = field(default_factory=lambda: iter(range(1_000)))

    def topic(self, partitions: int = 1) -> str:
        name = f"topic-{next(self.names)}"
        self.cluster.create(name, partitions)
        return name

    def group(self) -> str:
        return f"group-{next(self.names)}"

    def produce(self, topic: str, values: Sequence[bytes | None], partition: int = 0) -> None:
        for value in values:
            self.cluster.append(TopicPartition(topic, partition), value)

    def delete_before(self, topic: str, offset: int) -> None:
        self.cluster.delete_before(TopicPartition(topic, 0), offset)

    def grow(self, topic: str, partitions: int) -> None:
        self.cluster.create(topic, partitions)

    def commit(self, group: str, topic: str, offset: int, metadata: str) -> None:
        self.cluster.committed[(group, TopicPartition(topic, 0))] = (offset, metadata)

    def committed(self, group: str, topic: str) -> Committed:
        return {
            partition.partition: found
            for (name, partition), found in self.cluster.committed.items()
            if (name, partition.topic) == (group, topic)
        }

    def open(
        self, group: str, topic: str, start: StartPolicy = EARLIEST, limits: RoomLimits = WIDE
    ) -> Reader:
        events = RecordedEvents()
        settings = FakeSourceSettings(group, (topic,), start, limits)
        return Reader(FakeSource(settings, events, self.cluster), events)

    def move_one(self, reader: Reader, group: str, topic: str) -> None:
        assert isinstance(reader.source, FakeSource)
        reader.source.revoke([TopicPartition(topic, 1)])


@dataclass
class RealWorld:
    """On a broker."""

    bootstrap: str
    make_topic: MakeTopic
    names: Callable[[str], str]
    protocol: GroupProtocol
    readers: list[Reader] = field(default_factory=list)

    def topic(self, partitions: int = 1) -> str:
        return self.make_topic("in", partitions=partitions)

    def group(self) -> str:
        return self.names("group")

    def produce(self, topic: str, values: Sequence[bytes | None], partition: int = 0) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap})
        for value in values:
            producer.produce(topic, value, partition=partition)
        assert producer.flush(60) == 0

    def delete_before(self, topic: str, offset: int) -> None:
        admin = self._admin()
        for done in admin.delete_records([ClientPartition(topic, 0, offset)]).values():
            done.result(60)

    def grow(self, topic: str, partitions: int) -> None:
        admin = self._admin()
        for done in admin.create_partitions([NewPartitions(topic, partitions)]).values():
            done.result(60)

    def commit(self, group: str, topic: str, offset: int, metadata: str) -> None:
        with self._client(group) as client:
            client.commit(offsets=[ClientPartition(topic, 0, offset, metadata)], asynchronous=False)

    def committed(self, group: str, topic: str) -> Committed:
        with self._client(group) as client:
            numbers = client.list_topics(topic, timeout=60).topics[topic].partitions
            found = client.committed([ClientPartition(topic, number) for number in numbers], timeout=60)
        return {p.partition: (p.offset, p.metadata or "") for p in found if p.offset >= 0}

    def open(
        self, group: str, topic: str, start: StartPolicy = EARLIEST, limits: RoomLimits = WIDE
    ) -> Reader:
        events = RecordedEvents()
        config = {"bootstrap.servers": self.bootstrap, "topic.metadata.refresh.interval.ms": 1_000}
        settings = SourceSettings(
            "contract", group, (topic,), config, self.protocol, start, limits, poll_batch_records=500
        )
        self.readers.append(Reader(KafkaSource(settings, events), events))
        return self.readers[-1]

    def move_one(self, reader: Reader, group: str, topic: str) -> None:
        other = self.open(group, topic)
        reader.until(lambda: bool(other.events.starts), "a second member", other)
        other.stop()

    def close(self) -> None:
        """Stop what the test left open."""
        for reader in self.readers:
            if not reader.source.stop().done():
                reader.stop()

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap})

    @contextmanager
    def _client(self, group: str) -> Iterator[Consumer]:
        client = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group})
        try:
            yield client
        finally:
            client.close()
