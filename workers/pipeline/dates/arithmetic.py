"""Adding to dates, counting between them, cutting them off: by the wall clock of a zone, in milliseconds.

Years, quarters, months, weeks and days are those of the wall clock; hours and less are the same everywhere,
so that a day may have 23 or 25 of them. Nothing overflows here: `arguments.date_of` refuses what is too far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from workers.errors import Poison
from workers.pipeline.dates.arguments import SUNDAY
from workers.pipeline.dates.calendar import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    civil,
    day_number,
    days_in_month,
    weekday,
)
from workers.pipeline.dates.zones import Zone
from workers.pipeline.values import INT64_MAX

_MONTHS: Final[Mapping[str, int]] = {"year": 12, "quarter": 3, "month": 1}
_WALL_DAYS: Final[Mapping[str, int]] = {"week": 7, "day": 1}
_ELAPSED_MS: Final[Mapping[str, int]] = {
    "hour": HOUR_MS,
    "minute": MINUTE_MS,
    "second": SECOND_MS,
    "millisecond": 1,
}

# Bins are counted from the first moment of the year 2000, a Saturday.
_REFERENCE_DAY: Final = day_number(2000, 1, 1)
_REFERENCE_MONTH: Final = 2000 * 12

# So many days are 8.64e18 ms, the most of this form that is below 2^63.
_MOST_WALL_UNITS: Final = 100_000_000_000


def add(ms: int, unit: str, amount: int, zone: Zone) -> int:
    """The moment so many units later, earlier below 0. A month's last days stay within their new month."""
    elapsed = _ELAPSED_MS.get(unit)
    if elapsed is not None:
        return ms + amount * elapsed
    local = zone.local(ms)
    number, time_ms = divmod(local, DAY_MS)
    days = _WALL_DAYS.get(unit)
    if days is not None:
        number += amount * days
    else:
        year, month, day = civil(number)
        year, month = _carried(year * 12 + month - 1 + amount * _MONTHS[unit])
        number = day_number(year, month, min(day, days_in_month(year, month)))
    moved = number * DAY_MS + time_ms
    if zone.rules is None or moved == local:
        return moved - (local - ms)
    return zone.moment(moved, dst=zone.is_dst_at(ms))


def _carried(months: int) -> tuple[int, int]:
    """Year and month of months since the year 0."""
    return months // 12, months % 12 + 1


def difference(start: int, end: int, unit: str, zone: Zone, start_of_week: int = SUNDAY) -> int:
    """How many times a unit begins after `start` up to `end`; below 0 where the end is first."""
    if unit == "millisecond":
        return end - start
    local_start, local_end = zone.local(start), zone.local(end)
    elapsed = _ELAPSED_MS.get(unit)
    if elapsed is not None:
        # Hours begin by the wall clock; what the clock was put forward or back has not passed.
        put = (local_end - end) - (local_start - start)
        return local_end // elapsed - local_start // elapsed - int(put / elapsed)
    first, last = local_start // DAY_MS, local_end // DAY_MS
    if unit == "day":
        return last - first
    if unit == "week":
        return (last - weekday(last - start_of_week) - first + weekday(first - start_of_week)) // 7
    size = _MONTHS[unit]
    return _month_of(last) // size - _month_of(first) // size


def _month_of(number: int) -> int:
    """Months since the year 0."""
    year, month, _ = civil(number)
    return year * 12 + month - 1


def truncation(unit: str, size: int, zone: Zone, start_of_week: int = SUNDAY) -> Callable[[int], int]:
    """A function that gives the first moment of the bin of so many units that a moment is in.

    Raises Poison where the bin is longer than time.
    """
    elapsed = _ELAPSED_MS.get(unit)
    if elapsed is not None:
        bin_ms = size * elapsed
        if bin_ms > INT64_MAX:
            raise Poison(f"$dateTrunc: 'binSize' is too large: {size} of {unit} do not fit into 64 bits")
        first = zone.moments(_REFERENCE_DAY * DAY_MS)[0]
        return lambda ms: ms - (ms - first) % bin_ms
    if size > _MOST_WALL_UNITS:
        raise Poison(f"$dateTrunc: 'binSize' is too large: at most {_MOST_WALL_UNITS} for {unit}")
    days = _WALL_DAYS.get(unit)
    if days is not None:
        # Weeks are counted from the first such weekday from 2000-01-01 on.
        skipped = (start_of_week - weekday(_REFERENCE_DAY)) % 7 if unit == "week" else 0
        return _whole_days(_REFERENCE_DAY + skipped, size * days, zone)
    return _whole_months(size * _MONTHS[unit], zone)


def _whole_days(reference: int, days: int, zone: Zone) -> Callable[[int], int]:
    def truncate(ms: int) -> int:
        number = zone.local(ms) // DAY_MS
        number -= (number - reference) % days
        return zone.moments(number * DAY_MS)[0]

    return truncate


def _whole_months(size: int, zone: Zone) -> Callable[[int], int]:
    def truncate(ms: int) -> int:
        months = _month_of(zone.local(ms) // DAY_MS)
        months -= (months - _REFERENCE_MONTH) % size
        return zone.moments(day_number(*_carried(months), 1) * DAY_MS)[0]

    return truncate
