"""What a Kafka client's error means for the caller. Client errors never leave `adapters`."""

from __future__ import annotations

from typing import Any, Final, Literal

from confluent_kafka import KafkaError

from workers.ports import SendFailure

Kind = Literal["end", "out_of_range", "fatal", "old_broker", "stale_member", "passing"]

# What a broker without KIP-848 makes of the consumer group protocol; librdkafka does not fall back by itself.
_OLD_BROKER: Final = {KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNSUPPORTED_VERSION}
_STALE_MEMBER: Final = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.STALE_MEMBER_EPOCH,
    KafkaError.FENCED_MEMBER_EPOCH,
    KafkaError._WAIT_COORD,
}
_TOO_LARGE: Final = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_MSG_SIZE,
}
# After topic.metadata.propagation.max.ms (30 s) without the topic, so not while one is being created.
_NO_TOPIC: Final = {
    KafkaError._UNKNOWN_TOPIC,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_EXCEPTION,
}

# Another client registered the transactional id, or the coordinator timed the transaction out.
_FENCED_PRODUCER: Final = {
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
}


def producer_is_fenced(error: KafkaError) -> bool:
    """The client with this transactional id is not the newest one any more, and must be replaced."""
    return error.code() in _FENCED_PRODUCER


def transaction_is_stale(error: KafkaError) -> bool:
    """The group moved on since the metadata was read: the same offsets may pass with newer metadata."""
    return error.code() in _STALE_MEMBER


def consumer_kind(error: KafkaError) -> Kind:
    """`end`: the end of a partition; `out_of_range`: the position is gone; `fatal`: the consumer must be
    replaced; `old_broker`: the group protocol is not known there; `stale_member`: the group moved on, ask
    again; `passing`: the client retries by itself."""
    code = error.code()
    if code == KafkaError._PARTITION_EOF:
        return "end"
    if code in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
        return "out_of_range"
    if code in _OLD_BROKER:
        return "old_broker"
    if code == KafkaError._FATAL:
        # Among consumed messages a fatal error hides behind this code, and fatal() is False: its text tells.
        text = error.str()
        return "old_broker" if any(KafkaError(old).str() in text for old in _OLD_BROKER) else "fatal"
    if error.fatal() or code == KafkaError._MAX_POLL_EXCEEDED:
        return "fatal"
    if code in _STALE_MEMBER:
        return "stale_member"
    return "passing"


def send_failure(error: Any) -> SendFailure:
    """Name the error of a delivery report, or of `produce` itself."""
    code = error.code()
    return SendFailure(
        reason=f"{error.name()}: {error.str()}",
        too_large=code in _TOO_LARGE,
        fatal=bool(error.fatal()) or code == KafkaError._FATAL,
        no_topic=code in _NO_TOPIC,
    )
