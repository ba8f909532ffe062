"""What `$source` makes of a record's key and time before the first stage."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Int64

from workers.errors import Invalid
from workers.model import Meta, Refused
from workers.pipeline import compile_processor
from workers.pipeline.program import Program, SourceKeyFormat

EMIT: dict[str, Any] = {"$emit": {"connectionName": "kafka", "topic": "results"}}
KEY: dict[str, Any] = {"$set": {"key": {"$meta": "stream.source.key"}}}
MOMENT = datetime(2024, 10, 24, 18, 7, 29, 636_000, UTC)


def program(fields: dict[str, Any], *stages: dict[str, Any]) -> Program:
    """A processor whose source has these fields."""
    source = {"$source": {"connectionName": "kafka", "topic": "orders"} | fields}
    return compile_processor([source, *stages, EMIT])


def meta(key: bytes | None = None) -> Meta:
    """As the engine makes it."""
    return Meta({"topic": "orders", "key": key, "ts": datetime(2020, 1, 1, tzinfo=UTC)})


def key_of(key_format: str, raw: bytes | None, error: str = "dlq") -> Any:
    """The key as a stage sees it, or the refusal."""
    found = program({"config": {"keyFormat": key_format, "keyFormatError": error}}, KEY)
    assert found.reading is not None
    about = meta(raw)
    refused = found.reading({}, about)
    return refused or found.segments[0].run([{}], [about])[0]


KEYS: list[tuple[SourceKeyFormat, bytes, Any]] = [
    ("string", "grün".encode(), "grün"),
    ("string", b"", ""),
    ("json", b'{"a":{"$numberLong":"5"},"b":[1]}', {"a": Int64(5), "b": [1]}),
    ("json", b'"text"', "text"),
    ("json", b"7", 7),
    ("json", b"null", None),
    ("int", b"\x00\x00\x01\x00", 256),
    ("int", b"\xff\xff\xff\xff", -1),
    ("long", b"\x00\x00\x00\x00\x00\x00\x01\x00", Int64(256)),
    ("long", b"\x80" + bytes(7), -(2**63)),
]


@pytest.mark.parametrize(("key_format", "raw", "expected"), KEYS)
def test_a_key_is_read_in_its_format(key_format: str, raw: bytes, expected: Any) -> None:
    """Integers are big-endian, as Java writes them; JSON may be Extended JSON."""
    found = key_of(key_format, raw)
    assert found == {"key": expected}
    assert type(found["key"]) is type(expected) or isinstance(expected, int)


@pytest.mark.parametrize("key_format", ["string", "json", "int", "long"])
def test_a_record_without_a_key_has_none_in_any_format(key_format: str) -> None:
    """No key is no bad key."""
    assert key_of(key_format, None) == {"key": None}


BAD: list[tuple[SourceKeyFormat, bytes, str]] = [
    ("string", b"a\xff", "the key is not valid UTF-8 (byte 1)"),
    ("json", b"secret", "the key cannot be read as JSON: the value is not JSON"),
    ("json", b"", "the key cannot be read as JSON"),
    ("json", b'{"$date":"secret"}', "malformed Extended JSON"),
    ("int", b"abc", "the key is 3 bytes, an int has 4"),
    ("int", bytes(8), "the key is 8 bytes, an int has 4"),
    ("int", b"", "the key is 0 bytes, an int has 4"),
    ("long", bytes(4), "the key is 4 bytes, a long has 8"),
]


@pytest.mark.parametrize(("key_format", "raw", "reason"), BAD)
def test_a_bad_key_refuses_its_record_or_stays_bytes(key_format: str, raw: bytes, reason: str) -> None:
    """By default it is dead-lettered, in words without the key; with passThrough it is binData."""
    refused = key_of(key_format, raw)
    assert isinstance(refused, Refused)
    assert reason in refused.reason
    assert "secret" not in refused.reason
    assert (refused.operator, refused.path) == ("$source", "pipeline[0].$source.config.keyFormat")
    assert refused.error_class == "KeyFormat"
    assert key_of(key_format, raw, "passThrough") == {"key": raw}


def test_a_tombstone_with_a_bad_key_is_refused_too() -> None:
    """Its key is all that it says."""
    reading = program({"config": {"keyFormat": "int"}}).reading
    assert reading is not None
    assert isinstance(reading(None, meta(b"x")), Refused)
    assert reading(None, meta(b"1234")) is None


def test_nothing_is_read_where_nobody_looks() -> None:
    """Plain bytes, and a key that may be anything in a pipeline without meta, cost nothing."""
    assert program({}, KEY).reading is None
    assert program({"config": {"keyFormat": "json", "keyFormatError": "passThrough"}}).reading is None
    assert (
        program({"config": {"keyFormat": "json", "keyFormatError": "passThrough"}}, KEY).reading is not None
    )


TIMES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"$toDate": "$t"}, {"t": 1_729_793_249_636}),
    ({"$toDate": "$t"}, {"t": Int64(1_729_793_249_636)}),
    ({"$toDate": "$a.t"}, {"a": {"t": "2024-10-24T18:07:29.636Z"}}),
    ({"$toDate": "$t"}, {"t": MOMENT}),
    ({"$toDate": {"$multiply": ["$t", 4]}}, {"t": 1_729_793_249_636 // 4}),
    ({"$dateFromString": {"dateString": "$t"}}, {"t": "2024-10-24T18:07:29.636Z"}),
]


@pytest.mark.parametrize(("expression", "document"), TIMES)
def test_a_time_field_is_the_time_of_the_record(expression: Any, document: dict[str, Any]) -> None:
    """`{$meta: "stream.source.ts"}` is a date: the field's, where there is one."""
    stage = {"$project": {"ts": {"$meta": "stream.source.ts"}, "_id": 0}}
    found, about = program({"timeField": expression}, stage), meta()
    assert found.reading is not None
    assert found.reading(document, about) is None
    assert found.segments[0].run([document], [about]) == [{"ts": MOMENT}]


