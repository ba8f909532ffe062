"""Reading topics back, which the summary of `penstock dev` rests on."""

from __future__ import annotations

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.kafka_fixture import MakeTopic
from workers.local.readback import Reader


def produce(kafka: str, topic: str, count: int) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(count):
        producer.produce(topic, f"{number}".encode(), partition=number % 2)
    assert producer.flush(60) == 0


def test_everything_between_two_moments_is_read_once(kafka: str, make_topic: MakeTopic) -> None:
    """What was there before is left out, what comes later too; topics that are not there have nothing."""
    topic = make_topic("readback", partitions=3)
    produce(kafka, topic, 10)
    with Reader({"bootstrap.servers": kafka}, "readback") as reader:
        before = reader.ends([topic, "t-none"])
        assert before == {(topic, 0): 5, (topic, 1): 5, (topic, 2): 0}
        produce(kafka, topic, 7)
        after = reader.ends([topic])
        produce(kafka, topic, 4)
        seen: list[Message] = []
        assert reader.read(before, after, seen.append) == 7
        assert sorted(int(message.value() or b"") for message in seen) == list(range(7))
        assert reader.read({}, after, lambda message: None) == 17
        assert reader.read(after, after, lambda message: None) == 0


def test_a_group_goes_on_where_it_committed(kafka: str, make_topic: MakeTopic) -> None:
    """Elsewhere `reset` decides; asking commits nothing and joins nothing."""
    topic = make_topic("starts", partitions=2)
    produce(kafka, topic, 6)
    group = f"{topic}-group"
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group, "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
    consumer.close()
    with Reader({"bootstrap.servers": kafka}, group) as reader:
        assert reader.committed([topic]) == {(topic, 0): 2}
        assert reader.starts([topic], "earliest") == {(topic, 0): 2, (topic, 1): 0}
        assert reader.starts([topic], "latest") == {(topic, 0): 2, (topic, 1): 3}
        assert reader.committed([topic]) == {(topic, 0): 2}


def test_what_retention_takes_meanwhile_is_not_waited_for(kafka: str, make_topic: MakeTopic) -> None:
    """The range was asked for when its records were still there; reading ends with what is
    left, and not as with a cluster that is gone."""
    topic = make_topic("taken", partitions=2)
    produce(kafka, topic, 10)
    with Reader({"bootstrap.servers": kafka}, "readback") as reader:
        begins, ends = reader.begins([topic]), reader.ends([topic])
        admin = AdminClient({"bootstrap.servers": kafka})
        taken = [TopicPartition(topic, 0, 5), TopicPartition(topic, 1, 3)]
        for deleted in admin.delete_records(taken).values():
            deleted.result(60)
        assert reader.read(begins, ends, lambda message: None) == 2
