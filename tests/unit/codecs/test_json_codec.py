"""What becomes of the bytes of a record, and how documents are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import orjson
import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from topics import codecs, headers
from topics.codecs import NotADocument, NotEncodable

INFINITY = float("inf")

POISON = [
    (b"", "not-json", "empty"),
    (b"not json", "not-json", "line 1 column 1"),
    (b'{"a": NaN}', "not-json", "line 1"),
    (b'{"a": 1} x', "not-json", "unexpected content"),
    (b'{"a": "\\ud800"}', "not-json", "surrogate"),
    (b'\xef\xbb\xbf{"a": 1}', "not-json", "byte order mark"),
    (b'{"a": "\xff"}', "not-utf8", "byte 7"),
    (b'{"a":' * 101 + b"1" + b"}" * 101, "too-deep", "100 levels"),
    (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", "too-deep", "100 levels"),
    (b"[" * 2000 + b"]" * 2000, "too-deep", "100 levels"),
    (b"[1]", "not-a-document", "an array"),
    (b"5", "not-a-document", "a number"),
    (b"true", "not-a-document", "a boolean"),
    (b"null", "not-a-document", "null"),
    (b'"text"', "not-a-document", "a string"),
    (b'{"$date": 5}', "not-a-document", "a single value"),
    (b'{"a": {"b": [{"$oid": "secret"}]}}', "malformed-extended-json", r"at a\.b\.0: \$oid needs"),
]


@pytest.mark.parametrize(("value", "kind", "words"), POISON)
def test_poison_is_named_and_never_quoted(value: bytes, kind: str, words: str) -> None:
    """Each way of being no document has its kind and one line of reason without the record's content."""
    with pytest.raises(NotADocument, match=words) as caught:
        codecs.decode(value)
    assert caught.value.kind == kind
    assert "secret" not in caught.value.reason
    (answer,) = codecs.decode_many([value])
    assert isinstance(answer, NotADocument)
    assert (answer.kind, answer.reason) == (kind, caught.value.reason)


def test_a_batch_answers_in_order_and_one_bad_value_harms_no_other() -> None:
    """Documents, errors and tombstones stand where their values stood."""
    good = {"a": 1}
    answers = codecs.decode_many([b'{"a":1}', b"x", None, b'{"a":{"$numberLong":"5"}}', b"[]", b'{"a":1}'])
    assert [type(answer).__name__ for answer in answers] == [
        "dict", "NotADocument", "NoneType", "dict", "NotADocument", "dict",
    ]  # fmt: skip
    assert answers[0] == good
    assert answers[5] == good
    assert answers[3] == {"a": Int64(5)}


def test_a_value_over_the_bound_is_refused_before_it_is_parsed() -> None:
    """The bound is on the bytes, and the reason says both sizes."""
    with pytest.raises(NotADocument, match="9 bytes, the limit is 8") as caught:
        codecs.decode(b'{"a": 12}', max_bytes=8)
    assert caught.value.kind == "too-large"
    (answer,) = codecs.decode_many([b'{"a": 12}'], max_bytes=8)
    assert isinstance(answer, NotADocument)
    assert answer.kind == "too-large"


@pytest.mark.parametrize("filler", [b"", b" " * 300])
def test_a_hundred_levels_pass(filler: bytes) -> None:
    """The server's limit counts the document itself; brackets in strings and side by side are no depth."""
    assert codecs.decode(b'{"a":' * 100 + filler + b"1" + b"}" * 100)
    assert codecs.decode(b'{"a":[' + b",".join([b"[]"] * 500) + b'],"b":"' + b"[" * 500 + b'"}')


def test_a_dollar_in_a_string_value_changes_nothing() -> None:
    """Only keys make a type wrapper, whatever strings hold."""
    value = b'{"price": "$5", "note": "\\"$date\\": 5", "list": ["$oid"]}'
    assert codecs.decode(value) == orjson.loads(value)


def test_an_escaped_dollar_is_the_same_key() -> None:
    """JSON says that \\u0024 and $ are one character, so both spell a type wrapper."""
    assert codecs.decode(b'{"a": {"\\u0024numberLong": "5"}}')["a"].__class__ is Int64
    (doc,) = codecs.decode_many([b'{"a": {"\\u0024numberLong": "5"}}'])
    assert doc == {"a": Int64(5)}


def test_integers_beyond_signed_64_bits_keep_their_digits() -> None:
    """Up to 2**64-1 an integer passes unchanged; beyond it is the nearest double."""
    value = b'{"hash":18446744073709551615,"low":9223372036854775808}'
    assert codecs.encode(codecs.decode(value)) == value
    assert codecs.decode(b'{"a":18446744073709551616}')["a"] == 2.0**64
    assert codecs.encode_canonical({"a": 2**63}) == b'{"a":{"$numberDouble":"9.223372036854776e+18"}}'


