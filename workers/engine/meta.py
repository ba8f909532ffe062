"""What the engine knows of a record beside its body, in the shape that `{$meta: "stream.source..."}`
reads."""

from __future__ import annotations

from typing import Any

from workers.emit.dead_letter import Origin
from workers.model import Meta
from workers.pipeline.values import date_from_ms
from workers.ports import SourceRecord


def meta_of(record: SourceRecord) -> Meta:
    """`stream.source` of Atlas for a Kafka record; the key as bytes, `ts` as a date."""
    source: dict[str, Any] = {
        "type": "kafka",
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "ts": date_from_ms(record.timestamp()[1]),
        "key": record.key(),
        "headers": [{"k": name, "v": value} for name, value in record.headers() or ()],
    }
    return Meta(source)


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
    )
