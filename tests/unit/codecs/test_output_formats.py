"""The formats of `$emit`: each BSON type in each of them, and dates as text."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import orjson
import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from topics.codecs import NotEncodable, decode, encode, encode_canonical, encoder
from topics.codecs.formats import DateFormat, OutputFormat

MOMENT = datetime(2024, 10, 24, 18, 7, 29, 636_000, UTC)
UUID_TEXT = "420b7ade-811a-4698-aa64-c8347c719cf1"

BASIC: list[tuple[Any, Any]] = [
    (Binary(bytes.fromhex("81fd54")), "gf1U"),
    (b"\x81\xfd\x54", "gf1U"),
    (Binary(b"\x01\x02", 5), "AQI="),
    (MOMENT, 1_729_793_249_636),
    (datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC), -1),
    (DatetimeMS(2**60), 2**60),
    (Decimal128("9.9"), "9.9"),
    (Decimal128("NaN"), "NaN"),
    (Timestamp(1_729_793_249, 7), 1_729_793_249_000),
    (ObjectId("671a8ce1497407eff0e17cba"), "671a8ce1497407eff0e17cba"),
    (-math.inf, "-Infinity"),
    (math.inf, "Infinity"),
    (math.nan, "NaN"),
    (Regex("ab+c", "i"), {"pattern": "ab+c", "options": "i"}),
    (Binary(UUID(UUID_TEXT).bytes, 4), UUID_TEXT),
    (UUID(UUID_TEXT), UUID_TEXT),
    (Binary(b"short", 4), "c2hvcnQ="),
    (Int64(5), 5),
    (2**63 - 1, 2**63 - 1),
    (1.5, 1.5),
    (True, True),
    (None, None),
    ("text", "text"),
    (MinKey(), "MinKey"),
    (MaxKey(), "MaxKey"),
    (Code("f()"), "f()"),
    (Code("f()", {"a": 1}), "f()"),
]


@pytest.mark.parametrize(("value", "expected"), BASIC, ids=[repr(value) for value, _ in BASIC])
def test_basic_json_has_no_wrappers(value: Any, expected: Any) -> None:
    """Each type as the plainest JSON there is, also deep within a document and beside a NaN."""
    write = encoder("basicJson")
    assert orjson.loads(write({"a": value})) == {"a": expected}
    assert orjson.loads(write({"n": math.nan, "a": [{"b": value}, None]})) == {
        "n": "NaN",
        "a": [{"b": expected}, None],
    }


ISO: list[tuple[OutputFormat, Any, Any]] = [
    ("relaxedJson", MOMENT, "2024-10-24T18:07:29.636Z"),
    ("canonicalJson", MOMENT, "2024-10-24T18:07:29.636Z"),
    ("basicJson", MOMENT, "2024-10-24T18:07:29.636Z"),
    ("basicJson", datetime(2025, 1, 1, tzinfo=UTC), "2025-01-01T00:00:00.000Z"),
    ("relaxedJson", datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
    ("relaxedJson", datetime(2025, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), "2025-01-01T00:00:00.000Z"),
    ("relaxedJson", datetime(2025, 1, 1, 2), "2025-01-01T02:00:00.000Z"),  # noqa: DTZ001 - no zone means UTC
    ("relaxedJson", DatetimeMS(2**60), {"$date": {"$numberLong": str(2**60)}}),
    ("canonicalJson", DatetimeMS(2**60), {"$date": {"$numberLong": str(2**60)}}),
    ("basicJson", DatetimeMS(2**60), 2**60),
]


@pytest.mark.parametrize(("output", "value", "expected"), ISO)
def test_iso_dates_are_text_in_every_format(output: OutputFormat, value: Any, expected: Any) -> None:
    """With milliseconds and in UTC; beyond the years 1 to 9999 a date stays what the format makes of it."""
    assert orjson.loads(encoder(output, "ISO8601")({"a": value, "n": math.inf}))["a"] == expected


@pytest.mark.parametrize("dates", ["default", "ISO8601"])
def test_the_other_types_do_not_depend_on_the_dates(dates: DateFormat) -> None:
    """Relaxed and canonical are what the codec writes without a format."""
    document = {
        "a": [Int64(1), 2, 2.5, Decimal128("1"), ObjectId("671a8ce1497407eff0e17cba"), Code("x", {"y": 1.5})],
        "b": {"c": math.nan, "d": Regex("a", "i")},
    }
    assert encoder("relaxedJson", dates)(document) == encode(document)
    assert encoder("canonicalJson", dates)(document) == encode_canonical(document)
    assert decode(encoder("canonicalJson", dates)(document))["b"]["d"] == Regex("a", "i")


def test_the_usual_format_is_the_fast_encoder() -> None:
    """Nothing stands between `$emit` and the codec where no format is asked for."""
    assert encoder() is encode


@pytest.mark.parametrize("output", ["relaxedJson", "canonicalJson", "basicJson"])
@pytest.mark.parametrize("dates", ["default", "ISO8601"])
def test_what_no_format_can_write_is_refused(output: OutputFormat, dates: DateFormat) -> None:
    """A lone surrogate and a foreign type, in words without the value."""
    for value in ("\ud800", object()):
        with pytest.raises(NotEncodable):
            encoder(output, dates)({"a": value})
