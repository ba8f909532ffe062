"""What a Kafka client says while its brokers are away."""

from __future__ import annotations

import logging

import pytest

from workers.adapters.kafka_log import MAX_LINES, ClientLines, Repeats, client_logger
from workers.adapters.kafka_watch import Watch
from workers.logs import log_event

REFUSED = "127.0.0.1:9092/bootstrap: Connect failed: Connection refused (after {}ms in state CONNECT)"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _says(lines: ClientLines, client: str, text: str) -> str | None:
    """What is logged of a line of librdkafka, as confluent-kafka hands it on; None: nothing."""
    record = logging.LogRecord("x", logging.ERROR, "", 0, "%s [%s] %s", ("FAIL", client, text), None)
    return record.getMessage() if lines.filter(record) else None


def test_a_client_says_the_same_once_a_minute_and_then_how_often_it_was() -> None:
    """25 lines a second of one broker that is away are one a minute, whatever milliseconds they count."""
    clock = Clock()
    lines = ClientLines(clock)
    said = []
    for tick in range(61 * 25):
        clock.now = tick / 25
        said.append(_says(lines, "orders#consumer-1", REFUSED.format(tick % 7)))
    first, again = [one for one in said if one is not None]
    assert first == "FAIL [orders#consumer-1] " + REFUSED.format(0)
    assert again.endswith("(1499 more like it before)")


def test_another_client_and_another_reason_are_said_at_once() -> None:
    """Only what is the same is kept back."""
    lines = ClientLines(Clock())
    assert _says(lines, "orders#consumer-1", "a") == "FAIL [orders#consumer-1] a"
    assert _says(lines, "orders#consumer-2", "a") == "FAIL [orders#consumer-2] a"
    assert _says(lines, "orders#consumer-1", "b") == "FAIL [orders#consumer-1] b"
    assert _says(lines, "orders#consumer-1", "a") is None


def test_what_penstock_says_itself_passes_and_the_filter_is_there_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Events with fields are never kept back, also after the logger was asked for twice."""
    logger = client_logger("workers.adapters.kafka_said")
    assert client_logger("workers.adapters.kafka_said") is logger
    assert len(logger.filters) == 1
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            log_event(logger, logging.WARNING, "source_replaced", processor="orders")
    assert [record.getMessage() for record in caplog.records] == ["source_replaced"] * 3


def test_what_is_remembered_is_bounded() -> None:
    """After MAX_LINES different lines the memory begins again: one may be said twice, none is lost."""
    repeats = Repeats()
    assert all(repeats.is_new(f"line {number}", 0.0) for number in range(MAX_LINES))
    assert not repeats.is_new("line 0", 0.0)
    assert repeats.is_new("another", 0.0)
    assert repeats.is_new("line 0", 0.0)


def test_two_troubles_that_take_turns_are_said_once_each_until_the_broker_is_back() -> None:
    """A source whose only broker is away hears two reasons in turn, each second; after a recovery it says
    them anew."""
    said: list[str] = []
    watch = Watch(lambda _level, event, **fields: said.append(fields.get("reason", event)))
    for second in range(20):
        watch.troubled("_TRANSPORT: refused", float(second))
        watch.troubled("_ALL_BROKERS_DOWN: 1/1", float(second))
    assert said == ["_TRANSPORT: refused", "_ALL_BROKERS_DOWN: 1/1"]
    watch.healthy()
    watch.troubled("_TRANSPORT: refused", 21.0)
    assert said[2:] == ["source_recovered", "_TRANSPORT: refused"]
