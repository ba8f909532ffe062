"""Time zones, local time, units of time: what the operators of dates are made of."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from bson import ObjectId, Timestamp

from tests.property.language.reference.values import DataError, Unsure, date_of, kind, milliseconds, nullish

_OFFSET = re.compile(r"([+-])(\d\d)(?::?(\d\d))?")
_NAMES: Final = available_timezones()
UNITS: Final = ("millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year")
FIXED_MS: Final = {"millisecond": 1, "second": 1000, "minute": 60_000, "hour": 3_600_000}
MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY: Final = timedelta(days=1)


def zone_of(name: Any) -> tzinfo:
    """The zone of an Olson name or an offset; DataError for another text."""
    if kind(name) != "string":
        raise DataError("a time zone is a string")
    if name in ("UTC", "GMT"):
        return UTC
    if name == "Z":
        raise Unsure("whether Z names a zone")
    if found := _OFFSET.fullmatch(name):
        sign, hours, minutes = found.groups()
        size = timedelta(hours=int(hours), minutes=int(minutes or 0))
        if size >= timedelta(hours=18):
            raise Unsure("an offset that no place has")
        return timezone(-size if sign == "-" else size)
    if name in _NAMES:
        return ZoneInfo(name)
    if any(name.lower() == known.lower() for known in _NAMES):
        raise Unsure("the case of a zone's name")
    raise DataError("unknown time zone")


def ms_of(value: Any) -> int:
    """Milliseconds of a date, a timestamp or an object id; DataError for anything else."""
    if isinstance(value, Timestamp):
        return value.time * 1000
    if isinstance(value, ObjectId):
        return int.from_bytes(value.binary[:4], "big") * 1000
    if kind(value) != "date":
        raise DataError(f"no date: {kind(value)}")
    return milliseconds(value)


def local(ms: int, zone: tzinfo) -> datetime:
    """The local time, without its zone."""
    date = date_of(ms)
    if not isinstance(date, datetime) or not 2 <= date.year <= 9998:
        raise Unsure("parts of a date outside of the years 2 to 9998")
    found = date.astimezone(zone)
    offset = found.utcoffset() or timedelta()
    if offset % timedelta(minutes=1):
        raise Unsure("an offset of seconds, before zones were ruled")
    return found.replace(tzinfo=None, fold=0)


def offset_minutes(ms: int, zone: tzinfo) -> int:
    """Minutes by which local time is ahead of UTC."""
    date = date_of(ms)
    if not isinstance(date, datetime):
        raise Unsure("the offset of a far date")
    return int((date.astimezone(zone).utcoffset() or timedelta()) // timedelta(minutes=1))


def instant(time: datetime, zone: tzinfo) -> int:
    """Milliseconds of a local time: of two the earlier, in a gap as if the clock had not been moved."""
    if not 2 <= time.year <= 9998:
        raise Unsure("a local time at the end of the calendar")
    offset = time.replace(tzinfo=zone).utcoffset() or timedelta()
    if offset % timedelta(minutes=1):
        raise Unsure("an offset of seconds, before zones were ruled")
    return milliseconds((time - offset).replace(tzinfo=UTC))


def iso_text(ms: int) -> str:
    """The date in UTC as ISO 8601 with milliseconds."""
    time = local(ms, UTC)
    return f"{time:%H}".join([f"{time.year:04d}-{time:%m-%d}T", f":{time:%M:%S}.{ms % 1000:03d}Z"])


def unit_of(name: Any) -> str:
    """The unit's name; DataError for another text."""
    if kind(name) != "string" or name not in UNITS:
        raise DataError("unknown unit")
    return str(name)


def first_day(name: Any) -> int:
    """0 for Monday to 6 for Sunday."""
    if kind(name) != "string":
        raise DataError("a day is a string")
    for at, day in enumerate(DAYS):
        if name.lower() in (day, day[:3]):
            return at
    raise DataError("unknown day")


def plus_months(time: datetime, count: int) -> datetime:
    """The same day of another month, or its last."""
    months = time.year * 12 + time.month - 1 + count
    year, month = divmod(months, 12)
    if not 2 <= year <= 9997:
        raise Unsure("a date at the end of the calendar")
    last = (datetime(year + month // 11, (month + 1) % 12 + 1, 1) - _DAY).day  # noqa: DTZ001 - local time
    return time.replace(year=year, month=month + 1, day=min(time.day, last))


def plus(ms: int, unit: str, amount: int, zone: tzinfo) -> int:
    """A date moved by units; days and longer ones move the local calendar."""
    if unit in FIXED_MS:
        return ms + amount * FIXED_MS[unit]
    time = local(ms, zone)
    if unit in MONTHS:
        moved = plus_months(time, amount * MONTHS[unit])
    else:
        try:
            moved = time + _DAY * (amount * (7 if unit == "week" else 1))
        except OverflowError:
            raise Unsure("a date at the end of the calendar") from None
    if moved == time:
        return ms
    return instant(moved, zone)


def _month_number(time: datetime) -> int:
    return time.year * 12 + time.month - 1


def difference(start: int, end: int, unit: str, zone: tzinfo, monday_based: int) -> int:
    """How many boundaries of the unit lie between."""
    first, last = local(start, zone), local(end, zone)
    if unit in MONTHS:
        return _month_number(last) // MONTHS[unit] - _month_number(first) // MONTHS[unit]
    if unit == "day":
        return last.toordinal() - first.toordinal()
    if unit == "week":  # ordinal 1 is a Monday
        return (last.toordinal() - 1 - monday_based) // 7 - (first.toordinal() - 1 - monday_based) // 7
    size = FIXED_MS[unit]

    def boundary(ms: int) -> int:
        return (ms + offset_minutes(ms, zone) * 60_000 % size) // size

    return boundary(end) - boundary(start)


def truncate(ms: int, unit: str, size: int, zone: tzinfo, monday_based: int) -> int:
    """The start of the bin that holds the date; bins are counted from 2000-01-01 local time."""
    reference = datetime(2000, 1, 1)  # noqa: DTZ001 - local time
    if unit in FIXED_MS:
        anchor, width = instant(reference, zone), FIXED_MS[unit] * size
        return anchor + (ms - anchor) // width * width
    time = local(ms, zone)
    if unit in MONTHS:
        width = MONTHS[unit] * size
        months = (_month_number(time) - _month_number(reference)) // width * width
        return instant(plus_months(reference, months), zone)
    if unit == "week":
        reference += _DAY * ((monday_based - reference.weekday()) % 7)
    width = size * (7 if unit == "week" else 1)
    days = (time.toordinal() - reference.toordinal()) // width * width
    try:
        return instant(reference + _DAY * days, zone)
    except OverflowError:
        raise Unsure("a bin that begins before the calendar") from None


__all__ = ["nullish"]
