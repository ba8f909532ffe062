"""Operators of dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import Int64

from tests.property.language.reference.calendar import (
    FIXED_MS,
    difference,
    first_day,
    instant,
    local,
    ms_of,
    plus,
    truncate,
    unit_of,
    zone_of,
)
from tests.property.language.reference.interpreter import (
    ABSENT,
    Environment,
    Operator,
    Scope,
    check,
    checked_names,
    named,
    register,
    run,
)
from tests.property.language.reference.tower import integral, need_integral, need_integral_long, whole
from tests.property.language.reference.values import (
    DataError,
    Failure,
    Refusal,
    Unsure,
    date_of,
    is_number,
    nullish,
)


def settled(values: dict[str, Any], readers: dict[str, Callable[[Any], Any]]) -> dict[str, Any] | None:
    """Every argument read by its reader; None when one is null. Null beside an error is unsettled."""
    found: dict[str, Any] = {}
    failure: Failure | None = None
    is_null = False
    for name, value in values.items():
        if value is ABSENT:
            continue
        if nullish(value):
            is_null = True
            continue
        try:
            found[name] = readers[name](value)
        except Failure as error:
            failure = error
    if failure and is_null:
        raise Unsure("null beside an error")
    if failure:
        raise failure
    return None if is_null else found


def _has_form(argument: Any) -> bool:
    return isinstance(argument, dict) and bool(argument) and not next(iter(argument)).startswith("$")


def _part(extract: Callable[[datetime, int], Any]) -> Operator:
    def checked(argument: Any, scope: Scope) -> None:
        if isinstance(argument, dict) and not argument:
            raise Refusal("no date")
        if _has_form(argument):
            for value in checked_names(argument, ("date",), ("timezone",)).values():
                check(value, scope)
            return
        if isinstance(argument, list):
            if len(argument) != 1:
                raise Refusal("one date")
            if _has_form(argument[0]):
                raise Unsure("a form within an array")
        check(argument, scope)

    def ran(argument: Any, env: Environment) -> Any:
        zone: Any = ABSENT
        if _has_form(argument):
            date = run(argument["date"], env)
            zone = run(argument["timezone"], env) if "timezone" in argument else ABSENT
        else:
            date = run(argument[0] if isinstance(argument, list) else argument, env)
        found = settled({"date": date, "timezone": zone}, {"date": ms_of, "timezone": zone_of})
        if found is None:
            return None
        return extract(local(found["date"], found.get("timezone", UTC)), found["date"])

    return Operator(checked, ran)


def week_of(time: datetime) -> int:
    """Weeks begin on Sundays; days before the first are week 0."""
    return (time.timetuple().tm_yday + 6 - (time.weekday() + 1) % 7) // 7


for _name, _extract in {
    "$year": lambda time, ms: time.year,
    "$month": lambda time, ms: time.month,
    "$dayOfMonth": lambda time, ms: time.day,
    "$dayOfYear": lambda time, ms: time.timetuple().tm_yday,
    "$dayOfWeek": lambda time, ms: (time.weekday() + 1) % 7 + 1,
    "$isoDayOfWeek": lambda time, ms: time.isoweekday(),
    "$week": lambda time, ms: week_of(time),
    "$isoWeek": lambda time, ms: time.isocalendar()[1],
    "$isoWeekYear": lambda time, ms: Int64(time.isocalendar()[0]),
    "$hour": lambda time, ms: time.hour,
    "$minute": lambda time, ms: time.minute,
    "$second": lambda time, ms: time.second,
    "$millisecond": lambda time, ms: ms % 1000,
}.items():
    register(_name, _part(_extract))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise DataError("iso8601 is a boolean")
    return value


def _to_parts(date: Any, zone: Any, iso: Any) -> Any:
    found = settled(
        {"date": date, "timezone": zone, "iso8601": iso},
        {"date": ms_of, "timezone": zone_of, "iso8601": _flag},
    )
    if found is None:
        return None
    time = local(found["date"], found.get("timezone", UTC))
    day = {"year": time.year, "month": time.month, "day": time.day}
    if found.get("iso8601"):
        day = dict(zip(("isoWeekYear", "isoWeek", "isoDayOfWeek"), time.isocalendar(), strict=True))
    clock = {"hour": time.hour, "minute": time.minute, "second": time.second}
    return {**day, **clock, "millisecond": found["date"] % 1000}


_CLOCK = ("hour", "minute", "second", "millisecond")


def _year(value: Any) -> int:
    found = need_integral(value, "the year")
    if not 1 <= found <= 9999:
        raise DataError("the year must be from 1 to 9999")
    return found


def _carried(value: Any) -> int:
    found = need_integral(value, "a part of a date")
    if not -32768 <= found <= 32767:
        raise DataError("a part of a date must fit 16 bits")
    return found


def _fine(value: Any) -> int:
    found = need_integral_long(value, "a part of a date")
    if not -32768 <= found <= 32767:
        raise Unsure("how far seconds carry")
    return found


def _check_from_parts(argument: Any, scope: Scope) -> None:
    if isinstance(argument, dict) and "isoWeekYear" in argument:
        checked_names(argument, ("isoWeekYear",), ("isoWeek", "isoDayOfWeek", *_CLOCK, "timezone"))
    else:
        checked_names(argument, ("year",), ("month", "day", *_CLOCK, "timezone"))
    for value in argument.values():
        check(value, scope)


def _from_parts(argument: Any, env: Environment) -> Any:
    values = {name: run(value, env) for name, value in argument.items()}
    readers: dict[str, Any] = dict.fromkeys(
        ("month", "day", "isoWeek", "isoDayOfWeek", "hour", "minute"), _carried
    )
    readers.update(year=_year, isoWeekYear=_year, second=_fine, millisecond=_fine, timezone=zone_of)
    found = settled(values, readers)
    if found is None:
        return None
    try:
        if "isoWeekYear" in found:
            first = datetime.fromisocalendar(found["isoWeekYear"], 1, 1)
            days = 7 * (found.get("isoWeek", 1) - 1) + found.get("isoDayOfWeek", 1) - 1
        else:
            years, month = divmod(found.get("month", 1) - 1, 12)
            first = datetime(found["year"] + years, month + 1, 1)  # noqa: DTZ001 - local time
            days = found.get("day", 1) - 1
        clock = {f"{name}s": found.get(name, 0) for name in _CLOCK}
        time = first + timedelta(days=days, **clock)
    except (OverflowError, ValueError):
        raise Unsure("parts that leave the calendar") from None
    return date_of(instant(time, found.get("timezone", UTC)))


def _amount(value: Any) -> int:
    return need_integral_long(value, "the amount")


def _moved(sign: int) -> Callable[..., Any]:
    readers = {"startDate": ms_of, "unit": unit_of, "amount": _amount, "timezone": zone_of}

    def function(start: Any, unit: Any, amount: Any, zone: Any) -> Any:
        found = settled({"startDate": start, "unit": unit, "amount": amount, "timezone": zone}, readers)
        if found is None:
            return None
        if abs(found["amount"]) * FIXED_MS.get(found["unit"], 86_400_000) > 10**15:
            raise Unsure("how far a date may be moved")
        where = found.get("timezone", UTC)
        return date_of(plus(found["startDate"], found["unit"], sign * found["amount"], where))

    return function


def _difference(start: Any, end: Any, unit: Any, zone: Any, week_start: Any) -> Any:
    is_week = unit == "week"
    values = {"startDate": start, "endDate": end, "unit": unit, "timezone": zone}
    readers: dict[str, Any] = {"startDate": ms_of, "endDate": ms_of, "unit": unit_of, "timezone": zone_of}
    if is_week:
        values["startOfWeek"], readers["startOfWeek"] = week_start, first_day
    found = settled(values, readers)
    if found is None:
        return None
    where, day = found.get("timezone", UTC), found.get("startOfWeek", 6)
    return Int64(difference(found["startDate"], found["endDate"], found["unit"], where, day))


def _bin_size(value: Any) -> int:
    if not is_number(value) or not integral(value) or whole(value) < 1:
        if is_number(value) and not integral(value):
            need_integral_long(value, "binSize")
            raise Unsure("a huge bin")
        raise DataError("binSize is a positive integer")
    return whole(value)


def _truncated(date: Any, unit: Any, size: Any, zone: Any, week_start: Any) -> Any:
    values = {"date": date, "unit": unit, "binSize": size, "timezone": zone}
    readers: dict[str, Any] = {"date": ms_of, "unit": unit_of, "binSize": _bin_size, "timezone": zone_of}
    if unit == "week":
        values["startOfWeek"], readers["startOfWeek"] = week_start, first_day
    found = settled(values, readers)
    if found is None:
        return None
    bins = found.get("binSize", 1)
    if bins > 10_000:
        raise Unsure("a huge bin")
    where, day = found.get("timezone", UTC), found.get("startOfWeek", 6)
    return date_of(truncate(found["date"], found["unit"], bins, where, day))


register("$dateToParts", named(_to_parts, ("date",), ("timezone", "iso8601")))
register("$dateFromParts", Operator(_check_from_parts, _from_parts))
register("$dateAdd", named(_moved(1), ("startDate", "unit", "amount"), ("timezone",)))
register("$dateSubtract", named(_moved(-1), ("startDate", "unit", "amount"), ("timezone",)))
register("$dateDiff", named(_difference, ("startDate", "endDate", "unit"), ("timezone", "startOfWeek")))
register("$dateTrunc", named(_truncated, ("date", "unit"), ("binSize", "timezone", "startOfWeek")))
