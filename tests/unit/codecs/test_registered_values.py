"""Avro and JSON Schema by what is known of a registry: what is refused, and how that is said."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import pytest
from bson import Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from tests.unit.codecs.schemas import learnt
from topics import codecs
from topics.codecs import avro_write
from topics.codecs.avro import Reader, Writer
from topics.codecs.avro_schema import BadSchema, parse_avro
from topics.codecs.avro_unfit import Unfit
from topics.codecs.errors import NotADocument, NotEncodable
from topics.codecs.json_references import foreign_reference
from topics.codecs.registered import NotRegistered, Subject, WriteSchema, schema_id
from topics.codecs.registry_client import MAX_SCHEMAS, UNKNOWN_SECONDS, Shelf

MOMENT: Final = datetime(2026, 11, 21, 18, 30, tzinfo=UTC)
DECIMAL: Final = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}


def record(kind: Any, **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "Doc", "fields": [{"name": "v", "type": kind, **more}]}


def write(kind: Any, value: Any) -> Any:
    return avro_write.writer(parse_avro(kind))(value)


def read(schema: Any, content: bytes, kind: str = "AVRO") -> Any:
    shelf = Shelf(time.monotonic)
    shelf.put(7, learnt(schema, kind))
    (found,) = Reader(shelf).decode_many([b"\0\0\0\0\x07" + content], 10_000)
    return found


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("int", 2**31, "a number of more than 32 bits does not fit int"),
        ("int", True, "a boolean does not fit int"),
        ("long", 1.5, "a double does not fit long"),
        ("long", MOMENT, "a date does not fit long"),
        ("long", Decimal128("1E+30"), "a decimal does not fit long"),
        ("double", Decimal128("1"), "a decimal does not fit double"),
        ("float", 1e300, "a number beyond 32 bits does not fit float"),
        ("boolean", 1, "an int does not fit boolean"),
        ("string", 5, "an int does not fit string"),
        ("string", "\ud800", "a string with a lone surrogate"),
        ("bytes", "text", "a string does not fit bytes"),
        ("null", 0, "an int does not fit null"),
        (DECIMAL, 1.5, "a double does not fit decimal(4, 2)"),
        (DECIMAL, Decimal128("1.005"), "no exact form with 2 digits after the point"),
        (DECIMAL, Decimal128("123.45"), "a decimal of more than 4 digits"),
        (DECIMAL, Decimal128("NaN"), "a decimal that is no number"),
        ({"type": "int", "logicalType": "date"}, MOMENT, "a date with a time of day does not fit date"),
        ({"type": "int", "logicalType": "time-millis"}, 86_400_000, "no time of a day"),
        ({"type": "long", "logicalType": "timestamp-micros"}, DatetimeMS(2**62), "beyond what"),
        ({"type": "string", "logicalType": "uuid"}, "no uuid", "a string does not fit uuid"),
        ({"type": "fixed", "name": "F", "size": 2}, b"abc", "3 bytes do not fit the fixed F of 2"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "B", "no symbol of the enum E"),
        (record("int"), {}, "v: is missing, and the schema has no default for it"),
        (record({"type": "array", "items": record("int") | {"name": "I"}}), {"v": [{"v": 1}, {"v": "x"}]},
         "v.1.v: a string does not fit int"),
        (record({"type": "map", "values": "int"}), {"v": {"k": "x"}}, "v.k: a string does not fit int"),
        (record(["null", "int"]), {"v": "x"}, "v: a string does not fit int"),
        (record(["int", "boolean"]), {"v": "x"}, "v: a string does not fit one of int, boolean"),
        ({"type": "array", "items": "int"}, {}, "a document does not fit an array"),
        ({"type": "map", "values": "int"}, [], "an array does not fit a map"),
        (record("int"), [], "an array does not fit the record Doc"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(kind: Any, value: Any, said: str) -> None:
    """Its place and its type, never the value."""
    with pytest.raises(Unfit) as caught:
        write(kind, value)
    assert said in caught.value.where()


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("long", 5.0, 5),
        ("int", Int64(5), 5),
        ("double", Int64(5), 5.0),
        ("string", ObjectId("0" * 24), "0" * 24),
        (DECIMAL, Int64(3), Decimal("3.00")),
        (DECIMAL, Decimal128("1.500"), Decimal("1.50")),
        (["null", "int", "long"], Int64(5), ("long", 5)),
        (["null", "long", "int"], 5, ("int", 5)),
        (["null", "double", "string"], 5, ("double", 5.0)),
        (record(["null", "int"]), {}, {"v": ("null", None)}),
        (record("int", default=7), {}, {"v": 7}),
        (record("bytes", default="\u00ff"), {}, {"v": b"\xff"}),
        (record(["null", "int"], default=None), {"more": 1}, {"v": ("null", None)}),
        ([record("int"), {**record("int"), "name": "Two",
          "fields": [{"name": "v", "type": "int"}, {"name": "w", "type": "int"}]}],
         {"v": 1, "w": 2}, ("Two", {"v": 1, "w": 2})),
    ],
)  # fmt: skip
def test_what_fits_is_widened_and_completed(kind: Any, value: Any, written: Any) -> None:
    """The branch of the value's own type first; defaults where a field is missing; other fields are left."""
    assert write(kind, value) == written


