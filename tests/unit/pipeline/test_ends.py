"""`$source`, `$emit` and the order of stages in a processor."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId

from workers.errors import Invalid
from workers.model import Emission, Refused
from workers.pipeline import compile_processor, compile_stages
from workers.pipeline.program import Sink, SourceSpec

SOURCE: dict[str, Any] = {"connectionName": "kafka", "topic": "orders"}
EMIT: dict[str, Any] = {"connectionName": "kafka", "topic": "results"}


def source(fields: dict[str, Any]) -> SourceSpec:
    """The source of a processor with these fields."""
    found = compile_processor([{"$source": SOURCE | fields}, {"$emit": EMIT}]).source
    assert found is not None
    return found


def sink(fields: dict[str, Any]) -> Sink:
    """The sink of a processor with these fields."""
    found = compile_processor([{"$source": SOURCE}, {"$emit": EMIT | fields}]).sink
    assert found is not None
    return found


def test_a_source_names_topics_group_and_start() -> None:
    """One topic or several; the default start is Atlas's, the latest."""
    assert source({}) == SourceSpec("kafka", ("orders",), "latest", None)
    config = {"auto_offset_reset": "earliest", "group_id": "g"}
    assert source({"topic": ["a", "b"], "config": config}) == SourceSpec("kafka", ("a", "b"), "earliest", "g")


def test_every_name_of_a_start_is_known() -> None:
    """Atlas takes the client's three names for each."""
    for start, names in {"latest": "latest end largest", "earliest": "earliest beginning smallest"}.items():
        for name in names.split():
            assert source({"config": {"auto_offset_reset": name}}).auto_offset_reset == start


SOURCE_REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"topic": []}, ".topic: an empty array"),
    ({"topic": ["a", "a"]}, ".topic[1]: the topic 'a' a second time"),
    ({"topic": 5}, ".topic: 5; the name of a topic"),
    ({"topic": ["a", "^b"]}, ".topic[1]: the text '^b'; the name of a topic: 1 to 249 of a-z"),
    (
        {"config": {"auto_offset_reset": "now"}},
        ".config.auto_offset_reset: the text 'now'; one of latest, end",
    ),
    (
        {"config": {"group": "g"}},
        ".config.group: $source.config has no field 'group'; did you mean 'group_id'?",
    ),
    ({"db": "x", "coll": "y"}, ".db: a change stream as a source is not in Penstock yet"),
    ({"topics": ["a"]}, ".topics: $source has no field 'topics'; did you mean 'topic'?"),
]


def test_what_a_source_cannot_be_is_refused() -> None:
    """Wrong values, unknown fields, Atlas's options that are not there yet."""
    for fields, expected in SOURCE_REFUSED:
        with pytest.raises(Invalid) as caught:
            source(fields)
        assert f"pipeline[0].$source{expected}" in str(caught.value)


def test_a_plain_sink_is_known_as_such() -> None:
    """A static topic, key and headers of the source: the engine need not ask it."""
    assert sink({}).is_plain
    assert not sink({"key": "$id"}).is_plain
    assert not sink({"topic": {"$concat": ["t-", "$kind"]}}).is_plain
    assert sink({"topic": {"$literal": "fixed"}}).topic == "fixed"


def test_an_emission_holds_what_the_expressions_give() -> None:
    """Topic, key and headers; the value is relaxed Extended JSON."""
    found = sink(
        {"topic": {"$concat": ["t-", "$kind"]}, "key": "$id", "headers": {"kind": "$kind", "none": None}}
    )
    document = {"kind": "a", "id": "k1", "n": Int64(5)}
    emission = found.emission(document, None, b"old", [("old", b"x")])
    assert emission == Emission(
        "t-a", b'{"kind":"a","id":"k1","n":5}', b"k1", [("kind", b"a"), ("none", None)]
    )


def test_key_and_headers_of_the_source_stay_without_expressions() -> None:
    """Duplicates and null values too."""
    headers = [("h", b"1"), ("h", None)]
    assert sink({}).emission({"a": 1}, None, b"key", headers) == Emission(
        "results", b'{"a":1}', b"key", headers
    )


KEYS: list[tuple[Any, bytes | None]] = [
    ("grün", "grün".encode()),
    (b"\x00\x01", b"\x00\x01"),
    (None, None),
    (7, b"7"),
    (Int64(7), b"7"),
    ({"a": [1]}, b'{"a":[1]}'),
    (ObjectId("5ab9cbfa31c2ab715d42129e"), b'{"$oid":"5ab9cbfa31c2ab715d42129e"}'),
]


def test_keys_are_written_by_their_type() -> None:
    """Text as UTF-8, binData as it is, the rest as JSON; null and missing are no key."""
    for value, expected in KEYS:
        emission = sink({"key": "$k"}).emission({"k": value}, None, b"old", None)
        assert isinstance(emission, Emission)
        assert emission.key == expected
    emission = sink({"key": "$gone"}).emission({}, None, b"old", None)
    assert isinstance(emission, Emission)
    assert emission.key is None


