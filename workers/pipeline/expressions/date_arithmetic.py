"""`$dateAdd $dateSubtract $dateDiff $dateTrunc`: by units of time, on the wall clock of a zone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.dates import arithmetic
from workers.pipeline.dates.arguments import (
    ABSENT,
    SUNDAY,
    constants,
    date_argument,
    date_of,
    faults,
    long,
    start_of_week,
    unit,
)
from workers.pipeline.dates.zones import UTC_ZONE, Zone, zone
from workers.pipeline.nodes import Call, Const, Emitting, Example, Named, Operator
from workers.pipeline.values import INT64_MAX, INT64_MIN, as_long, is_nullish, type_name

_ADD: Final = ("startDate", "unit", "amount", "timezone")
_DIFF: Final = ("startDate", "endDate", "unit", "timezone", "startOfWeek")
_TRUNC: Final = ("date", "unit", "binSize", "timezone", "startOfWeek")

# A document may name unit, size and zone: so many combinations are remembered.
_CACHED: Final = 256


def _zone(timezone: Any) -> Zone:
    return UTC_ZONE if timezone is ABSENT else zone(timezone)


def _check(names: tuple[str, ...], name: str) -> Callable[[Call], Iterator[Poison]]:
    """What is wrong with a constant unit, zone, size of bins or first day of the week."""

    def check(call: Call) -> Iterator[Poison]:
        checks: dict[str, Callable[[Any], Any]] = {
            "unit": lambda value: unit(value, name),
            "timezone": zone,
            "binSize": _bin_size,
        }
        by = call.args[names.index("unit")]
        if isinstance(by, Const) and by.value == "week":
            checks["startOfWeek"] = lambda value: start_of_week(value, name)
        return faults(call, names, checks)

    return check


# Adding


def _added(value: Any, by: str, amount: int, where: Zone, name: str) -> Any:
    return date_of(arithmetic.add(date_argument(value, name, "startDate"), by, amount, where), name)


def _amount(value: Any, sign: int, name: str) -> int:
    found = long(value)
    if found is None:
        raise Poison(f"{name} expects an integer amount of time units, but got {type_name(value)}")
    if sign < 0 and found == INT64_MIN:
        raise Poison(f"invalid {name} 'amount' parameter value: {found}")
    return sign * found


def _adding(name: str, sign: int, meaning: str, example: Example) -> Operator:
    def add(value: Any, by: Any, amount: Any, timezone: Any) -> Any:
        if is_nullish(value) or is_nullish(by) or is_nullish(amount) or is_nullish(timezone):
            return None
        by = unit(by, name)
        where = _zone(timezone)
        date_argument(value, name, "startDate")
        return _added(value, by, _amount(amount, sign, name), where, name)

    def emit(em: Emitting, call: Call) -> str:
        """Unit, zone and a right amount that are known are looked at once, at start."""
        when, by, amount, timezone = call.args
        assert when is not None
        assert amount is not None
        known = constants(Call(call.operator, (by, timezone), call.path), 0)
        if known is None or any(is_nullish(value) for value in known):
            absent = em.constant(ABSENT)
            return em.call(add, *(absent if arg is None else em.value(arg) for arg in call.args))
        units, where = unit(known[0], name), _zone(known[1])

        def add_known(value: Any, amount: Any) -> Any:
            if is_nullish(value) or is_nullish(amount):
                return None
            start = date_argument(value, name, "startDate")
            return date_of(arithmetic.add(start, units, _amount(amount, sign, name), where), name)

        return em.call(add_known, em.value(when), em.value(amount))

    return Operator(
        name=name,
        signature=Named(_ADD[:3], _ADD[3:]),
        meaning=meaning,
        example=example,
        function=add,
        emit=emit,
        absent=ABSENT,
        check=_check(_ADD, name),
    )


# Counting


def difference(start: Any, end: Any, by: Any, timezone: Any, first_day: Any) -> Any:
    """How many times the unit begins between two dates, a long."""
    if is_nullish(start) or is_nullish(end) or is_nullish(by):
        return None
    if by == "week" and is_nullish(first_day):
        return None
    if is_nullish(timezone):
        return None
    where = _zone(timezone)
    begin = date_argument(start, "$dateDiff", "startDate")
    finish = date_argument(end, "$dateDiff", "endDate")
    by = unit(by, "$dateDiff")
    found = arithmetic.difference(begin, finish, by, where, _first_day(by, first_day, "$dateDiff"))
    return _as_long(found)


def _as_long(found: int) -> Any:
    if not INT64_MIN <= found <= INT64_MAX:
        raise Poison("$dateDiff overflows: the dates are too far apart for this unit")
    return as_long(found)


def _first_day(by: str, first_day: Any, name: str) -> int:
    return SUNDAY if by != "week" or first_day is ABSENT else start_of_week(first_day, name)


def _emit_difference(em: Emitting, call: Call) -> str:
    known = constants(call, 2)
    if known is None or any(is_nullish(value) for value in known):
        absent = em.constant(ABSENT)
        return em.call(difference, *(absent if arg is None else em.value(arg) for arg in call.args))
    by, where = unit(known[0], "$dateDiff"), _zone(known[1])
    first_day = _first_day(by, known[2], "$dateDiff")

    def difference_known(start: Any, end: Any) -> Any:
        if is_nullish(start) or is_nullish(end):
            return None
        begin = date_argument(start, "$dateDiff", "startDate")
        finish = date_argument(end, "$dateDiff", "endDate")
        return _as_long(arithmetic.difference(begin, finish, by, where, first_day))

    return em.call(difference_known, em.value(call.given[0]), em.value(call.given[1]))


# Cutting off


def _bin_size(value: Any) -> int:
    found = long(value)
    if found is None:
        raise Poison(f"$dateTrunc requires 'binSize' to be a 64-bit integer, but got {type_name(value)}")
    if found <= 0:
        raise Poison(f"$dateTrunc requires 'binSize' to be greater than 0, but got {found}")
    return found


@lru_cache(maxsize=_CACHED)
def _truncation(by: str, size: int, where: Zone, first_day: int) -> Callable[[int], int]:
    return arithmetic.truncation(by, size, where, first_day)


def truncate(value: Any, by: Any, size: Any, timezone: Any, first_day: Any) -> Any:
    """The first moment of the bin that a date is in."""
    if is_nullish(value) or is_nullish(by) or is_nullish(size):
        return None
    if by == "week" and is_nullish(first_day):
        return None
    if is_nullish(timezone):
        return None
    where = _zone(timezone)
    ms = date_argument(value, "$dateTrunc", "date")
    return date_of(_bins(by, size, where, first_day)(ms), "$dateTrunc")


def _bins(by: Any, size: Any, where: Zone, first_day: Any) -> Callable[[int], int]:
    by = unit(by, "$dateTrunc")
    count = 1 if size is ABSENT else _bin_size(size)
    return _truncation(by, count, where, _first_day(by, first_day, "$dateTrunc"))


def _emit_truncate(em: Emitting, call: Call) -> str:
    known = constants(call, 1)
    if known is None or any(is_nullish(value) for value in known):
        absent = em.constant(ABSENT)
        return em.call(truncate, *(absent if arg is None else em.value(arg) for arg in call.args))
    cut = _bins(known[0], known[1], _zone(known[2]), known[3])

    def truncate_known(value: Any) -> Any:
        if is_nullish(value):
            return None
        return date_of(cut(date_argument(value, "$dateTrunc", "date")), "$dateTrunc")

    return em.call(truncate_known, em.value(call.given[0]))


def _check_truncate(call: Call) -> Iterator[Poison]:
    yield from _check(_TRUNC, "$dateTrunc")(call)
    known = constants(call, 1)
    if known is not None and not any(is_nullish(value) for value in known):
        try:
            _bins(known[0], known[1], _zone(known[2]), known[3])
        except Poison as error:
            # What is wrong with one argument was told above, at its place; this is a bin longer than time.
            if "too large" in error.reason:
                yield error


OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        _adding(
            "$dateAdd",
            1,
            "The date so many units later; the last days of a month stay within the new month.",
            Example(
                {"$dateAdd": {"startDate": "$at", "unit": "month", "amount": 1}},
                datetime(2020, 11, 30, 12, 10, 5, tzinfo=UTC),
                {"at": datetime(2020, 10, 31, 12, 10, 5, tzinfo=UTC)},
            ),
        ),
        _adding(
            "$dateSubtract",
            -1,
            "The date so many units earlier; the last days of a month stay within the new month.",
            Example(
                {"$dateSubtract": {"startDate": "$at", "unit": "hour", "amount": "$hours"}},
                datetime(2020, 10, 30, 12, tzinfo=UTC),
                {"at": datetime(2020, 10, 31, 12, tzinfo=UTC), "hours": 24},
            ),
        ),
        Operator(
            name="$dateDiff",
            signature=Named(_DIFF[:3], _DIFF[3:]),
            meaning="How many times a unit begins after one date up to another, a long.",
            example=Example(
                {"$dateDiff": {"startDate": "$from", "endDate": "$to", "unit": "month"}},
                as_long(1),
                {
                    "from": datetime(2010, 3, 1, tzinfo=UTC),
                    "to": datetime(2010, 4, 30, tzinfo=UTC),
                },
            ),
            function=difference,
            emit=_emit_difference,
            absent=ABSENT,
            check=_check(_DIFF, "$dateDiff"),
        ),
        Operator(
            name="$dateTrunc",
            signature=Named(_TRUNC[:2], _TRUNC[2:]),
            meaning="The start of the unit (or of `binSize` of them, counted from 2000) that a date is in.",
            example=Example(
                {"$dateTrunc": {"date": "$at", "unit": "hour", "binSize": 2}},
                datetime(2021, 3, 20, 10, tzinfo=UTC),
                {"at": datetime(2021, 3, 20, 11, 30, 5, tzinfo=UTC)},
            ),
            function=truncate,
            emit=_emit_truncate,
            absent=ABSENT,
            check=_check_truncate,
        ),
    )
}
