"""What a client's error means for the caller."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from workers.adapters.kafka_errors import Kind, consumer_kind, send_failure

OLD_BROKER = (
    "Fatal error: Broker: API version not supported: ConsumerGroupHeartbeat fatal error: "
    "Broker: API version not supported"
)
FENCED = "Fatal error: Broker: Static consumer fenced by other consumer with same group.instance.id"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KafkaError(KafkaError._PARTITION_EOF), "end"),
        (KafkaError(KafkaError._AUTO_OFFSET_RESET), "out_of_range"),
        (KafkaError(KafkaError.OFFSET_OUT_OF_RANGE), "out_of_range"),
        (KafkaError(KafkaError.UNSUPPORTED_VERSION), "old_broker"),
        (KafkaError(KafkaError._UNSUPPORTED_FEATURE), "old_broker"),
        (KafkaError(KafkaError._FATAL, OLD_BROKER), "old_broker"),
        (KafkaError(KafkaError._FATAL, FENCED), "fatal"),
        (KafkaError(KafkaError.FENCED_INSTANCE_ID, fatal=True), "fatal"),
        (KafkaError(KafkaError._MAX_POLL_EXCEEDED), "fatal"),
        (KafkaError(KafkaError.ILLEGAL_GENERATION), "stale_member"),
        (KafkaError(KafkaError._TRANSPORT), "passing"),
        (KafkaError(KafkaError._ALL_BROKERS_DOWN), "passing"),
    ],
)
def test_errors_of_consumers(error: KafkaError, kind: Kind) -> None:
    """Named by what the source does next; a fatal one as a consumed message has fatal() False."""
    assert consumer_kind(error) == kind


@pytest.mark.parametrize(
    ("error", "too_large", "fatal"),
    [
        (KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), True, False),
        (KafkaError(KafkaError._FATAL), False, True),
        (KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, fatal=True), False, True),
        (KafkaError(KafkaError._PURGE_QUEUE), False, False),
        (KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), False, False),
    ],
)
def test_errors_of_producers(error: KafkaError, too_large: bool, fatal: bool) -> None:
    """Too large never passes, fatal asks for a new client, the rest may be sent again."""
    failure = send_failure(error)
    assert (failure.too_large, failure.fatal) == (too_large, fatal)
    assert error.name() in failure.reason


@pytest.mark.parametrize(
    ("code", "no_topic"),
    [
        (KafkaError._UNKNOWN_TOPIC, True),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, True),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, True),
        (KafkaError.TOPIC_EXCEPTION, True),
        (KafkaError.MSG_SIZE_TOO_LARGE, False),
        (KafkaError.NOT_ENOUGH_REPLICAS, False),
        (KafkaError._TRANSPORT, False),
    ],
)
def test_a_topic_that_cannot_be_written_to_is_told_apart(code: int, no_topic: bool) -> None:
    """It is not there or not ours; a cluster in trouble is something else."""
    assert send_failure(KafkaError(code)).no_topic is no_topic
