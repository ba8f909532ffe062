"""Adding to dates, counting between them, cutting them off."""

from __future__ import annotations

from typing import Any

from bson import Decimal128, Int64, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS

from tests.unit.pipeline.dates.cases import Row, at, expect_poison, expect_refusal, expect_rows
from workers.pipeline import compile_expression
from workers.pipeline.dates.arguments import UNITS

NEW_YORK = "America/New_York"
FIRST = DatetimeMS(-(2**63))
LAST = DatetimeMS(2**63 - 1)


def add(amount: Any, unit: str, zone: Any = None, operator: str = "$dateAdd") -> Any:
    """The operator on the field `a`."""
    zones = {} if zone is None else {"timezone": zone}
    return {operator: {"startDate": "$a", "unit": unit, "amount": amount, **zones}}


ADDED: list[Row] = [
    (add(1, "millisecond"), {"a": at("2020-12-31T23:59:59.999")}, at("2021-01-01")),
    (add(-1, "second"), {"a": at("2021-01-01")}, at("2020-12-31T23:59:59")),
    (add(90, "minute"), {"a": at("2021-01-01")}, at("2021-01-01T01:30")),
    (add(25, "hour"), {"a": at("2021-01-01")}, at("2021-01-02T01:00")),
    (add(2, "week"), {"a": at("2021-01-01")}, at("2021-01-15")),
    # The last days of a month stay in the new month.
    (add(1, "month"), {"a": at("2021-01-31T05:00")}, at("2021-02-28T05:00")),
    (add(1, "month"), {"a": at("2020-01-31")}, at("2020-02-29")),
    (add(-11, "month"), {"a": at("2021-01-31")}, at("2020-02-29")),
    (add(13, "month"), {"a": at("2020-12-31")}, at("2022-01-31")),
    (add(-2, "quarter"), {"a": at("2020-08-31")}, at("2020-02-29")),
    (add(4, "year"), {"a": at("2020-02-29")}, at("2024-02-29")),
    (add(-1, "year"), {"a": at("2020-02-29")}, at("2019-02-28")),
    (add(0, "year"), {"a": at("2020-02-29")}, at("2020-02-29")),
    # Days are those of the wall clock, hours are hours: the night the clock goes forward, and back.
    (add(1, "day", NEW_YORK), {"a": at("2021-03-13T15:00")}, at("2021-03-14T14:00")),
    (add(24, "hour", NEW_YORK), {"a": at("2021-03-13T15:00")}, at("2021-03-14T15:00")),
    (add(1, "day", "$z"), {"a": at("2020-11-01T04:00"), "z": NEW_YORK}, at("2020-11-02T05:00")),
    (add(1, "week", "$z"), {"a": at("2020-10-30T04:00"), "z": NEW_YORK}, at("2020-11-06T05:00")),
    (add(1, "month", "$z"), {"a": at("2020-10-15T04:00"), "z": NEW_YORK}, at("2020-11-15T05:00")),
    # Into the gap: as much later. Into the hour there twice: summer time stays summer time.
    (add(1, "day", NEW_YORK), {"a": at("2020-03-07T07:30")}, at("2020-03-08T07:30")),
    (add(1, "day", NEW_YORK), {"a": at("2020-10-31T05:30")}, at("2020-11-01T05:30")),
    (add(-1, "day", NEW_YORK), {"a": at("2020-11-02T06:30")}, at("2020-11-01T06:30")),
    (add(0, "day", NEW_YORK), {"a": at("2020-11-01T05:30")}, at("2020-11-01T05:30")),
    # The month's end is that of the wall clock.
    (add(1, "month", "$z"), {"a": at("2020-12-31T23:30"), "z": "+01:00"}, at("2021-01-31T23:30")),
    (add(1, "month", "$z"), {"a": at("2021-02-01T02:00"), "z": "-03:00"}, at("2021-03-01T02:00")),
    # Amounts of any kind of number.
    (add("$n", "day"), {"a": at("2021-01-01"), "n": 2.0}, at("2021-01-03")),
    (add("$n", "day"), {"a": at("2021-01-01"), "n": Int64(2)}, at("2021-01-03")),
    (add("$n", "day"), {"a": at("2021-01-01"), "n": Decimal128("2.0")}, at("2021-01-03")),
    # What counts as a date.
    (add(1, "day"), {"a": Timestamp(1609459200, 9)}, at("2021-01-02")),
    (add(1, "day"), {"a": ObjectId("5fee66000000000000000000")}, at("2021-01-02")),
    # Beyond datetime's years.
    (add(1, "day"), {"a": at("9999-12-31")}, DatetimeMS(253402300800000)),
    (add(-1, "day"), {"a": at("0001-01-01")}, DatetimeMS(-62135683200000)),
    (add(-9998, "year", "Europe/Paris"), {"a": DatetimeMS(316516204800000)}, at("2002-01-01")),
    (add(1, "millisecond"), {"a": DatetimeMS(2**63 - 2)}, LAST),
    # Null anywhere gives null.
    (add(1, "day"), {}, None),
    (add("$n", "day"), {"a": at("2021-01-01"), "n": None}, None),
    (add(1, "$u"), {"a": at("2021-01-01")}, None),
    (add(1, "day", "$z"), {"a": at("2021-01-01")}, None),
    (add(1, "day", operator="$dateSubtract"), {"a": at("2021-03-01")}, at("2021-02-28")),
    (add(1, "month", operator="$dateSubtract"), {"a": at("2021-03-31")}, at("2021-02-28")),
    (add(-1, "month", operator="$dateSubtract"), {"a": at("2021-01-31")}, at("2021-02-28")),
    (
        add(1, "day", "$z", operator="$dateSubtract"),
        {"a": at("2021-03-14T14:00"), "z": NEW_YORK},
        at("2021-03-13T15:00"),
    ),
]


