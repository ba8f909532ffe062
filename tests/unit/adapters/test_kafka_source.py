"""The consumer's adapter where a real broker cannot be brought to it at the right moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from tests.unit.adapters.kafka_client import (
    PARTITION,
    Events,
    Message,
    ScriptedClient,
    assign,
    messages,
    revoke,
    settings,
)
from workers.adapters import kafka_consumer, kafka_start
from workers.adapters.kafka_consumer import KafkaSource
from workers.adapters.kafka_poll import PollThread
from workers.model import Position
from workers.progress.checkpoint import encode
from workers.progress.start import OnDataLoss

UNKNOWN_MEMBER = KafkaError(KafkaError.UNKNOWN_MEMBER_ID)
OUT_OF_RANGE = KafkaError(KafkaError._AUTO_OFFSET_RESET)


class Begun:
    """A source that has its partition, and the client under it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, on_data_loss: OnDataLoss = "fail") -> None:
        self.clients: list[ScriptedClient] = []
        self.events = Events()
        self.source = KafkaSource(settings(on_data_loss), self.events)
        self.now = 100.0

        def build(config: Any, logger: Any = None) -> ScriptedClient:
            client = ScriptedClient(config)
            client.steps = [assign(0)]
            self.clients.append(client)
            return client

        monkeypatch.setattr(kafka_consumer, "Consumer", build)
        monkeypatch.setattr(kafka_start, "Consumer", ScriptedClient)
        self.turn()
        assert self.events.seen == [("assigned", {PARTITION: 0})]
        self.events.seen.clear()
        self.client.commits.clear()
        self.client.texts.clear()

    @property
    def client(self) -> ScriptedClient:
        return self.clients[-1]

    def turn(self, seconds: float = 0.01) -> None:
        self.now += seconds
        self.source.turn(self.now, 0.0)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Begun:
    return Begun(monkeypatch)


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Callable[[OnDataLoss], Begun]:
    return lambda on_data_loss: Begun(monkeypatch, on_data_loss)


def test_a_refused_last_commit_still_leaves_the_group(begun: Begun) -> None:
    """Without leaving, the partitions stand still until the group misses the member."""
    begun.client.refuse = UNKNOWN_MEMBER
    begun.source.commit({PARTITION: Position(5)})
    future = begun.source.stop()
    begun.source.close()
    assert begun.client.commits == [({0: 5}, False)]
    assert begun.client.closed
    assert future.done()
    assert future.exception() is None


def test_an_abandoned_source_leaves_without_a_commit(begun: Begun) -> None:
    """The engine crashed: what it had asked for last may be wrong; the group is left at once."""
    begun.source.commit({PARTITION: Position(5)})
    poll = PollThread(lambda _error: None)
    poll.add(begun.source)
    poll.start()
    poll.end()
    assert begun.client.closed
    assert [commit for commit in begun.client.commits if commit != ({0: 5}, True)] == [], "no last commit"
    assert [name for name, _ in begun.events.seen if name == "revoking"] == []
    assert not poll.is_alive()


def test_a_revocation_while_stopping_commits_the_last_word(begun: Begun) -> None:
    """The engine drained and asked for its commit; the partition moves before the source is closed."""

    def drained() -> None:
        begun.source.commit({PARTITION: Position(7)})
        begun.source.stop()

    begun.client.steps = [revoke(drained, 0)]
    begun.turn()
    assert begun.client.commits == [({0: 7}, False)]
    assert begun.events.seen == [], "the engine has drained already and is not asked again"


def test_a_revocation_commits_what_the_engine_says(begun: Begun) -> None:
    """At once, while the partition is still ours; later words of it count no more."""
    begun.events.committable = {PARTITION: Position(9)}
    begun.client.steps = [revoke(lambda: None, 0)]
    begun.turn()
    begun.source.commit({PARTITION: Position(11)})
    begun.turn()
    assert begun.client.commits == [({0: 9}, False)]


def test_refused_commits_are_sent_again_with_a_wait_in_between(begun: Begun) -> None:
    """A group without permission must not be asked, and complained about, 200 times a second."""
    begun.client.refuse = UNKNOWN_MEMBER
    begun.source.commit({PARTITION: Position(5)})
    for _ in range(100):
        begun.turn()
    assert 1 <= len(begun.client.commits) <= 3
    begun.client.refuse = None
    for _ in range(100):
        begun.turn()
    assert begun.client.commits[-1] == ({0: 5}, True)
    assert begun.source.status().committed == {PARTITION: 5}
    sent = len(begun.client.commits)
    begun.turn(60.0)
    assert len(begun.client.commits) == sent


