"""The fixtures that other tests get their broker from."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from tests.kafka_fixture import MakeTopic


def test_the_broker_of_the_session_takes_and_gives_records(kafka: str, make_topic: MakeTopic) -> None:
    """What is produced to a topic of the fixture is consumed from it."""
    topic = make_topic("echo", partitions=2)
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(10):
        producer.produce(topic, value=str(number).encode(), partition=number % 2)
    assert producer.flush(60) == 0
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    try:
        values = [record.value() for record in consumer.consume(10, timeout=45)]
    finally:
        consumer.close()
    assert set(values) == {str(number).encode() for number in range(10)}


def test_a_made_topic_has_what_was_asked_for(kafka: str, make_topic: MakeTopic) -> None:
    """Partitions are as given."""
    topic = make_topic("wide", partitions=3, config={"cleanup.policy": "compact"})
    assert (
        len(AdminClient({"bootstrap.servers": kafka}).list_topics(topic, timeout=60).topics[topic].partitions)
        == 3
    )


def test_names_differ_between_calls(topic_name: Callable[[str], str]) -> None:
    """Two names for one purpose are two names."""
    assert topic_name("orders") != topic_name("orders")
