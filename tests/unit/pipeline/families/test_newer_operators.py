"""What the server has since 8.3: JSON in texts, digests, vectors, patterns, places of elements."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Regex
from bson.binary import BinaryVectorDtype

from tests.unit.pipeline.families.rows import Row, Wrong, at_start, check_rows, check_wrong
from workers.errors import Invalid
from workers.pipeline import Supply, compile_expression
from workers.pipeline.values import date_from_ms
from workers.pipeline.xxh64 import xxh64
from workers.settings import MAX_XXH64_BYTES

VECTOR = Binary.from_vector([1.0, 2.0], BinaryVectorDtype.FLOAT32)

JSON: list[Row] = [
    ({"$toObject": "$a"}, {"a": ' {"b": [1, 2.0, "x", null, true]} '}, {"b": [1, 2.0, "x", None, True]}),
    ({"$toObject": "$a"}, {"a": '{"a": 1, "b": 2, "a": 3}'}, {"a": 3, "b": 2}),
    ({"$toObject": "$a"}, {"a": '{"n": 2147483648}'}, {"n": Int64(2**31)}),
    ({"$type": {"$getField": {"field": "n", "input": {"$toObject": "$a"}}}}, {"a": '{"n": 1e2}'}, "double"),
    ({"$toObject": "$a"}, {"a": '{"n": 9223372036854775808}'}, {"n": 2.0**63}),
    ({"$toObject": "$a"}, {"a": '{"n": ' + "9" * 5_000 + "}"}, {"n": float("inf")}),
    ({"$toObject": "$a"}, {"a": '{"id": {"$oid": "x"}}'}, {"id": {"$oid": "x"}}),
    ({"$toObject": "$a"}, {"a": '{"t": "a\\u0000b"}'}, {"t": "a\0b"}),
    ({"$toObject": "$a"}, {"a": None}, None),
    ({"$toObject": "$a"}, {}, None),
    ({"$toArray": "$a"}, {"a": '["a", [1], {}]'}, ["a", [1], {}]),
    ({"$toArray": "$a"}, {"a": "[]"}, []),
    ({"$toArray": "$a"}, {"a": VECTOR}, [1.0, 2.0]),
    ({"$convert": {"input": "$a", "to": "array", "format": "base64url"}}, {"a": "[1]"}, [1]),
    ({"$convert": {"input": "$a", "to": "object", "onError": "none"}}, {"a": "asdf"}, "none"),
    ({"$convert": {"input": "$a", "to": 4, "onNull": "null"}}, {"a": None}, "null"),
]
NOT_JSON: list[Wrong] = [
    ({"$toObject": "$a"}, {"a": "[]"}, "no JSON object"),
    ({"$toObject": "$a"}, {"a": "123"}, "no JSON object"),
    ({"$toObject": "$a"}, {"a": "{'a': 1}"}, "no JSON object"),
    ({"$toObject": "$a"}, {"a": '{"a": 1,}'}, "no JSON object"),
    ({"$toObject": "$a"}, {"a": '{"a": NaN}'}, "NaN is not JSON"),
    ({"$toObject": "$a"}, {"a": '{"b": [{"na\\u0000me": 1}]}'}, "a name holds a zero"),
    ({"$toObject": "$a"}, {"a": {"b": 1}}, "object"),
    ({"$toArray": "$a"}, {"a": "{}"}, "no JSON array"),
    ({"$toArray": "$a"}, {"a": 123}, "int to array"),
    ({"$toArray": "$a"}, {"a": Binary(b"\x01", 9)}, "array"),
    ({"$toArray": "$a"}, {"a": "[" * 5_000}, "nested too deep"),
]


def test_texts_of_json_become_documents_and_arrays() -> None:
    """Numbers by their size and form, names twice: the last; type wrappers stay documents."""
    check_rows(JSON)


def test_what_is_no_json_is_refused() -> None:
    """Also what Python's parser would take, and what is of the other kind."""
    check_wrong(NOT_JSON)


