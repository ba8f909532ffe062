"""What a client's fatal error becomes on its way out of the callbacks."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from workers.adapters import kafka_callbacks
from workers.adapters.kafka_producer import KafkaProducer

FENCED = KafkaException(KafkaError(KafkaError._FENCED, "fenced", fatal=True))


class Broken:
    """A client whose callbacks end in this error."""

    def __init__(self, error: BaseException, cause: BaseException | None = None) -> None:
        self._error, self._cause = error, cause
        self.polls = 0

    def _run(self, _seconds: float) -> int:
        self.polls += 1
        raise self._error from self._cause

    poll = flush = _run


@pytest.mark.parametrize("run", [kafka_callbacks.poll, kafka_callbacks.flush])
def test_the_true_error_comes_out(run: Any) -> None:
    """A delivery callback that was due in the same moment hides it behind a SystemError."""
    with pytest.raises(KafkaException) as found:
        run(Broken(SystemError("append returned a result with an exception set"), FENCED), 0)
    assert found.value.args[0].code() == KafkaError._FENCED


@pytest.mark.parametrize("run", [kafka_callbacks.poll, kafka_callbacks.flush])
def test_any_other_system_error_stays_what_it_is(run: Any) -> None:
    """It is a bug, and no Kafka error stands behind it."""
    with pytest.raises(SystemError, match="bug"):
        run(Broken(SystemError("a bug"), ValueError("of ours")), 0)


@pytest.mark.parametrize("error", [FENCED, SystemError("append returned a result with an exception set")])
def test_a_producer_that_breaks_while_it_is_polled_ends_nothing(error: BaseException) -> None:
    """The engine polls on its event loop: what came out of there would end the process."""
    producer = KafkaProducer({"bootstrap.servers": "127.0.0.1:1"}, "test")
    client, broken = producer._client, Broken(error, FENCED)
    producer._client = broken  # type: ignore[assignment]
    try:
        assert producer.poll() == 0
        assert broken.polls == 1
        assert producer._is_broken
    finally:
        producer._client = client
        producer.close()
