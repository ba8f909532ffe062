"""One part of a date, all of them, and a date out of its parts."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS

from tests.unit.pipeline.dates.cases import Row, at, expect_poison, expect_refusal, expect_rows

NIGHT = at("2014-01-01T03:04:05.678")

PARTS: list[Row] = [
    ({"$year": "$a"}, {"a": NIGHT}, 2014),
    ({"$month": "$a"}, {"a": NIGHT}, 1),
    ({"$dayOfMonth": "$a"}, {"a": NIGHT}, 1),
    ({"$hour": "$a"}, {"a": NIGHT}, 3),
    ({"$minute": "$a"}, {"a": NIGHT}, 4),
    ({"$second": "$a"}, {"a": NIGHT}, 5),
    ({"$millisecond": "$a"}, {"a": NIGHT}, 678),
    ({"$dayOfYear": "$a"}, {"a": at("2020-12-31")}, 366),
    ({"$dayOfYear": "$a"}, {"a": at("2021-03-01")}, 60),
    ({"$dayOfWeek": "$a"}, {"a": at("2024-06-16")}, 1),
    ({"$dayOfWeek": "$a"}, {"a": at("2024-06-15")}, 7),
    ({"$isoDayOfWeek": "$a"}, {"a": at("2024-06-16")}, 7),
    ({"$isoDayOfWeek": "$a"}, {"a": at("2024-06-17")}, 1),
    ({"$week": "$a"}, {"a": at("2016-01-02")}, 0),
    ({"$week": "$a"}, {"a": at("2016-01-03")}, 1),
    ({"$week": "$a"}, {"a": at("2017-01-01")}, 1),
    ({"$week": "$a"}, {"a": at("2000-12-31")}, 53),
    ({"$isoWeek": "$a"}, {"a": at("2021-01-03")}, 53),
    ({"$isoWeek": "$a"}, {"a": at("2021-01-04")}, 1),
    ({"$isoWeekYear": "$a"}, {"a": at("2021-01-03")}, Int64(2020)),
    ({"$isoWeekYear": "$a"}, {"a": at("2018-12-31")}, Int64(2019)),
    # The three ways of writing the argument, and an expression that begins with an operator.
    ({"$year": ["$a"]}, {"a": NIGHT}, 2014),
    ({"$year": {"date": "$a"}}, {"a": NIGHT}, 2014),
    ({"$year": {"$add": ["$a", 1]}}, {"a": NIGHT}, 2014),
    # Zones: known at start, of the document, fixed.
    ({"$year": {"date": "$a", "timezone": "America/Los_Angeles"}}, {"a": NIGHT}, 2013),
    ({"$hour": {"date": "$a", "timezone": "$z"}}, {"a": NIGHT, "z": "Asia/Kathmandu"}, 8),
    ({"$minute": {"date": "$a", "timezone": "$z"}}, {"a": NIGHT, "z": "Asia/Kathmandu"}, 49),
    ({"$hour": {"date": "$a", "timezone": "$z"}}, {"a": NIGHT, "z": "-03"}, 0),
    ({"$hour": {"date": "$a", "timezone": "$z"}}, {"a": NIGHT, "z": "-0330"}, 23),
    ({"$hour": {"date": "$a", "timezone": "$z"}}, {"a": NIGHT, "z": "+01:00"}, 4),
    ({"$hour": {"date": "$a", "timezone": "$z"}}, {"a": NIGHT, "z": "Z"}, 3),
    ({"$hour": {"date": "$a", "timezone": "$z"}}, {"a": NIGHT, "z": "GMT"}, 3),
    ({"$hour": {"date": "$a", "timezone": "$z"}}, {"a": NIGHT, "z": "Etc/GMT+3"}, 0),
    (
        {"$isoWeekYear": {"date": "$a", "timezone": "$z"}},
        {"a": at("2018-12-30T23:30"), "z": "+01"},
        Int64(2019),
    ),
    # Null and missing: the date first, then the zone.
    ({"$year": "$a"}, {}, None),
    ({"$year": "$a"}, {"a": None}, None),
    ({"$year": {"date": "$a", "timezone": "$z"}}, {"a": NIGHT}, None),
    ({"$year": {"date": "$a", "timezone": None}}, {"a": NIGHT}, None),
    ({"$year": {"date": "$a", "timezone": "$z"}}, {"z": "UTC"}, None),
    # A timestamp's seconds, and an id's: those are signed.
    ({"$year": "$a"}, {"a": Timestamp(4294967295, 1)}, 2106),
    ({"$year": "$a"}, {"a": ObjectId("7fffffff0000000000000000")}, 2038),
    ({"$year": "$a"}, {"a": ObjectId("800000000000000000000000")}, 1901),
    # Years that Python's datetime does not have, and those at its edge.
    ({"$year": "$a"}, {"a": DatetimeMS(2**63 - 1)}, 292278994),
    ({"$year": "$a"}, {"a": DatetimeMS(-(2**63))}, -292275055),
    ({"$year": "$a"}, {"a": DatetimeMS(-62167219200000)}, 0),
    ({"$year": "$a"}, {"a": DatetimeMS(-62167219200001)}, -1),
    ({"$year": {"date": "$a", "timezone": "Asia/Tokyo"}}, {"a": at("9999-12-31T20:00")}, 10000),
    ({"$year": {"date": "$a", "timezone": "America/New_York"}}, {"a": at("0001-01-01")}, 0),
    (
        {"$hour": {"date": "$a", "timezone": "Europe/Paris"}},
        {"a": DatetimeMS(316531929600000)},
        2,
    ),  # 12000-07-01
    ({"$hour": {"date": "$a", "timezone": "Europe/Paris"}}, {"a": DatetimeMS(316516204800000)}, 1),
]


def test_each_part_of_a_date() -> None:
    """By the wall clock of the zone, whatever the year and however the argument is written."""
    expect_rows(PARTS)


@pytest.mark.parametrize("value", ["2014-01-01", 5, True, {}, [], 1.5])
def test_what_is_no_date_has_no_parts(value: Any) -> None:
    """Also where the zone is null: the date is looked at first."""
    expect_poison({"$year": "$a"}, {"a": value}, "can't convert from BSON type")
    expect_poison({"$hour": {"date": "$a", "timezone": "$z"}}, {"a": value}, "can't convert from BSON type")


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "Nowhere/X",
        "europe/paris",
        "+5",
        "+05:3",
        "05:30",
        "America",
        "localtime",
        "../UTC",
        "right/UTC",
        "A" * 5000,
    ],
)
def test_names_that_are_no_zone(zone: str) -> None:
    """Refused at start where they are known, poison where a document names them."""
    expect_poison(
        {"$hour": {"date": "$a", "timezone": "$z"}}, {"a": NIGHT, "z": zone}, "unrecognized time zone"
    )
    expect_refusal({"$hour": {"date": "$a", "timezone": zone}}, "p.$hour.timezone", "unrecognized time zone")


def test_a_zone_that_is_no_text() -> None:
    """The type is named."""
    expect_poison(
        {"$hour": {"date": "$a", "timezone": "$z"}},
        {"a": NIGHT, "z": 5},
        "timezone must evaluate to a string",
    )
    expect_refusal({"$hour": {"date": "$a", "timezone": ["UTC"]}}, "p.$hour.timezone", "found array")


def test_how_the_argument_may_not_be_written() -> None:
    """Too many in an array, an unknown field, no date."""
    expect_refusal({"$week": ["$a", "$b"]}, "p.$week", "2 arguments")
    expect_refusal({"$week": []}, "p.$week", "0 arguments")
    expect_refusal({"$week": {"date": "$a", "zone": "UTC"}}, "p.$week.zone", "no field 'zone'")
    expect_refusal({"$week": {"timezone": "UTC"}}, "p.$week", "'date' is missing")
    expect_refusal({"$week": {}}, "p.$week", "'date' is missing")
    expect_poison({"$week": [{"date": "$a"}]}, {"a": NIGHT}, "from BSON type object")


FROM_PARTS: list[Row] = [
    ({"$dateFromParts": {"year": "$y"}}, {"y": 2017}, at("2017-01-01")),
    (
        {
            "$dateFromParts": {
                "year": "$y",
                "month": 2,
                "day": 8,
                "hour": 12,
                "minute": 1,
                "second": 2,
                "millisecond": 3,
            }
        },
        {"y": 2017},
        at("2017-02-08T12:01:02.003"),
    ),
    ({"$dateFromParts": {"year": 2017, "month": "$m"}}, {"m": 14}, at("2018-02-01")),
    ({"$dateFromParts": {"year": 2017, "month": "$m"}}, {"m": 0}, at("2016-12-01")),
    ({"$dateFromParts": {"year": 2017, "month": "$m"}}, {"m": -13}, at("2015-11-01")),
    ({"$dateFromParts": {"year": 2017, "month": 2, "day": "$d"}}, {"d": 29}, at("2017-03-01")),
    ({"$dateFromParts": {"year": 2017, "day": "$d"}}, {"d": 0}, at("2016-12-31")),
    ({"$dateFromParts": {"year": 2017, "hour": "$h"}}, {"h": -1}, at("2016-12-31T23:00")),
    ({"$dateFromParts": {"year": 2017, "second": "$s"}}, {"s": 86400}, at("2017-01-02")),
    ({"$dateFromParts": {"year": 2017, "millisecond": "$s"}}, {"s": -1}, at("2016-12-31T23:59:59.999")),
    ({"$dateFromParts": {"year": "$y"}}, {"y": 2017.0}, at("2017-01-01")),
    ({"$dateFromParts": {"year": "$y"}}, {"y": Decimal128("2017")}, at("2017-01-01")),
    (
        {"$dateFromParts": {"isoWeekYear": 2017, "isoWeek": 6, "isoDayOfWeek": "$d"}},
        {"d": 3},
        at("2017-02-08"),
    ),
    ({"$dateFromParts": {"isoWeekYear": "$y"}}, {"y": 2020}, at("2019-12-30")),
    ({"$dateFromParts": {"isoWeekYear": "$y", "isoWeek": 54}}, {"y": 2020}, at("2021-01-04")),
    ({"$dateFromParts": {"year": "$y", "timezone": "America/New_York"}}, {"y": 2017}, at("2017-01-01T05:00")),
    (
        {"$dateFromParts": {"year": 2017, "month": 7, "timezone": "$z"}},
        {"z": "America/New_York"},
        at("2017-07-01T04:00"),
    ),
    # 02:30 does not exist on that night, 01:30 is there twice: the second is the one out of summer time.
    (
        {"$dateFromParts": {"year": 2020, "month": 3, "day": 8, "hour": 2, "minute": 30, "timezone": "$z"}},
        {"z": "America/New_York"},
        at("2020-03-08T07:30"),
    ),
    (
        {"$dateFromParts": {"year": 2020, "month": 11, "day": 1, "hour": 1, "minute": 30, "timezone": "$z"}},
        {"z": "America/New_York"},
        at("2020-11-01T06:30"),
    ),
    ({"$dateFromParts": {"year": "$y", "month": 13}}, {"y": 9999}, DatetimeMS(253402300800000)),
    ({"$dateFromParts": {"year": "$y"}}, {}, None),
    ({"$dateFromParts": {"year": 2017, "day": "$d"}}, {"d": None}, None),
    ({"$dateFromParts": {"year": 2017, "timezone": "$z"}}, {}, None),
]


def test_a_date_out_of_its_parts() -> None:
    """Parts beyond their range carry over; null anywhere gives null."""
    expect_rows(FROM_PARTS)


def test_parts_that_make_no_date() -> None:
    """A wrong type, a year out of range, too large a part, a mix of both ways."""
    expect_poison(
        {"$dateFromParts": {"year": "$y"}}, {"y": "2017"}, "'year' must evaluate to an integer, found string"
    )
    expect_poison({"$dateFromParts": {"year": "$y"}}, {"y": 2017.5}, "'year' must evaluate to an integer")
    expect_poison({"$dateFromParts": {"year": "$y"}}, {"y": 0}, "range 1 to 9999")
    expect_poison({"$dateFromParts": {"isoWeekYear": "$y"}}, {"y": 10000}, "range 1 to 9999")
    expect_poison({"$dateFromParts": {"year": 2017, "month": "$m"}}, {"m": 32768}, "range [-32768, 32767]")
    expect_poison({"$dateFromParts": {"year": 2017, "second": "$s"}}, {"s": 2**62}, "out of range")
    expect_refusal(
        {"$dateFromParts": {"year": "$y", "isoWeek": 1}}, "p.$dateFromParts", "together with 'isoWeek'"
    )
    expect_refusal(
        {"$dateFromParts": {"isoWeekYear": 2017, "day": 1}}, "p.$dateFromParts", "together with 'isoWeekYear'"
    )
    expect_refusal({"$dateFromParts": {"month": "$m"}}, "p.$dateFromParts", "'year' or 'isoWeekYear'")
    expect_refusal({"$dateFromParts": {"year": 2017, "week": 1}}, "p.$dateFromParts.week", "no field 'week'")
    expect_refusal(
        {"$dateFromParts": {"year": "$y", "timezone": "Mars"}}, "p.$dateFromParts.timezone", "unrecognized"
    )


TO_PARTS: list[Row] = [
    (
        {"$dateToParts": {"date": "$a"}},
        {"a": NIGHT},
        {"year": 2014, "month": 1, "day": 1, "hour": 3, "minute": 4, "second": 5, "millisecond": 678},
    ),
    (
        {"$dateToParts": {"date": "$a", "timezone": "America/New_York"}},
        {"a": NIGHT},
        {"year": 2013, "month": 12, "day": 31, "hour": 22, "minute": 4, "second": 5, "millisecond": 678},
    ),
    (
        {"$dateToParts": {"date": "$a", "iso8601": "$iso"}},
        {"a": NIGHT, "iso": True},
        {
            "isoWeekYear": 2014,
            "isoWeek": 1,
            "isoDayOfWeek": 3,
            "hour": 3,
            "minute": 4,
            "second": 5,
            "millisecond": 678,
        },
    ),
    (
        {"$dateToParts": {"date": "$a", "iso8601": False}},
        {"a": DatetimeMS(-62167219200001)},
        {"year": -1, "month": 12, "day": 31, "hour": 23, "minute": 59, "second": 59, "millisecond": 999},
    ),
    ({"$dateToParts": {"date": "$a"}}, {}, None),
    ({"$dateToParts": {"date": "$a", "timezone": "$z"}}, {"a": NIGHT}, None),
    ({"$dateToParts": {"date": "$a", "iso8601": "$iso"}}, {"a": NIGHT}, None),
]


def test_the_parts_of_a_date_as_a_document() -> None:
    """In the server's order of fields."""
    expect_rows(TO_PARTS)


