"""The contract `records`: records and outcomes meet by id, whatever the order. Pure.

{"records": [{"id": "orders/0/7", "key": "k", "value": {...}}, ...]}
{"records": [{"id": "orders/0/7", "result": "ok", "value": ...}, ...]}
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final

from topics.codecs import json as codec
from workers.calls.contract import UNSET, cut
from workers.calls.framing import (
    INVALID_ANSWER,
    RECORD_FAILED,
    Framed,
    Reading,
    RecordAnswer,
    all_invalid,
    invalid,
    kind_of,
)
from workers.ports import SourceRecord

HEAD: Final = b'{"records":['
TAIL: Final = b"]}"
RESULTS: Final = ("ok", "drop", "retry", "fail")


class RecordsContract:
    """Keeps `framing.BatchContract`. A function may work on its records in any order and at once."""

    name = "records"
    keeps_order = False
    is_grouped = False
    frame_bytes = len(HEAD) + len(TAIL)

    def entry(self, identity: str, record: SourceRecord, document: bytes) -> bytes:
        """`key` is the record's key as a text, null without one, Extended JSON binary where it is no
        UTF-8."""
        return b'{"id":%b,"key":%b,"value":%b}' % (
            codec.encode_value(identity),
            key_text(record.key()),
            document,
        )

    def group(self, record: SourceRecord) -> str:
        return ""

    def group_bytes(self, group: str) -> int:
        return 0

    def single(self, item: Framed) -> Hashable:
        return item.identity

    def frame(self, batch: Sequence[Framed]) -> bytes:
        return HEAD + b",".join([item.text for item in batch]) + TAIL

    def read(self, body: bytes, batch: Sequence[Framed]) -> Reading:
        """An item without a known id is counted and changes nothing; a record without an item fails, one
        with two fails."""
        try:
            whole = codec.decode_value(body)
        except ValueError:
            what = "0 bytes" if not body else "no JSON"
            return all_invalid(len(batch), "not_json", f"the answer to the batch is {what}")
        items = whole.get("records") if isinstance(whole, dict) else None
        if not isinstance(items, list):
            what = kind_of(whole) if not isinstance(whole, dict) else f"`records` is {kind_of(items)}"
            reason = f'the answer to the batch is not {{"records": [...]}}: {what}'
            return all_invalid(len(batch), "wrong_type", reason)
        return _matched(items, batch)


def _matched(items: list[Any], batch: Sequence[Framed]) -> Reading:
    answers: list[Any] = [None] * len(batch)
    reading = Reading(answers)
    # Functions that go through the list answer in its order: then no table of ids is needed.
    places: dict[str, int] | None = None
    for number, item in enumerate(items):
        identity = item.get("id") if item.__class__ is dict else None
        if identity.__class__ is not str:
            reading.broken("wrong_type")
            continue
        if places is None and number < len(batch) and batch[number].identity == identity:
            place: int | None = number
        else:
            if places is None:
                places = {one.identity: index for index, one in enumerate(batch)}
            place = places.get(identity)
        if place is None:
            reading.broken("unknown_id")
        elif answers[place] is not None:
            reading.broken("duplicate_id")
            answers[place] = invalid(f"the answer has the id {identity} more than once")
        else:
            answers[place] = _outcome(item, reading)
    for place, answer in enumerate(answers):
        if answer is None:
            reading.broken("missing_id")
            answers[place] = invalid(f"the answer has no record with the id {batch[place].identity}")
    return reading


def _outcome(item: dict[str, Any], reading: Reading) -> RecordAnswer:
    result = item.get("result")
    if result == "ok":
        return RecordAnswer("ok", item.get("value", UNSET))
    if result not in RESULTS:
        reading.broken("wrong_type")
        found = repr(result)[:100] if isinstance(result, str) else kind_of(result)
        return invalid(f"`result` is {found}, not one of {', '.join(RESULTS)}")
    if result == "drop":
        return RecordAnswer("drop")
    return RecordAnswer(result, UNSET, *_error(item.get("error"), result))


def _error(error: Any, result: str) -> tuple[str, str]:
    """(reason, class): of a text, or of an object as functions throw them, `{type, message}` or
    `{errorType, errorMessage}`."""
    if isinstance(error, dict):
        name = error.get("errorType", error.get("type"))
        message = error.get("errorMessage", error.get("message"))
        named = name if isinstance(name, str) and name and name != INVALID_ANSWER else RECORD_FAILED
        told = message if isinstance(message, str) else codec.encode_value(error).decode("utf-8", "replace")
        return cut(told), named[:128]
    if isinstance(error, str) and error:
        return cut(error), RECORD_FAILED
    return f"the function answered {result} for this record", RECORD_FAILED


def key_text(key: bytes | None) -> bytes:
    """A record's key as JSON."""
    if key is None:
        return b"null"
    try:
        return codec.encode_value(key.decode())
    except UnicodeDecodeError:
        return codec.encode_value(key)
