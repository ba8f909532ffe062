"""What the engine knows of a record beside its body, in the shape that `{$meta: "stream.source..."}`
reads."""

from __future__ import annotations

from typing import Any

from workers.emit.dead_letter import Origin
from workers.emit.replayed import replays_of
from workers.model import Meta
from workers.pipeline.values import date_from_ms
from workers.ports import InvokeAnswer, SourceRecord


class RecordMeta(Meta):
    """The meta of one record, made when it is first read: most pipelines with calls never do, and building it
    for every record was 4 us of a call's 60."""

    __slots__ = ("_record", "_source")

    def __init__(self, record: SourceRecord) -> None:
        self._record = record
        self._source: dict[str, Any] | None = None
        self.user = {}
        self.external_function = {}
        self.https = {}

    @property  # type: ignore[override]
    def source(self) -> dict[str, Any]:
        """`stream.source` of Atlas for a Kafka record; the key as bytes, `ts` as a date."""
        if self._source is None:
            record = self._record
            self._source = {
                "type": "kafka",
                "topic": record.topic(),
                "partition": record.partition(),
                "offset": record.offset(),
                "ts": date_from_ms(record.timestamp()[1]),
                "key": record.key(),
                "headers": [{"k": name, "v": value} for name, value in record.headers() or ()],
            }
        return self._source

    @source.setter
    def source(self, value: dict[str, Any]) -> None:
        self._source = value


def called(meta: Meta | None, answer: InvokeAnswer | None, attempts: int, seconds: float) -> Meta:
    """A meta of its own for a document that comes back from a call, since others of its record share theirs.

    `seconds` is the time from the first attempt to the end of the last; without an answer there is neither
    a request nor a version.
    """
    found: dict[str, Any] = {}
    if answer is not None and answer.request_id is not None:
        found["requestId"] = answer.request_id
    if answer is not None and answer.executed_version is not None:
        found["executedVersion"] = answer.executed_version
    found |= {"attempts": attempts, "durationMs": round(seconds * 1000)}
    if meta is None:
        return Meta({}, {}, found)
    return Meta(meta.source, meta.user, found, meta.https)


def requested(meta: Meta | None, https: dict[str, Any]) -> Meta:
    """The same after a request; `https` is what `stream.https` gives."""
    if meta is None:
        return Meta({}, {}, {}, https)
    return Meta(meta.source, meta.user, meta.external_function, https)


def origin_of(record: SourceRecord) -> Origin:
    """The record as the dead letter needs it."""
    return Origin(
        record.topic() or "",
        record.partition() or 0,
        record.offset() or 0,
        record.timestamp()[1],
        record.key(),
        record.value(),
        record.headers(),
        replays_of(record),
    )
