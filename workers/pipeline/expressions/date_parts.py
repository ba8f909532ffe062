"""`$year $month $week ...`: one part of a date each, by the wall clock of a zone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from operator import attrgetter
from typing import Any, Final

from bson import Int64

from workers.errors import Poison
from workers.pipeline.dates import calendar
from workers.pipeline.dates.arguments import ABSENT, constants, faults, to_moment
from workers.pipeline.dates.calendar import Fields
from workers.pipeline.dates.zones import UTC_ZONE, Zone, zone
from workers.pipeline.nodes import Call, Custom, Emitting, Example, Node, Operator, Parsing, Scope
from workers.pipeline.values import is_nullish

_NAMES: Final = ("date", "timezone")


def _parse(name: str, syntax: str) -> Callable[[Parsing, Any, str, Scope], Node]:
    """The date alone, alone in an array, or beside a zone in a document of both."""

    def parse(parsing: Parsing, spec: Any, path: str, scope: Scope) -> Node:
        zone_node: Node | None = None
        if isinstance(spec, list):
            if len(spec) != 1:
                return parsing.wrong(
                    path, f"{len(spec)} arguments", f"exactly 1 argument in an array: {syntax}"
                )
            date_node = parsing.expression(spec[0], f"{path}[0]", scope)
        elif isinstance(spec, dict) and not next(iter(spec), "").startswith("$"):
            unknown = [field for field in spec if field not in _NAMES]
            if unknown:
                return parsing.wrong(f"{path}.{unknown[0]}", f"{name} has no field {unknown[0]!r}", syntax)
            if "date" not in spec:
                return parsing.wrong(path, "the field 'date' is missing", syntax)
            date_node = parsing.expression(spec["date"], f"{path}.date", scope)
            if "timezone" in spec:
                zone_node = parsing.expression(spec["timezone"], f"{path}.timezone", scope)
        else:
            date_node = parsing.expression(spec, path, scope)
        return Call(OPERATORS[name], (date_node, zone_node), path)

    return parse


def _check(call: Call) -> Iterator[Poison]:
    return faults(call, _NAMES, {"timezone": zone})


def _in_zone(
    of_fields: Callable[[Fields], Any], of_datetime: Callable[[datetime], Any], where: Zone
) -> Callable[[Any], Any]:
    """The function of a date in a zone known at start."""
    rules = UTC if where.is_utc else where.rules

    def part(value: Any) -> Any:
        if value is None or is_nullish(value):
            return None
        if rules is not None and value.__class__ is datetime and value.tzinfo is UTC:
            try:
                return of_datetime(value if rules is UTC else value.astimezone(rules))
            except OverflowError:
                pass  # the zone moves it out of datetime's years
        return of_fields(calendar.fields(where.local(to_moment(value))))

    return part


def _part(
    name: str,
    meaning: str,
    result: Any,
    of_fields: Callable[[Fields], Any],
    of_datetime: Callable[[datetime], Any],
) -> Operator:
    in_utc = _in_zone(of_fields, of_datetime, UTC_ZONE)
    in_utc.__name__ = name[1:]

    def part(value: Any, timezone: Any) -> Any:
        if timezone is ABSENT or is_nullish(value):
            return in_utc(value)
        ms = to_moment(value)
        return None if is_nullish(timezone) else of_fields(calendar.fields(zone(timezone).local(ms)))

    def emit(em: Emitting, call: Call) -> str:
        known = constants(call, 1)
        when = em.value(call.given[0])
        if known is None:
            return em.call(part, when, em.value(call.given[1]))
        if known[0] is ABSENT:
            return em.call(in_utc, when)
        if is_nullish(known[0]):
            return "None"
        return em.call(_in_zone(of_fields, of_datetime, zone(known[0])), when)

    syntax = f"{{{name}: <expression>}} or {{{name}: {{date: <expression>, timezone?: <expression>}}}}"
    return Operator(
        name=name,
        signature=Custom(_parse(name, syntax), syntax),
        meaning=meaning,
        example=Example({name: "$at"}, result, {"at": datetime(2014, 1, 1, 8, 15, 39, 736000, tzinfo=UTC)}),
        function=part,
        emit=emit,
        absent=ABSENT,
        check=_check,
    )


def _day_of_year(at: datetime) -> int:
    return at.toordinal() - date(at.year, 1, 1).toordinal() + 1


def _week(at: datetime) -> int:
    return (_day_of_year(at) + 6 - at.isoweekday() % 7) // 7


OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        _part("$year", "The year.", 2014, attrgetter("year"), attrgetter("year")),
        _part("$month", "The month, 1 to 12.", 1, attrgetter("month"), attrgetter("month")),
        _part("$dayOfMonth", "The day of the month, 1 to 31.", 1, attrgetter("day"), attrgetter("day")),
        _part("$hour", "The hour, 0 to 23.", 8, attrgetter("hour"), attrgetter("hour")),
        _part("$minute", "The minute, 0 to 59.", 15, attrgetter("minute"), attrgetter("minute")),
        _part("$second", "The second, 0 to 59.", 39, attrgetter("second"), attrgetter("second")),
        _part(
            "$millisecond",
            "The millisecond, 0 to 999.",
            736,
            attrgetter("millisecond"),
            lambda at: at.microsecond // 1000,
        ),
        _part(
            "$dayOfYear",
            "The day of the year, 1 to 366.",
            1,
            lambda at: calendar.day_of_year(at.year, at.day_number),
            _day_of_year,
        ),
        _part(
            "$dayOfWeek",
            "The day of the week, 1 for Sunday to 7 for Saturday.",
            4,
            lambda at: (calendar.weekday(at.day_number) + 1) % 7 + 1,
            lambda at: at.isoweekday() % 7 + 1,
        ),
        _part(
            "$week",
            "The week of the year, 0 before its first Sunday, up to 53.",
            0,
            lambda at: calendar.week(at.year, at.day_number),
            _week,
        ),
        _part(
            "$isoDayOfWeek",
            "The day of the week, 1 for Monday to 7 for Sunday.",
            3,
            lambda at: calendar.weekday(at.day_number) + 1,
            lambda at: at.isoweekday(),
        ),
        _part(
            "$isoWeek",
            "The ISO week, 1 to 53: weeks begin on Monday, the first has the year's first Thursday.",
            1,
            lambda at: calendar.iso_week(at.day_number)[1],
            lambda at: at.isocalendar()[1],
        ),
        _part(
            "$isoWeekYear",
            "The year that the ISO week belongs to, a long.",
            Int64(2014),
            lambda at: Int64(calendar.iso_week(at.day_number)[0]),
            lambda at: Int64(at.isocalendar()[0]),
        ),
    )
}