DIGESTS: list[Row] = [
    (
        {"$hexHash": {"input": "$a", "algorithm": "sha256"}},
        {"a": "report.pdf"},
        "6466E450A16B77B865C5829D6B6C56D9F892956475642DBEB9CCC4340FE01B15",
    ),
    ({"$hexHash": {"input": "$a", "algorithm": "md5"}}, {"a": b""}, "D41D8CD98F00B204E9800998ECF8427E"),
    ({"$hexHash": {"input": "$a", "algorithm": "xxh64"}}, {"a": "abc"}, "44BC2CF5AD770999"),
    (
        {"$hash": {"input": "$a", "algorithm": "xxh64"}},
        {"a": Binary(b"abc", 5)},
        Binary(bytes.fromhex("44BC2CF5AD770999")),
    ),
    ({"$hash": {"input": "$a", "algorithm": "$b"}}, {"a": None, "b": "md5"}, None),
    ({"$hexHash": {"input": "$a", "algorithm": "md5"}}, {}, None),
    ({"$subtype": "$a"}, {"a": Binary(b"", 128)}, 128),
    ({"$subtype": "$a"}, {"a": b"x"}, 0),
    ({"$subtype": "$a"}, {}, None),
]
NO_DIGESTS: list[Wrong] = [
    ({"$hash": {"input": "$a", "algorithm": "md5"}}, {"a": 5}, "to be a string or binData, not int"),
    ({"$hash": {"input": "$a", "algorithm": "$b"}}, {"a": "", "b": "MD5"}, "one of md5, sha256, xxh64"),
    ({"$hash": {"input": "$a", "algorithm": "$b"}}, {"a": "", "b": None}, "not null"),
    ({"$hexHash": {"input": "$a", "algorithm": "sha256"}}, {"a": "\ud800"}, "no valid UTF-8"),
    (
        {"$hash": {"input": "$a", "algorithm": "xxh64"}},
        {"a": "x" * (MAX_XXH64_BYTES + 1)},
        "$hash: xxh64 takes at most 1048576 bytes, not 1048577: md5 and sha256 take them all",
    ),
    ({"$subtype": "$a"}, {"a": "x"}, "$subtype requires binData, not string"),
]


def test_digests_and_subtypes() -> None:
    """The manual's value for SHA-256, the specification's for XXH64."""
    check_rows(DIGESTS)
    check_wrong(NO_DIGESTS)


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", 0xEF46DB3751D8E999),
        (b"a", 0xD24EC4F1A98C6E5B),
        (b"abc", 0x44BC2CF5AD770999),
        (b"Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1),
        (bytes(range(256)), 0x1FACBE8406CD904B),
        (bytes(range(255)), 0x0F7D97507CAAD693),
    ],
)
def test_xxh64_gives_its_published_values(data: bytes, digest: int) -> None:
    """Below and above the 32 bytes of a stripe; many stripes, with and without a rest."""
    assert xxh64(data) == digest


def test_an_unknown_algorithm_is_refused_at_start() -> None:
    """It is written down: no document is needed to see it."""
    assert at_start({"$hash": {"input": "$a", "algorithm": "sha1"}})[0][0] == "p.$hash"


BOTH: dict[str, Any] = {"a": [1, 2, 3], "b": [3, 2, 1]}
VECTORS: list[Row] = [
    ({"$similarityDotProduct": ["$a", "$b"]}, BOTH, 10.0),
    ({"$similarityDotProduct": {"vectors": ["$a", "$b"], "score": True}}, BOTH, 5.5),
    ({"$similarityCosine": ["$a", "$a"]}, {"a": [3, 4]}, 1.0),
    ({"$similarityCosine": ["$a", "$b"]}, {"a": [0, 0], "b": [1, 1]}, 0.0),
    ({"$similarityCosine": {"vectors": ["$a", "$b"], "score": True}}, {"a": [1, 0], "b": [0, 1]}, 0.5),
    ({"$similarityEuclidean": ["$a", "$b"]}, {"a": [0, 0], "b": [3, Decimal128("4")]}, 5.0),
    ({"$similarityEuclidean": {"vectors": ["$a", "$b"], "score": True}}, {"a": [1], "b": [1]}, 1.0),
    ({"$similarityDotProduct": ["$a", "$b"]}, {"a": VECTOR, "b": [1, 1]}, 3.0),
    ({"$similarityDotProduct": ["$a", "$b"]}, {"a": [1]}, None),
    ({"$similarityDotProduct": ["$a", "$b"]}, {"a": [], "b": []}, 0.0),
    ({"$type": {"$similarityCosine": ["$a", "$a"]}}, {"a": [float("inf")]}, "double"),
]
NO_VECTORS: list[Wrong] = [
    ({"$similarityDotProduct": ["$a", "$b"]}, {"a": [1], "b": [1, 2]}, "vectors of one length"),
    ({"$similarityDotProduct": ["$a", "$b"]}, {"a": [1], "b": ["x"]}, "found string"),
    ({"$similarityCosine": ["$a", "$b"]}, {"a": 1, "b": [1]}, "not int"),
    ({"$similarityEuclidean": ["$a", "$a"]}, {"a": Binary(b"\x00", 9)}, "no vector"),
    ({"$similarityCosine": ["$a"]}, {}, "an array"),
    ({"$similarityCosine": {"vectors": ["$a", "$b"], "score": 1}}, {}, "1"),
    ({"$similarityCosine": {"vectors": ["$a", "$b"], "scored": True}}, {}, "no field 'scored'"),
    ({"$similarityCosine": {}}, {}, "null"),
]