@pytest.mark.parametrize(
    ("schema", "path", "said"),
    [
        ({"type": "array", "items": "null"}, "", "items take no bytes"),
        (
            {"type": "array", "items": {"type": "record", "name": "E", "fields": []}},
            "",
            "items take no bytes",
        ),
        ({"type": "record", "name": "a b", "fields": []}, "name", "the name 'a b'"),
        ({"type": "record", "name": "A"}, "", "without fields"),
        ({"type": "record", "fields": []}, "", "without a name"),
        (record([["null"]]), "fields[0].type[0]", "a union within a union"),
        (record(["int", "int"]), "fields[0].type[1]", "int a second time"),
        (record([]), "fields[0].type", "an empty union"),
        ({"type": "enum", "name": "E"}, "", "without symbols"),
        ({"type": "fixed", "name": "F"}, "", "without a size"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 1, "scale": 2}, "", "without its digits"),
        ({"type": "array"}, "", "array without items"),
        (record({**record("int"), "fields": []}), "fields[0].type", "Doc a second time"),
    ],
)
def test_a_bad_schema_is_named(schema: Any, path: str, said: str) -> None:
    """With the place within it."""
    with pytest.raises(BadSchema) as caught:
        parse_avro(schema)
    assert caught.value.path == path
    assert said in caught.value.found


def test_decimals_beyond_bson_are_poison() -> None:
    """35 digits have no place in a Decimal128."""
    huge = {"type": "bytes", "logicalType": "decimal", "precision": 40, "scale": 0}
    content = (10**34 * 7 + 3).to_bytes(16, "big")
    found = read(record(huge), bytes([len(content) * 2]) + content)
    assert isinstance(found, NotADocument)
    assert (found.kind, "more than 34 digits" in found.reason) == ("no-bson-value", True)


