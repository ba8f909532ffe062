"""A record that cannot pass -> the record that says so. Pure: the time is an argument.

Key, value and headers are the original's, byte for byte, in order; one more header tells why. So a dead
letter can be replayed by any Kafka tool by dropping one header.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from topics.codecs import json as codec
from topics.headers import DEAD_LETTER
from workers.model import Headers, Refused

MAX_DOC_BYTES: Final = 8_192
MAX_REASON_CHARACTERS: Final = 2_048
MAX_PATH_CHARACTERS: Final = 1_024
# Of names and ids that a function or its service chose: all texts together stay under 24 KiB, however they
# are escaped, so a truncated dead letter fits where any dead letter does. It leaves the stack out.
MAX_NAME_CHARACTERS: Final = 256
MAX_STACK_CHARACTERS: Final = 1_024
"""Of all lines together: 6 KiB when each is escaped. The top of a stack says where it was."""

Format = Literal["header", "document"]


@dataclass(frozen=True, slots=True)
class Origin:
    """The record as it was consumed; one of a replay topic as the source's record that it was. `replays`
    counts how often it was replayed."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers | None
    replays: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The record to produce to the dead-letter topic."""

    value: bytes | None
    key: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class DeadLetterPolicy:
    """Who writes the dead letter and in which of the two formats."""

    processor: str
    format: Format = "header"


def dead_letter(origin: Origin, refused: Refused, policy: DeadLetterPolicy, now_iso: str) -> DeadLetter:
    """`now_iso` is the time of the dead letter in ISO 8601, UTC."""
    if policy.format == "document":
        return _as_document(origin, refused, policy, now_iso)
    why = _why(origin, refused, policy, now_iso)
    doc, is_cut = _doc_text(refused.doc)
    if is_cut:
        why["docTruncated"] = True
    header = codec.encode(why)
    # The document is encoded once, by itself, to be measured: it is joined in as text instead of being
    # encoded again.
    header = header[:-1] + b',"doc":' + doc + b"}"
    return DeadLetter(origin.value, origin.key, [*(origin.headers or ()), (DEAD_LETTER.name, header)])


def truncated(origin: Origin, refused: Refused, policy: DeadLetterPolicy, now_iso: str) -> DeadLetter:
    """The dead letter of a record that is too large for the dead-letter topic: its coordinates without its
    content.

    The value is null, headers other than ours are left out, the key is kept only where it is small.
    """
    why = _why(origin, refused, policy, now_iso)
    why["truncated"] = True
    why["errInfo"].pop("stack", None)
    why["valueBytes"] = len(origin.value or b"")
    key = origin.key if origin.key is not None and len(origin.key) <= MAX_DOC_BYTES else None
    return DeadLetter(None, key, [(DEAD_LETTER.name, codec.encode(why))])


def _why(origin: Origin, refused: Refused, policy: DeadLetterPolicy, now_iso: str) -> dict[str, Any]:
    info: dict[str, Any] = {
        "reason": _text(refused.reason, MAX_REASON_CHARACTERS),
        "class": _text(refused.error_class, MAX_NAME_CHARACTERS),
        "scope": refused.scope,
        "attempts": refused.attempts,
    }
    if refused.path:
        info["path"] = _text(refused.path, MAX_PATH_CHARACTERS)
    if refused.request_id is not None:
        info["requestId"] = _text(refused.request_id, MAX_NAME_CHARACTERS)
    if refused.executed_version is not None:
        info["executedVersion"] = _text(refused.executed_version, MAX_NAME_CHARACTERS)
    if refused.stack:
        info["stack"] = _stack(refused.stack)
    meta: dict[str, Any] = {
        "source": {
            "type": "kafka",
            "topic": origin.topic,
            "partition": origin.partition,
            "offset": origin.offset,
            "ts": origin.timestamp_ms,
        }
    }
    if refused.https is not None:
        meta["https"] = {
            name: _text(value, MAX_PATH_CHARACTERS) if isinstance(value, str) else value
            for name, value in refused.https.items()
        }
    if origin.replays:
        # Beside the coordinates it tells this dead letter from the one that was replayed.
        meta["replays"] = origin.replays
    return {
        "processorName": policy.processor,
        "operatorName": refused.operator,
        "dlqTime": now_iso,
        "errInfo": info,
        "_stream_meta": meta,
    }


def _as_document(origin: Origin, refused: Refused, policy: DeadLetterPolicy, now_iso: str) -> DeadLetter:
    """Atlas's dead-letter document as the value; the original key stays the record's key. The original value
    is in `value` unless `doc` is it, byte for byte."""
    why = _why(origin, refused, policy, now_iso)
    why["dlqTime"] = {"$date": now_iso}
    source = why["_stream_meta"]["source"]
    if origin.key is not None:
        source["key"] = _binary(origin.key)
    if origin.headers:
        source["headers"] = [
            {"k": name, "v": None if v is None else _binary(v)} for name, v in origin.headers
        ]
    doc, is_cut = _doc_text(refused.doc)
    # Without a document the value `null` and no value at all would look the same, and with one no value would
    # look like its text.
    if origin.value is None:
        why["value"] = None
    elif refused.doc is None or origin.value != doc:
        why["value"] = _binary(origin.value)
    if is_cut:
        why["docTruncated"] = True
    return DeadLetter(
        codec.encode(why)[:-1] + b',"doc":' + doc + b"}", origin.key, list(origin.headers or ())
    )


def _stack(lines: Sequence[str]) -> list[str]:
    """Its top lines, and of the last of them as much as there is room for."""
    found: list[str] = []
    left = MAX_STACK_CHARACTERS
    for line in lines:
        text = _text(line, left)
        if text:
            found.append(text)
            left -= len(text)
    return found


def _text(text: str, max_characters: int) -> str:
    """At most so much of it, without the lone surrogates that no JSON can hold."""
    return text[:max_characters].encode("utf-8", "replace").decode()


def _doc_text(doc: Any) -> tuple[bytes, bool]:
    """(JSON text, whether it was cut). A document over the bound becomes a JSON string of its beginning."""
    if doc is None:
        return b"null", False
    try:
        text = codec.encode_value(doc)
    except ValueError:
        # A document that cannot be encoded is what failed; its source bytes are in the value all the same.
        return b"null", True
    if len(text) <= MAX_DOC_BYTES:
        return text, False
    return codec.encode_value(text[:MAX_DOC_BYTES].decode("utf-8", "ignore")), True


def _binary(raw: bytes) -> dict[str, Any]:
    return {"$binary": {"base64": b64encode(raw).decode(), "subType": "00"}}