def test_dates_move_by_units() -> None:
    """By the calendar of the wall clock, by hours and less as they pass."""
    expect_rows(ADDED)


def test_what_cannot_be_added() -> None:
    """The date, the unit and the amount have their types, and time has its ends."""
    a = {"a": at("2021-01-01")}
    expect_poison(add(1, "day"), {"a": "2021"}, "$dateAdd requires 'startDate' to be a date, but got string")
    expect_poison(
        add("$n", "day"), {**a, "n": "1"}, "$dateAdd expects an integer amount of time units, but got string"
    )
    expect_poison(add("$n", "day"), {**a, "n": 1.5}, "expects an integer amount")
    expect_poison(add("$n", "day"), {**a, "n": float("nan")}, "expects an integer amount")
    expect_poison(add("$n", "day"), {**a, "n": 2.0**63}, "expects an integer amount")
    expect_poison(add(1, "$u"), {**a, "u": "days"}, "'days' is no unit of time")
    expect_poison(add(1, "$u"), {**a, "u": 5}, "requires 'unit' to be a string, but got int")
    expect_poison(add(1, "day", "$z"), {**a, "z": "Mars"}, "unrecognized time zone")
    expect_poison(add(1, "millisecond"), {"a": LAST}, "out of range")
    expect_poison(add(-1, "month"), {"a": FIRST}, "out of range")
    expect_poison(add("$n", "year"), {**a, "n": 2**62}, "out of range")
    expect_poison(
        add("$n", "day", operator="$dateSubtract"), {**a, "n": -(2**63)}, "invalid $dateSubtract 'amount'"
    )
    expect_refusal(add(1, "Day"), "p.$dateAdd.unit", "'Day' is no unit of time")
    expect_refusal(add(1, "day", "Mars"), "p.$dateAdd.timezone", "unrecognized time zone")
    expect_refusal({"$dateAdd": {"startDate": "$a", "unit": "day"}}, "p.$dateAdd", "'amount' is missing")


def diff(
    start: str, end: str, unit: str, zone: str | None = None, first: str | None = None
) -> tuple[Any, dict[str, Any]]:
    """The operator on the fields `a` and `b`, and their document."""
    options = {"timezone": zone, "startOfWeek": first}
    given = {name: value for name, value in options.items() if value is not None}
    spec = {"startDate": "$a", "endDate": "$b", "unit": unit, **given}
    return {"$dateDiff": spec}, {"a": at(start), "b": at(end)}


