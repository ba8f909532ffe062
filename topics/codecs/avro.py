"""Avro and JSON Schema with a schema registry, through confluent-kafka's serializers.

They ask a client for schemas where they need one. Here they get a `Shelf` instead (registry_client.py), which
has what was learnt and never waits.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
from confluent_kafka.schema_registry import (
    RegisteredSchema,
    Schema,
    record_subject_name_strategy,
    topic_record_subject_name_strategy,
    topic_subject_name_strategy,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError

from topics.codecs import json as codec
from topics.codecs.avro_depth import TooDeep, check_depth
from topics.codecs.avro_unfit import Unfit
from topics.codecs.errors import Kind, NotADocument, NotEncodable
from topics.codecs.registered import (
    FRAME_BYTES,
    MAGIC,
    NotRegistered,
    RegistryRefused,
    Subject,
    WriteSchema,
    schema_id,
)
from topics.codecs.registry_client import Learnt, Shelf

_STRATEGIES: Final[Mapping[str, Callable[..., str | None]]] = {
    "TopicNameStrategy": topic_subject_name_strategy,
    "RecordNameStrategy": record_subject_name_strategy,
    "TopicRecordNameStrategy": topic_record_subject_name_strategy,
}


class _Desk:
    """A shelf for one serializer: it registers the one schema that the serializer has."""

    def __init__(self, shelf: Shelf, schema: WriteSchema) -> None:
        self._shelf, self._schema = shelf, schema

    def config(self) -> dict[str, Any]:
        return {}

    def register_schema_full_response(
        self, subject: str, schema: Schema, normalize_schemas: bool = False
    ) -> RegisteredSchema:
        number = self._shelf.id_of(Subject(subject, self._schema))
        return RegisteredSchema(subject=subject, version=None, schema_id=number, guid=None, schema=schema)

    lookup_schema = register_schema_full_response


class Reader:
    """Keeps `registered.SchemaReader`."""

    def __init__(self, shelf: Shelf) -> None:
        conf = {"subject.name.strategy": lambda _ctx, _record: None, "schema.id.deserializer": self._content}
        self._shelf = shelf
        self._payload = io.BytesIO()
        self._avro = AvroDeserializer(shelf, conf=conf, return_record_name=True)
        self._json = JSONDeserializer(None, schema_registry_client=shelf, conf=conf, json_decode=_parsed)

    def lacks(self, values: Iterable[bytes | None]) -> set[int]:
        named = {schema_id(value) for value in values} - {None}
        return {number for number in named if number is not None and self._shelf.lacks(number)}

    def decode_many(self, values: Sequence[bytes | None], max_bytes: int) -> list[Any]:
        return [self._one(value, max_bytes) for value in values]

    def _one(self, value: bytes | None, max_bytes: int) -> Any:
        if value is None:
            return None
        try:
            if value[:1] != MAGIC or len(value) > max_bytes:
                return codec.decode(value, max_bytes)
            found = self.decode_key(value)
            return found if found.__class__ is dict else codec.not_a_document(found)
        except NotADocument as error:
            return error

    def decode_key(self, key: bytes) -> Any:
        number = schema_id(key)
        if number is None:
            if key[:1] == MAGIC:
                raise NotADocument("the value begins as if it named a schema, and ends there", "not-json")
            return codec.decode_value(key)
        learnt = self._shelf.get(number)
        if learnt.problem:
            raise NotADocument(f"the schema {number} cannot be used: {learnt.problem}", "unusable-schema")
        try:
            if learnt.schema.schema_type == "JSON":
                return codec.finish(key[FRAME_BYTES:], self._json(key, None))
            return self._from_avro(learnt, key)
        except NotADocument:
            raise
        except Unfit as error:
            raise NotADocument(f"the value has no BSON form: {error.where()}", "no-bson-value") from None
        except TooDeep:
            reason = f"the value is nested more than {codec.MAX_DEPTH} levels deep"
            raise NotADocument(reason, "too-deep") from None
        except Exception as error:
            # Whatever else a library makes of bytes that come from anywhere; its words may quote them.
            raise _mismatch(number, error) from None

    def _from_avro(self, learnt: Learnt, value: bytes) -> Any:
        if learnt.root is not None:
            check_depth(learnt.root, value[FRAME_BYTES:], codec.MAX_DEPTH)
        found = self._avro(value, None)
        left = len(value) - FRAME_BYTES - self._payload.tell()
        if left:
            raise SerializationError(f"{left} bytes are left over")
        return found if learnt.convert is None else learnt.convert(found)

    def _content(self, value: bytes, _context: object, number: Any) -> io.BytesIO:
        number.id = int.from_bytes(value[1:FRAME_BYTES], "big")
        self._payload = io.BytesIO(value[FRAME_BYTES:])
        return self._payload


def _parsed(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except ValueError:
        return codec.decode_value(content)  # says what is wrong


def _mismatch(number: int, error: Exception) -> NotADocument:
    """Without a word of the value: validators quote it."""
    kind: Kind = "not-of-its-schema"
    cause = error.__context__
    if isinstance(error, SerializationError) and cause is not None and hasattr(cause, "json_path"):
        rule = getattr(cause, "validator", "")
        return NotADocument(f"the value breaks {rule!r} of the schema {number} at {cause.json_path}", kind)
    why = "it ends too early" if isinstance(error, EOFError) else type(error).__name__
    if isinstance(error, SerializationError):
        why = str(error)
    return NotADocument(f"the value does not read as its schema {number} says: {why}", kind)


class Writer:
    """Keeps `registered.SchemaWriter`. `value` and `key` are their schemas; None: bytes as they are."""

    def __init__(self, shelf: Shelf, value: WriteSchema | None, key: WriteSchema | None) -> None:
        self._shelf = shelf
        self._schemas = {MessageField.VALUE: value, MessageField.KEY: key}
        # One for each topic, whose number the engine bounds: a serializer remembers the id it used last.
        self._serializers: dict[tuple[MessageField, str], Any] = {}

    def subjects(self, topic: str) -> list[Subject]:
        return [
            Subject(name, schema)
            for place, schema in self._schemas.items()
            if schema is not None
            and (name := _STRATEGIES[schema.strategy](SerializationContext(topic, place), schema.record))
        ]

    def refusal(self, subject: Subject) -> str:
        return self._shelf.refusal(subject)

    def write(self, topic: str, value: Any, key: Any) -> tuple[bytes | None, bytes | None]:
        return self._written(MessageField.VALUE, topic, value), self._written(MessageField.KEY, topic, key)

    def _written(self, place: MessageField, topic: str, content: Any) -> bytes | None:
        schema = self._schemas[place]
        if schema is None or content is None:
            found: bytes | None = content
            return found
        try:
            if (place, topic) not in self._serializers:
                self._serializers[place, topic] = self._serializer(schema)
            serializer, context = self._serializers[place, topic], SerializationContext(topic, place)
            return bytes(serializer(content, context))
        except (NotRegistered, RegistryRefused):
            raise
        except Exception as error:
            what = "the key" if place == MessageField.KEY else "the value"
            raise NotEncodable(_no_instance(what, error)) from None

    def _serializer(self, schema: WriteSchema) -> Any:
        conf = {"auto.register.schemas": True, "subject.name.strategy": _STRATEGIES[schema.strategy]}
        desk = _Desk(self._shelf, schema)
        if schema.kind == "AVRO":
            return AvroSerializer(desk, schema.text, conf=conf)
        # Its content comes as bytes, in the format that `$emit` asks for, and is validated as readers see it.
        text = _JsonText()
        return JSONSerializer(schema.text, desk, conf=conf, to_dict=text.parsed, json_encode=text.encoded)


class _JsonText:
    """JSON on its way through a serializer, which validates what is parsed and writes what is encoded."""

    __slots__ = ("_text",)

    def parsed(self, text: Any, _context: object) -> Any:
        self._text = text
        return orjson.loads(text)

    def encoded(self, _value: object) -> bytes:
        return bytes(self._text)


def _no_instance(what: str, error: Exception) -> str:
    cause = error.__context__
    if isinstance(error, SerializationError) and cause is not None and hasattr(cause, "json_path"):
        return f"{what} breaks {getattr(cause, 'validator', '')!r} of its schema at {cause.json_path}"
    return f"{what} does not fit its schema: {type(error).__name__}"
