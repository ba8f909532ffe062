"""`$emit`'s formats: keys, tombstones, values, and what the client is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, ObjectId

from workers.errors import Invalid
from workers.model import Emission, Refused
from workers.pipeline import compile_processor
from workers.pipeline.program import Acks, Compression, ProducerOptions, Program

MOMENT = datetime(2025, 1, 10, 20, 17, 38, 387_000, UTC)
SOURCE: dict[str, Any] = {"$source": {"connectionName": "kafka", "topic": "orders"}}


def program(fields: dict[str, Any]) -> Program:
    """A processor whose sink has these fields."""
    return compile_processor([SOURCE, {"$emit": {"connectionName": "kafka", "topic": "results"} | fields}])


def emitted(config: dict[str, Any], document: dict[str, Any]) -> Emission | Refused:
    """What becomes of a document; the source's key is `old`."""
    sink = program({"config": config}).sink
    assert sink is not None
    return sink.emission(document, None, b"old", [("old", b"x")])


KEYS: list[tuple[str, Any, bytes]] = [
    ("binData", b"\x00\x01", b"\x00\x01"),
    ("binData", Binary(b"\x02", 5), b"\x02"),
    ("string", "grün", "grün".encode()),
    ("string", "", b""),
    ("json", {"b": 1, "a": Int64(2)}, b'{"b":1,"a":2}'),
    ("json", "text", b'"text"'),
    ("json", None, b"null"),
    ("json", ObjectId("5ab9cbfa31c2ab715d42129e"), b'{"$oid":"5ab9cbfa31c2ab715d42129e"}'),
    ("int", 256, b"\x00\x00\x01\x00"),
    ("int", -1, b"\xff" * 4),
    ("long", 256, bytes(6) + b"\x01\x00"),
    ("long", Int64(257), bytes(6) + b"\x01\x01"),
    ("long", 2**40, (2**40).to_bytes(8, "big")),
    ("double", 1.0, b"\x3f\xf0" + bytes(6)),
    ("double", 1, b"\x3f\xf0" + bytes(6)),
]


@pytest.mark.parametrize(("key_format", "value", "expected"), KEYS)
def test_a_key_is_written_in_its_format(key_format: str, value: Any, expected: bytes) -> None:
    """Numbers are big-endian and widen where nothing is lost."""
    found = emitted({"key": "$k", "keyFormat": key_format}, {"k": value})
    assert isinstance(found, Emission)
    assert found.key == expected
    assert found.headers == [("old", b"x")]


MISMATCHES: list[tuple[str, Any, str]] = [
    ("binData", "text", "string"),
    ("string", 5, "int"),
    ("string", b"x", "binData"),
    ("string", ObjectId("5ab9cbfa31c2ab715d42129e"), "objectId"),
    ("int", Int64(5), "long"),
    ("int", 2**31, "long"),
    ("int", 5.0, "double"),
    ("int", True, "bool"),
    ("int", None, "null"),
    ("long", 5.0, "double"),
    ("long", Decimal128("5"), "decimal"),
    ("long", False, "bool"),
    ("long", 2**63, "double"),
    ("double", Int64(5), "long"),
    ("double", "1.0", "string"),
    ("string", None, "null"),
]


@pytest.mark.parametrize(("key_format", "value", "kind"), MISMATCHES)
def test_a_key_of_another_type_refuses_its_document(key_format: str, value: Any, kind: str) -> None:
    """Nothing is converted behind somebody's back, and null is a type of its own."""
    found = emitted({"key": "$k", "keyFormat": key_format}, {"k": value})
    assert isinstance(found, Refused)
    assert found.reason == f"the key is {kind}, its format is {key_format}"
    assert (found.operator, found.path) == ("$emit", "pipeline[1].$emit.config.key")


@pytest.mark.parametrize("key_format", ["binData", "string", "json", "int", "long", "double"])
def test_a_key_that_is_not_there_refuses_its_document(key_format: str) -> None:
    """With a format a key is promised; without one a missing key is none."""
    found = emitted({"key": "$k", "keyFormat": key_format}, {})
    assert isinstance(found, Refused)
    assert found.reason == f"the key is missing, its format is {key_format}"
    without = emitted({"key": "$k"}, {})
    assert isinstance(without, Emission)
    assert without.key is None


