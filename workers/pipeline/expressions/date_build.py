"""`$dateFromParts $dateToParts`: a date out of its parts, and its parts as a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.dates.arguments import ABSENT, date_of, faults, long, to_moment
from workers.pipeline.dates.calendar import day_number, fields, iso_day_number, iso_week, local_ms, weekday
from workers.pipeline.dates.zones import UTC_ZONE, Zone, zone
from workers.pipeline.nodes import Call, Example, Named, Operator
from workers.pipeline.values import is_nullish, type_name

_CIVIL: Final = ("year", "month", "day")
_ISO: Final = ("isoWeekYear", "isoWeek", "isoDayOfWeek")
_TIME: Final = ("hour", "minute", "second", "millisecond")
_FROM: Final = (*_CIVIL, *_ISO, *_TIME, "timezone")
_TO: Final = ("date", "timezone", "iso8601")

# The server holds hours and minutes, months and days to 16 bits; seconds and milliseconds may be any long.
_LONG_PARTS: Final = frozenset({"year", "isoWeekYear", "second", "millisecond"})
_PART_MIN, _PART_MAX = -32_768, 32_767


def _mixed(given: Mapping[str, Any]) -> str:
    """What is wrong with the choice of parts, empty when nothing is."""
    civil = [name for name in _CIVIL if name in given]
    iso = [name for name in _ISO if name in given]
    if civil and iso:
        return f"$dateFromParts does not take {civil[0]!r} together with {iso[0]!r}"
    if "year" not in given and "isoWeekYear" not in given:
        return "$dateFromParts requires either 'year' or 'isoWeekYear' to be present"
    return ""


def from_parts(*values: Any) -> Any:
    """The date of parts, each ABSENT where it was not given; null where one of them is null."""
    given = {name: value for name, value in zip(_FROM, values, strict=True) if value is not ABSENT}
    wrong = _mixed(given)
    if wrong:
        raise Poison(wrong)
    clock = _numbers(_TIME, given, 0)
    if clock is None:
        return None
    where = UTC_ZONE
    if "timezone" in given:
        if is_nullish(given["timezone"]):
            return None
        where = zone(given["timezone"])
    names = _CIVIL if "year" in given else _ISO
    parts = _numbers(names, given, 1)
    if parts is None:
        return None
    if not 1 <= parts[0] <= 9999:
        raise Poison(f"'{names[0]}' must evaluate to an integer in the range 1 to 9999, found {parts[0]}")
    number = day_number(*parts) if names is _CIVIL else iso_day_number(*parts)
    return date_of(where.moment(local_ms(number, *clock)), "$dateFromParts")


def _numbers(names: tuple[str, ...], given: Mapping[str, Any], default: int) -> list[int] | None:
    """The whole numbers of parts in their order; None as soon as one is null."""
    found: list[int] = []
    for name in names:
        if name not in given:
            found.append(default)
            continue
        if is_nullish(given[name]):
            return None
        number = long(given[name])
        if number is None:
            raise Poison(f"'{name}' must evaluate to an integer, found {type_name(given[name])}")
        if name not in _LONG_PARTS and not _PART_MIN <= number <= _PART_MAX:
            raise Poison(f"'{name}' must evaluate to a value in the range [{_PART_MIN}, {_PART_MAX}]")
        found.append(number)
    return found


def _check_from(call: Call) -> Iterator[Poison]:
    given = {name: node for name, node in zip(_FROM, call.args, strict=True) if node is not None}
    wrong = _mixed(given)
    if wrong:
        yield Poison(wrong)
    yield from faults(call, _FROM, {"timezone": zone})


def to_parts(value: Any, timezone: Any, iso: Any) -> Any:
    """A document of the date's parts by the wall clock of a zone; those of ISO weeks where `iso` is true."""
    where: Zone | None = UTC_ZONE
    if timezone is not ABSENT:
        where = None if is_nullish(timezone) else zone(timezone)
    if where is None or (iso is not ABSENT and is_nullish(iso)):
        return None
    _flag(iso)
    if is_nullish(value):
        return None
    at = fields(where.local(to_moment(value)))
    clock = {
        "hour": at.hour,
        "minute": at.minute,
        "second": at.second,
        "millisecond": at.millisecond,
    }
    if iso is not True:
        return {"year": at.year, "month": at.month, "day": at.day, **clock}
    year, week = iso_week(at.day_number)
    return {"isoWeekYear": year, "isoWeek": week, "isoDayOfWeek": weekday(at.day_number) + 1, **clock}


def _flag(iso: Any) -> None:
    if iso is not ABSENT and iso.__class__ is not bool:
        raise Poison(f"iso8601 must evaluate to a bool, found {type_name(iso)}")


def _check_to(call: Call) -> Iterator[Poison]:
    return faults(call, _TO, {"timezone": zone, "iso8601": _flag})


OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        Operator(
            name="$dateFromParts",
            signature=Named((), _FROM),
            meaning=(
                "The date of a year (or ISO year), month, day and time by a zone's wall clock; parts beyond "
                "their range carry over."
            ),
            example=Example(
                {"$dateFromParts": {"year": "$year", "month": 14, "day": 1, "hour": 12}},
                datetime(2018, 2, 1, 12, tzinfo=UTC),
                {"year": 2017},
            ),
            function=from_parts,
            absent=ABSENT,
            check=_check_from,
        ),
        Operator(
            name="$dateToParts",
            signature=Named(_TO[:1], _TO[1:]),
            meaning="The parts of a date as a document; with `iso8601` those of the ISO week.",
            example=Example(
                {"$dateToParts": {"date": "$at", "iso8601": True}},
                {
                    "isoWeekYear": 2016,
                    "isoWeek": 52,
                    "isoDayOfWeek": 7,
                    "hour": 1,
                    "minute": 29,
                    "second": 9,
                    "millisecond": 123,
                },
                {"at": datetime(2017, 1, 1, 1, 29, 9, 123000, tzinfo=UTC)},
            ),
            function=to_parts,
            absent=ABSENT,
            check=_check_to,
        ),
    )
}