COUNTED: list[tuple[tuple[Any, dict[str, Any]], int]] = [
    (diff("2020-12-31T23:59:59", "2021-01-01", "year"), 1),
    (diff("2020-01-01", "2020-12-31", "year"), 0),
    (diff("2010-01-01", "2011-07-01", "month"), 18),
    (diff("2010-03-31", "2010-04-01", "quarter"), 1),
    (diff("2010-04-01", "2010-06-30", "quarter"), 0),
    (diff("2010-12-31", "2009-01-01", "quarter"), -7),
    (diff("2010-01-01", "2011-07-01", "day"), 546),
    (diff("2010-01-01T23:59:59", "2010-01-02", "day"), 1),
    (diff("2010-01-02", "2010-01-01T23:59:59", "day"), -1),
    (diff("2021-01-01T00:59:59.999", "2021-01-01T01:00", "hour"), 1),
    (diff("2021-01-01T00:00", "2021-01-01T00:59:59.999", "hour"), 0),
    (diff("2021-01-01T00:00:30", "2021-01-01T00:01:10", "minute"), 1),
    (diff("2021-01-01T00:00:00.999", "2021-01-01T00:00:01", "second"), 1),
    (diff("2021-01-01", "2021-01-01T00:00:01", "millisecond"), 1000),
    # Weeks begin on Sunday, or on the day that is named.
    (diff("2021-01-01", "2021-01-31", "week"), 5),
    (diff("2021-01-01", "2021-01-31", "week", first="Monday"), 4),
    (diff("2021-01-01", "2021-01-31", "week", first="fri"), 4),
    (diff("2021-02-01", "2021-02-28", "week", first="MON"), 3),
    (diff("2021-01-31", "2021-01-01", "week"), -5),
    # The zone says when a day begins; an hour that was skipped has not passed.
    (diff("2021-01-01T04:00", "2021-01-01T06:00", "day", NEW_YORK), 1),
    (diff("2021-01-01T04:00", "2021-01-01T06:00", "year", NEW_YORK), 1),
    (diff("2021-03-14T05:00", "2021-03-15T04:00", "hour", NEW_YORK), 23),
    (diff("2021-03-14T05:00", "2021-03-15T04:00", "day", NEW_YORK), 1),
    (diff("2021-11-07T04:00", "2021-11-08T05:00", "hour", NEW_YORK), 25),
    (diff("2021-11-07T05:30", "2021-11-07T06:30", "minute", NEW_YORK), 60),
    (diff("2021-03-14T06:59:59", "2021-03-14T07:00", "second", NEW_YORK), 1),
    (diff("2021-01-01T00:15", "2021-01-01T00:31", "hour", "+05:30"), 1),
    # The first day of the week matters to weeks alone.
    (diff("2021-01-01", "2021-01-08", "day", first="someday"), 7),
]


def test_units_begin_between_two_dates() -> None:
    """A count of beginnings, no length; below zero where the end is first."""
    expect_rows([(expression, document, Int64(count)) for (expression, document), count in COUNTED])


def test_a_difference_with_null() -> None:
    """Null in any argument, the first day of the week only where weeks are counted."""
    expression, document = diff("2021-01-01", "2021-01-08", "day", "$z", "$w")
    week = {"$dateDiff": {**expression["$dateDiff"], "unit": "week"}}
    utc = {"z": "UTC"}
    expect_rows(
        [
            (expression, {**document, **utc}, Int64(7)),
            (week, {**document, **utc}, None),
            (week, {**document, **utc, "w": "sun"}, Int64(1)),
            (expression, document, None),
            (expression, {**utc, "a": document["a"]}, None),
            (expression, {**utc, "b": document["b"]}, None),
        ]
    )