def test_vectors_are_compared() -> None:
    """The manual's examples; a missing vector gives null."""
    check_rows(VECTORS)
    check_wrong(NO_VECTORS)


DASHES = Regex("(-+)")
PATTERNS: list[Row] = [
    ({"$split": ["$a", "$b"]}, {"a": "headphone jack", "b": Regex("jack")}, ["headphone ", ""]),
    (
        {"$split": ["$a", "$b"]},
        {"a": "f74a--43b6-bd68--55e3", "b": DASHES},
        ["f74a", "--", "43b6", "-", "bd68", "--", "55e3"],
    ),
    ({"$split": ["$a", "$b"]}, {"a": "abc", "b": Regex("x*")}, ["abc"]),
    ({"$split": ["$a", "$b"]}, {"a": "a1b", "b": Regex("(x)?1")}, ["a", None, "b"]),
    ({"$split": ["$a", "$b"]}, {"a": None, "b": DASHES}, None),
    (
        {"$replaceAll": {"input": "$a", "find": "$b", "replacement": "red"}},
        {"a": "blue bluebird Blue", "b": Regex(r"\bblue\b", "i")},
        "red bluebird red",
    ),
    (
        {"$replaceAll": {"input": "$a", "find": "$b", "replacement": r"\1$1"}},
        {"a": "x", "b": Regex("(x)")},
        r"\1$1",
    ),
    ({"$replaceAll": {"input": "$a", "find": "$b", "replacement": "-"}}, {"a": "aé", "b": Regex(".")}, "--"),
    ({"$replaceAll": {"input": "$a", "find": "$b", "replacement": "-"}}, {"b": Regex(".")}, None),
    ({"$replaceAll": {"input": "$a", "find": "$b", "replacement": None}}, {"a": "", "b": Regex(".")}, None),
]
NO_PATTERNS: list[Wrong] = [
    ({"$split": ["$a", "$b"]}, {"a": "a", "b": Regex("(")}, "the pattern is not valid"),
    ({"$split": ["$a", "$b"]}, {"a": 1, "b": Regex("x")}, "a string as a first argument"),
    (
        {"$replaceAll": {"input": "$a", "find": "$b", "replacement": 1}},
        {"a": "a", "b": Regex("x")},
        "'replacement' be a string, found: int",
    ),
    (
        {"$replaceOne": {"input": "$a", "find": "$b", "replacement": ""}},
        {"a": "a", "b": Regex("x")},
        "'find' be a string, found: regex",
    ),
]


def test_patterns_split_and_are_replaced() -> None:
    """What groups capture stays between the parts; the replacement stands for itself."""
    check_rows(PATTERNS)
    check_wrong(NO_PATTERNS)


