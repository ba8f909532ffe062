"""The port `Transactions`: kept by the fake, and by the client on a real broker, under both protocols."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import pytest
from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as ClientPartition

from tests.fakes.kafka import FakeCluster
from tests.fakes.transactions import FakeMembership, FakeTransactions
from tests.kafka_fixture import MakeTopic
from workers.adapters import kafka_transaction_client
from workers.adapters.kafka_membership import KafkaMembership
from workers.adapters.kafka_transactions import KafkaTransactions
from workers.model import Headers, Position, TopicPartition
from workers.ports import Membership, Produced, Transactions
from workers.progress.checkpoint import Checkpoint, decode, encode

DEADLINE_SECONDS: Final = 40.0
LARGE: Final = random.Random(1).randbytes(50_000)  # no compression makes it small
HEADERS: Final[Headers] = [("b", b"1"), ("a", None), ("b", b"")]


def record(topic: str, value: bytes, key: bytes | None = None) -> Produced:
    return topic, value, key, None, 0


class World(Protocol):
    """What a test of transactions needs of a cluster."""

    def topic(self, max_bytes: int = 1_000_000) -> str: ...
    def transactions(self, name: str, *, without: str = "") -> Transactions:
        """Those with this id; of a cluster that does not have the topic `without`."""
        ...

    def member(self) -> tuple[TopicPartition, Membership]:
        """A member of a new group, with one of the two partitions that it owns."""
        ...

    def move_on(self) -> tuple[TopicPartition, Membership]:
        """A second member joins: a partition that moved to it, and what it is."""
        ...

    def read(self, topic: str, *, committed_only: bool = True) -> list[tuple[object, ...]]: ...
    def committed(self, partition: TopicPartition) -> tuple[int, str]: ...


@dataclass
class FakeWorld:
    """In memory."""

    cluster: FakeCluster = field(default_factory=FakeCluster)
    limits: dict[str, int] = field(default_factory=dict)

    def topic(self, max_bytes: int = 1_000_000) -> str:
        name = f"topic-{len(self.limits)}"
        self.cluster.create(name)
        self.limits[name] = max_bytes
        return name

    def transactions(self, name: str, *, without: str = "") -> Transactions:
        made = FakeTransactions(self.cluster, name)
        made.max_topic_bytes = self.limits
        made.absent |= {without} - {""}
        return made

    def member(self) -> tuple[TopicPartition, Membership]:
        self.cluster.create("in", 2)
        first, second = (TopicPartition("in", number) for number in range(2))
        return first, FakeMembership("group", 0, frozenset({first, second}))

    def move_on(self) -> tuple[TopicPartition, Membership]:
        self.cluster.epochs["group"] = 1
        moved = TopicPartition("in", 1)
        return moved, FakeMembership("group", 1, frozenset({moved}))

    def read(self, topic: str, *, committed_only: bool = True) -> list[tuple[object, ...]]:
        found = self.cluster.logs[TopicPartition(topic, 0)].records
        return [(r.key(), r.value(), r.headers(), r.timestamp()[1]) for r in found]

    def committed(self, partition: TopicPartition) -> tuple[int, str]:
        return self.cluster.committed.get(("group", partition), (-1, ""))


@dataclass
class RealWorld:
    """On a broker."""

    bootstrap: str
    make_topic: MakeTopic
    names: Callable[[str], str]
    protocol: str
    made: list[KafkaTransactions] = field(default_factory=list)
    consumers: list[Consumer] = field(default_factory=list)
    group: str = ""
    source: str = ""

    def topic(self, max_bytes: int = 1_000_000) -> str:
        return self.make_topic("out", config={"max.message.bytes": str(max_bytes), "retention.ms": "-1"})

    def transactions(self, name: str, *, without: str = "") -> Transactions:
        config = {"bootstrap.servers": self.bootstrap}
        if without:
            config["allow.auto.create.topics"] = "false"
        self.made.append(KafkaTransactions(config, f"{self.source}-{name}"))
        return self.made[-1]

    def member(self) -> tuple[TopicPartition, Membership]:
        self.group, self.source = self.names("group"), self.make_topic("in", partitions=2)
        self._join()
        self._until(lambda: len(self.consumers[0].assignment()) == 2)
        return TopicPartition(self.source, 0), self._membership(self.consumers[0])

    def move_on(self) -> tuple[TopicPartition, Membership]:
        self._join()
        self._until(lambda: all(consumer.assignment() for consumer in self.consumers))
        newcomer = self.consumers[1]
        moved = newcomer.assignment()[0]
        return TopicPartition(moved.topic, moved.partition), self._membership(newcomer)

    def read(self, topic: str, *, committed_only: bool = True) -> list[tuple[object, ...]]:
        level = "read_committed" if committed_only else "read_uncommitted"
        consumer = Consumer({
            "bootstrap.servers": self.bootstrap, "group.id": "reads without committing",
            "isolation.level": level, "enable.partition.eof": True,
        })  # fmt: skip
        consumer.assign([ClientPartition(topic, 0, 0)])
        found: list[tuple[object, ...]] = []
        ends = time.monotonic() + DEADLINE_SECONDS
        while True:
            assert time.monotonic() < ends, "the end of the topic never came"
            for message in consumer.consume(100, 0.2):
                if message.error() is not None:
                    consumer.close()
                    return found
                found.append((message.key(), message.value(), message.headers(), message.timestamp()[1]))

    def committed(self, partition: TopicPartition) -> tuple[int, str]:
        asked = [ClientPartition(partition.topic, partition.partition)]
        (found,) = self.consumers[0].committed(asked, timeout=60)
        return found.offset, found.metadata or ""

    def _join(self) -> None:
        config = {
            "bootstrap.servers": self.bootstrap,
            "group.id": self.group,
            "group.protocol": self.protocol,
        }
        if self.protocol == "classic":
            config |= {"partition.assignment.strategy": "cooperative-sticky"}
        self.consumers.append(Consumer({**config, "enable.auto.commit": False}))
        self.consumers[-1].subscribe([self.source])

    def _until(self, holds: Callable[[], bool]) -> None:
        ends = time.monotonic() + DEADLINE_SECONDS
        while not holds():
            assert time.monotonic() < ends, "the assignment never came"
            for consumer in self.consumers:
                consumer.poll(0.05)

    def _membership(self, consumer: Consumer) -> Membership:
        owned = frozenset(TopicPartition(p.topic, p.partition) for p in consumer.assignment())
        return KafkaMembership(
            owned,
            consumer.consumer_group_metadata(),
            lambda positions: [
                ClientPartition(p.topic, p.partition, at.offset, encode(1, at)) for p, at in positions.items()
            ],
        )


class TransactionsContract:
    """What all transactions do."""

    async def test_records_and_offsets_are_there_together(self, world: World) -> None:
        """Key, headers, time and order are kept; the position carries its map; one after the other."""
        (partition, member), topic = world.member(), world.topic()
        made = world.transactions("a")
        where = Position(7, ((9, 11),))
        items: Sequence[Produced] = [
            (topic, b"1", b"k", HEADERS, 1_600_000_000_123),
            (topic, None, b"", None, 5),
        ]
        assert (await made.run(items, (), member.offsets({partition: where}))).result == "committed"
        assert world.read(topic) == [(b"k", b"1", HEADERS, 1_600_000_000_123), (b"", None, None, 5)]
        offset, text = world.committed(partition)
        assert (offset, decode(text, offset)) == (7, Checkpoint(1, ((9, 11),)))
        assert (await made.run([], (), member.offsets({partition: Position(11)}))).result == "committed"
        assert world.committed(partition)[0] == 11

    async def test_only_owned_partitions_are_committed(self, world: World) -> None:
        """What another member owns is left out in the step that names the member."""
        partition, member = world.member()
        other = TopicPartition(partition.topic, 5)
        offsets = member.offsets({partition: Position(1), other: Position(2)})
        assert (member.owns(partition), member.owns(other)) == (True, False)
        assert (await world.transactions("a").run([], (), offsets)).result == "committed"
        assert world.committed(partition)[0] == 1

    async def test_a_record_that_is_too_large_is_found_among_its_neighbours(self, world: World) -> None:
        """First all of its batch are suspects; alone it is refused and they are not. Nothing of either
        transaction is seen, and without it the others are written in order."""
        (partition, member), topic = world.member(), world.topic(max_bytes=20_000)
        made, offsets = world.transactions("a"), member.offsets({partition: Position(3)})
        items = [record(topic, b"0"), record(topic, LARGE), record(topic, b"2")]
        first = await made.run(items, (), offsets)
        assert (first.result, 1 in first.suspects, dict(first.refused)) == ("aborted", True, {})
        second = await made.run(items, first.suspects, offsets)
        assert (second.result, list(second.refused)) == ("aborted", [1])
        assert second.refused[1].too_large
        assert world.read(topic) == []
        assert world.committed(partition)[0] < 0
        assert (await made.run([items[0], items[2]], (), offsets)).result == "committed"
        assert [seen[1] for seen in world.read(topic)] == [b"0", b"2"]

    async def test_a_topic_that_is_not_there_is_said_so(self, world: World) -> None:
        """Of the record that needs it, and nothing is written."""
        (partition, member), topic = world.member(), world.topic()
        gone = "t-nobody-makes-this-topic"
        made, offsets = world.transactions("a", without=gone), member.offsets({partition: Position(1)})
        end = await made.run([record(topic, b"0"), record(gone, b"1")], (), offsets)
        assert (end.result, list(end.refused), end.refused[1].no_topic) == ("aborted", [1], True)
        assert (await made.run([record(topic, b"2")], (), offsets)).result == "committed"
        assert [seen[1] for seen in world.read(topic)] == [b"2"]

    async def test_of_two_with_one_id_the_newer_one_counts(self, world: World) -> None:
        """The older one is fenced and writes nothing; it may register again, and then is the newer one."""
        (partition, member), topic = world.member(), world.topic()
        offsets = member.offsets({partition: Position(1)})
        old, new = world.transactions("same"), world.transactions("same")
        for number, made in enumerate((old, new)):
            assert (await made.run([record(topic, b"%d" % number)], (), offsets)).result == "committed"
        fenced = await old.run([record(topic, b"lost")], (), offsets)
        assert (fenced.result, fenced.is_fenced) == ("aborted", True)
        assert (await old.run([record(topic, b"2")], (), offsets)).result == "committed"
        assert [seen[1] for seen in world.read(topic)] == [b"0", b"1", b"2"]

    async def test_a_member_of_the_past_commits_nothing(self, world: World) -> None:
        """Of a partition that moved: the transaction is aborted as stale; with the membership of its owner
        the same records pass."""
        (_, member), topic = world.member(), world.topic()
        made = world.transactions("a")
        moved, newer = world.move_on()
        stale = await made.run([record(topic, b"0")], (), member.offsets({moved: Position(1)}))
        assert (stale.result, stale.is_stale) == ("aborted", True), stale
        end = await made.run([record(topic, b"0")], (), newer.offsets({moved: Position(1)}))
        assert end.result == "committed", end
        assert [seen[1] for seen in world.read(topic)] == [b"0"]

    async def test_after_a_recovery_nothing_is_open(self, world: World) -> None:
        """And the next transaction is as good as any."""
        (partition, member), topic = world.member(), world.topic()
        made = world.transactions("a")
        for value in (b"0", b"1"):
            offsets = member.offsets({partition: Position(int(value))})
            assert (await made.run([record(topic, value)], (), offsets)).result == "committed"
            assert await made.recover() == ""
        assert [seen[1] for seen in world.read(topic)] == [b"0", b"1"]

    async def test_nothing_is_written_after_close(self, world: World) -> None:
        """A second time is no error."""
        (partition, member), topic = world.member(), world.topic()
        made, offsets = world.transactions("a"), member.offsets({partition: Position(1)})
        await made.close()
        await made.close()
        assert (await made.run([record(topic, b"0")], (), offsets)).result == "aborted"
        assert world.read(topic) == []


class TestFakeTransactions(TransactionsContract):
    """In memory."""

    @pytest.fixture
    def world(self) -> World:
        return FakeWorld()


class TestKafkaTransactions(TransactionsContract):
    """On a real broker."""

    @pytest.fixture(params=["consumer", "classic"])
    async def world(
        self,
        request: pytest.FixtureRequest,
        kafka: str,
        make_topic: MakeTopic,
        topic_name: Callable[[str], str],
    ) -> AsyncIterator[RealWorld]:
        world = RealWorld(kafka, make_topic, topic_name, request.param)
        yield world
        for made in world.made:
            await made.close()
        for consumer in world.consumers:
            consumer.close()

    async def test_an_id_that_comes_back_ends_what_it_left_open(
        self,
        world: RealWorld,
        record_property: Callable[[str, object], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The owner died in the middle of a transaction: its successor aborts that and begins, without
        waiting for the time-out, which is ten minutes here."""
        monkeypatch.setattr(kafka_transaction_client, "TRANSACTION_TIMEOUT_MS", 600_000)
        (partition, member), topic = world.member(), world.topic()
        dead = world.transactions("a")
        offsets = member.offsets({partition: Position(1)})
        assert (await dead.run([record(topic, b"0")], (), offsets)).result == "committed"
        client = dead._client  # type: ignore[attr-defined]
        client._client.begin_transaction()
        client._client.produce(topic, b"never seen")
        client._client.flush(10)
        assert [seen[1] for seen in world.read(topic, committed_only=False)][-1] == b"never seen"
        began = time.monotonic()
        successor = world.transactions("a")
        assert await successor.recover() == ""
        seconds = time.monotonic() - began
        record_property("figures", f"{world.protocol}: the successor began after {seconds:.2f} s")
        assert (await successor.run([record(topic, b"1")], (), offsets)).result == "committed"
        assert [seen[1] for seen in world.read(topic)] == [b"0", b"1"]


async def test_a_broker_that_is_away_ends_in_an_abort(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registering is tried for a while and said why not; recovering says it, too."""
    for limit in ("INIT_SECONDS", "STEP_SECONDS"):
        monkeypatch.setattr(kafka_transaction_client, limit, 0.2)
    made = KafkaTransactions({"bootstrap.servers": "127.0.0.1:1"}, "nobody")
    end = await made.run([record("nowhere", b"v")], (), ([], None))
    assert (end.result, end.is_fenced) == ("aborted", False)
    assert "nobody" in end.reason
    assert "nobody" in await made.recover()
    await made.close()
