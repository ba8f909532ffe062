"""Avro: what is written is read back, for every type; what does not fit says so; no bytes hurt the reader."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest
from bson import Binary, Decimal128, Int64
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.codecs.schemas import learnt
from topics.codecs.avro import Reader, Writer
from topics.codecs.avro_schema import BadSchema, parse_avro
from topics.codecs.avro_unfit import Unfit
from topics.codecs.avro_write import writer
from topics.codecs.errors import NotADocument
from topics.codecs.registered import WriteSchema
from topics.codecs.registry_client import Shelf

MOMENTS: Final = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - the strategy wants it so
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda one: one.replace(microsecond=one.microsecond // 1000 * 1000))
DAYS: Final = MOMENTS.map(lambda one: one.replace(hour=0, minute=0, second=0, microsecond=0))
TEXTS: Final = st.text(max_size=20).filter(lambda text: text.isprintable() or not text)
BIG: Final = st.integers(-(2**63), 2**63 - 1).map(Int64)
TYPES: Final[dict[str, tuple[Any, st.SearchStrategy[Any]]]] = {
    "null": ("null", st.none()),
    "boolean": ("boolean", st.booleans()),
    "int": ("int", st.integers(-(2**31), 2**31 - 1)),
    "long": ("long", BIG),
    "float": ("float", st.floats(width=32, allow_nan=False)),
    "double": ("double", st.floats(allow_nan=False)),
    "string": ("string", TEXTS),
    "bytes": ("bytes", st.binary(max_size=20)),
    "fixed": ({"type": "fixed", "name": "F", "size": 3}, st.binary(min_size=3, max_size=3)),
    "enum": ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, st.sampled_from(["A", "B"])),
    "decimal": (
        {"type": "bytes", "logicalType": "decimal", "precision": 34, "scale": 6},
        st.integers(-(10**30), 10**30).map(lambda n: Decimal128(Decimal(n).scaleb(-6))),
    ),
    "fixed decimal": (
        {"type": "fixed", "name": "D", "size": 8, "logicalType": "decimal", "precision": 12, "scale": 2},
        st.integers(-(10**12) + 1, 10**12 - 1).map(lambda n: Decimal128(Decimal(n).scaleb(-2))),
    ),
    "uuid": ({"type": "string", "logicalType": "uuid"}, st.uuids().map(lambda one: Binary(one.bytes, 4))),
    "fixed uuid": (
        {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"},
        st.uuids().map(lambda one: Binary(one.bytes, 4)),
    ),
    "date": ({"type": "int", "logicalType": "date"}, DAYS),
    "time-millis": ({"type": "int", "logicalType": "time-millis"}, st.integers(0, 86_399_999)),
    "time-micros": (
        {"type": "long", "logicalType": "time-micros"},
        st.integers(0, 86_399_999_999).map(Int64),
    ),
    **{
        name: ({"type": "long", "logicalType": name}, MOMENTS)
        for name in (
            "timestamp-millis", "timestamp-micros", "local-timestamp-millis", "local-timestamp-micros",
        )
    },
    "array": ({"type": "array", "items": ["null", "long"]}, st.lists(st.none() | BIG, max_size=4)),
    "map": ({"type": "map", "values": "string"}, st.dictionaries(TEXTS, TEXTS, max_size=3)),
    "record": (
        {"type": "record", "name": "R", "fields": [{"name": "a", "type": "long"}]},
        BIG.map(lambda n: {"a": n}),
    ),
    "union": (
        [
            "null", "string", "double", {"type": "long", "logicalType": "timestamp-millis"},
            {"type": "record", "name": "X", "fields": [{"name": "x", "type": "long"}]},
            {"type": "record", "name": "Y", "fields": [{"name": "y", "type": "string"}]},
        ],
        st.none() | TEXTS | st.floats(allow_nan=False) | MOMENTS | BIG.map(lambda n: {"x": n})
        | TEXTS.map(lambda text: {"y": text}),
    ),
}  # fmt: skip


def round_trip(schema: Any, doc: dict[str, Any]) -> Any:
    """Written and read through confluent's serializers, by one schema in one registry."""
    shelf = Shelf(time.monotonic)
    made = WriteSchema("AVRO", json.dumps(schema), schema["name"])
    write = Writer(shelf, made, None)
    (subject,) = write.subjects("t")
    shelf.put_id(subject, 7)
    shelf.put(7, learnt(schema))
    value, _ = write.write("t", writer(parse_avro(schema))(doc), None)
    (found,) = Reader(shelf).decode_many([value], 1 << 20)
    return found


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types: a long is not an int."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Decimal128) and isinstance(right, Decimal128):
        return bool(left.to_decimal() == right.to_decimal())
    return type(left) is type(right) and bool(left == right)