HEADERS: list[tuple[Any, Any]] = [
    ({"a": "x", "b": b"y"}, [("a", b"x"), ("b", b"y")]),
    ([{"k": "a", "v": "1"}, {"k": "a", "v": None}, {"k": "b"}], [("a", b"1"), ("a", None), ("b", None)]),
    (
        {"i": 1, "l": Int64(1), "d": 1.0},
        [("i", bytes([0, 0, 0, 1])), ("l", bytes(7) + b"\1"), ("d", b"\x3f\xf0" + bytes(6))],
    ),
    ({"o": {"x": 1}}, [("o", b'{"x":1}')]),
    (None, None),
]


def test_headers_are_a_document_or_pairs() -> None:
    """Numbers are big-endian, as Java's serializers write them."""
    for value, expected in HEADERS:
        emission = sink({"headers": "$h"}).emission({"h": value}, None, None, [("old", b"")])
        assert isinstance(emission, Emission)
        assert emission.headers == expected


EMISSION_REFUSED: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"topic": "$t"}, {}, "the topic must be a string, not missing", "topic"),
    ({"topic": "$t"}, {"t": "a b"}, "the topic's name is not one that Kafka takes", "topic"),
    ({"topic": "$t"}, {"t": "x" * 250}, "the topic's name is not one that Kafka takes", "topic"),
    ({"key": {"$divide": [1, "$z"]}}, {"z": 0}, "can't $divide by zero", "key.$divide"),
    ({"headers": "$h"}, {"h": 5}, "headers must be a document or an array of {k, v}, not int", "headers"),
    ({"headers": "$h"}, {"h": [{"k": 1}]}, "headers must be a document or an array of {k, v}", "headers"),
    ({"headers": "$h"}, {"h": {"a": Decimal128("1")}}, "a header must be binData, string, object", "headers"),
    ({"key": "$k"}, {"k": "\ud800"}, "the key holds a lone surrogate", "key"),
]


def test_an_emission_that_cannot_be_made_is_refused_with_its_place() -> None:
    """The document goes to the dead letters, as it reached $emit."""
    for fields, document, reason, place in EMISSION_REFUSED:
        found = sink(fields).emission(document, None, None, None)
        assert isinstance(found, Refused)
        assert reason in found.reason
        assert (found.operator, found.path, found.doc) == ("$emit", f"pipeline[1].$emit.{place}", document)


SINK_REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"topic": 5}, ".topic: 5; the name of a topic, or an expression"),
    ({"topic": {"$toUpper": None}}, ".topic: the text ''; the name of a topic"),
    ({"topic": {"$nope": 1}}, ".topic.$nope: unknown operator $nope"),
    ({"headers": "x"}, ".headers: headers must be a document or an array of {k, v}, not string"),
    ({"topic": "a b"}, ".topic: the text 'a b'; the name of a topic, or an expression that gives one: 1 to"),
    ({"db": "x"}, ".db: a time-series collection as a sink is not in Penstock yet"),
    ({"topik": "x"}, ".topik: $emit has no field 'topik'; did you mean 'topic'?"),
]


def test_what_a_sink_cannot_be_is_refused() -> None:
    """Wrong values, unknown fields, Atlas's options that are not there yet."""
    for fields, expected in SINK_REFUSED:
        with pytest.raises(Invalid) as caught:
            sink(fields)
        assert f"pipeline[1].$emit{expected}" in str(caught.value)


PIPELINES: list[tuple[Any, str]] = [
    ([], "pipeline: no stages"),
    ({"$match": {}}, "pipeline: a document; an array of stages"),
    ([{"$emit": EMIT}], "pipeline[0]: $emit as the first stage; $source"),
    ([{"$source": SOURCE}], "pipeline[0]: $source as the last stage; $emit, $externalFunction or $https"),
    (
        [{"$source": SOURCE}, {"$source": SOURCE}, {"$emit": EMIT}],
        "pipeline[1].$source: $source after another stage",
    ),
    (
        [{"$source": SOURCE}, {"$emit": EMIT}, {"$emit": EMIT}],
        "pipeline[1].$emit: $emit before another stage",
    ),
    ([{"$source": SOURCE}, {"$match": {}}], "pipeline[1]: $match as the last stage"),
    (
        [{"$source": SOURCE}, {"$match": {}, "$set": {}}, {"$emit": EMIT}],
        "pipeline[1]: 2 fields; a document with one",
    ),
    ([{"$source": SOURCE}, "x", {"$emit": EMIT}], "pipeline[1]: the text 'x'; a document with one stage"),
    (
        [{"$source": SOURCE}, {"$tumblingWindow": {}}, {"$emit": EMIT}],
        "$tumblingWindow is not in Penstock yet",
    ),
    ([{"$source": SOURCE}, {"$merge": {}}], "pipeline[1].$merge: $merge is not in Penstock yet"),
]


def test_a_processor_is_a_source_stages_and_a_sink() -> None:
    """In this order, one of each end."""
    for pipeline, expected in PIPELINES:
        with pytest.raises(Invalid) as caught:
            compile_processor(pipeline, "processors/p.yaml")
        assert f"processors/p.yaml: {expected}" in str(caught.value) or expected in str(caught.value)


def test_stages_alone_need_no_ends() -> None:
    """`penstock eval` runs them on their own, and with their ends too."""
    assert compile_stages([]).segments[0].is_identity
    found = compile_stages([{"$source": SOURCE}, {"$match": {"a": 1}}, {"$emit": EMIT}])
    assert found.source is not None
    assert found.sink is not None