def test_a_tombstone_is_a_null_under_the_key() -> None:
    """Where the expression is true; else the document as it is."""
    config = {"key": "$id", "keyFormat": "string", "tombstoneWhen": {"$eq": ["$op", "delete"]}}
    assert emitted(config, {"id": "a", "op": "delete"}) == Emission("results", None, b"a", [("old", b"x")])
    assert emitted(config, {"id": "a"}) == Emission("results", b'{"id":"a"}', b"a", [("old", b"x")])


@pytest.mark.parametrize(("value", "kind"), [(1, "int"), ("true", "string"), (None, "null")])
def test_a_tombstone_needs_a_boolean(value: Any, kind: str) -> None:
    """Truth is not enough, and a missing field neither."""
    for document, name in (({"gone": value}, kind), ({}, "missing")):
        found = emitted({"tombstoneWhen": "$gone"}, document)
        assert isinstance(found, Refused)
        assert found.reason == f"tombstoneWhen must give a boolean, not {name}"
        assert found.path == "pipeline[1].$emit.config.tombstoneWhen"


VALUES: list[tuple[dict[str, str], bytes]] = [
    ({}, b'{"n":1,"at":{"$date":"2025-01-10T20:17:38.387Z"}}'),
    ({"outputFormat": "relaxedJson"}, b'{"n":1,"at":{"$date":"2025-01-10T20:17:38.387Z"}}'),
    (
        {"outputFormat": "canonicalJson"},
        b'{"n":{"$numberLong":"1"},"at":{"$date":{"$numberLong":"1736540258387"}}}',
    ),
    ({"outputFormat": "basicJson"}, b'{"n":1,"at":1736540258387}'),
    ({"dateFormat": "default"}, b'{"n":1,"at":{"$date":"2025-01-10T20:17:38.387Z"}}'),
    ({"dateFormat": "ISO8601"}, b'{"n":1,"at":"2025-01-10T20:17:38.387Z"}'),
    (
        {"outputFormat": "canonicalJson", "dateFormat": "ISO8601"},
        b'{"n":{"$numberLong":"1"},"at":"2025-01-10T20:17:38.387Z"}',
    ),
    ({"outputFormat": "basicJson", "dateFormat": "ISO8601"}, b'{"n":1,"at":"2025-01-10T20:17:38.387Z"}'),
]


@pytest.mark.parametrize(("config", "expected"), VALUES)
def test_the_value_is_written_in_its_format(config: dict[str, str], expected: bytes) -> None:
    """Only what is relaxed with the usual dates takes the short way."""
    found = emitted(config, {"n": Int64(1), "at": MOMENT})
    assert isinstance(found, Emission)
    assert found.value == expected
    sink = program({"config": config}).sink
    assert sink is not None
    assert sink.is_plain is (expected == VALUES[0][1])


PLAIN: list[tuple[dict[str, Any], bool]] = [
    ({"acks": 1}, True),
    ({"compression_type": "zstd"}, True),
    ({"key": "$k"}, False),
    ({"headers": {"a": "b"}}, False),
    ({"tombstoneWhen": "$x"}, False),
]


@pytest.mark.parametrize(("config", "is_plain"), PLAIN)
def test_a_plain_sink_stays_plain_whatever_the_client_does(config: dict[str, Any], is_plain: bool) -> None:
    """acks and compression are the client's; every expression needs the document."""
    sink = program({"config": config}).sink
    assert sink is not None
    assert sink.is_plain is is_plain


ACKS: list[tuple[Any, Acks]] = [("all", "all"), ("-1", "all"), (-1, "all"), ("1", "1"), (1, "1"), ("0", "0")]


@pytest.mark.parametrize(("written", "acks"), ACKS, ids=[repr(written) for written, _ in ACKS])
def test_acks_are_words_or_numbers(written: Any, acks: Acks) -> None:
    """Fewer than all is taken with a warning of what it costs."""
    found = program({"config": {"acks": written}})
    assert found.sink is not None
    assert found.sink.producer == ProducerOptions(acks, None)
    assert [warning.split(": ")[0] for warning in found.warnings] == (
        [] if acks == "all" else ["pipeline[1].$emit.config.acks"]
    )