@pytest.mark.parametrize("name", TYPES)
@given(data=st.data())
def test_every_type_goes_round(name: str, data: st.DataObject) -> None:
    """Alone, in a union with null, in arrays and maps of records."""
    kind, values = TYPES[name]
    value = data.draw(values)
    fields = [{"name": "v", "type": kind}, {"name": "size", "type": "int", "default": 0}]
    inner = {"type": "record", "name": "Inner", "fields": fields}
    reference = kind if isinstance(kind, str | list) or "name" not in kind else kind["name"]
    nullable = reference if isinstance(kind, list) or kind == "null" else ["null", reference]
    schema = {
        "type": "record", "name": "Doc", "fields": [
            {"name": "alone", "type": inner},
            {"name": "many", "type": {"type": "array", "items": "Inner"}},
            {"name": "named", "type": {"type": "map", "values": "Inner"}},
        ],
    }  # fmt: skip
    doc: dict[str, Any] = {
        "alone": {"v": value, "size": 1},
        "many": [{"v": value, "size": 2}] * 2,
        "named": {"k": {"v": value, "size": 3}},
    }
    if not isinstance(kind, list):
        schema["fields"].append({"name": "maybe", "type": nullable})  # type: ignore[attr-defined]
        doc["maybe"] = value
    assert same(round_trip(schema, doc), doc)


@given(st.binary(max_size=80))
def test_no_bytes_hurt_the_reader(content: bytes) -> None:
    """Whatever stands behind an id is a document or poison, of flat and of recursive schemas."""
    shelf = Shelf(time.monotonic)
    for number, schema in enumerate(
        (
            {"type": "record", "name": "Doc", "fields": [
                {"name": str(name).replace(" ", "_").replace("-", "_"), "type": kind}
                for name, (kind, _) in TYPES.items()
            ]},
            {"type": "record", "name": "Tree", "fields": [
                {"name": "kids", "type": {"type": "array", "items": "Tree"}},
                {"name": "next", "type": ["null", "Tree"]},
            ]},
        )
    ):  # fmt: skip
        shelf.put(number, learnt(schema))
        (found,) = Reader(shelf).decode_many([b"\0" + number.to_bytes(4, "big") + content], 1 << 20)
        assert isinstance(found, dict | NotADocument)


@given(st.integers(101, 50_000))
def test_depth_is_bounded_before_anything_recurses(levels: int) -> None:
    """A list of so many links, which fastavro would follow until the process ends."""
    schema = {"type": "record", "name": "N", "fields": [{"name": "next", "type": ["null", "N"]}]}
    shelf = Shelf(time.monotonic)
    shelf.put(1, learnt(schema))
    (found,) = Reader(shelf).decode_many([b"\0\0\0\0\1" + b"\2" * levels + b"\0"], 1 << 20)
    assert isinstance(found, NotADocument)
    assert found.kind == "too-deep"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
        | MOMENTS | st.just(Binary(UUID(int=1).bytes, 4)),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(sorted(TYPES)),
)  # fmt: skip
def test_what_does_not_fit_says_so_without_its_value(value: Any, name: str) -> None:
    """Any value either fits a type or is refused: no other error."""
    write = writer(parse_avro(TYPES[name][0]))
    assert "\n" not in refusal(lambda: write(value))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-3, 20)
        | st.sampled_from(["record", "string", "enum", "array", "fixed", "map", "N", "null"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from(["type", "name", "fields", "items", "values", "size", "symbols", "default"]),
            inner, max_size=5,
        ),
        max_leaves=12,
    )
)  # fmt: skip
def test_any_json_is_a_schema_or_refused_with_its_place(schema: Any) -> None:
    """Never another error."""
    assert refusal(lambda: parse_avro(schema)) != "None"


def refusal(made: Callable[[], object]) -> str:
    """Why it is refused, or an empty text."""
    try:
        made()
    except (Unfit, BadSchema) as error:
        return str(error)
    return ""


def test_microseconds_are_cut_off_when_read() -> None:
    """BSON dates have milliseconds; what a document holds finer is written."""
    schema = {"type": "record", "name": "M", "fields": [
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}  # fmt: skip
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    assert writer(parse_avro(schema))({"at": moment})["at"] % 1000 == 901
    assert round_trip(schema, {"at": moment}) == {"at": moment - timedelta(microseconds=901)}
