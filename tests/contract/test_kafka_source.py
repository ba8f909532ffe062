"""The port `Source`: kept by the fake, and by the consumer on a real broker under both group protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.contract.kafka_worlds import EARLIEST, FakeWorld, RealWorld, World
from tests.kafka_fixture import MakeTopic
from workers.adapters.kafka_source_settings import GroupProtocol
from workers.local.kafka import KafkaServer
from workers.local.kafka_settings import KafkaSettings
from workers.model import Position, TopicPartition
from workers.progress.checkpoint import encode
from workers.progress.room import RoomLimits
from workers.progress.start import OnDataLoss, StartPolicy

THREE = [b"0", b"1", b"2"]


class SourceContract:
    """What every source does."""

    def test_a_new_group_starts_at_the_beginning_with_earliest(self, world: World) -> None:
        """Records come in offset order, then the end of the partition; the start is committed at once."""
        topic, group = world.topic(), world.group()
        world.produce(topic, [*THREE, None])
        reader, partition = world.open(group, topic), TopicPartition(topic, 0)
        reader.until(lambda: reader.events.ends.get(partition) == 4, "the end")
        assert reader.events.starts == {partition: 0}
        assert reader.events.values(partition) == [*THREE, None]
        reader.until(lambda: reader.source.status().committed == {partition: 0}, "the first commit")
        assert world.committed(group, topic) == {0: (0, encode(1, Position(0)))}
        assert reader.source.status().ready

    def test_a_new_group_starts_at_the_end_with_latest(self, world: World) -> None:
        """What was there before is not delivered; the end is committed, so the next start is no guess."""
        topic, group = world.topic(), world.group()
        world.produce(topic, THREE)
        reader, partition = world.open(group, topic, StartPolicy("latest", "fail")), TopicPartition(topic, 0)
        reader.until(lambda: reader.source.status().committed == {partition: 3}, "the first commit")
        world.produce(topic, [b"3"])
        reader.until(lambda: reader.events.count() == 1, "the new record")
        assert reader.events.offsets(partition) == [3]

    def test_commits_carry_the_checkpoint_and_the_next_start_follows_them(self, world: World) -> None:
        """The number of partitions at the group's start travels along; the last word counts."""
        topic, group = world.topic(partitions=2), world.group()
        world.produce(topic, THREE)
        first, partition = world.open(group, topic), TopicPartition(topic, 0)
        first.until(lambda: first.events.count() == 3, "the records")
        first.source.commit({partition: Position(1)})
        first.until(lambda: first.source.status().committed.get(partition) == 1, "the commit")
        first.source.commit({partition: Position(2), TopicPartition(topic, 7): Position(5)})
        first.stop()
        assert world.committed(group, topic) == {
            0: (2, encode(2, Position(2))),
            1: (0, encode(2, Position(0))),
        }
        second = world.open(group, topic, StartPolicy("latest", "fail"))
        second.until(lambda: second.events.count() == 1, "the rest")
        assert second.events.starts == {partition: 2, TopicPartition(topic, 1): 0}

    @pytest.mark.parametrize(("rule", "start"), [("earliest", 2), ("latest", 3)])
    def test_a_commit_that_is_gone_follows_on_data_loss(
        self, world: World, rule: OnDataLoss, start: int
    ) -> None:
        """earliest goes on from the first record that is left, latest from the end."""
        topic, group = world.topic(), world.group()
        world.produce(topic, THREE)
        world.delete_before(topic, 2)
        world.commit(group, topic, 1, "1;n=1")
        reader = world.open(group, topic, StartPolicy("earliest", rule))
        reader.until(lambda: bool(reader.events.starts), "an assignment")
        assert reader.events.starts == {TopicPartition(topic, 0): start}
        assert not reader.events.failures

    @pytest.mark.parametrize("committed", [1, 9])
    def test_a_commit_that_is_gone_fails_by_default(self, world: World, committed: int) -> None:
        """Below what is left or beyond it: the reason names the option, and nothing is delivered."""
        topic, group = world.topic(), world.group()
        world.produce(topic, THREE)
        world.delete_before(topic, 2)
        world.commit(group, topic, committed, "1;n=1")
        reader = world.open(group, topic)
        reader.until(lambda: bool(reader.events.failures), "the failure")
        reader.turn_for(0.2)
        assert "onDataLoss" in reader.events.failures[0]
        assert reader.events.count() == 0
        reader.stop()
        assert world.committed(group, topic) == {0: (committed, "1;n=1")}

    def test_a_partition_that_was_added_starts_at_its_beginning(self, world: World) -> None:
        """Also with latest: what was written before the group noticed is not skipped."""
        topic, group = world.topic(), world.group()
        first = world.open(group, topic, StartPolicy("latest", "fail"))
        first.until(lambda: bool(first.source.status().committed), "the first commit")
        first.stop()
        world.grow(topic, 2)
        world.produce(topic, THREE, partition=1)
        second, added = world.open(group, topic, StartPolicy("latest", "fail")), TopicPartition(topic, 1)
        second.until(lambda: second.events.count() == 3, "the records of the new partition")
        assert second.events.starts[added] == 0
        second.until(lambda: added in second.source.status().committed, "its first commit")
        assert world.committed(group, topic)[1] == (0, encode(1, Position(0)))

    def test_a_group_of_another_program_is_taken_over(self, world: World) -> None:
        """Its offsets count, its metadata is passed over, and the partitions it left out are new ones."""
        topic, group = world.topic(partitions=2), world.group()
        world.produce(topic, THREE)
        world.produce(topic, THREE, partition=1)
        world.commit(group, topic, 2, "somebody else's words")
        reader = world.open(group, topic, StartPolicy("latest", "fail"))
        reader.until(lambda: reader.events.count() == 4, "what is left of both")
        assert reader.events.starts == {TopicPartition(topic, 0): 2, TopicPartition(topic, 1): 0}

    def test_no_more_is_taken_than_there_is_room_for(self, world: World) -> None:
        """Full: nothing more comes, however long; what is freed is filled again; paused partitions resume."""
        topic, group = world.topic(), world.group()
        world.produce(topic, [b"%d" % n for n in range(50)])
        reader = world.open(group, topic, EARLIEST, RoomLimits(10, 1_000_000, 0.05))
        reader.until(lambda: reader.events.count() == 10, "a full room")
        reader.turn_for(0.3)
        assert reader.events.count() == 10
        reader.until(lambda: reader.source.status().paused == 1, "a pause")
        assert reader.events.count() == 10
        for taken in range(20, 51, 10):
            reader.source.freed(TopicPartition(topic, 0), 10, 20)
            reader.until(lambda taken=taken: reader.events.count() == taken, f"{taken} records")  # type: ignore[misc]
        assert reader.events.offsets(TopicPartition(topic, 0)) == list(range(50))

    def test_a_quiet_source_stays_in_the_group(self, world: World) -> None:
        """No more records, but commits go on."""
        topic, group = world.topic(), world.group()
        reader, partition = world.open(group, topic), TopicPartition(topic, 0)
        reader.until(lambda: partition in reader.events.starts, "an assignment")
        reader.source.quiesce()
        reader.turn_for(0.1)
        world.produce(topic, THREE)
        reader.turn_for(0.3)
        assert reader.events.count() == 0
        reader.source.commit({partition: Position(0)})
        reader.until(lambda: reader.source.status().committed == {partition: 0}, "the commit")
        assert not reader.events.revoked

    def test_a_partition_that_moves_away_is_committed_first(self, world: World) -> None:
        """What the engine says may be committed is, before anyone else owns it; later words do not count."""
        topic, group = world.topic(partitions=2), world.group()
        for number in (0, 1):
            world.produce(topic, THREE, partition=number)
        reader = world.open(group, topic)
        reader.until(lambda: reader.events.count() == 6, "the records")
        reader.events.committable = {TopicPartition(topic, number): Position(2) for number in (0, 1)}
        world.move_one(reader, group, topic)
        assert len(reader.events.revoked) == 1
        (moved,) = reader.events.revoked
        assert world.committed(group, topic)[moved.partition] == (2, encode(2, Position(2)))
        if not any(partition == moved for partition in reader.source.status().committed):
            reader.source.commit({moved: Position(3)})
            reader.turn_for(0.2)
            assert world.committed(group, topic)[moved.partition][0] == 2