def test_a_map_that_changes_while_a_commit_is_under_way_is_sent_after_it(begun: Begun) -> None:
    """The answer names the offset alone, and that is the same."""
    one, two = Position(5, ((7, 8),)), Position(5, ((7, 9),))
    begun.client.is_answering = False
    begun.source.commit({PARTITION: one})
    begun.turn()
    begun.source.commit({PARTITION: two})
    begun.client.is_answering = True
    begun.client.answer()
    begun.turn()
    begun.turn(60.0)
    assert begun.client.texts == [encode(1, one), encode(1, two)]


def test_settings_that_the_client_refuses_fail_their_processor_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The poll thread, which serves the other processors too, goes on."""

    def refuse(_config: Any, logger: Any = None) -> ScriptedClient:
        raise KafkaException(KafkaError(KafkaError._INVALID_ARG, "no such mechanism"))

    monkeypatch.setattr(kafka_consumer, "Consumer", refuse)
    events = Events()
    source = KafkaSource(settings(), events)
    assert source.turn(1.0, 0.0) is False
    assert [name for name, _ in events.seen] == ["failed"]
    assert "no such mechanism" in events.seen[0][1]
    source.stop()
    assert source.turn(2.0, 0.0) is False
    source.close()
    assert len(events.seen) == 1


def test_retention_that_overtakes_a_running_source_follows_on_data_loss(
    begin: Callable[[OnDataLoss], Begun],
) -> None:
    """fail: with the count; earliest: on from what is left, which counts as delivered up to there."""
    failing = begin("fail")
    failing.client.low = 30
    failing.client.steps = [messages(Message(0, OUT_OF_RANGE))]
    failing.turn()
    assert failing.events.seen[0][0] == "failed"
    assert "30 records" in failing.events.seen[0][1]
    going_on = begin("earliest")
    going_on.client.low = 30
    going_on.client.steps = [messages(Message(0, OUT_OF_RANGE)), messages(Message(30))]
    going_on.turn()
    going_on.turn()
    assert going_on.client.seeks == [30]
    assert going_on.events.seen == [("end", 30), ("records", [30])]


def test_a_topic_made_anew_while_it_is_read_is_a_new_life_for_the_engine(
    begin: Callable[[OnDataLoss], Begun],
) -> None:
    """Offsets begin again: the engine, which takes no offset twice, gets the partition anew."""
    begun = begin("earliest")
    begun.client.steps = [messages(Message(0), Message(50))]
    begun.turn()
    begun.source.commit({PARTITION: Position(51)})
    begun.turn()
    begun.client.high = 10
    begun.client.steps = [messages(Message(51, OUT_OF_RANGE)), messages(Message(0))]
    begun.events.seen.clear()
    begun.turn()
    begun.turn()
    assert begun.events.seen == [
        ("lost", [PARTITION]), ("assigned", {PARTITION: 0}), ("records", [0]),
    ]  # fmt: skip
    begun.turn(20.0)
    assert begun.source.status().committed == {PARTITION: 0}


def test_what_was_delivered_before_is_left_out(begun: Begun) -> None:
    """Records that the client had fetched before a seek or an earlier life."""
    begun.client.steps = [messages(Message(3), Message(4)), messages(Message(2), Message(4), Message(6))]
    begun.turn()
    begun.turn()
    assert begun.events.seen == [("records", [3, 4]), ("records", [6])]


def test_a_fatal_error_behind_another_callback_replaces_the_client(begun: Begun) -> None:
    """A callback that runs with the client's error set turns it into a SystemError: the source goes on with a
    new client, and the poll thread, which serves other processors too, does not die of it."""

    def fatal(_client: ScriptedClient) -> list[Any]:
        error = KafkaException(KafkaError(KafkaError._FATAL, "fenced"))
        raise SystemError("on_commit returned a result with an exception set") from error

    begun.client.steps = [fatal]
    begun.turn()
    assert begun.source.status().counts.replaced == 1
    assert begun.client.closed
