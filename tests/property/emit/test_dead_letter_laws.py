"""A dead letter carries the original byte for byte, and why."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

from bson import Decimal128, ObjectId
from hypothesis import given
from hypothesis import strategies as st

from topics.codecs import json as codec
from topics.headers import DEAD_LETTER
from workers.emit.dead_letter import (
    MAX_DOC_BYTES,
    MAX_STACK_CHARACTERS,
    DeadLetter,
    DeadLetterPolicy,
    Format,
    Origin,
    dead_letter,
    truncated,
)
from workers.model import Headers, Refused

NOW = "2024-05-01T12:00:00.000Z"
BYTES = st.none() | st.binary(max_size=60)
HEADERS: st.SearchStrategy[Headers | None] = st.none() | st.lists(
    st.tuples(st.text(max_size=8), BYTES), max_size=5
)
ORIGINS = st.builds(
    Origin,
    topic=st.from_regex(r"[a-zA-Z0-9._-]{1,249}", fullmatch=True),
    partition=st.integers(0, 2**31 - 1),
    offset=st.integers(0, 2**63 - 1),
    timestamp_ms=st.integers(-1, 2**53),
    key=BYTES | st.just(b"k" * 9_000),
    value=BYTES | st.just(b"v" * 9_000) | st.just(b'{"a":1}'),
    headers=HEADERS,
)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20)
    | st.just(ObjectId("5f" + "0" * 22)) | st.just(Decimal128("1.5")) | st.just("\ud800") | st.just(object())
    | st.just("é" * 5_000)
)  # fmt: skip
DOCS = st.none() | st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)
LONG = st.text(max_size=20) | st.just("\x01" * 3_000) | st.just("\ud800")
REFUSALS = st.builds(
    Refused,
    reason=LONG,
    operator=st.sampled_from(["$project", "$externalFunction"]),
    path=LONG,
    doc=DOCS,
    error_class=LONG,
    scope=st.sampled_from(["record", "function"]),
    attempts=st.integers(0, 50),
    request_id=st.none() | LONG,
    executed_version=st.none() | LONG,
    stack=st.lists(LONG, max_size=4).map(tuple),
)
HEADER = DeadLetterPolicy("orders", "header")
DOCUMENT = DeadLetterPolicy("orders", "document")


def _why(letter: DeadLetter) -> dict[str, Any]:
    """The JSON of our header, which is the last one."""
    name, text = letter.headers[-1]
    assert name == DEAD_LETTER.name
    assert text is not None
    why = json.loads(text)
    assert isinstance(why, dict)
    return why


@given(ORIGINS, REFUSALS)
def test_the_header_format_keeps_the_original(origin: Origin, refused: Refused) -> None:
    """Key, value and headers byte for byte; one more header, which is valid JSON and bounded."""
    letter = dead_letter(origin, refused, HEADER, NOW)
    assert (letter.key, letter.value) == (origin.key, origin.value)
    assert letter.headers[:-1] == list(origin.headers or [])
    why = _why(letter)
    assert why["processorName"] == "orders"
    assert why["operatorName"] == refused.operator
    assert why["dlqTime"] == NOW
    assert why["_stream_meta"]["source"] == {
        "type": "kafka", "topic": origin.topic, "partition": origin.partition, "offset": origin.offset,
        "ts": origin.timestamp_ms,
    }  # fmt: skip
    assert why["errInfo"]["scope"] == refused.scope
    stack = why["errInfo"].get("stack", [])
    assert sum(map(len, stack)) <= MAX_STACK_CHARACTERS
    assert (not stack) == (not any(refused.stack))
    assert len(letter.headers[-1][1] or b"") <= 48 * 1024


@given(ORIGINS, REFUSALS)
def test_the_document_format_keeps_the_original(origin: Origin, refused: Refused) -> None:
    """Key and headers are the record's own; the value is within, as bytes, or because `doc` is it."""
    letter = dead_letter(origin, refused, DOCUMENT, NOW)
    assert letter.key == origin.key
    assert letter.headers == list(origin.headers or [])
    assert letter.value is not None
    whole = json.loads(letter.value)
    source = whole["_stream_meta"]["source"]
    assert b64decode(source["key"]["$binary"]["base64"] if origin.key is not None else "") == (
        origin.key or b""
    )
    assert [
        (h["k"], None if h["v"] is None else b64decode(h["v"]["$binary"]["base64"]))
        for h in source.get("headers", [])
    ] == list(origin.headers or [])
    if origin.value is None:
        assert whole["value"] is None
    elif "value" in whole:
        assert b64decode(whole["value"]["$binary"]["base64"]) == origin.value
    else:
        assert letter.value.endswith(b',"doc":' + origin.value + b"}")


@given(ORIGINS, REFUSALS)
def test_the_truncated_form_is_small(origin: Origin, refused: Refused) -> None:
    """No value, no foreign headers, a key only if it is small; coordinates and the size say what it was."""
    letter = truncated(origin, refused, HEADER, NOW)
    assert letter.value is None
    assert letter.key in (None, origin.key)
    why = _why(letter)
    assert why["truncated"] is True
    assert "stack" not in why["errInfo"]
    assert why["valueBytes"] == len(origin.value or b"")
    assert why["_stream_meta"]["source"]["offset"] == origin.offset
    assert len(letter.headers) == 1
    assert len(letter.headers[0][1] or b"") + len(letter.key or b"") <= 32 * 1024


@given(DOCS, st.sampled_from(["header", "document"]))
def test_the_document_is_whole_or_marked(doc: Any, form: Format) -> None:
    """Over 8 KiB it is cut to the beginning of its text, what has no JSON form is null; both are marked."""
    origin = Origin("t", 0, 0, 0, None, b"x", None)
    letter = dead_letter(origin, Refused("r", "$o", "p", doc), DeadLetterPolicy("p", form), NOW)
    text = letter.value if form == "document" else letter.headers[-1][1]
    found = json.loads(text or b"")
    try:
        whole = codec.encode_value(doc)
    except ValueError:
        whole = None
    if whole is None:
        assert (found["doc"], found["docTruncated"]) == (None, True)
    elif len(whole) > MAX_DOC_BYTES:
        assert found["docTruncated"] is True
        assert whole.decode().startswith(found["doc"])
        assert MAX_DOC_BYTES - 4 < len(found["doc"].encode()) <= MAX_DOC_BYTES
    else:
        assert "docTruncated" not in found
        assert found["doc"] == json.loads(whole)


def test_a_cut_document_that_is_full_of_quotes_stays_bounded() -> None:
    """Escaping at most doubles it."""
    refused = Refused("r", "$o", "p", {"text": '"\\' * 10_000})
    letter = dead_letter(Origin("t", 0, 0, 0, None, b"x", None), refused, HEADER, NOW)
    assert len(letter.headers[-1][1] or b"") < 40_000
    assert _why(letter)["docTruncated"] is True