@pytest.mark.parametrize(
    ("schema", "content", "kind"),
    [
        (record("string"), b"\x0aab", "not-of-its-schema"),
        (record("string"), b"\x04ab!", "not-of-its-schema"),
        (record("string"), b"\x04\xff\xff", "not-of-its-schema"),
        (record({"type": "long", "logicalType": "timestamp-millis"}), b"\xfe" + b"\xff" * 8 + b"\1",
         "not-of-its-schema"),
        ("\"string\"", b"\x04ab", "not-a-document"),
        ({"type": "array", "items": "null"}, b"\2", None),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_poison(schema: Any, content: bytes, kind: str | None) -> None:
    """Cut off, left over, no text, out of range, no document; a schema that may not be used is refused."""
    if kind is None:
        with pytest.raises(BadSchema):
            learnt(schema)
        return
    found = read(schema, content)
    assert isinstance(found, NotADocument)
    assert found.kind == kind


def test_reasons_never_hold_the_value() -> None:
    """Validators quote what they refuse; dead letters say the rule and the place."""
    schema = {"properties": {"a": {"properties": {"b": {"enum": ["x"]}}}}}
    found = read(schema, b'{"a":{"b":"secret"}}', "JSON")
    assert isinstance(found, NotADocument)
    assert found.reason == "the value breaks 'enum' of the schema 7 at $.a.b"
    shelf = Shelf(time.monotonic)
    made = WriteSchema("JSON", json.dumps(schema), None)
    shelf.put_id(Subject("t-value", made), 7)
    with pytest.raises(NotEncodable) as caught:
        Writer(shelf, made, None).write("t", b'{"a":{"b":"secret"}}', None)
    assert caught.value.reason == "the value breaks 'enum' of its schema at $.a.b"


def test_json_behind_a_schema_is_extended_json() -> None:
    """Its types are read as ever, and it is held to the schema as it stands."""
    schema = {"properties": {"at": {"required": ["$date"]}}}
    assert read(schema, b'{"at":{"$date":"2026-11-21T18:30:00Z"}}', "JSON") == {"at": MOMENT}


def test_a_type_that_nobody_reads_is_poison() -> None:
    """Protobuf, by its name."""
    found = read('syntax = "proto3";', b"x", "PROTOBUF")
    assert isinstance(found, NotADocument)
    assert "its type is PROTOBUF" in found.reason


@pytest.mark.parametrize(
    ("value", "number"),
    [(None, None), (b"", None), (b"\0", None), (b"\0\0\0\0\1", None), (b"{}", None), (b"\0\0\0\1\2x", 258)],
)
def test_a_frame_is_a_zero_four_bytes_and_a_content(value: bytes | None, number: int | None) -> None:
    """What is shorter names nothing."""
    assert schema_id(value) == number


def test_json_behind_a_frame_is_read_without_a_registry() -> None:
    """The bytes that stand for the document are those behind it."""
    values: list[bytes | None] = [b'\0\0\0\0\1{"a":1}', b'{"a":2}', b"\0\0\0\0\1\x02", b"\0\0\0\0\1[1]"]
    found = codecs.decode_many(values)
    assert found[:2] == [{"a": 1}, {"a": 2}]
    assert values == [b'{"a":1}', b'{"a":2}', b"\x02", b"[1]"]
    reasons = [one.reason for one in found[2:] if isinstance(one, NotADocument)]
    assert "$source.schemaRegistry reads it" in reasons[0]
    assert reasons[1] == "the value is an array, not a document"


def test_what_nobody_knows_is_asked_again_after_a_while() -> None:
    """A schema may be registered a moment later."""
    now = 0.0
    shelf = Shelf(lambda: now)
    shelf.put(7, "not found")
    assert not shelf.lacks(7)
    now = UNKNOWN_SECONDS
    assert shelf.lacks(7)


def test_a_shelf_is_bounded() -> None:
    """The oldest give way."""
    shelf = Shelf(time.monotonic)
    for number in range(MAX_SCHEMAS + 5):
        shelf.put(number, "not found")
    assert shelf.lacks(4)
    assert not shelf.lacks(5)


def test_topics_have_ids_of_their_own() -> None:
    """Whatever was written before: one serializer remembers one id."""
    shelf = Shelf(time.monotonic)
    made = WriteSchema("AVRO", json.dumps(record("int")), "Doc")
    writer = Writer(shelf, made, None)
    for number, topic in enumerate(("a", "b"), 1):
        shelf.put_id(Subject(f"{topic}-value", made), number)
    written = [writer.write(topic, {"v": 0}, None)[0] for topic in ("a", "b", "a")]
    assert [schema_id(value) for value in written] == [1, 2, 1]
    with pytest.raises(NotRegistered):
        writer.write("c", {"v": 0}, None)


@pytest.mark.parametrize(
    ("schema", "names", "foreign"),
    [
        ({"$ref": "#/$defs/a"}, [], None),
        ({"$ref": "http://x/a.json"}, [], "http://x/a.json"),
        ({"$ref": "http://x/a.json#/b"}, ["http://x/a.json"], None),
        ({"$id": "http://x/self.json", "$ref": "self.json#/b"}, [], None),
        ({"$id": "http://x/self.json", "$ref": "other.json"}, ["other.json"], "other.json"),
        ({"$ref": "other.json"}, ["other.json"], None),
        ({"allOf": [{"properties": {"a": {"$dynamicRef": "https://y"}}}]}, [], "https://y"),
        ({"properties": {"$ref": {"type": "string"}}}, [], None),
    ],
)
def test_references_that_lead_outside_are_seen(schema: Any, names: list[str], foreign: str | None) -> None:
    """By the URL that they are relative to."""
    assert foreign_reference(schema, names) == foreign
