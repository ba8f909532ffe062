"""A record of a dead-letter topic -> what was refused, why, and the original byte for byte. Pure.

Reads both formats of `dead_letter.py`, and tells them apart by the record alone: a processor's `dlq.format`
may have been another one when the record was written.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from topics.codecs import NotADocument, decode_value
from topics.headers import DEAD_LETTER
from workers.emit.dead_letter import Format, Origin
from workers.model import Document, Headers
from workers.ports import SourceRecord

# How `dead_letter` begins a document and where it puts the document that was refused. Within a JSON text a
# quotation mark is always escaped, so neither can come from a field's content.
_BEGINNING: Final = b'{"processorName":'
_DOC: Final = b',"doc":'


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. `topic`, `partition` and `offset` are its own, `original` is what was refused; `why`
    holds the JSON `{processorName, operatorName, dlqTime, errInfo, _stream_meta, doc, ...}`."""

    topic: str
    partition: int
    offset: int
    format: Format
    why: Mapping[str, Any]
    why_text: bytes
    original: Origin
    is_truncated: bool

    @property
    def processor(self) -> str:
        return str(self.why["processorName"])

    @property
    def error(self) -> Mapping[str, Any]:
        """`errInfo`; empty where it is none."""
        found = self.why.get("errInfo")
        return found if isinstance(found, dict) else {}

    @property
    def time(self) -> datetime | None:
        """`dlqTime`, of whichever format."""
        found = self.why.get("dlqTime")
        text = found.get("$date") if isinstance(found, dict) else found
        try:
            moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        except ValueError:
            return None
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None

    @property
    def place(self) -> str:
        """`topic 0:17`, for a person."""
        return f"{self.topic} {self.partition}:{self.offset}"


def read_letter(record: SourceRecord) -> Letter | None:
    """The dead letter in a record; None when it is none of ours."""
    return _from_document(record) or _from_header(record)


def as_document(letter: Letter) -> Document:
    """The letter as a query sees it: the fields of `why`, the dead letter's own place, and of the original
    key (text), value (JSON where it is some) and headers (name to text). Bytes that are no text stay
    bytes."""
    try:
        found = decode_value(letter.why_text)
    except NotADocument:
        found = dict(letter.why)  # Extended JSON that is none, or as deep as a document may be
    original = letter.original
    return {
        **found,
        "dlqTime": letter.time,
        "key": _text(original.key),
        "value": _value(original.value),
        "headers": {name: _text(value) for name, value in original.headers or ()},
        "letter": {"topic": letter.topic, "partition": letter.partition, "offset": letter.offset},
    }


def _from_header(record: SourceRecord) -> Letter | None:
    """Ours is the last of its name: an original that was a dead letter before kept its own."""
    headers = record.headers() or []
    at = next((at for at in reversed(range(len(headers))) if headers[at][0] == DEAD_LETTER.name), None)
    text = None if at is None else headers[at][1]
    why = _why(text)
    if at is None or text is None or why is None:
        return None
    rest: Headers = [*headers[:at], *headers[at + 1 :]]
    original = _origin(why, record.key(), record.value(), rest)
    return _letter(record, "header", text, original, is_truncated=why.get("truncated") is True)


def _from_document(record: SourceRecord) -> Letter | None:
    """Only if key and headers are those that the document names: a letter of the other format, whose original
    was such a document, has one header more."""
    text = record.value()
    why = _why(text) if text is not None and text.startswith(_BEGINNING) else None
    if text is None or why is None:
        return None
    source = why["_stream_meta"]["source"]
    try:
        named = [(one["k"], _bytes(one["v"])) for one in source.get("headers", ())]
        if named != list(record.headers() or ()) or _bytes(source.get("key")) != record.key():
            return None
        value = _bytes(why["value"]) if "value" in why else _doc(text)
    except (KeyError, TypeError, ValueError):
        return None
    original = _origin(why, record.key(), value, record.headers())
    return _letter(record, "document", text, original, is_truncated=False)


def _letter(
    record: SourceRecord, form: Format, text: bytes, original: Origin, *, is_truncated: bool
) -> Letter:
    place = (record.topic() or "", record.partition() or 0, record.offset() or 0)
    return Letter(*place, form, orjson.loads(text), text, original, is_truncated)


def _why(text: bytes | None) -> dict[str, Any] | None:
    """The JSON of a letter, if it has what every letter of ours has."""
    try:
        why = orjson.loads(text or b"")
        source = why["_stream_meta"]["source"]
        numbers = (source["partition"], source["offset"], source["ts"], why["_stream_meta"].get("replays", 0))
        is_ours = isinstance(why["processorName"], str) and isinstance(source["topic"], str)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return why if is_ours and all(type(number) is int for number in numbers) else None


def _origin(
    why: Mapping[str, Any], key: bytes | None, value: bytes | None, headers: Headers | None
) -> Origin:
    meta = why["_stream_meta"]
    source = meta["source"]
    return Origin(
        source["topic"], source["partition"], source["offset"], source["ts"], key, value, headers or None,
        meta.get("replays", 0),
    )  # fmt: skip


def _doc(text: bytes) -> bytes | None:
    """The value that is not written twice: it was the text of `doc`, the last field. `null`: there was
    none."""
    doc = text[text.index(_DOC) + len(_DOC) : -1]
    return None if doc == b"null" else doc


def _bytes(wrapper: Any) -> bytes | None:
    return None if wrapper is None else b64decode(wrapper["$binary"]["base64"], validate=True)


def _text(raw: bytes | None) -> str | bytes | None:
    try:
        return None if raw is None else raw.decode()
    except UnicodeDecodeError:
        return raw


def _value(raw: bytes | None) -> Any:
    if raw is None:
        return None
    try:
        return decode_value(raw)
    except NotADocument:
        return _text(raw)
