"""From a document to the record that `$emit` produces: topic, key and headers by expression."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from topics.codecs import json as codec
from topics.codecs.errors import NotEncodable
from workers.errors import Poison
from workers.model import Document, Emission, Headers, Meta, Refused
from workers.pipeline.emit import Emitter
from workers.pipeline.nodes import Node
from workers.pipeline.program import Sink
from workers.pipeline.spec import EmitSpec
from workers.pipeline.unit import StageMark, Unit, depth_of
from workers.pipeline.values import is_nullish, type_name

# Kafka's own limit of a topic's name.
_MAX_TOPIC_LENGTH = 249
_INT, _LONG, _DOUBLE = struct.Struct(">i"), struct.Struct(">q"), struct.Struct(">d")


def compile_sink(spec: EmitSpec) -> tuple[Sink, bool]:
    """The sink of a program, and whether its expressions read the document's meta."""
    topic = spec.topic if isinstance(spec.topic, str) else None
    is_plain = topic is not None and spec.key is None and spec.headers is None
    emission, uses_meta = _emission(spec, topic)
    return Sink(spec.connection, topic, is_plain, emission, spec.operator, spec.path), uses_meta


def _emission(
    spec: EmitSpec, topic: str | None
) -> tuple[Callable[[Document, Meta | None, bytes | None, Headers | None], Emission | Refused], bool]:
    emitter, unit = Emitter(), Unit()
    emitter.names |= {"refused": unit.refused, "Emission": Emission, "encode": codec.encode}
    with emitter.block("def emission(d0, meta, key, headers):"):
        with emitter.block("try:"):
            emitter.path = spec.path
            emitter.line("pass")  # a plain sink has nothing to compute
            name = emitter.constant(topic)
            if isinstance(spec.topic, Node):
                name = _part(emitter, topic_name, spec.topic)
            key = "key" if spec.key is None else _part(emitter, key_bytes, spec.key)
            headers = "headers" if spec.headers is None else _part(emitter, header_list, spec.headers)
        with emitter.block("except Exception as error:"):
            emitter.line("return refused(error, locals())")
        emitter.line(f"return Emission({name}, encode(d0), {key}, {headers})")
    made: Callable[..., Emission | Refused] = unit.make(
        emitter, "emission", [StageMark(spec.operator, spec.path, "d0")]
    )
    return made, emitter.uses_meta


def _part(emitter: Emitter, function: Callable[[Any], Any], node: Node) -> str:
    with depth_of(lambda: node.path):
        value = emitter.value(node)
    emitter.path = node.path
    return emitter.call(function, value)


def topic_name(value: Any) -> str:
    """A topic's name; Poison where it cannot be one."""
    if value.__class__ is not str:
        raise Poison(f"the topic must be a string, not {type_name(value)}")
    legal = 0 < len(value) <= _MAX_TOPIC_LENGTH and value not in (".", "..") and value.isascii()
    if not legal or not value.translate(_LEGAL).isalnum():
        raise Poison("the topic's name is not one that Kafka takes")
    return value


_LEGAL = str.maketrans("._-", "aaa")


def key_bytes(value: Any) -> bytes | None:
    """A key: text as UTF-8, binData as it is, no key for null and missing, the rest as JSON."""
    if is_nullish(value):
        return None
    if isinstance(value, str):
        return _utf8(value, "the key")
    if isinstance(value, bytes):
        return bytes(value)
    return _json(value, "the key")


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
    return [(name, _header(item)) for name, item in pairs]


def _header(value: Any) -> bytes | None:
    """One header's value: numbers as Java's serializers write them, big-endian."""
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
        return codec.encode_value(value)
    except NotEncodable as error:
        raise Poison(f"{what} cannot be written: {error.reason}") from None