NO_TIMES: list[tuple[Any, dict[str, Any], str, str]] = [
    ({"$toDate": "$t"}, {}, "timeField must give a date, not null", ""),
    ({"$toDate": "$t"}, {"t": None}, "timeField must give a date, not null", ""),
    ({"$toDate": "$t"}, {"t": "yesterday"}, "", ".$toDate"),
    ({"$toDate": "$t"}, {"t": []}, "array", ".$toDate"),
    ({"$dateFromString": {"dateString": "$t", "onNull": 5}}, {}, "must give a date, not int", ""),
    ({"$dateFromString": {"dateString": "$t"}}, {"t": "x"}, "", ".$dateFromString"),
]


@pytest.mark.parametrize(("expression", "document", "reason", "place"), NO_TIMES)
def test_a_record_whose_time_cannot_be_read_is_refused(
    expression: Any, document: dict[str, Any], reason: str, place: str
) -> None:
    """With the place of what failed; null is no time."""
    reading = program({"timeField": expression}).reading
    assert reading is not None
    refused = reading(document, meta())
    assert isinstance(refused, Refused)
    assert reason in refused.reason
    assert refused.path == f"pipeline[0].$source.timeField{place}"
    assert (refused.operator, refused.error_class, refused.doc) == ("$source", "TimeField", document)


def test_a_tombstone_keeps_the_time_of_its_record() -> None:
    """It has no field to read."""
    reading, about = program({"timeField": {"$toDate": "$t"}}).reading, meta()
    assert reading is not None
    assert reading(None, about) is None
    assert about.source["ts"] == datetime(2020, 1, 1, tzinfo=UTC)


def test_the_ts_field_holds_the_time_of_the_record() -> None:
    """The one of timeField where there is one; a document that gets a field is not passed on as it came."""
    found = program({"tsFieldName": "_ts", "timeField": {"$toDate": "$t"}})
    document: dict[str, Any] = {"t": MOMENT, "_ts": "theirs"}
    assert found.reading is not None
    assert found.reading(document, meta()) is None
    assert document == {"t": MOMENT, "_ts": MOMENT}
    assert not found.segments[0].is_identity
    assert program({}).segments[0].is_identity
    plain = program({"tsFieldName": "at"}).reading
    assert plain is not None
    assert plain(document, meta()) is None
    assert document["at"] == datetime(2020, 1, 1, tzinfo=UTC)


def test_the_key_is_read_before_the_time() -> None:
    """A time may be made of the key, and the first refusal is the one that counts."""
    found = program(
        {"config": {"keyFormat": "long"}, "timeField": {"$toDate": {"$meta": "stream.source.key"}}}
    )
    about = meta((1_729_793_249_636).to_bytes(8, "big"))
    assert found.reading is not None
    assert found.reading({}, about) is None
    assert about.source["ts"] == MOMENT
    refused = found.reading({}, meta(b"x"))
    assert refused is not None
    assert refused.error_class == "KeyFormat"


def test_auto_commit_is_taken_and_does_what_it_always_does() -> None:
    """`false` is what happens; `true` would lose records, so it is taken with a warning."""
    assert program({"config": {"enable_auto_commit": False}}).warnings == ()
    (warning,) = program({"config": {"enable_auto_commit": True}}).warnings
    assert warning.startswith("pipeline[0].$source.config.enable_auto_commit: offsets are committed behind")


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"timeField": "$t"}, ".timeField: the text '$t'; {$toDate: <expression>} or {$dateFromString"),
    ({"timeField": {"$add": ["$t", 1]}}, ".timeField: a document; {$toDate"),
    ({"timeField": {"$toDate": "$t", "x": 1}}, ".timeField: a document; {$toDate"),
    ({"timeField": {"$toDate": None}}, ".timeField: null for every record; a date"),
    ({"timeField": {"$toDate": {"$nope": 1}}}, ".timeField.$toDate.$nope: unknown operator $nope"),
    ({"tsFieldName": "a.b"}, ".tsFieldName: the text 'a.b'; the name of a field"),
    ({"tsFieldName": ""}, ".tsFieldName: the text ''"),
    (
        {"config": {"keyFormat": "double"}},
        ".config.keyFormat: the text 'double'; one of binData, string, json",
    ),
    (
        {"config": {"keyFormatError": "drop"}},
        ".config.keyFormatError: the text 'drop'; one of dlq, passThrough",
    ),
    (
        {"config": {"enable_auto_commit": "true"}},
        ".config.enable_auto_commit: the text 'true'; true or false",
    ),
    (
        {"partitionIdleTimeout": {"size": 1, "unit": "second"}},
        ".partitionIdleTimeout: 'partitionIdleTimeout'",
    ),
]


@pytest.mark.parametrize(("fields", "expected"), REFUSED)
def test_what_cannot_be_read_is_refused_at_start(fields: dict[str, Any], expected: str) -> None:
    """Each with its place; one problem, not several for one mistake."""
    with pytest.raises(Invalid) as caught:
        program(fields)
    (problem,) = caught.value.problems
    assert f"pipeline[0].$source{expected}" in str(problem)
