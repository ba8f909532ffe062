"""The sample source on a real broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, Message

from tests.kafka_fixture import MakeTopic
from workers.local.failure import LocalFailure
from workers.local.orders import count_kinds, orders
from workers.local.sample import SampleSettings, SampleSource


def read(kafka: str, topic: str, count: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    try:
        return consumer.consume(count, timeout=45)
    finally:
        consumer.close()


def test_a_sample_arrives_byte_for_byte(kafka: str, make_topic: MakeTopic) -> None:
    """Keys, values and headers are the generator's, in its order on one partition; the report counts them."""
    topic = make_topic("orders")
    report = SampleSource({"bootstrap.servers": kafka}, SampleSettings(topic, records=1200)).run()
    arrived = [(record.key(), record.value(), record.headers()) for record in read(kafka, topic, 1200)]
    wanted = [
        (record.key, record.value, record.headers) for record, _ in zip(orders(), range(1200), strict=False)
    ]
    assert arrived == wanted
    assert (report.acked, report.failed, report.kinds) == (1200, 0, count_kinds(1200))
    assert sum(report.fates.values()) == 1200


def test_the_rate_is_kept(kafka: str, make_topic: MakeTopic) -> None:
    """200 records at 1,000 a second take a fifth of a second at least."""
    settings = SampleSettings(make_topic("slow"), records=200, per_second=1000.0)
    begun = time.monotonic()
    assert SampleSource({"bootstrap.servers": kafka}, settings).run().acked == 200
    assert time.monotonic() - begun >= 0.2


def test_an_endless_sample_ends_when_asked(kafka: str, make_topic: MakeTopic) -> None:
    """stop() from another thread: what was sent is acknowledged, then run returns."""
    source = SampleSource({"bootstrap.servers": kafka}, SampleSettings(make_topic("endless")))
    thread = threading.Thread(target=source.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 40
    while source.report.acked < 100:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    source.stop()
    thread.join(40)
    assert not thread.is_alive()
    assert source.report.acked == source.report.sent


def test_a_refused_sample_says_why(kafka: str, topic_name: Callable[[str], str]) -> None:
    """A topic name that Kafka does not take ends the run with the broker's reason."""
    source = SampleSource(
        {"bootstrap.servers": kafka, "message.timeout.ms": 2000},
        SampleSettings(topic_name("no good"), records=5),
    )
    with pytest.raises(LocalFailure, match=r"producing the sample to .*5 records refused.*"):
        source.run()