def test_a_key_that_is_the_same_for_every_document_is_warned_of() -> None:
    """`id` for `$id`: all results would go to one partition."""
    (warning,) = program({"config": {"key": "id"}}).warnings
    assert warning == "pipeline[1].$emit.config.key: the text 'id' for every document; a field is written $id"
    assert program({"config": {"key": "$id"}}).warnings == ()


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_compression_is_the_clients(compression: Compression) -> None:
    """None given leaves it to the connection."""
    sink = program({"config": {"compression_type": compression}}).sink
    assert sink is not None
    assert sink.producer == ProducerOptions(None, compression)
    assert program({}).sink.producer == ProducerOptions()  # type: ignore[union-attr]


def test_options_are_read_beside_the_topic_too() -> None:
    """Older pages of Atlas have them there."""
    fields = {
        "key": "$k",
        "keyFormat": "string",
        "outputFormat": "basicJson",
        "tombstoneWhen": "$t",
        "acks": 1,
    }
    sink = program(fields).sink
    assert sink is not None
    assert sink.producer.acks == "1"
    assert sink.emission({"k": "a", "t": False, "n": MOMENT}, None, None, None) == Emission(
        "results", b'{"k":"a","t":false,"n":1736540258387}', b"a", None
    )


def test_a_header_name_that_the_client_cannot_write_is_refused() -> None:
    """It would end the process, not the document."""
    for name in ("a\0b", "\ud800"):
        found = emitted({"headers": [{"k": "$k", "v": "x"}]}, {"k": name})
        assert isinstance(found, Refused)
        assert "a header's name holds a" in found.reason


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"keyFormat": "string"}, ".config.keyFormat: keyFormat without key; both, or none of them"),
    ({"key": "$k", "keyFormat": "text"}, ".config.keyFormat: the text 'text'; one of binData, string, json"),
    ({"key": "k", "keyFormat": "int"}, ".config.key: the key is string, its format is int"),
    ({"key": {"$toInt": "x"}, "keyFormat": "int"}, ".config.key.$toInt: "),
    ({"headers": 5}, ".config.headers: headers must be a document or an array of {k, v}, not int"),
    ({"headers": {"a": [1]}}, ".config.headers: a header must be binData, string, object"),
    ({"tombstoneWhen": 1}, ".config.tombstoneWhen: 1; an expression: true or false"),
    ({"tombstoneWhen": {"$nope": 1}}, ".config.tombstoneWhen.$nope: unknown operator $nope"),
    ({"outputFormat": "json"}, ".config.outputFormat: the text 'json'; one of relaxedJson, canonicalJson"),
    ({"dateFormat": "iso"}, ".config.dateFormat: the text 'iso'; one of default, ISO8601"),
    ({"acks": 2}, ".config.acks: 2; one of all, -1, 1, 0"),
    ({"acks": True}, ".config.acks: true; one of all"),
    ({"compression_type": "br"}, ".config.compression_type: the text 'br'; one of none, gzip"),
    ({"outputFromat": "x"}, ".config.outputFromat: $emit.config has no field 'outputFromat'; did you mean"),
    ({"keyFormatError": "dlq"}, ".config.keyFormatError: $emit.config has no field 'keyFormatError'"),
]


@pytest.mark.parametrize(("config", "expected"), REFUSED)
def test_what_a_sink_cannot_write_is_refused_at_start(config: dict[str, Any], expected: str) -> None:
    """Each with its place; one problem, not several for one mistake."""
    with pytest.raises(Invalid) as caught:
        program({"config": config})
    (problem,) = caught.value.problems
    assert f"pipeline[1].$emit{expected}" in str(problem)


def test_an_option_in_both_places_is_refused() -> None:
    """Nobody can know which is meant."""
    with pytest.raises(Invalid) as caught:
        program({"acks": 1, "config": {"acks": "all"}})
    (problem,) = caught.value.problems
    assert str(problem) == "pipeline[1].$emit.acks: 'acks' a second time; it once, within config"
