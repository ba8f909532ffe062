"""`schemaRegistry` of `$source` and `$emit`: as in Atlas, what is refused with its place, what is sent."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from bson import Int64

from topics.codecs.errors import NotEncodable
from workers.errors import Invalid
from workers.model import Emission, Refused
from workers.pipeline import compile_processor
from workers.pipeline.program import Program, Sink

RECORD: Final = {"type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "id", "type": "long"}]}  # fmt: skip
TITLED: Final = {"title": "Order", "type": "object"}
SOURCE: Final = "pipeline[0].$source"
EMIT: Final = "pipeline[1].$emit"


def compiled(source: dict[str, Any] | None = None, emit: dict[str, Any] | None = None) -> Program:
    return compile_processor(
        [
            {"$source": {"connectionName": "kafka", "topic": "a", **(source or {})}},
            {"$emit": {"connectionName": "kafka", "topic": "b", **(emit or {})}},
        ]
    )


def sink(value: Any = None, key: Any = None, **more: Any) -> Sink:
    schemas = {"valueSchema": value, "keySchema": key}
    found = {name: one for name, one in schemas.items() if one is not None}
    made = compiled(emit={"schemaRegistry": {"connectionName": "r", **found}, **more}).sink
    assert made is not None
    return made


def test_a_source_names_its_registry() -> None:
    """And nothing else; what it reads is not passed on by its bytes."""
    found = compiled({"schemaRegistry": {"connectionName": "r"}}).source
    assert found is not None
    assert found.schema_registry == "r"
    assert compiled().source.schema_registry is None  # type: ignore[union-attr]


@pytest.mark.parametrize("schema", [RECORD, json.dumps(RECORD)])
def test_a_sink_takes_atlas_form(schema: Any) -> None:
    """A schema as a document or as its text; registered by default, under the topic's subject."""
    made = sink({"type": "avro", "schema": schema})
    assert made.schemas is not None
    value = made.schemas.value
    assert value is not None
    assert (made.schemas.connection, value.kind, value.record) == ("r", "AVRO", "shop.Order")
    assert (value.strategy, value.auto_register) == ("TopicNameStrategy", True)
    assert json.loads(value.text) == RECORD
    assert not made.is_plain


@pytest.mark.parametrize(
    ("written", "strategy"),
    [
        ("TopicName", "TopicNameStrategy"),
        ("TopicNameStrategy", "TopicNameStrategy"),
        ("RecordName", "RecordNameStrategy"),
        ("RecordNameStrategy", "RecordNameStrategy"),
        ("TopicRecordName", "TopicRecordNameStrategy"),
        ("TopicRecordNameStrategy", "TopicRecordNameStrategy"),
    ],
)
@pytest.mark.parametrize(("kind", "schema"), [("avro", RECORD), ("json", TITLED)])
def test_each_strategy_has_two_spellings(kind: str, schema: Any, written: str, strategy: str) -> None:
    """Atlas's, and the one of Confluent's serializers."""
    options = {"subjectNameStrategy": written, "autoRegisterSchemas": False}
    made = sink({"type": kind, "schema": schema, "options": options})
    assert made.schemas is not None
    assert made.schemas.value is not None
    assert (made.schemas.value.strategy, made.schemas.value.auto_register) == (strategy, False)


def test_documents_become_what_their_serializer_takes() -> None:
    """Avro's own values; what does not fit says where. With a JSON Schema the bytes of outputFormat."""
    avro = sink({"type": "avro", "schema": RECORD})
    assert avro.emission({"id": Int64(5), "more": 1}, None, b"k", None) == Emission(
        "b", {"id": 5}, b"k", None
    )
    with pytest.raises(NotEncodable, match="id: a string does not fit long"):
        avro.emission({"id": "secret"}, None, None, None)
    plain = sink({"type": "json", "schema": TITLED}, config={"outputFormat": "canonicalJson"})
    found = plain.emission({"id": 5}, None, None, None)
    assert isinstance(found, Emission)
    assert found.value == b'{"id":{"$numberInt":"5"}}'


def test_keys_are_written_by_their_own_schema() -> None:
    """One that does not fit dead-letters its document; null and missing are no key."""
    made = sink(key={"type": "avro", "schema": "long"}, config={"key": "$k"})
    assert made.emission({"k": 5}, None, b"old", None) == Emission("b", b'{"k":5}', 5, None)
    assert made.emission({}, None, b"old", None) == Emission("b", b"{}", None, None)
    found = made.emission({"k": "secret"}, None, None, None)
    assert isinstance(found, Refused)
    assert found.reason == "the key does not fit its schema: a string does not fit long"


