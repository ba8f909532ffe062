"""Types, order, equality and truth of BSON values."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from workers.pipeline.values import (
    MISSING,
    compare,
    date_from_ms,
    date_ms,
    equal,
    sort_key,
    truthy,
    type_name,
    whole_number,
)

NAN = float("nan")

TYPES = [
    (1, "int"),
    (2**31, "long"),
    (-(2**31), "int"),
    (2**63, "double"),
    (Int64(1), "long"),
    (1.0, "double"),
    (Decimal128("1"), "decimal"),
    (True, "bool"),
    ("a", "string"),
    (None, "null"),
    (MISSING, "missing"),
    ({}, "object"),
    ([], "array"),
    (b"x", "binData"),
    (Binary(b"x", 4), "binData"),
    (ObjectId(), "objectId"),
    (datetime(2024, 1, 1, tzinfo=UTC), "date"),
    (DatetimeMS(2**60), "date"),
    (Timestamp(1, 1), "timestamp"),
    (Regex("a"), "regex"),
    (Code("f"), "javascript"),
    (Code("f", {}), "javascriptWithScope"),
    (MinKey(), "minKey"),
    (MaxKey(), "maxKey"),
]

# From below to above; values of one line are equal.
ASCENDING: list[list[Any]] = [
    [MinKey()],
    [MISSING],
    [None],
    [NAN, Decimal128("NaN")],
    [float("-inf"), Decimal128("-Infinity")],
    [-1, -1.0, Int64(-1), Decimal128("-1.0")],
    [0, -0.0, Decimal128("0E+3")],
    [0.1],
    [2**53],
    [2**53 + 1],
    [2**63],
    [float("inf")],
    [""],
    ["Z"],
    ["a"],
    ["\uffff"],
    ["\U00010000"],
    [{}],
    [{"b": 1}, {"b": 1.0}],
    [{"b": 1, "a": 1}],
    [{"a": "x"}],
    [{"a": "x", "b": 0}],
    [{"a": {}}],
    [[]],
    [[1]],
    [[1, 0]],
    [[2]],
    [["a"]],
    [b""],
    [b"b"],
    [Binary(b"a", 5)],
    [b"aa"],
    [ObjectId("0" * 24)],
    [ObjectId("f" * 24)],
    [False],
    [True],
    [DatetimeMS(-(2**60))],
    [datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1), DatetimeMS(0)],  # noqa: DTZ001 - what bson may give
    [datetime(2024, 1, 1, tzinfo=UTC)],
    [Timestamp(1, 2)],
    [Timestamp(2, 1)],
    [Regex("a")],
    [Regex("b")],
    [Code("a")],
    [Code("a", {})],
    [MaxKey()],
]


def test_every_type_has_its_bson_name() -> None:
    """`$type` and messages say what the server says."""
    for value, name in TYPES:
        assert type_name(value) == name, value


def test_values_order_across_all_types_as_the_server_orders_them() -> None:
    """Each line of the table is below every later one, and its own values are equal."""
    for (i, left), (j, right) in itertools.product(enumerate(ASCENDING), repeat=2):
        for one, two in itertools.product(left, right):
            expected = (i > j) - (i < j)
            assert compare(one, two) == expected, (one, two)
            assert equal(one, two) == (expected == 0)
            assert (sort_key(one) > sort_key(two)) - (sort_key(one) < sort_key(two)) == expected


def test_equal_values_have_equal_hashes() -> None:
    """Sets and groups may be kept by `sort_key`."""
    for line in ASCENDING:
        assert len({sort_key(value) for value in line}) == 1


def test_the_order_of_fields_counts_in_equality() -> None:
    """`{a, b}` is another document than `{b, a}`."""
    assert not equal({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert equal({"a": [1, {"b": 2.0}]}, {"a": [1.0, {"b": 2}]})
    assert not equal(1, True)


FALSE = [MISSING, None, False, 0, 0.0, -0.0, Int64(0), Decimal128("0"), Decimal128("0E-10")]
TRUE = [True, 1, -1, 0.1, NAN, Decimal128("NaN"), "", [], {}, MinKey(), datetime(1970, 1, 1, tzinfo=UTC)]


def test_false_are_missing_null_false_and_zero_alone() -> None:
    """An empty text, array or document is true."""
    assert not any(truthy(value) for value in FALSE)
    assert all(truthy(value) for value in TRUE)


def test_dates_go_to_milliseconds_and_back_beyond_datetime_too() -> None:
    """Years outside 1 to 9999 are DatetimeMS."""
    for milliseconds in (0, -1, 1_700_000_000_123, -62_135_596_800_000, 253_402_300_799_999, 2**60):
        assert date_ms(date_from_ms(milliseconds)) == milliseconds
    assert isinstance(date_from_ms(2**60), DatetimeMS)


WHOLE = [
    (5, 5),
    (5.0, 5),
    (Int64(5), 5),
    (Decimal128("5.0"), 5),
    (5.5, None),
    (NAN, None),
    ("5", None),
    (True, None),
    (Decimal128("1E+6000"), None),
    (float("inf"), None),
]


def test_a_whole_number_of_any_kind_is_an_integer() -> None:
    """Fractions, NaN, infinities, and other types are none."""
    for value, whole in WHOLE:
        assert whole_number(value) == whole, value


def test_missing_is_false_and_says_its_name() -> None:
    """It can be told from null wherever it turns up."""
    assert not MISSING
    assert repr(MISSING) == "MISSING"
