"""JSON bytes to documents and back. The plain path is orjson's; `"$..."` keys take the Extended JSON path.

Where JSON and BSON differ:

- An integer from 2**63 to 2**64-1 stays a Python int: exact, written back as it came, ordered by its value.
  The server would make it a double and lose digits of ids that are hashes. Beyond, orjson makes it a double.
- Of a repeated key the last one counts. `1.0` stays a double, `1` an integer; `-0` is the integer 0.
"""

from __future__ import annotations

import re
from collections.abc import MutableSequence
from typing import Any, Final

import orjson
from bson import Code

from topics.codecs.ejson import Malformed, resolve
from topics.codecs.errors import Kind, NotADocument, NotEncodable
from topics.codecs.registered import FRAME_BYTES, MAGIC
from topics.codecs.spelling import RELAXED, spell_canonical, spell_default, spell_relaxed

MAX_DEPTH: Final = 100
"""Levels of documents and arrays, the outermost included: the server's limit."""

MAX_VALUE_BYTES: Final = 64 * 1024 * 1024
"""What a record's value may measure: message.max.bytes of Penstock's own producers."""

# UUIDs have no pass-through in orjson; a decoded document never holds one (they are Binary, subtype 4).
OPTIONS: Final = (
    orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS
)

_loads = orjson.loads
_dumps = orjson.dumps

# A document nested deeper than MAX_DEPTH has at least that many opening brackets, and as many closing ones
# behind them. Taking the opening ones out tells how many there are in half the time of counting them (0.35
# against 0.7 us for 700 bytes): that looks at every byte, this jumps from one to the next.
_SHALLOW_BYTES: Final = 2 * MAX_DEPTH

# Asking for a byte by its number takes 20 ns for 300 bytes, asking for a text of two 400 ns.
_DOLLAR: Final = ord("$")
_BACKSLASH: Final = ord("\\")
_ESCAPED_DOLLAR: Final = b"\\u0024"

# A compiled search takes half the time of `b"null" in text`.
holds_null = re.compile(b"null").search


def decode(value: bytes, max_bytes: int = MAX_VALUE_BYTES) -> dict[str, Any]:
    """The document in one record's value. Raises NotADocument; nothing of the value is in its text."""
    doc = decode_value(value, max_bytes)
    if isinstance(doc, dict):
        return doc
    raise not_a_document(doc)


def decode_value(value: bytes, max_bytes: int = MAX_VALUE_BYTES) -> Any:
    """Any JSON or Extended JSON value, a scalar too. Raises NotADocument."""
    if len(value) > max_bytes:
        raise _too_large(len(value), max_bytes)
    try:
        found = _loads(value)
    except ValueError as error:
        raise _not_json(value, error) from None
    return finish(value, found)


def decode_many(
    values: MutableSequence[bytes | None], max_bytes: int = MAX_VALUE_BYTES
) -> list[dict[str, Any] | NotADocument | None]:
    """One answer for each value, in order: a document, the error it would raise, or None for a tombstone.

    JSON behind the frame of a schema registry is read without it, and put into `values` in its place: the
    bytes that stand for the document are those without the frame.
    """
    answers: list[dict[str, Any] | NotADocument | None] = []
    append, loads, shallow, limit = answers.append, _loads, _SHALLOW_BYTES, MAX_DEPTH
    for value in values:
        if value is None:
            append(None)
            continue
        size = len(value)
        if size > max_bytes:
            append(_too_large(size, max_bytes))
            continue
        try:
            doc = loads(value)
            if (
                (_DOLLAR in value and b'"$' in value)
                or (_BACKSLASH in value and _ESCAPED_DOLLAR in value)
                or (size > shallow and size - len(value.replace(b"{", b"").replace(b"[", b"")) > limit)
            ):
                doc = finish(value, doc)
            append(doc if doc.__class__ is dict else not_a_document(doc))
        except NotADocument as error:
            append(error)
        except ValueError as error:
            if value[:1] == MAGIC and size > FRAME_BYTES:
                values[len(answers)] = content = value[FRAME_BYTES:]
                append(_unframed(content, max_bytes))
            else:
                append(_not_json(value, error))
    return answers


def _unframed(content: bytes, max_bytes: int) -> dict[str, Any] | NotADocument:
    """JSON that a serializer of a schema registry wrote."""
    if content[:1] not in (b"{", b"[", b" ", b"\n", b"\r", b"\t"):
        reason = "the value names a schema of a registry and is no JSON; $source.schemaRegistry reads it"
        return _refused("not-json", reason)
    try:
        return decode(content, max_bytes)
    except NotADocument as error:
        return error


_FINITE: Final = frozenset({str, int, bool, type(None), *RELAXED} - {Code})


