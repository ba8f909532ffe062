"""Laws of the codecs over all BSON types."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp, json_util
from bson.codec_options import DatetimeConversion
from bson.datetime_ms import DatetimeMS
from hypothesis import given
from hypothesis import strategies as st

from topics import codecs

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
DATES = st.integers(-62_135_596_800_000, 253_402_300_799_999).map(
    lambda ms: EPOCH + timedelta(milliseconds=ms)
)
FAR_DATES = st.one_of(st.integers(-(2**63), -62_135_596_800_001), st.integers(253_402_300_800_000, 2**63 - 1))
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
)
TYPED = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.sampled_from([float("inf"), float("-inf")]),
    DATES,
    FAR_DATES.map(DatetimeMS),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.decimals(allow_nan=False, places=3, min_value=-(10**20), max_value=10**20).map(Decimal128),
    st.binary(max_size=8),
    st.builds(Binary, st.binary(max_size=8), st.integers(1, 255)),
    st.builds(Regex, TEXT, st.text("imsx", max_size=4)),
    st.builds(Timestamp, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    st.just(MinKey()),
    st.just(MaxKey()),
    TEXT.map(Code),
    st.builds(Code, TEXT, st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), min_size=1)),
)
KEYS = TEXT.filter(lambda key: not key.startswith("$"))


def documents(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Nested documents over the given leaves."""
    nested = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=12,
    )
    return st.dictionaries(KEYS, nested, max_size=5)


def kinds(value: Any) -> Any:
    """The shape of a value with the name of each leaf's type, integers aside: JSON has one kind of them."""
    if isinstance(value, dict):
        return {key: kinds(item) for key, item in value.items()}
    if isinstance(value, list):
        return [kinds(item) for item in value]
    return "integer" if type(value) in (int, Int64) else type(value).__name__


@given(doc=documents(PLAIN | TYPED))
def test_a_document_survives_the_relaxed_round_trip(doc: dict[str, Any]) -> None:
    """decode(encode(doc)) is doc, type by type, for every BSON type."""
    found = codecs.decode(codecs.encode(doc))
    assert found == doc
    assert kinds(found) == kinds(doc)
    assert codecs.decode_many([codecs.encode(doc)]) == [doc]


@given(doc=documents(st.one_of(st.integers(-(2**31), 2**31 - 1), st.floats(allow_nan=False), TYPED)))
def test_canonical_keeps_int32_and_int64_apart(doc: dict[str, Any]) -> None:
    """The canonical spelling loses nothing at all, the widths of integers included."""

    def exact(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: exact(item) for key, item in value.items()}
        return [exact(item) for item in value] if isinstance(value, list) else type(value)

    found = codecs.decode(codecs.encode_canonical(doc))
    assert found == doc
    assert exact(found) == exact(doc)


@given(doc=documents(PLAIN))
def test_plain_documents_are_written_as_orjson_writes_them(doc: dict[str, Any]) -> None:
    """The detours for NaN and BSON types leave plain JSON untouched."""
    assert codecs.encode(doc) == orjson.dumps(doc)


@given(doc=documents(st.floats() | st.none()))
def test_no_double_is_ever_written_as_null(doc: dict[str, Any]) -> None:
    """NaN and infinities keep their names, and null stays null."""
    assert kinds(codecs.decode(codecs.encode(doc))) == kinds(doc)


@given(doc=documents(TYPED | st.none() | st.booleans() | st.floats(allow_nan=False) | TEXT))
def test_what_pymongo_writes_is_read_alike(doc: dict[str, Any]) -> None:
    """Both forms of pymongo's Extended JSON decode to the same document."""
    for mode in (json_util.JSONMode.RELAXED, json_util.JSONMode.CANONICAL):
        options = json_util.JSONOptions(
            json_mode=mode, tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO
        )
        assert codecs.decode(json_util.dumps(doc, json_options=options).encode()) == doc


@given(value=st.binary(max_size=40) | TEXT.map(lambda text: f'{{"$date":{text}}}'.encode()))
def test_any_bytes_are_a_document_or_a_refusal(value: bytes) -> None:
    """No input raises anything else, and both ways of decoding agree."""
    try:
        found: Any = codecs.decode(value)
    except codecs.NotADocument as error:
        found = error.kind
    (answer,) = codecs.decode_many([value])
    assert found == (answer.kind if isinstance(answer, codecs.NotADocument) else answer)


WRAPPERS = st.sampled_from(
    "$oid $date $numberLong $numberInt $numberDouble $numberDecimal $binary $type $code $scope $regex "
    "$options $regularExpression $timestamp $minKey $uuid $undefined $ref t i base64 subType pattern".split()
)


@given(
    doc=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WRAPPERS, inner, max_size=3),
        max_leaves=8,
    )
)
def test_any_arrangement_of_wrappers_is_a_document_or_a_refusal(doc: Any) -> None:
    """Wrappers in wrappers, with wrong contents or beside other fields, never raise anything else."""
    try:
        text = orjson.dumps({"a": doc})
    except TypeError:
        return
    (answer,) = codecs.decode_many([text])
    if isinstance(answer, codecs.NotADocument):
        assert answer.kind == "malformed-extended-json"
    else:
        assert codecs.decode(codecs.encode(answer or {})) is not None