def test_what_has_no_difference() -> None:
    """Dates, unit, zone and first day have their types; milliseconds have 64 bits."""
    ask, known = diff("2021-01-01", "2021-01-08", "week", first="$w")
    expect_poison(ask, {**known, "w": 1}, "$dateDiff requires 'startOfWeek' to be a string, but got int")
    expect_poison(ask, {**known, "w": "someday"}, "to be a day of the week")
    expect_poison(ask, {**known, "w": "sun", "a": 1}, "requires 'startDate' to be a date, but got int")
    expect_poison(ask, {**known, "w": "sun", "b": "x"}, "requires 'endDate' to be a date, but got string")
    milliseconds, _ = diff("2021-01-01", "2021-01-08", "millisecond")
    expect_poison(milliseconds, {"a": FIRST, "b": LAST}, "overflows")
    years, _ = diff("2021-01-01", "2021-01-08", "year")
    expect_rows([(years, {"a": FIRST, "b": LAST}, Int64(584554049))])
    expect_refusal(diff("2021-01-01", "2021-01-08", "weeks")[0], "p.$dateDiff.unit", "no unit of time")
    expect_refusal(
        diff("2021-01-01", "2021-01-08", "week", first="someday")[0],
        "p.$dateDiff.startOfWeek",
        "day of the week",
    )
    expect_refusal(
        diff("2021-01-01", "2021-01-08", "week", "Mars")[0], "p.$dateDiff.timezone", "unrecognized"
    )


def trunc(unit: str, size: Any = None, zone: Any = None, first: Any = None) -> Any:
    """The operator on the field `a`."""
    options = {"binSize": size, "timezone": zone, "startOfWeek": first}
    given = {name: value for name, value in options.items() if value is not None}
    return {"$dateTrunc": {"date": "$a", "unit": unit, **given}}


MARCH = {"a": at("2021-03-20T11:30:05.123")}
CUT: list[Row] = [
    (trunc("millisecond"), MARCH, at("2021-03-20T11:30:05.123")),
    (trunc("second"), MARCH, at("2021-03-20T11:30:05")),
    (trunc("minute"), MARCH, at("2021-03-20T11:30")),
    (trunc("hour"), MARCH, at("2021-03-20T11:00")),
    (trunc("day"), MARCH, at("2021-03-20")),
    (trunc("week"), MARCH, at("2021-03-14")),
    (trunc("month"), MARCH, at("2021-03-01")),
    (trunc("quarter"), {"a": at("2021-06-30T23:59")}, at("2021-04-01")),
    (trunc("year"), MARCH, at("2021-01-01")),
    # Bins are counted from 2000-01-01, backwards too.
    (trunc("millisecond", 100), MARCH, at("2021-03-20T11:30:05.100")),
    (trunc("minute", 15), MARCH, at("2021-03-20T11:30")),
    (trunc("hour", 2), MARCH, at("2021-03-20T10:00")),
    (trunc("hour", 7), {"a": at("1999-12-31T23:00")}, at("1999-12-31T17:00")),
    (trunc("day", 3), {"a": at("2000-01-03T23:00")}, at("2000-01-01")),
    (trunc("day", 3), {"a": at("1999-12-31")}, at("1999-12-29")),
    (trunc("month", 5), {"a": at("2000-07-15")}, at("2000-06-01")),
    (trunc("month", 5), {"a": at("1999-12-15")}, at("1999-08-01")),
    (trunc("quarter", 2), MARCH, at("2021-01-01")),
    (trunc("year", 10), {"a": at("1999-12-31")}, at("1990-01-01")),
    (trunc("year", "$n"), {**MARCH, "n": Int64(10)}, at("2020-01-01")),
    (trunc("year", "$n"), {**MARCH, "n": 10.0}, at("2020-01-01")),
    # Weeks are counted from the first such day of 2000 on.
    (
        trunc("week", 2, "America/Los_Angeles", "Monday"),
        {"a": at("2021-03-20T11:30:05")},
        at("2021-03-15T07:00"),
    ),
    (
        trunc("week", 2, "America/Los_Angeles", "Monday"),
        {"a": at("2020-05-18T14:10:30")},
        at("2020-05-11T07:00"),
    ),
    (
        trunc("week", 2, "America/Los_Angeles", "Monday"),
        {"a": at("2019-01-08T06:12:03")},
        at("2019-01-07T08:00"),
    ),
    (trunc("week", 1, "UTC", "$w"), {**MARCH, "w": "sat"}, at("2021-03-20")),
    (trunc("week", 3, first="sat"), {"a": at("2000-01-21")}, at("2000-01-01")),
    (trunc("week", 3, first="sun"), {"a": at("2000-01-01")}, at("1999-12-12")),
    # By the wall clock of a zone.
    (trunc("day", zone=NEW_YORK), {"a": at("2021-03-20T03:00")}, at("2021-03-19T04:00")),
    (trunc("day", zone=NEW_YORK), {"a": at("2021-03-14T12:00")}, at("2021-03-14T05:00")),
    (trunc("month", zone="$z"), {"a": at("2021-03-20T03:00"), "z": NEW_YORK}, at("2021-03-01T05:00")),
    (trunc("hour", zone="Asia/Kolkata"), MARCH, at("2021-03-20T11:30")),
    (trunc("hour", zone="+05:45"), MARCH, at("2021-03-20T11:15")),
    # A day whose first hour was skipped begins with the next; one that has it twice with the first.
    (trunc("day", zone="America/Sao_Paulo"), {"a": at("2018-11-04T12:00")}, at("2018-11-04T03:00")),
    (trunc("day", zone="America/Havana"), {"a": at("2020-11-01T05:30")}, at("2020-11-01T04:00")),
    (trunc("day", zone="America/Havana"), {"a": at("2020-11-01T04:30")}, at("2020-11-01T04:00")),
    (trunc("year"), {"a": DatetimeMS(316531929600000)}, DatetimeMS(316516204800000)),
    (trunc("year", 100), {"a": at("0099-05-05")}, DatetimeMS(-62167219200000)),
    (trunc("day"), {"a": ObjectId("6055dcbd0000000000000000")}, at("2021-03-20")),
    (trunc("day"), {"a": Timestamp(1616239805, 1)}, at("2021-03-20")),
    (trunc("day"), {}, None),
    (trunc("$u"), MARCH, None),
    (trunc("day", "$n"), MARCH, None),
    (trunc("day", zone="$z"), MARCH, None),
    (trunc("week", first="$w"), MARCH, None),
    (trunc("day", first="$w"), MARCH, at("2021-03-20")),
]