SPELLED = [
    (5.0, b"5.0"),
    (Int64(5), b"5"),
    (float("nan"), b'{"$numberDouble":"NaN"}'),
    (INFINITY, b'{"$numberDouble":"Infinity"}'),
    (-INFINITY, b'{"$numberDouble":"-Infinity"}'),
    (datetime(2024, 5, 1, 12, tzinfo=UTC), b'{"$date":"2024-05-01T12:00:00Z"}'),
    (datetime(2024, 5, 1, 12), b'{"$date":"2024-05-01T12:00:00Z"}'),  # noqa: DTZ001 - taken as UTC
    (datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=2))), b'{"$date":"2024-05-01T10:00:00Z"}'),
    (datetime(2024, 5, 1, 12, 0, 0, 7999, tzinfo=UTC), b'{"$date":"2024-05-01T12:00:00.007Z"}'),
    (datetime(1970, 1, 1, tzinfo=UTC), b'{"$date":"1970-01-01T00:00:00Z"}'),
    (datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC), b'{"$date":{"$numberLong":"-1"}}'),
    (DatetimeMS(253402300800000), b'{"$date":{"$numberLong":"253402300800000"}}'),
    (ObjectId("5f0000000000000000000001"), b'{"$oid":"5f0000000000000000000001"}'),
    (Decimal128("1.10"), b'{"$numberDecimal":"1.10"}'),
    (Decimal128("-NaN"), b'{"$numberDecimal":"NaN"}'),
    (b"\x01", b'{"$binary":{"base64":"AQ==","subType":"00"}}'),
    (Binary(b"\x01", 128), b'{"$binary":{"base64":"AQ==","subType":"80"}}'),
    (Regex("^a/b", "xi"), b'{"$regularExpression":{"pattern":"^a/b","options":"ix"}}'),
    (Timestamp(1, 2), b'{"$timestamp":{"t":1,"i":2}}'),
    (MinKey(), b'{"$minKey":1}'),
    (MaxKey(), b'{"$maxKey":1}'),
    (Code("f()"), b'{"$code":"f()"}'),
    (Code("f()", {"x": float("nan")}), b'{"$code":"f()","$scope":{"x":{"$numberDouble":"NaN"}}}'),
]


@pytest.mark.parametrize(("value", "text"), SPELLED)
def test_every_type_has_its_relaxed_spelling(value: object, text: bytes) -> None:
    """Alone, in a document and in an array the spelling is the same."""
    assert codecs.encode_value(value) == text
    assert codecs.encode({"a": value, "n": None}) == b'{"a":' + text + b',"n":null}'
    assert codecs.encode({"a": [[value]]}) == b'{"a":[[' + text + b"]]}"


def test_canonical_spelling_keeps_the_kind_of_every_number() -> None:
    """int32, int64, double and dates are wrapped; strings, booleans and null are not."""
    doc = {"i": 1, "l": Int64(1), "w": 2**40, "d": 1.5, "n": float("nan"), "s": "x", "b": True, "z": None}
    assert orjson.loads(codecs.encode_canonical(doc)) == {
        "i": {"$numberInt": "1"}, "l": {"$numberLong": "1"}, "w": {"$numberLong": str(2**40)},
        "d": {"$numberDouble": "1.5"}, "n": {"$numberDouble": "NaN"}, "s": "x", "b": True, "z": None,
    }  # fmt: skip
    assert codecs.encode_canonical([datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)]) == (
        b'[{"$date":{"$numberLong":"1000"}}]'
    )
    assert codecs.decode_value(codecs.encode_canonical(doc))["l"].__class__ is Int64


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (2**64, "beyond 64 bits"),
        ("\ud800", "lone surrogate"),
        (object(), "type object has no JSON form"),
        ({1: 2}, "field name is not a string"),
    ],
)
def test_what_json_cannot_hold_is_refused_in_words(value: object, words: str) -> None:
    """A value that is no JSON is a clear refusal, never a wrong text."""
    with pytest.raises(NotEncodable, match=words):
        codecs.encode({"a": value})


def test_a_document_nested_without_end_is_refused() -> None:
    """Writing has a bound on depth, in both spellings."""
    doc: dict[str, object] = {}
    doc["self"] = doc
    with pytest.raises(NotEncodable, match="too deep"):
        codecs.encode(doc)
    with pytest.raises(NotEncodable):
        codecs.encode_canonical(doc)


def test_a_uuid_is_binary_of_subtype_four() -> None:
    """Decoded documents hold no `uuid.UUID`, which the JSON writer would spell as a bare string."""
    value = UUID("12345678-1234-5678-1234-567812345678")
    doc = codecs.decode(b'{"u":{"$uuid":"12345678-1234-5678-1234-567812345678"}}')
    assert doc == {"u": Binary(value.bytes, 4)}
    assert codecs.encode(doc) == b'{"u":{"$binary":{"base64":"EjRWeBI0VngSNFZ4EjRWeA==","subType":"04"}}}'


def test_header_names_are_ours_and_distinct() -> None:
    """Every header of the catalogue carries the product's prefix and appears once."""
    names = [header.name for header in headers.ALL]
    assert headers.DEAD_LETTER.name == "penstock-dead-letter"
    assert len(set(names)) == len(names)
    assert all(name.startswith(headers.PREFIX) for name in names)


def test_bytes_without_a_type_wrapper_stand_for_their_document() -> None:
    """A `$` at the front of a text is taken for a wrapper, too: cheap to ask, and never wrong."""
    assert codecs.is_relaxed(b'{"a": 1, "price": "5$"}')
    assert codecs.is_relaxed(b'{"a": "\\n"}')
    assert not codecs.is_relaxed(b'{"a": {"$numberLong": "1"}}')
    assert not codecs.is_relaxed(b'{"a": {"\\u0024numberLong": "1"}}')