def encode(doc: dict[str, Any]) -> bytes:
    """The document as relaxed Extended JSON. Raises NotEncodable.

    orjson writes NaN and infinities as null, so only a text with a null in it is worth a second look.
    """
    try:
        text = _dumps(doc, spell_default, OPTIONS)
    except TypeError as error:
        raise not_encodable(error) from None
    if holds_null(text) and has_non_finite(doc):
        return _dumps(spell_relaxed(doc), spell_default, OPTIONS)
    return text


def encode_value(value: Any) -> bytes:
    """Any value as relaxed Extended JSON, a scalar too (`"text"`, `{"$date": ...}`). Raises NotEncodable."""
    return encode(value)


def encode_canonical(value: Any) -> bytes:
    """Any value as canonical Extended JSON: every number keeps its type. Raises NotEncodable."""
    try:
        return _dumps(spell_canonical(value), spell_default, OPTIONS)
    except (TypeError, RecursionError) as error:
        raise not_encodable(error) from None


def is_relaxed(value: bytes) -> bool:
    """Whether the bytes that a document was decoded from say it in relaxed Extended JSON already: no type
    wrapper within, which might be of another form. They stand for that document as well as `encode`'s."""
    return not ((_DOLLAR in value and b'"$' in value) or (_BACKSLASH in value and _ESCAPED_DOLLAR in value))


def finish(value: bytes, found: Any) -> Any:
    """What orjson made of a text, with the checks and the conversion that only some values need: the text is
    asked first whether it may. Raises NotADocument."""
    if found.__class__ is not dict and found.__class__ is not list:
        return found
    if len(value) > _SHALLOW_BYTES:
        opened = value.count(b"{", 0, -MAX_DEPTH) + value.count(b"[", 0, -MAX_DEPTH)
        if opened > MAX_DEPTH and _is_too_deep(found):
            raise _refused("too-deep", f"the value is nested more than {MAX_DEPTH} levels deep")
    if (_DOLLAR in value and b'"$' in value) or (_BACKSLASH in value and _ESCAPED_DOLLAR in value):
        try:
            return resolve(found)
        except Malformed as error:
            raise _refused("malformed-extended-json", error.reason()) from None
    return found


def _is_too_deep(found: Any) -> bool:
    """Level by level: the parser lets 1,024 levels through, more than Python may recurse."""
    level = [found]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if node.__class__ is dict else node)
            if child.__class__ is dict or child.__class__ is list
        ]
        if not level:
            return False
    return True


def has_non_finite(root: Any) -> bool:
    """Whether NaN or an infinity is within: only finite numbers give 0.0 when taken from themselves."""
    nodes: list[Any] = [(root,)]
    add = nodes.append
    for node in nodes:  # grows while it is walked
        for value in node.values() if isinstance(node, dict) else node:
            kind = value.__class__
            if kind in _FINITE:
                continue
            if kind is float:
                if value - value != 0.0:
                    return True
            elif kind is dict or kind is list:
                add(value)
            elif isinstance(value, (dict, list, tuple)):
                add(value)
            elif kind is Code and value.scope:
                add(value.scope)
    return False


def _refused(kind: Kind, reason: str) -> NotADocument:
    return NotADocument(reason, kind)


def _too_large(size_bytes: int, max_bytes: int) -> NotADocument:
    return _refused("too-large", f"the value is {size_bytes} bytes, the limit is {max_bytes}")


def not_a_document(found: Any) -> NotADocument:
    """What a value is called that is no document."""
    if isinstance(found, list):
        name = "an array"
    elif isinstance(found, bool):
        name = "a boolean"
    else:
        name = {type(None): "null", str: "a string"}.get(type(found), "a single value")
        name = "a number" if isinstance(found, (int, float)) else name
    return _refused("not-a-document", f"the value is {name}, not a document")


def _not_json(value: bytes, error: ValueError) -> NotADocument:
    """orjson's message says where, never what; depth and UTF-8 are errors of JSON to it like the others."""
    text = str(error)
    if "depth limit" in text:
        return _refused("too-deep", f"the value is nested more than {MAX_DEPTH} levels deep")
    try:
        value.decode("utf-8")
    except UnicodeDecodeError as where:
        return _refused("not-utf8", f"the value is not valid UTF-8 (byte {where.start})")
    return _refused("not-json", f"the value is not JSON: {text}" if value else "the value is empty, not JSON")


def not_encodable(error: Exception) -> NotEncodable:
    cause = error.__cause__
    if isinstance(cause, TypeError):  # our own hook's words; orjson's only name the type
        return NotEncodable(str(cause))
    return NotEncodable(_PLAIN_WORDS.get(str(error), str(error)))


_PLAIN_WORDS: Final = {
    "Integer exceeds 64-bit range": "an integer beyond 64 bits has no JSON form that every reader takes",
    "str is not valid UTF-8: surrogates not allowed": "a string holds a lone surrogate",
    "Recursion limit reached": "the document is nested too deep to be written",
    "Dict key must be str": "a field name is not a string",
}
