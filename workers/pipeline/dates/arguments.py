"""What the arguments of date operators may be; null and missing are the callers'."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from bson import ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS

from workers.errors import Poison
from workers.pipeline.nodes import Call, Const
from workers.pipeline.values import (
    EPOCH,
    INT64_MAX,
    INT64_MIN,
    date_from_ms,
    date_ms,
    is_nullish,
    type_name,
    whole_number,
)

ABSENT: Final = object()
"""Stands for an argument that was left out; null and missing are something else."""

Date: TypeAlias = datetime | DatetimeMS

UNITS: Final = ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond")

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAYS: Final[Mapping[str, int]] = {
    name: number for number, day in enumerate(_DAYS) for name in (day, day[:3])
}
SUNDAY: Final = 6

_MILLISECOND: Final = timedelta(milliseconds=1)


def moment_of(value: Any) -> int | None:
    """The milliseconds of a date, a timestamp or an id; None where the value is none of them."""
    kind = value.__class__
    if kind is datetime:
        return int((value - EPOCH) // _MILLISECOND) if value.tzinfo is UTC else date_ms(value)
    if kind is DatetimeMS:
        return int(value)
    if kind is Timestamp:
        return int(value.time) * 1_000
    if kind is ObjectId:
        # The server reads an id's seconds as a signed number: from 80000000 on they are before 1970.
        return int.from_bytes(value.binary[:4], "big", signed=True) * 1_000
    return None


def to_moment(value: Any) -> int:
    """`moment_of`, Poison for what is no date."""
    found = moment_of(value)
    if found is None:
        raise Poison(f"can't convert from BSON type {type_name(value)} to Date")
    return found


def date_argument(value: Any, operator: str, name: str) -> int:
    """`moment_of` for a named argument."""
    found = moment_of(value)
    if found is None:
        raise Poison(f"{operator} requires '{name}' to be a date, but got {type_name(value)}")
    return found


def date_of(ms: int, operator: str) -> Date:
    """The date at a moment; Poison beyond 64 bits."""
    if not INT64_MIN <= ms <= INT64_MAX:
        raise Poison(f"{operator} gives a date out of range")
    return date_from_ms(ms)


def unit(value: Any, operator: str) -> str:
    """A unit of time by its name."""
    if value.__class__ is not str:
        raise Poison(f"{operator} requires 'unit' to be a string, but got {type_name(value)}")
    if value not in UNITS:
        raise Poison(f"{operator}: {value[:40]!r} is no unit of time; it can be {', '.join(UNITS)}")
    return str(value)


def start_of_week(value: Any, operator: str) -> int:
    """A weekday by its name or its first three letters, in any case: 0 for Monday to 6 for Sunday."""
    if value.__class__ is not str:
        raise Poison(f"{operator} requires 'startOfWeek' to be a string, but got {type_name(value)}")
    found = _WEEKDAYS.get(value.lower())
    if found is None:
        raise Poison(f"{operator} requires 'startOfWeek' to be a day of the week, but got {value[:40]!r}")
    return found


def long(value: Any) -> int | None:
    """The 64-bit integer that a number of any kind stands for, None where it does not."""
    found = whole_number(value)
    return found if found is not None and INT64_MIN <= found <= INT64_MAX else None


def faults(call: Call, names: Iterable[str], checks: Mapping[str, Callable[[Any], Any]]) -> Iterator[Poison]:
    """What is wrong with constant arguments, each by the check of its name; null is for the run to judge."""
    for name, node in zip(names, call.args, strict=True):
        if isinstance(node, Const) and name in checks and not is_nullish(node.value):
            try:
                checks[name](node.value)
            except Poison as error:
                yield Poison(error.reason, at=node.path)


def constants(call: Call, first: int) -> tuple[Any, ...] | None:
    """The values of the arguments from the `first` on where all of them are known now, None where not."""
    found: list[Any] = []
    for node in call.args[first:]:
        if node is not None and not isinstance(node, Const):
            return None
        found.append(ABSENT if node is None else node.value)
    return tuple(found)
