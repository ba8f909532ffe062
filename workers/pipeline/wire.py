"""Keys, headers and topic names between BSON values and what Kafka carries. Numbers are big-endian, as Java's
serializers write them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from topics.codecs import NotADocument, NotEncodable, decode_value, encode_value
from topics.contract import NAME
from workers.errors import Poison
from workers.model import Headers
from workers.pipeline.program import SinkKeyFormat, SourceKeyFormat
from workers.pipeline.values import MISSING, as_long, is_nullish, type_name

TOPIC_RULE: Final = "1 to 249 of a-z A-Z 0-9 . _ -, and neither '.' nor '..'"

_INT, _LONG, _DOUBLE = struct.Struct(">i"), struct.Struct(">q"), struct.Struct(">d")


# Topics


def is_topic(name: str) -> bool:
    """Whether Kafka takes it as a topic's name."""
    return NAME.fullmatch(name) is not None and name not in (".", "..")


def topic_name(value: Any) -> str:
    """The value as a topic's name; Poison where it is none."""
    if value.__class__ is not str:
        raise Poison(f"the topic must be a string, not {type_name(value)}")
    if not is_topic(value):
        raise Poison(f"the topic's name is not one that Kafka takes: {TOPIC_RULE}")
    return str(value)


# Keys as they come


def _read_text(raw: bytes) -> Any:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as where:
        raise Poison(f"the key is not valid UTF-8 (byte {where.start})") from None


def _read_json(raw: bytes) -> Any:
    try:
        return decode_value(raw)
    except NotADocument as error:
        raise Poison(f"the key cannot be read as JSON: {error.reason}") from None


def _read_int(raw: bytes) -> Any:
    if len(raw) != _INT.size:
        raise Poison(f"the key is {len(raw)} bytes, an int has 4")
    return _INT.unpack(raw)[0]


def _read_long(raw: bytes) -> Any:
    if len(raw) != _LONG.size:
        raise Poison(f"the key is {len(raw)} bytes, a long has 8")
    return as_long(_LONG.unpack(raw)[0])


KEY_READERS: Final[Mapping[SourceKeyFormat, Callable[[bytes], Any]]] = {
    "binData": bytes,
    "string": _read_text,
    "json": _read_json,
    "int": _read_int,
    "long": _read_long,
}
"""`$source`'s keyFormat: the value of a key. Poison where the bytes are none of that format."""


# Keys as they go


def key_by_type(value: Any) -> bytes | None:
    """A key without a format: text as UTF-8, binData as it is, no key for null and missing, the rest as
    JSON."""
    if is_nullish(value):
        return None
    if isinstance(value, str):
        return _utf8(value, "the key")
    if isinstance(value, bytes):
        return bytes(value)
    return _json(value, "the key")


def _mismatch(value: Any, key_format: SinkKeyFormat) -> Poison:
    return Poison(f"the key is {type_name(value)}, its format is {key_format}")


def _write_bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return bytes(value)
    raise _mismatch(value, "binData")


def _write_text(value: Any) -> bytes:
    if value.__class__ is str:
        return _utf8(value, "the key")
    raise _mismatch(value, "string")


def _write_json(value: Any) -> bytes:
    if value is MISSING:
        raise _mismatch(value, "json")
    return _json(value, "the key")


def _write_int(value: Any) -> bytes:
    if type_name(value) == "int":
        return _INT.pack(value)
    raise _mismatch(value, "int")


def _write_long(value: Any) -> bytes:
    if type_name(value) in ("int", "long"):
        return _LONG.pack(value)
    raise _mismatch(value, "long")


def _write_double(value: Any) -> bytes:
    """An int widens to a double without loss, a long may lose digits."""
    if type_name(value) in ("double", "int"):
        return _DOUBLE.pack(value)
    raise _mismatch(value, "double")


KEY_WRITERS: Final[Mapping[SinkKeyFormat, Callable[[Any], bytes]]] = {
    "binData": _write_bytes,
    "string": _write_text,
    "json": _write_json,
    "int": _write_int,
    "long": _write_long,
    "double": _write_double,
}
"""`$emit`'s keyFormat: the bytes of a key. Poison where the value is of another type, null and missing
too."""


# Headers


def header_list(value: Any) -> Headers | None:
    """Headers out of a document or an array of `{k, v}`; none for null and missing."""
    if is_nullish(value):
        return None
    if value.__class__ is dict:
        pairs = list(value.items())
    elif value.__class__ is list:
        pairs = []
        for item in value:
            if item.__class__ is not dict or item.keys() - {"k", "v"} or item.get("k").__class__ is not str:
                raise Poison("headers must be a document or an array of {k, v} whose k is a string")
            pairs.append((item["k"], item.get("v")))
    else:
        raise Poison(f"headers must be a document or an array of {{k, v}}, not {type_name(value)}")
    return [(_name(name), _header(item)) for name, item in pairs]


def _name(name: str) -> str:
    """The client passes names on as C strings of UTF-8."""
    if "\0" in name:
        raise Poison("a header's name holds a NUL")
    _utf8(name, "a header's name")
    return name


def _header(value: Any) -> bytes | None:
    if value is None:
        return None
    kind = type_name(value)
    if kind == "string":
        return _utf8(value, "a header")
    if kind == "binData":
        return bytes(value)
    if kind == "int":
        return _INT.pack(value)
    if kind == "long":
        return _LONG.pack(value)
    if kind == "double":
        return _DOUBLE.pack(value)
    if kind == "object":
        return _json(value, "a header")
    raise Poison(f"a header must be binData, string, object, int, long, double or null, not {kind}")


def _utf8(text: str, what: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise Poison(f"{what} holds a lone surrogate") from None


def _json(value: Any, what: str) -> bytes:
    try:
        return encode_value(value)
    except NotEncodable as error:
        raise Poison(f"{what} cannot be written: {error.reason}") from None
