"""Dates as text, and text as dates."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS

from tests.unit.pipeline.dates.cases import Row, at, expect_poison, expect_refusal, expect_rows
from workers.pipeline import compile_expression
from workers.pipeline.values import MISSING

NEW_YORK = "America/New_York"
MORNING = {"a": at("2014-01-01T08:15:39.736")}


def text(form: Any = None, zone: Any = None, null: Any = None) -> Any:
    """$dateToString of the field `a`."""
    options = {"format": form, "timezone": zone, "onNull": null}
    given = {name: value for name, value in options.items() if value is not None}
    return {"$dateToString": {"date": "$a", **given}}


WRITTEN: list[Row] = [
    (text("%Y-%m-%d"), MORNING, "2014-01-01"),
    (text("%H:%M:%S:%L%z", NEW_YORK), MORNING, "03:15:39:736-0500"),
    (text("%H:%M:%S:%L%z", "+04:30"), MORNING, "12:45:39:736+0430"),
    (text("%Z", NEW_YORK), MORNING, "-300"),
    (text("%Z", "+04:30"), MORNING, "270"),
    (text("%z %Z"), MORNING, "+0000 0"),
    (text("%j %w %u %U %V %G"), MORNING, "001 4 3 00 01 2014"),
    (text("%j %w %u %U %V %G"), {"a": at("2021-01-03")}, "003 1 7 01 53 2020"),
    (text("%b %B"), {"a": at("2014-09-01")}, "Sep September"),
    (text("%d/%m/%Y %%"), MORNING, "01/01/2014 %"),
    (text("%%Y{0}%Y"), MORNING, "%Y{0}2014"),
    (text("%S.%H"), MORNING, "39.08"),
    (text("no part at all"), MORNING, "no part at all"),
    (text(""), MORNING, ""),
    (text("%Y%m", "$z"), {**MORNING, "z": NEW_YORK}, "201401"),
    (text("$f", "$z"), {**MORNING, "z": "-09:00", "f": "%Y-%m-%dT%H"}, "2013-12-31T23"),
    # Without a format: with a Z in UTC, without one elsewhere.
    (text(), MORNING, "2014-01-01T08:15:39.736Z"),
    (text(zone="UTC"), MORNING, "2014-01-01T08:15:39.736Z"),
    (text(zone="GMT"), MORNING, "2014-01-01T08:15:39.736Z"),
    (text(zone="+00:00"), MORNING, "2014-01-01T08:15:39.736Z"),
    (text(zone=NEW_YORK), MORNING, "2014-01-01T03:15:39.736"),
    (text(zone="$z"), {**MORNING, "z": "+01"}, "2014-01-01T09:15:39.736"),
    (text("%Y-%m-%d"), {"a": Timestamp(1718452800, 1)}, "2024-06-15"),
    (text(), {"a": ObjectId("666d82400000000000000000")}, "2024-06-15T12:00:00.000Z"),
    # Years from 0 to 9999; a format without a year knows no such bounds.
    (text(), {"a": at("0001-02-03")}, "0001-02-03T00:00:00.000Z"),
    (text(), {"a": DatetimeMS(-62167219200000)}, "0000-01-01T00:00:00.000Z"),
    (text("%G-%V"), {"a": at("0099-05-05")}, "0099-19"),
    (text("%m-%d"), {"a": DatetimeMS(253402300800000)}, "01-01"),
    (text("%j"), {"a": DatetimeMS(253402300800000)}, "001"),
    (text("%Y", "Asia/Tokyo"), {"a": at("9999-12-31T14:59")}, "9999"),
    # Null.
    (text("%Y"), {}, None),
    (text("%Y", null="none"), {"a": None}, "none"),
    (text("%Y", null="$b"), {"b": [1]}, [1]),
    (text("%Y", null="$b"), MORNING, "2014"),
    (text("$f"), MORNING, None),
    (text("%Y", "$z"), MORNING, None),
    (text("$f", null="none"), {}, None),
    (text("%Y", "$z", "none"), {}, None),
]


def test_dates_are_written() -> None:
    """By the format and the wall clock of the zone."""
    expect_rows(WRITTEN)


def test_on_null_is_only_evaluated_where_it_is_needed() -> None:
    """It may fail, and it may give nothing."""
    expression = text("%Y", null={"$divide": [1, "$zero"]})
    assert compile_expression(expression)({**MORNING, "zero": 0}) == "2014"
    expect_poison(expression, {"zero": 0}, "by zero")
    assert compile_expression(text("%Y", null="$b"))({}) is MISSING


def test_what_cannot_be_written() -> None:
    """No date, a wrong format, a year that has no four digits."""
    expect_poison(text("%Y"), {"a": "2014"}, "can't convert from BSON type string")
    expect_poison(text("$f"), {**MORNING, "f": 5}, "'format' be a string, found: int")
    expect_poison(text("$f"), {**MORNING, "f": "%n"}, "invalid format character '%n'")
    expect_poison(text("$f"), {**MORNING, "f": "%Y%"}, "unmatched '%'")
    expect_poison(text("$f"), {"f": "%n"}, "invalid format character '%n'")
    expect_poison(text("%Y"), {"a": DatetimeMS(253402300800000)}, "tried to use year 10000")
    expect_poison(text("%Y %j"), {"a": DatetimeMS(-62167219200001)}, "tried to use year -1")
    expect_poison(text("%Y", "Asia/Tokyo"), {"a": at("9999-12-31T15:00")}, "tried to use year 10000")
    expect_poison(text("%Y", "$z"), {**MORNING, "z": "Mars"}, "unrecognized time zone")
    expect_refusal(text("%n"), "p.$dateToString.format", "invalid format character")
    expect_refusal(text(5), "p.$dateToString.format", "'format' be a string")
    expect_refusal(text("%Y", "Mars"), "p.$dateToString.timezone", "unrecognized time zone")
    expect_refusal({"$dateToString": {"format": "%Y"}}, "p.$dateToString", "'date' is missing")


def read(form: Any = None, zone: Any = None, error: Any = None, null: Any = None) -> Any:
    """$dateFromString of the field `a`."""
    options = {"format": form, "timezone": zone, "onError": error, "onNull": null}
    given = {name: value for name, value in options.items() if value is not None}
    return {"$dateFromString": {"dateString": "$a", **given}}


FREE: list[tuple[str, str]] = [
    ("2017-02-08T12:10:40.787Z", "2017-02-08T12:10:40.787"),
    ("2017-02-08T12:10:40.7876", "2017-02-08T12:10:40.787"),
    ("2017-02-08T12:10:40.7", "2017-02-08T12:10:40.700"),
    ("2017-02-08 12:10:40", "2017-02-08T12:10:40"),
    ("2017-02-08T12:10", "2017-02-08T12:10"),
    ("2017-02-08T12:10:40+05:00", "2017-02-08T07:10:40"),
    ("2017-02-08T12:10:40 -0330", "2017-02-08T15:40:40"),
    ("2017-02-08T12:10:40+5", "2017-02-08T07:10:40"),
    ("2017-02-08T12:10:40GMT+2", "2017-02-08T10:10:40"),
    ("2017-02-08 12:10:40 EST", "2017-02-08T17:10:40"),
    ("2017-02-08 12:10:40 cest", "2017-02-08T10:10:40"),
    ("2017-02-08 12:10:40 A", "2017-02-08T11:10:40"),
    ("2017-02-08 12:10:40 Y", "2017-02-09T00:10:40"),
    ("2017-02-08 12:10:40 Europe/Paris", "2017-02-08T11:10:40"),
    ("2017-02-08", "2017-02-08"),
    (" 2017-02-08\n", "2017-02-08"),
    ("2017-2-8", "2017-02-08"),
    ("17-02-08", "2017-02-08"),
    ("2017/02/08", "2017-02-08"),
    ("2/8/2017", "2017-02-08"),
    ("2/8/70", "1970-02-08"),
    ("08.02.2017", "2017-02-08"),
    ("8.2.69", "2069-02-08"),
    ("20170208", "2017-02-08"),
    ("20170208T121040", "2017-02-08T12:10:40"),
    ("20170208t12:10:40Z", "2017-02-08T12:10:40"),
    ("2017:02:08 12:10:40", "2017-02-08T12:10:40"),
    ("2017-02", "2017-02-01"),
    ("February 2017", "2017-02-01"),
    ("2017 Feb", "2017-02-01"),
    ("February 8th, 2017", "2017-02-08"),
    ("Feb 8, 2017 3:04 PM", "2017-02-08T15:04"),
    ("8 Feb 2017 12:30am", "2017-02-08T00:30"),
    ("8-Feb-2017", "2017-02-08"),
    ("2017-Feb-08", "2017-02-08"),
    ("8 II 2017", "2017-02-08"),
    ("Wed, 08 Feb 2017 12:10:40 +0200", "2017-02-08T10:10:40"),
    ("Wed Feb 8 12:10:40 2017", "2017-02-08T12:10:40"),
    ("Wed Feb 08 2017 12:10:40 GMT+0200 (CEST)", "2017-02-08T10:10:40"),
    ("Thursday 8 February 2017", "2017-02-09"),
    ("10/Oct/2000:13:55:36 -0700", "2000-10-10T20:55:36"),
    ("12:10 2017-02-08", "2017-02-08T12:10"),
    ("2017-02-08 12.10.40", "2017-02-08T12:10:40"),
    ("2017W063", "2017-02-08"),
    ("2017-W06-3", "2017-02-08"),
    ("2017-W06", "2017-02-06"),
    ("2017-039", "2017-02-08"),
    ("2017.039", "2017-02-08"),
    ("@1486555840", "2017-02-08T12:10:40"),
    ("0000-01-01T00:00:00", "-"),
    ("2017-02-30", "2017-03-02"),
    ("2017-02-08T24:00:00", "2017-02-09"),
    ("2017-02-08T23:59:60Z", "2017-02-09"),
]


@pytest.mark.parametrize(("given", "expected"), FREE)
def test_dates_are_read_in_many_forms(given: str, expected: str) -> None:
    """Days and times beyond their range carry over."""
    date: Any = DatetimeMS(-62167219200000) if expected == "-" else at(expected)
    expect_rows([(read(), {"a": given}, date)])


@pytest.mark.parametrize(
    "given",
    [
        "", " ", "nope", "2017", "12:10:40", "July 4", "7/4", "Friday", "2017-13-01", "2017-02-08T25:00",
        "20177-02-09T03:35:02.055", "2017-02-08 2017-02-09", "2017-02-08 10:00 11:00", "2017-02-08 10:00 XYZ",
        "2017-02-08 tomorrow", "2017-02-08 +1 day", "next monday", "2017-02-08 Mars/Base",
        "2017-02-08T10:00:00+25:00", "2017-02-08 %", "2017-02-08 UTC UTC UTC", "2017-02-08" + " " * 300 + "x",
    ],
)  # fmt: skip
def test_texts_that_are_no_date(given: str) -> None:
    """Poison that says why, or what `onError` says."""
    expect_poison(read(), {"a": given}, "error parsing date string")
    expect_rows([(read(error="$b"), {"a": given, "b": "else"}, "else"), (read(error=None, null=1), {}, 1)])


FORMATTED: list[Row] = [
    (read("%m-%d-%Y"), {"a": "06-15-2018"}, at("2018-06-15")),
    (read("%d-%m-%Y"), {"a": "15-06-2018"}, at("2018-06-15")),
    (read("%Y%m%d%H%M%S%L"), {"a": "20180615101112007"}, at("2018-06-15T10:11:12.007")),
    (read("%Y-%m-%d %L"), {"a": "2018-06-15 5"}, at("2018-06-15T00:00:00.500")),
    (read("%d %b %Y"), {"a": "5 jUn 2018"}, at("2018-06-05")),
    (read("%B %d, %Y"), {"a": "June 5, 2018"}, at("2018-06-05")),
    (read("%G-W%V-%u"), {"a": "2018-W24-5"}, at("2018-06-15")),
    (read("%G"), {"a": "2018"}, at("2018-01-01")),
    (read("%Y, day %j"), {"a": "2018, day 166"}, at("2018-06-15")),
    (read("%Y-%m-%d %z"), {"a": "2018-06-15 +0530"}, at("2018-06-14T18:30")),
    (read("%Y-%m-%d %z"), {"a": "2018-06-15 America/New_York"}, at("2018-06-15T04:00")),
    (read("%Y-%m-%d%z"), {"a": "2018-06-15Z"}, at("2018-06-15")),
    (read("%Y-%m-%d%z"), {"a": "2018-06-15(EST)"}, at("2018-06-15T05:00")),
    (read("%Y-%m-%d %Z"), {"a": "2018-06-15 -90"}, at("2018-06-15T01:30")),
    (read("100%% %Y-%m-%d"), {"a": "100% 2018-06-15"}, at("2018-06-15")),
    (read("%Y-%m-%d"), {"a": "2018-02-30"}, at("2018-03-02")),
    (read("%Y-%m-%d"), {"a": "2018-13-01"}, at("2019-01-01")),
    (read("$f", "$z"), {"a": "2018-06-15", "f": "%Y-%m-%d", "z": NEW_YORK}, at("2018-06-15T04:00")),
    (read("%Y-%m-%d", NEW_YORK), {"a": "2018-06-15"}, at("2018-06-15T04:00")),
    (read(zone=NEW_YORK), {"a": "2017-02-08T12:10:40.787"}, at("2017-02-08T17:10:40.787")),
    (read(zone="$z"), {"a": "2017-02-09T03:35:02.055", "z": "+0530"}, at("2017-02-08T22:05:02.055")),
    (read(zone="UTC"), {"a": "2017-02-08T12:10:40Z"}, at("2017-02-08T12:10:40")),
    # Null: the text first, then the zone and the format.
    (read(), {}, None),
    (read(null="none"), {"a": None}, "none"),
    (read("$f", "$z", null="none"), {}, "none"),
    (read("$f"), {"a": "2018"}, None),
    (read(zone="$z"), {"a": "nope"}, None),
    (read(error="bad"), {"a": 5}, "bad"),
    (read("%Y", error="bad"), {"a": "x"}, "bad"),
    (read("%Y-%m-%d", "$z", error="bad"), {"a": "2018-06-15", "z": "UTC"}, at("2018-06-15")),
]


def test_dates_are_read_by_a_format() -> None:
    """And what stands in for null and for errors."""
    expect_rows(FORMATTED)


@pytest.mark.parametrize(
    ("form", "given", "reason"),
    [
        ("%Y-%m-%d", "2018-06", "could not be found"),
        ("%Y-%m-%d", "2018-06-15T", "trailing data"),
        ("%Y-%m-%d", "2018/06/15", "the text '-' of the format"),
        ("%Y-%m", "2018-06", "incomplete date/time string"),
        ("%H:%M", "10:11", "incomplete date/time string"),
        ("%Y-%m-%d %H:%M", "2018-06-15 10:1", "two digit minute"),
        ("%d %b %Y", "5 Foo 2018", "textual month"),
        ("%j %Y", "5 2018", "only come after a year"),
        ("%G-%V", "2018-54", "between 1 and 53"),
        ("%G-%V-%u", "2018-05-8", "between 1 and 7"),
        ("%Y-%V", "2018-05", "mixing of ISO dates"),
        ("%G %m", "2018 05", "mixing of ISO dates"),
        ("%Y-%m-%d %z", "2018-06-15 Mars", "timezone could not be found"),
        ("%Y-%m-%d %Z", "2018-06-15 90", "offset in minutes"),
    ],
)
def test_texts_that_do_not_fit_their_format(form: str, given: str, reason: str) -> None:
    """Each says where in the text and why."""
    expect_poison(read(form), {"a": given}, reason)


def test_what_cannot_be_read() -> None:
    """A text is needed; the format and the zone are looked at before it; one zone is enough."""
    expect_poison(read(), {"a": 5}, "'dateString' must be a string, found: int")
    expect_poison(read("$f"), {"f": "%n"}, "invalid format character '%n'")
    expect_poison(read("$f"), {"f": 5}, "'format' be a string, found: int")
    expect_poison(read(zone="$z"), {"z": "Mars"}, "unrecognized time zone")
    expect_poison(read(zone=NEW_YORK), {"a": "2017-02-08T12:10:40Z"}, "together with a timezone")
    expect_poison(read("%Y-%m-%d%z", "+01:00"), {"a": "2017-02-08Z"}, "together with a timezone")
    expect_refusal(read("%U"), "p.$dateFromString.format", "invalid format character '%U'")
    expect_refusal(read("%Y%"), "p.$dateFromString.format", "unmatched '%'")
    expect_refusal(read("%Y", "Mars", "none"), "p.$dateFromString.timezone", "unrecognized time zone")
    expect_refusal({"$dateFromString": {"format": "%Y"}}, "p.$dateFromString", "'dateString' is missing")


def test_what_stands_in_is_only_evaluated_where_it_is_needed() -> None:
    """`onError` and `onNull` may fail themselves, and may give nothing."""
    expression = read(error={"$divide": [1, "$zero"]}, null="$gone")
    assert compile_expression(expression)({"a": "2018-06-15", "zero": 0}) == at("2018-06-15")
    assert compile_expression(expression)({"zero": 0}) is MISSING
    expect_poison(expression, {"a": "nope", "zero": 0}, "by zero")


def test_conversion_reads_the_same_texts() -> None:
    """$toDate is $dateFromString without options."""
    for given in ("2017-02-08T12:10:40+05:00", "Feb 8, 2017 3:04 PM", "2017-W06-3"):
        expect_rows([({"$toDate": "$a"}, {"a": given}, compile_expression(read())({"a": given}))])
    for given in ("nope", "July 4", "12:10"):
        expect_poison({"$toDate": "$a"}, {"a": given}, "")
