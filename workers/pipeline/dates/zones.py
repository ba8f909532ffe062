"""Time zones by name or offset, for any year: `zone("Europe/Paris")`, `zone("+05:30")`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from workers.errors import Poison
from workers.pipeline.dates.calendar import DAY_MS, DAYS_OF_400_YEARS, HOUR_MS, MINUTE_MS
from workers.pipeline.values import type_name

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOCAL_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock without a zone
_MILLISECOND: Final = timedelta(milliseconds=1)

# Rules of zones repeat with the calendar, every 400 years; datetime ends with the year 9999. A year is left
# at both ends for what the offset moves over them.
_CYCLE_MS: Final = DAYS_OF_400_YEARS * DAY_MS
_FIRST_MS: Final = -62_104_060_800_000  # 0002-01-01
_LAST_MS: Final = 253_370_764_800_000  # 9999-01-01

# Names of zones that the server has: `posix/...`, `right/...` and the machine's own `localtime` are none.
_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9]*(?:[_+/-][A-Za-z0-9]+)*", re.ASCII)
_NO_ZONES: Final = frozenset({"Factory", "SystemV"})
_OFFSET: Final = re.compile(r"([+-])(\d\d)(?::?(\d\d))?", re.ASCII)

# A document may name the zone: what it names is remembered, but no more than there are zones (about 600).
_CACHED: Final = 1_024


@dataclass(frozen=True, slots=True)
class Zone:
    """A fixed offset in milliseconds east of UTC, or the rules of a place."""

    name: str
    offset_ms: int = 0
    rules: tzinfo | None = None

    @property
    def is_utc(self) -> bool:
        """Whether it is UTC at all times, whatever it is called."""
        return self.rules is None and self.offset_ms == 0

    def offset_at(self, ms: int) -> int:
        """Milliseconds east of UTC at a moment."""
        return self.offset_ms if self.rules is None else _offset_ms(_shown(self.rules, ms).utcoffset())

    def is_dst_at(self, ms: int) -> bool:
        """Whether daylight saving time holds at a moment."""
        return self.rules is not None and bool(_shown(self.rules, ms).dst())

    def local(self, ms: int) -> int:
        """What the wall clock shows at a moment."""
        return ms + self.offset_at(ms)

    def moment(self, local_ms: int, *, dst: bool = False) -> int:
        """The moment at which the wall clock shows this. What it skips in spring is as much later; of the two
        moments of an hour shown twice it is the one in (or out of) daylight saving time, as `dst` says."""
        if self.rules is None:
            return local_ms - self.offset_ms
        first, last = self.moments(local_ms)
        if first == last:
            return first
        firsts, lasts = self.is_dst_at(first), self.is_dst_at(last)
        return first if firsts != lasts and firsts == dst else last

    def moments(self, local_ms: int) -> tuple[int, int]:
        """The first and the last moment at which the wall clock shows this; where it never does, twice the
        moment as long after the gap began as the time is beyond it."""
        if self.rules is None:
            return local_ms - self.offset_ms, local_ms - self.offset_ms
        shift = _shift(local_ms)
        wall = _LOCAL_EPOCH + timedelta(milliseconds=local_ms - shift)
        first = local_ms - _offset_ms(self.rules.utcoffset(wall))
        last = local_ms - _offset_ms(self.rules.utcoffset(wall.replace(fold=1)))
        # In a gap the fold swaps the offsets, and the second is the earlier moment.
        return (first, last) if first <= last else (first, first)


def _shift(ms: int) -> int:
    """What to take off, whole cycles of 400 years, to stand within datetime's years."""
    if ms > _LAST_MS:
        return ((ms - _LAST_MS) // _CYCLE_MS + 1) * _CYCLE_MS
    # Before zones had rules there was local mean time, the same at all times.
    return ms - _FIRST_MS if ms < _FIRST_MS else 0


def _shown(rules: tzinfo, ms: int) -> datetime:
    """What the wall clock shows, in a year that datetime has."""
    return (_EPOCH + timedelta(milliseconds=ms - _shift(ms))).astimezone(rules)


def _offset_ms(offset: timedelta | None) -> int:
    assert offset is not None, "a zone has an offset at all times"
    return (offset.days * 86_400 + offset.seconds) * 1_000


UTC_ZONE: Final = Zone("UTC")


@lru_cache(maxsize=_CACHED)
def _found(name: str) -> Zone | None:
    if name in ("UTC", "GMT", "Z"):
        return UTC_ZONE
    offset = _OFFSET.fullmatch(name)
    if offset:
        sign, hours, minutes = offset.groups()
        size = int(hours) * HOUR_MS + int(minutes or 0) * MINUTE_MS
        return Zone(name, -size if sign == "-" else size)
    if not _NAME.fullmatch(name) or name.partition("/")[0] in _NO_ZONES:
        return None
    try:
        return Zone(name, rules=ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None  # no such file, a directory, or no zone in it


def zone(name: Any) -> Zone:
    """The zone that a `timezone` argument names. Raises Poison where there is none of that name."""
    if name.__class__ is not str:
        raise Poison(f"timezone must evaluate to a string, found {type_name(name)}")
    found = _found(name) if len(name) <= 64 else None
    if found is None:
        raise Poison(f'unrecognized time zone identifier: "{name[:64]}"')
    return found
