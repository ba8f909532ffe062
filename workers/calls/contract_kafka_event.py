"""The contract `kafkaEvent`: the event of Lambda's own Kafka trigger, answered by `batchItemFailures`. Pure.

A function written for that trigger runs unchanged. Like there, a reported record says where to go on from: it
and every later record of its partition in the batch are sent again.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Hashable, Sequence
from typing import Any, Final

from topics.codecs import json as codec
from workers.calls.contract import UNSET
from workers.calls.framing import RECORD_FAILED, Framed, Reading, RecordAnswer, all_invalid, kind_of
from workers.ports import SourceRecord

FAILURES: Final = "batchItemFailures"
TAIL: Final = b"}}"
TIMESTAMP_TYPES: Final = {1: b"CREATE_TIME", 2: b"LOG_APPEND_TIME"}
_REPORTED: Final = "the function reported this record in batchItemFailures"


class KafkaEventContract:
    """Keeps `framing.BatchContract`. `bootstrap_servers` is what the event names as its source."""

    name = "kafkaEvent"
    keeps_order = True
    is_grouped = True

    def __init__(self, bootstrap_servers: str = "") -> None:
        servers = codec.encode_value(bootstrap_servers)
        self._head = b'{"eventSource":"SelfManagedKafka","bootstrapServers":%b,"records":{' % servers
        self.frame_bytes = len(self._head) + len(TAIL)

    def entry(self, identity: str, record: SourceRecord, document: bytes) -> bytes:
        """Key and value in base64; header values as AWS writes them, a number from -128 to 127 for each
        byte."""
        key, (kind, time_ms) = record.key(), record.timestamp()
        return (
            b'{"topic":%b,"partition":%d,"offset":%d,"timestamp":%d,"timestampType":"%b",'
            b'"key":%b,"value":"%b","headers":[%b]}'
            % (
                codec.encode_value(record.topic()),
                record.partition() or 0,
                record.offset() or 0,
                time_ms,
                TIMESTAMP_TYPES.get(kind, b"NO_TIMESTAMP_TYPE"),
                b"null" if key is None else b'"%b"' % b64encode(key),
                b64encode(document),
                b",".join([_header(name, value) for name, value in record.headers() or ()]),
            )
        )

    def group(self, record: SourceRecord) -> str:
        return f"{record.topic()}-{record.partition()}"

    def group_bytes(self, group: str) -> int:
        return len(codec.encode_value(group)) + len(b":[]")

    def single(self, item: Framed) -> Hashable:
        return item.group, item.offset

    def frame(self, batch: Sequence[Framed]) -> bytes:
        groups: dict[str, list[bytes]] = {}
        for item in batch:
            groups.setdefault(item.group, []).append(item.text)
        lists = [
            b"%b:[%b]" % (codec.encode_value(group), b",".join(texts)) for group, texts in groups.items()
        ]
        return self._head + b",".join(lists) + TAIL

    def read(self, body: bytes, batch: Sequence[Framed]) -> Reading:
        """No answer, null, and whatever does not speak of failures is success, as for AWS's trigger; a
        report that names a record that is not there fails the whole batch."""
        count = len(batch)
        try:
            whole = codec.decode_value(body) if body else None
        except ValueError:
            return all_invalid(count, "not_json", "the answer to the batch is no JSON")
        if isinstance(whole, list):
            reason = f"the answer to the batch is {kind_of(whole)}, not an object with {FAILURES}"
            return all_invalid(count, "wrong_type", reason)
        failures = whole.get(FAILURES) if isinstance(whole, dict) else None
        if isinstance(whole, dict) and FAILURES not in whole and (near := _near(whole)):
            reason = f"the answer to the batch has {near!r}, which is not {FAILURES}"
            return all_invalid(count, "wrong_type", reason)
        if failures is None:
            return Reading([RecordAnswer("ok") for _ in batch])
        if not isinstance(failures, list):
            reason = f"{FAILURES} is {kind_of(failures)}, not an array"
            return all_invalid(count, "wrong_type", reason)
        return _resumed(failures, batch)


def _resumed(failures: list[Any], batch: Sequence[Framed]) -> Reading:
    known = {(item.group, item.offset) for item in batch}
    reported: set[tuple[str, int]] = set()
    for failure in failures:
        place = _place(failure)
        if place is None:
            reason = f"{FAILURES} holds an item whose itemIdentifier names no partition and offset"
            return all_invalid(len(batch), "wrong_type", reason)
        if place not in known:
            reason = f"{FAILURES} names {place[0]}-{place[1]}, which is not in the batch"
            return all_invalid(len(batch), "unknown_id", reason)
        reported.add(place)
    stopped: set[str] = set()
    answers = []
    for item in batch:
        if (item.group, item.offset) in reported:
            stopped.add(item.group)
            answers.append(RecordAnswer("retry", UNSET, _REPORTED, RECORD_FAILED))
        elif item.group in stopped:
            answers.append(RecordAnswer("follow", UNSET, f"a record before it: {_REPORTED}", RECORD_FAILED))
        else:
            answers.append(RecordAnswer("ok"))
    return Reading(answers)


def _place(failure: Any) -> tuple[str, int] | None:
    """(topic-partition, offset) of `{"itemIdentifier": {"partition": "orders-0", "offset": 7}}` or
    `{"itemIdentifier": "orders-0-7"}`."""
    identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
    if isinstance(identifier, dict):
        group, offset = identifier.get("partition"), identifier.get("offset")
        if isinstance(group, str) and isinstance(offset, int) and not isinstance(offset, bool):
            return group, int(offset)
    elif isinstance(identifier, str):
        group, dash, text = identifier.rpartition("-")
        if dash and text.isascii() and text.isdigit() and len(text) < 20:
            return group, int(text)
    return None


def _near(whole: dict[str, Any]) -> str | None:
    """A key that can only be a misspelling of batchItemFailures: taking it for success would lose what it
    reports."""
    for key in whole:
        if key.casefold().replace("_", "").startswith("batchitemfail"):
            return key
    return None


def _header(name: str, value: bytes | None) -> bytes:
    numbers = b"null"
    if value is not None:
        numbers = b"[%b]" % ",".join([str(byte - 256 if byte > 127 else byte) for byte in value]).encode()
    return b"{%b:%b}" % (codec.encode_value(name), numbers)
