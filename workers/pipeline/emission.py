"""From a document to the record that `$emit` produces: topic, value, key and headers by expression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from topics.codecs import encode, encoder
from workers.errors import Poison
from workers.model import Document, Emission, Headers, Meta, Refused
from workers.pipeline.emit import Emitter
from workers.pipeline.nodes import Node
from workers.pipeline.program import Sink
from workers.pipeline.registered import key_writer, value_writer
from workers.pipeline.spec import EmitSpec
from workers.pipeline.unit import StageMark, Unit, depth_of
from workers.pipeline.values import type_name
from workers.pipeline.wire import KEY_WRITERS, header_list, key_by_type, topic_name


def compile_sink(spec: EmitSpec) -> tuple[Sink, bool]:
    """The sink of a program, and whether its expressions read the document's meta."""
    topic = spec.topic if isinstance(spec.topic, str) else None
    expressions = (spec.key, spec.headers, spec.tombstone_when)
    is_plain = (
        topic is not None
        and all(node is None for node in expressions)
        and encoder(spec.output_format, spec.date_format) is encode
        and spec.schemas is None
    )
    emission, uses_meta = _emission(spec, topic)
    sink = Sink(
        spec.connection, topic, is_plain, emission, spec.operator, spec.path, spec.producer, spec.schemas
    )
    return sink, uses_meta


def _emission(
    spec: EmitSpec, topic: str | None
) -> tuple[Callable[[Document, Meta | None, bytes | None, Headers | None], Emission | Refused], bool]:
    emitter, unit = Emitter(), Unit()
    write = encoder(spec.output_format, spec.date_format)
    schemas = spec.schemas
    by_schema = write if schemas is None or schemas.value is None else value_writer(schemas.value, write)
    emitter.names |= {"refused": unit.refused, "Emission": Emission, "encode": by_schema}
    with emitter.block("def emission(d0, meta, key, headers):"):
        with emitter.block("try:"):
            emitter.path = spec.path
            emitter.line("pass")  # a plain sink has nothing to compute
            name = emitter.constant(topic)
            if isinstance(spec.topic, Node):
                name = _part(emitter, topic_name, spec.topic)
            key, headers, value = "key", "headers", "encode(d0)"
            if spec.key is not None:
                writer: Callable[[Any], Any] = (
                    key_by_type if spec.key_format is None else KEY_WRITERS[spec.key_format]
                )
                if schemas is not None and schemas.key is not None:
                    writer = key_writer(schemas.key, write)
                key = _part(emitter, writer, spec.key)
            if spec.headers is not None:
                headers = _part(emitter, header_list, spec.headers)
            if spec.tombstone_when is not None:
                value = f"None if {_part(emitter, is_tombstone, spec.tombstone_when)} else encode(d0)"
        with emitter.block("except Exception as error:"):
            emitter.line("return refused(error, locals())")
        emitter.line(f"return Emission({name}, {value}, {key}, {headers})")
    emitter.begin(1)
    made: Callable[..., Emission | Refused] = unit.make(
        emitter, "emission", [StageMark(spec.operator, spec.path, "d0")]
    )
    return made, emitter.uses_meta


def _part(emitter: Emitter, function: Callable[[Any], Any], node: Node) -> str:
    with depth_of(lambda: node.path):
        value = emitter.value(node)
    emitter.path = node.path
    return emitter.call(function, value)


def is_tombstone(value: Any) -> bool:
    """What `tombstoneWhen` says; Poison where it is no boolean, null and missing too."""
    if value.__class__ is bool:
        return bool(value)
    raise Poison(f"tombstoneWhen must give a boolean, not {type_name(value)}")
