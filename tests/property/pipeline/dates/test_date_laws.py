"""Laws of dates for any zone and year: moved there and back, cut off, taken apart, written and read."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson.datetime_ms import DatetimeMS
from hypothesis import assume, given
from hypothesis import strategies as st

from workers.errors import Poison
from workers.pipeline import compile_expression
from workers.pipeline.dates import calendar, free_text
from workers.pipeline.dates.arguments import UNITS
from workers.pipeline.dates.arithmetic import add, difference, truncation
from workers.pipeline.dates.formatting import SPECIFIERS, writer
from workers.pipeline.dates.pattern import pattern, read
from workers.pipeline.dates.zones import UTC_ZONE, Zone, zone

# Zones with changes of an hour, half an hour and a whole day, at midnight, with none, and offsets.
PLACES = [
    "UTC", "America/New_York", "Europe/Paris", "Australia/Lord_Howe", "America/Havana", "America/Sao_Paulo",
    "Pacific/Apia", "Asia/Kolkata", "Africa/Casablanca", "Europe/Dublin", "Asia/Pyongyang",
]  # fmt: skip
OFFSETS = ["+05:30", "-0930", "+14", "-12:45"]

zones = st.sampled_from([zone(name) for name in PLACES + OFFSETS])
years_of_ours = st.integers(-62_135_596_800_000, 253_402_300_799_999)
near = st.integers(-2_208_988_800_000, 4_102_444_800_000)  # 1900 to 2100, where zones change
moments = st.one_of(near, years_of_ours, st.integers(-(2**60), 2**60))
days = st.integers(-(10**11), 10**11)
amounts = st.integers(-1_000, 1_000)
units = st.sampled_from(UNITS)
fixed_units = st.sampled_from(["hour", "minute", "second", "millisecond"])
wall_units = st.sampled_from(["day", "week"])
utc_or_offset = st.sampled_from([zone(name) for name in ["UTC", *OFFSETS]])


@given(days)
def test_a_day_is_its_year_month_and_day(number: int) -> None:
    """For any year, and the next day is the next number."""
    year, month, day = calendar.civil(number)
    assert calendar.day_number(year, month, day) == number
    assert 1 <= day <= calendar.days_in_month(year, month)
    assert calendar.civil(number + 1) > (year, month, day)


@given(st.dates())
def test_the_calendar_is_pythons_where_python_has_one(date: Any) -> None:
    """Weekdays, days of the year, weeks and ISO weeks."""
    number = (date - datetime(1970, 1, 1, tzinfo=UTC).date()).days
    assert calendar.civil(number) == (date.year, date.month, date.day)
    assert calendar.weekday(number) == date.weekday()
    assert (*calendar.iso_week(number), calendar.weekday(number) + 1) == tuple(date.isocalendar())
    assert calendar.iso_day_number(*date.isocalendar()) == number
    assert calendar.day_of_year(date.year, number) == date.timetuple().tm_yday
    assert calendar.week(date.year, number) == int(date.strftime("%U"))


@given(days)
def test_iso_weeks_go_on_for_any_year(number: int) -> None:
    """The day of an ISO date is that date; 400 years on, week and weekday are the same."""
    year, week = calendar.iso_week(number)
    assert calendar.iso_day_number(year, week, calendar.weekday(number) + 1) == number
    assert calendar.iso_week(number + calendar.DAYS_OF_400_YEARS) == (year + 400, week)


@given(near, st.sampled_from(PLACES))
def test_the_wall_clock_is_pythons(ms: int, place: str) -> None:
    """What a zone's clock shows, and the moments at which it does."""
    where, rules = zone(place), ZoneInfo(place)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    shown = moment.astimezone(rules).replace(tzinfo=UTC)
    local = where.local(ms)
    assert local == (shown - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert ms in where.moments(local)
    assert where.moment(local, dst=where.is_dst_at(ms)) in where.moments(local)


@given(moments, zones)
def test_a_wall_clock_time_that_exists_is_found_again(ms: int, where: Zone) -> None:
    """Whatever the year."""
    local = where.local(ms)
    assert all(where.local(found) == local for found in where.moments(local))


@given(moments, amounts, fixed_units, zones)
def test_hours_and_less_go_there_and_back(ms: int, amount: int, unit: str, where: Zone) -> None:
    """And as many of them are counted between the two."""
    moved = add(ms, unit, amount, where)
    assert add(moved, unit, -amount, where) == ms
    assert difference(ms, moved, unit, UTC_ZONE) == amount


@given(moments, amounts, wall_units, zones)
def test_days_are_counted_as_they_were_added(ms: int, amount: int, unit: str, where: Zone) -> None:
    """And the wall clock shows the same time, where that exists on that day."""
    moved = add(ms, unit, amount, where)
    wanted = where.local(ms) + amount * calendar.DAY_MS * (7 if unit == "week" else 1)
    assume(where.local(moved) == wanted)
    assert difference(ms, moved, unit, where) == amount
    assert add(moved, unit, -amount, where) in where.moments(where.local(ms))


@given(moments, amounts, st.sampled_from(["month", "quarter", "year"]), utc_or_offset)
def test_months_are_counted_as_they_were_added(ms: int, amount: int, unit: str, where: Zone) -> None:
    """A month's last day stays within the new month; days up to the 28th come back."""
    moved = add(ms, unit, amount, where)
    assert difference(ms, moved, unit, where) == amount
    before, after = calendar.fields(where.local(ms)), calendar.fields(where.local(moved))
    assert after.day == min(before.day, calendar.days_in_month(after.year, after.month))
    if before.day <= 28:
        assert add(moved, unit, -amount, where) == ms


@given(moments, units, zones)
def test_nothing_added_is_the_same_moment(ms: int, unit: str, where: Zone) -> None:
    """Also in an hour that is there twice."""
    assert add(ms, unit, 0, where) == ms


@given(moments, moments, units, zones, st.integers(0, 6))
def test_a_difference_turns_round(start: int, end: int, unit: str, where: Zone, first: int) -> None:
    """From the end to the start it is as much below zero; from a moment to itself it is none."""
    there = difference(start, end, unit, where, first)
    assert difference(end, start, unit, where, first) == -there
    assert difference(start, start, unit, where, first) == 0


@given(moments, moments, moments, st.sampled_from(["year", "quarter", "month", "week", "day"]), zones)
def test_differences_add_up(one: int, two: int, three: int, unit: str, where: Zone) -> None:
    """By way of another date it is as many units."""
    whole = difference(one, three, unit, where)
    assert difference(one, two, unit, where) + difference(two, three, unit, where) == whole


@given(moments, units, st.integers(1, 500), zones, st.integers(0, 6))
def test_cutting_off_goes_back_and_only_once(ms: int, unit: str, size: int, where: Zone, first: int) -> None:
    """To a moment not after the date, which is the start of its own bin."""
    cut = truncation(unit, size, where, first)
    start = cut(ms)
    assert start <= ms
    assert cut(start) == start


@given(moments, moments, units, st.integers(1, 50), zones)
def test_bins_are_in_order(one: int, two: int, unit: str, size: int, where: Zone) -> None:
    """A later date is never in an earlier bin."""
    cut = truncation(unit, size, where)
    early, late = sorted((one, two))
    assert cut(early) <= cut(late)


@given(moments, units, utc_or_offset, st.integers(0, 6))
def test_a_unit_and_its_start_agree_with_counting(ms: int, unit: str, where: Zone, first: int) -> None:
    """No unit begins between the start of a unit and a moment in it; one did just before."""
    start = truncation(unit, 1, where, first)(ms)
    assert difference(start, ms, unit, where, first) == 0
    assert difference(start - 1, ms, unit, where, first) == 1


@given(years_of_ours, st.sampled_from([*PLACES, *OFFSETS]))
def test_parts_make_their_date_again(ms: int, place: str) -> None:
    """By the calendar and by ISO weeks, but for an hour that is there twice."""
    date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    document: dict[str, Any] = {"a": date, "z": place}
    for iso in (False, True):
        apart = {"$dateToParts": {"date": "$a", "timezone": "$z", "iso8601": iso}}
        parts = compile_expression(apart)(document)
        assume(1 <= parts.get("year", parts.get("isoWeekYear")) <= 9999)
        found = compile_expression({"$dateFromParts": {**parts, "timezone": "$z"}})(document)
        moments_shown = zone(place).moments(zone(place).local(ms))
        found_ms = (
            int(found) if isinstance(found, DatetimeMS) else (found - date) // timedelta(milliseconds=1) + ms
        )
        assert found_ms in moments_shown


@given(
    years_of_ours,
    st.sampled_from(
        ["%Y-%m-%d %H:%M:%S.%L%z", "%G-%V-%u %H:%M:%S.%L %Z", "%B %d %Y, %H:%M:%S %L %z", "%Y %j %H%M%S%L%z"]
    ),
    utc_or_offset,
)
def test_what_a_format_writes_it_reads(ms: int, form: str, where: Zone) -> None:
    """To the millisecond."""
    text = _text(form, ms, where)
    if text is not None:
        if form.endswith("%Z"):
            head, minutes = text.rsplit(" ", 1)
            text = f"{head} {int(minutes):+d}"  # written without a +, read with one
        assert read(text, pattern(form), UTC_ZONE) == ms


def _text(form: str, ms: int, where: Zone) -> str | None:
    try:
        return writer(form, where)(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
    except Poison:
        return None  # the zone moves it out of the years 0 to 9999


@given(years_of_ours, zones)
def test_the_usual_text_of_a_date_is_read_again(ms: int, where: Zone) -> None:
    """Without a format, in UTC; by a zone's wall clock it is one of the moments shown so."""
    text = _text("%Y-%m-%dT%H:%M:%S.%L", ms, where)
    if text is not None:
        assert free_text.read(text, where) in where.moments(where.local(ms))
        assert free_text.read(f"{text}Z", UTC_ZONE) == where.local(ms)


@given(st.text(alphabet="0123456789-/:.,TZWzapm+ ()@jJanFebOctsundayIVX%", max_size=40))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    """Whatever stands in it: a moment, or Poison."""
    try:
        found = free_text.read(text, UTC_ZONE)
    except Poison:
        return
    assert isinstance(found, int)


@given(st.text(alphabet="%YmdHMSLjbBuUVwGzZ-T {}", max_size=12), near, zones)
def test_a_format_is_wrong_as_a_whole_or_writes_any_date(form: str, ms: int, where: Zone) -> None:
    """What stands between the parts is written as it stands."""
    specifiers = re.findall("%(.?)", form, re.DOTALL)
    if any(letter == "" or letter not in SPECIFIERS for letter in specifiers):
        with pytest.raises(Poison, match="format"):
            writer(form, where)
        return
    text = writer(form, where)(DatetimeMS(ms))
    between = [re.escape(part) for part in re.split("%.", form)]
    assert re.fullmatch(".*".join(between), text, re.DOTALL)