def test_dates_are_cut_off() -> None:
    """To the first moment of the unit, or of the bin of several, by the wall clock of the zone."""
    expect_rows(CUT)


def test_what_cannot_be_cut_off() -> None:
    """The arguments have their types; bins are whole, above zero and not longer than time."""
    expect_poison(trunc("day"), {"a": "x"}, "$dateTrunc requires 'date' to be a date, but got string")
    expect_poison(trunc("$u"), {**MARCH, "u": "days"}, "no unit of time")
    expect_poison(trunc("day", "$n"), {**MARCH, "n": 0}, "to be greater than 0")
    expect_poison(trunc("day", "$n"), {**MARCH, "n": 1.5}, "to be a 64-bit integer, but got double")
    expect_poison(trunc("hour", "$n"), {**MARCH, "n": 2**62}, "'binSize' is too large")
    expect_poison(trunc("year", "$n"), {**MARCH, "n": 2**62}, "'binSize' is too large")
    expect_poison(trunc("week", first="$w"), {**MARCH, "w": "x"}, "to be a day of the week")
    expect_poison(trunc("year"), {"a": FIRST}, "out of range")
    expect_refusal(trunc("seconds"), "p.$dateTrunc.unit", "no unit of time")
    expect_refusal(trunc("day", "2"), "p.$dateTrunc.binSize", "to be a 64-bit integer, but got string")
    expect_refusal(trunc("day", -1), "p.$dateTrunc.binSize", "greater than 0")
    expect_refusal(trunc("hour", 2**62), "p.$dateTrunc", "'binSize' is too large")
    expect_refusal(trunc("week", first="x"), "p.$dateTrunc.startOfWeek", "to be a day of the week")
    expect_refusal(trunc("day", zone=5), "p.$dateTrunc.timezone", "timezone must evaluate to a string")


def test_every_wrong_constant_is_told_at_once() -> None:
    """Each at its own place, beside a date that needs data."""
    expression = trunc("days", 0, "Mars")
    for name in ("unit", "binSize", "timezone"):
        expect_refusal(expression, f"p.$dateTrunc.{name}", "")


def test_constants_and_data_agree() -> None:
    """A unit known at start gives what a unit out of the document gives."""
    for unit in UNITS:
        for make in (trunc, lambda unit: add(3, unit)):
            known, asked = make(unit), make("$u")
            expect_rows([(asked, {**MARCH, "u": unit}, _value(known))])


def _value(expression: Any) -> Any:
    return compile_expression(expression)(MARCH)