V = f"{EMIT}.schemaRegistry.valueSchema"
AVRO = {"type": "avro", "schema": RECORD}
WRONG: Final[list[tuple[dict[str, Any], dict[str, Any], str, str]]] = [
    ({"schemaRegistry": {}}, {}, f"{SOURCE}.schemaRegistry", "connectionName"),
    ({"schemaRegistry": "r"}, {}, f"{SOURCE}.schemaRegistry", "a document"),
    ({"schemaRegistry": {"connectionName": "r", "valueSchema": AVRO}}, {},
     f"{SOURCE}.schemaRegistry.valueSchema", "each record names its own"),
    ({"schemaRegistry": {"connectionName": "r", "readerSchema": 1}}, {},
     f"{SOURCE}.schemaRegistry.readerSchema", "has no field"),
    ({"config": {"keyFormat": "schemaRegistry"}}, {}, SOURCE, "'schemaRegistry' is missing"),
    ({}, {"schemaRegistry": {"connectionName": "r"}}, f"{EMIT}.schemaRegistry", "'valueSchema' is missing"),
    ({}, {"schemaRegistry": {"valueSchema": AVRO}}, f"{EMIT}.schemaRegistry", "connectionName"),
]  # fmt: skip
SCHEMAS: Final[list[tuple[Any, str, str]]] = [
    ({"schema": RECORD}, V, "'type' is missing"),
    ({"type": "protobuf", "schema": RECORD}, f"{V}.type", "one of avro"),
    ({"type": "avro"}, V, "'schema' is missing"),
    ({"type": "avro", "schema": "orders-value"}, f"{V}.schema", "no JSON"),
    ({"type": "avro", "schema": "Order"}, f"{V}.schema", "unknown type 'Order'"),
    ({"type": "avro", "schema": "long"}, f"{V}.schema", "values are documents"),
    ({"type": "avro", "schema": 5}, f"{V}.schema", "no schema"),
    ({"type": "avro", "schema": {**RECORD, "fields": [{"name": "a", "type": "lonk"}]}},
     f"{V}.schema.fields[0].type", "unknown type 'lonk'"),
    ({"type": "avro", "schema": {**RECORD, "fields": [{"name": "a", "type": "int", "default": "x"}]}},
     f"{V}.schema.fields[0].default", "no int"),
    ({"type": "json", "schema": "a text"}, f"{V}.schema", "no JSON"),
    ({"type": "json", "schema": []}, f"{V}.schema", "no JSON Schema"),
    ({"type": "json", "schema": {"properties": {"id": {"type": "strin"}}}},
     f"{V}.schema.properties.id.type", "'strin' is not valid"),
    ({"type": "json", "schema": {"required": "id"}}, f"{V}.schema.required", "'id' is not of type 'array'"),
    ({"type": "json", "schema": {"$schema": "urn:mine", "minimum": "x"}},
     f"{V}.schema.minimum", "'x' is not of type 'number'"),
    ({"type": "json", "schema": {"$ref": "http://x/y"}}, f"{V}.schema", "references within the schema"),
    ({"type": "json", "schema": {"type": "object"}, "options": {"subjectNameStrategy": "RecordName"}},
     f"{V}.schema", "a schema with a title"),
    ({"type": "avro", "schema": {"type": "map", "values": "int"},
      "options": {"subjectNameStrategy": "TopicRecordName"}}, f"{V}.schema", "a record, which has a name"),
    ({**AVRO, "options": {"subjectNameStrategy": "Topic"}}, f"{V}.options.subjectNameStrategy", "one of"),
    ({**AVRO, "options": {"autoRegisterSchemas": 1}}, f"{V}.options.autoRegisterSchemas", "true or false"),
    ({**AVRO, "options": {"normalize": True}}, f"{V}.options.normalize", "has no field"),
    ({**AVRO, "subject": "x"}, f"{V}.subject", "has no field"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "emit", "path", "said"),
    [
        *WRONG,
        *(({}, {"schemaRegistry": {"connectionName": "r", "valueSchema": value}}, path, said)
          for value, path, said in SCHEMAS),
        ({}, {"schemaRegistry": {"connectionName": "r", "keySchema": AVRO}},
         f"{EMIT}.schemaRegistry.keySchema", "keySchema without key"),
        ({}, {"schemaRegistry": {"connectionName": "r", "keySchema": AVRO},
              "config": {"key": "$k", "keyFormat": "json"}},
         f"{EMIT}.schemaRegistry.keySchema", "keySchema beside keyFormat"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(source: dict[str, Any], emit: dict[str, Any], path: str, said: str) -> None:
    """The place within the pipeline, and within the schema; what stands there, what would be right."""
    with pytest.raises(Invalid) as caught:
        compiled(source, emit)
    found = [str(one) for one in caught.value.problems if one.path == path]
    assert any(said in text for text in found), [str(one) for one in caught.value.problems]