def test_parts_of_what_is_no_date() -> None:
    """The date, the zone and the flag have their types."""
    expect_poison({"$dateToParts": {"date": "$a"}}, {"a": 5}, "from BSON type int")
    expect_poison(
        {"$dateToParts": {"date": "$a", "iso8601": "$iso"}},
        {"a": NIGHT, "iso": 1},
        "iso8601 must evaluate to a bool",
    )
    expect_poison({"$dateToParts": {"date": "$a", "timezone": "$z"}}, {"z": "Mars"}, "unrecognized time zone")
    expect_refusal(
        {"$dateToParts": {"date": "$a", "iso8601": "yes"}},
        "p.$dateToParts.iso8601",
        "must evaluate to a bool",
    )
    expect_refusal({"$dateToParts": {"timezone": "UTC"}}, "p.$dateToParts", "'date' is missing")


def test_the_halves_of_a_timestamp() -> None:
    """Both are longs; null and missing stay null; nothing else has them."""
    expect_rows(
        [
            ({"$tsSecond": "$a"}, {"a": Timestamp(4294967295, 7)}, 4294967295),
            ({"$tsSecond": "$a"}, {"a": Timestamp(5, 7)}, Int64(5)),
            ({"$tsIncrement": "$a"}, {"a": Timestamp(5, 7)}, Int64(7)),
            ({"$tsSecond": "$a"}, {}, None),
            ({"$tsIncrement": "$a"}, {"a": None}, None),
        ]
    )
    expect_poison({"$tsSecond": "$a"}, {"a": NIGHT}, "must be a timestamp, but is date")
    expect_poison({"$tsIncrement": "$a"}, {"a": 5}, "must be a timestamp, but is int")
