"""The replay topic comes and goes; the source is well all the time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from tests.unit.adapters.kafka_client import settings
from workers.adapters.kafka_replay_topic import LOOK_SECONDS, ReplayTopic
from workers.emit.replayed import as_original, replays_of
from workers.model import Headers
from workers.progress.start import StartPolicy


class Metadata:
    """A consumer that only knows whether a topic is there. `answer`: partitions, an error, or one raised."""

    def __init__(self, answer: int | KafkaError | KafkaException) -> None:
        self.answer = answer
        self.asked = 0

    def list_topics(self, topic: str, timeout: float) -> Any:
        self.asked += 1
        answer = self.answer
        if isinstance(answer, KafkaException):
            raise answer
        error = answer if isinstance(answer, KafkaError) else None
        partitions = {} if error else dict.fromkeys(range(answer if isinstance(answer, int) else 0))
        found = type("Found", (), {"error": error, "partitions": partitions})
        return type("Answer", (), {"topics": {topic: found}})


def seen_by(topic: ReplayTopic, client: Metadata, now: float) -> bool:
    consumer: Any = client
    return topic.changed(consumer, now)


@pytest.mark.parametrize(
    "absent",
    [
        KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART),
        KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED),
        KafkaException(KafkaError(KafkaError.REQUEST_TIMED_OUT)),
    ],
)
def test_a_topic_that_is_not_there_is_not_subscribed_to(absent: KafkaError | KafkaException) -> None:
    """Missing, hidden from us or not answered for: asked again after 10 s; once it is there it is read, and
    not any more when it went."""
    topic, client = ReplayTopic("orders.replay"), Metadata(absent)
    assert not seen_by(topic, client, 0.0)
    assert topic.beside(["orders"]) == ["orders"]
    client.answer = 3
    assert not seen_by(topic, client, LOOK_SECONDS - 0.1)
    assert client.asked == 1
    assert seen_by(topic, client, LOOK_SECONDS)
    assert topic.beside(["orders"]) == ["orders", "orders.replay"]
    assert not seen_by(topic, client, 2 * LOOK_SECONDS)
    client.answer = KafkaException(KafkaError(KafkaError.REQUEST_TIMED_OUT))
    assert not seen_by(topic, client, 3 * LOOK_SECONDS)
    client.answer = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
    assert seen_by(topic, client, 4 * LOOK_SECONDS)
    assert topic.beside(["orders"]) == ["orders"]


def test_only_the_replay_topic_may_be_missing() -> None:
    """A source topic that is gone stays the trouble that it is, and so does any other error."""
    topic = ReplayTopic("orders.replay")
    gone, other = (
        KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART),
        KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION),
    )
    assert topic.explains("orders.replay", gone)
    assert not topic.explains("orders", gone)
    assert not topic.explains("orders.replay", other)
    assert not ReplayTopic(None).explains(None, gone)


def test_replays_are_read_from_the_beginning() -> None:
    """Whatever the source says of new groups; a source topic of that name is a source topic."""
    found = settings()
    assert found.replay_topic == "orders.replay"
    assert found.start_of("orders.replay") == StartPolicy("earliest", "fail")
    latest = replace(found, start=StartPolicy("latest", "earliest"))
    assert latest.start_of("orders.replay") == StartPolicy("earliest", "earliest")
    assert latest.start_of("in").reset == "latest"
    own = replace(latest, topics=("orders.replay",))
    assert own.replay_topic is None
    assert own.start_of("orders.replay").reset == "latest"


class Record:
    """A record of the replay topic with these headers."""

    def __init__(self, headers: Headers | None) -> None:
        self._headers = headers

    def topic(self) -> str:
        return "orders.replay"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 5

    def key(self) -> None:
        return None

    def value(self) -> bytes:
        return b"{}"

    def headers(self) -> Headers | None:
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        return 1, 0


@pytest.mark.parametrize(
    "headers",
    [
        None,
        [],
        [("penstock-record-id", b"orders/0/1")],
        [("penstock-replays", b"1"), ("penstock-record-id", b"orders/0/1")],
        [("penstock-record-id", b"orders/0"), ("penstock-replays", b"1")],
        [("penstock-record-id", b"or ders/0/1"), ("penstock-replays", b"1")],
        [("penstock-record-id", b"orders/0/1"), ("penstock-replays", None)],
        [("penstock-record-id", b"orders/0/1"), ("penstock-replays", b"-1")],
        [("penstock-record-id", b"orders/0/1"), ("penstock-replays", b"1"), ("more", b"")],
    ],
)
def test_what_somebody_else_wrote_there_is_itself(headers: Headers | None) -> None:
    """Only both headers, whole and last, make a replay."""
    record = Record(headers)
    assert as_original(record) is record
    assert replays_of(record) == 0


def test_a_replay_keeps_headers_of_our_names_that_it_had() -> None:
    """Only the last two are taken away."""
    before: Headers = [("penstock-record-id", b"a/0/9"), ("penstock-replays", b"7")]
    seen = as_original(Record([*before, ("penstock-record-id", b"orders/2/1"), ("penstock-replays", b"3")]))
    assert (seen.topic(), seen.partition(), seen.offset()) == ("orders", 2, 1)
    assert (seen.headers(), replays_of(seen)) == (before, 3)