PLACES: list[Row] = [
    (
        {"$map": {"input": "$a", "as": "x", "arrayIndexAs": "i", "in": ["$$i", "$$x"]}},
        {"a": ["p", "q"]},
        [[0, "p"], [1, "q"]],
    ),
    ({"$map": {"input": "$a", "in": {"$add": ["$$IDX", "$$this"]}}}, {"a": [5, 5]}, [5, 6]),
    ({"$filter": {"input": "$a", "cond": {"$mod": ["$$IDX", 2]}, "limit": 1}}, {"a": [7, 8, 9, 10]}, [8]),
    (
        {"$reduce": {"input": "$a", "initialValue": "", "valueAs": "v", "as": "e", "arrayIndexAs": "i",
                     "in": {"$concat": ["$$v", {"$toString": "$$i"}, "$$e"]}}},
        {"a": ["x", "y"]},
        "0x1y",
    ),
    (
        {"$map": {"input": "$a", "in": {"$map": {"input": "$$this", "in": "$$IDX"}}}},
        {"a": [[1, 1], [1]]},
        [[0, 1], [0]],
    ),
    (
        {"$map": {"input": "$a", "arrayIndexAs": "i", "in": {"$map": {"input": [0], "in": "$$i"}}}},
        {"a": [1, 1]},
        [[0], [1]],
    ),
]  # fmt: skip


def test_the_place_of_an_element_is_known() -> None:
    """By a name of the user's, or as $$IDX; the innermost loop's own."""
    check_rows(PLACES)


def test_two_variables_of_one_name_are_refused() -> None:
    """Nobody could say which is meant."""
    with pytest.raises(Invalid) as caught:
        compile_expression({"$map": {"input": "$a", "as": "i", "arrayIndexAs": "i", "in": "$$i"}}, "p")
    assert "two variables called 'i'" in str(caught.value)


EJSON: list[Row] = [
    ({"$serializeEJSON": {"input": "$a"}}, {"a": {"n": 42}}, {"n": {"$numberInt": "42"}}),
    ({"$serializeEJSON": {"input": "$a", "relaxed": True}}, {"a": [42, Int64(7), 1.5]}, [42, 7, 1.5]),
    ({"$serializeEJSON": {"input": "$a"}}, {}, None),
    ({"$serializeEJSON": {"input": "$a", "relaxed": "$b", "onError": "no"}}, {"a": 1, "b": 1}, "no"),
    ({"$deserializeEJSON": {"input": "$a"}}, {"a": {"x": {"$numberLong": "42"}}}, {"x": Int64(42)}),
    ({"$deserializeEJSON": {"input": "$a"}}, {"a": {"x": Int64(1), "y": 5.0}}, {"x": Int64(1), "y": 5.0}),
    ({"$deserializeEJSON": {"input": "$a"}}, {"a": None}, None),
    ({"$deserializeEJSON": {"input": "$a", "onError": "$b"}}, {"a": {"$oid": "x"}, "b": "bad"}, "bad"),
    (
        {"$deserializeEJSON": {"input": {"$serializeEJSON": {"input": "$a"}}}},
        {"a": {"id": ObjectId("0123456789abcdef01234567"), "at": date_from_ms(5), "r": Regex("x", "i")}},
        {"id": ObjectId("0123456789abcdef01234567"), "at": date_from_ms(5), "r": Regex("x", "i")},
    ),
]
NO_EJSON: list[Wrong] = [
    ({"$deserializeEJSON": {"input": "$a"}}, {"a": {"$numberInt": "x"}}, "$deserializeEJSON"),
    ({"$serializeEJSON": {"input": "$a", "relaxed": "$b"}}, {"a": 1, "b": "x"}, "true or false, not string"),
    ({"$serializeEJSON": {"input": "$a"}}, {"a": {"x": "\ud800"}}, "$serializeEJSON"),
]


def test_extended_json_there_and_back() -> None:
    """Wrappers are made and resolved; `onError` stands in for what cannot be."""
    check_rows(EJSON)
    check_wrong(NO_EJSON)


def test_a_new_id_holds_the_time_and_chance_that_were_supplied() -> None:
    """Four bytes of seconds, eight that nobody can guess."""
    supply = Supply(now_ms=lambda: 0x01020304_000, random_bytes=lambda count: b"\xaa" * count, random=float)
    found = compile_expression({"$createObjectId": {}}, supply=supply)({})
    assert found == ObjectId((0x01020304_000 // 1000).to_bytes(4, "big") + b"\xaa" * 8)
    assert at_start({"$createObjectId": 1})[0][0] == "p.$createObjectId"