class TestFakeSource(SourceContract):
    """In memory."""

    @pytest.fixture
    def world(self) -> World:
        return FakeWorld()


@pytest.mark.parametrize("protocol", ["consumer", "classic"], scope="class")
class TestKafkaSource(SourceContract):
    """On a real broker."""

    @pytest.fixture
    def world(
        self, kafka: str, make_topic: MakeTopic, topic_name: Callable[[str], str], protocol: GroupProtocol
    ) -> Iterator[World]:
        world = RealWorld(kafka, make_topic, topic_name, protocol)
        yield world
        world.close()

    def test_aborted_transactions_end_with_lag_0(self, world: RealWorld, kafka: str) -> None:
        """Markers and aborted records are never delivered; the end counts them as delivered."""
        topic, group = world.topic(), world.group()
        producer = Producer({"bootstrap.servers": kafka, "transactional.id": topic})
        producer.init_transactions(20)
        for ends in (producer.commit_transaction, producer.abort_transaction):
            producer.begin_transaction()
            for value in THREE:
                producer.produce(topic, value)
            producer.flush(60)
            ends(20)
        reader, partition = world.open(group, topic), TopicPartition(topic, 0)
        reader.until(lambda: reader.events.ends.get(partition) == 8, "the end behind the last marker")
        assert reader.events.offsets(partition) == [0, 1, 2]
        reader.source.commit({partition: Position(8)})
        reader.until(lambda: reader.source.status().committed.get(partition) == 8, "the commit")
        reader.until(lambda: reader.source.status().lag.get(partition) == 0, "lag 0")

    def test_a_partition_comes_back_flowing_after_it_was_paused(self, world: RealWorld) -> None:
        """The client keeps a pause over revoke and assign; the source does not."""
        topic, group = world.topic(partitions=2), world.group()
        for number in (0, 1):
            world.produce(topic, [b"x"] * 20, partition=number)
        reader = world.open(group, topic, EARLIEST, RoomLimits(10, 1_000_000, 0.05))
        reader.until(lambda: reader.source.status().paused == 2, "all paused")
        taken = reader.events.count()
        world.move_one(reader, group, topic)
        for partition in reader.events.starts:
            reader.source.freed(partition, 10, 10)
        reader.until(lambda: reader.events.assignments >= 2 and reader.events.count() > taken, "it flows")


@pytest.mark.kafka
@pytest.mark.timeout(120)
def test_auto_falls_back_where_the_broker_does_not_know_the_new_protocol(tmp_path: Path) -> None:
    """One group protocol after the other, by itself, and the status says which."""
    old = KafkaSettings(properties={"group.coordinator.rebalance.protocols": "classic"})
    with KafkaServer(tmp_path / "broker", old) as server:
        world = RealWorld(server.address, lambda *_, **__: "orders", lambda _: "group", "auto")
        world.produce("orders", THREE)
        reader = world.open("group", "orders")
        reader.until(lambda: reader.events.count() == 3, "the records")
        assert reader.source.status().protocol == "classic"
        world.close()
