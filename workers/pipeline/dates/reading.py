"""What was read out of a text, and the moment it stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from workers.errors import Poison
from workers.pipeline.dates.calendar import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    day_number,
    local_ms,
    weekday,
)
from workers.pipeline.dates.formatting import MONTHS
from workers.pipeline.dates.zones import UTC_ZONE, Zone, zone

_SHOWN: Final = 80


class Unreadable(Poison):
    """The text is no date: what `onError` of $dateFromString stands in for."""

    def __init__(self, text: str, why: str) -> None:
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        super().__init__(f"$dateFromString: error parsing date string '{shown}': {why}")


@dataclass(slots=True)
class Reading:
    """Parts of a date as they are found; None where the text has none. Parts may be beyond their range."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    hour: int | None = None
    minute: int | None = None
    second: int | None = None
    millisecond: int | None = None
    zone: Zone | None = None
    more_days: int = 0
    weekday: int | None = None

    def moment(self, text: str, within: Zone) -> int:
        """Milliseconds since the epoch; `within` is the zone where the text names none. Raises Unreadable."""
        if self.year is None or self.month is None or self.day is None:
            raise Unreadable(text, "an incomplete date/time string has been found, with elements missing")
        if self.zone is not None and not within.is_utc:
            raise Unreadable(text, "a zone in the text together with a timezone argument")
        local = local_ms(
            day_number(self.year, self.month, self.day),
            self.hour or 0,
            self.minute or 0,
            self.second or 0,
            self.millisecond or 0,
        )
        if self.weekday is not None:
            # A day of the week that is not the date's own means the next one.
            local += (self.weekday - weekday(local // DAY_MS)) % 7 * DAY_MS
        local += self.more_days * DAY_MS
        return (self.zone or within).moment(local)


# Hours that names of zones in a text stand for; a name of the zone database will do too.
_HOURS: Final[Mapping[str, float]] = {
    "utc": 0, "gmt": 0, "uct": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "met": 1, "cest": 2, "mest": 2,
    "eet": 2, "eest": 3, "sast": 2, "msk": 3, "msd": 4, "pkt": 5, "wib": 7, "wita": 8, "hkt": 8, "awst": 8,
    "jst": 9, "wit": 9, "acst": 9.5, "acdt": 10.5, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13,
    "nst": -3.5, "ast": -4, "adt": -3, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6,
    "pst": -8, "pdt": -7, "akst": -9, "akdt": -8, "hst": -10,
}  # fmt: skip
# The letters of the military zones: A to M (no J) go east, N to Y west, Z is UTC.
_EAST, _WEST = "abcdefghiklm", "nopqrstuvwxy"

_SIGNED: Final = re.compile(r"(?:GMT)?([+-])([0-9:]+)")
_OFFSET: Final = re.compile(
    r"(?P<h>\d\d?)(?::(?P<m>\d\d?))?|(?P<h2>\d\d?)(?P<m2>\d\d)|"
    r"(?P<h3>\d\d):?(?P<m3>\d\d):?(?P<s3>\d\d)"
)
_NAME: Final = re.compile(r"[A-Za-z0-9/_+-]+")


def zone_at(text: str, position: int) -> tuple[Zone, int] | None:
    """The zone that stands at a position, and where it ends; None where there is none."""
    start = position
    while start < len(text) and text[start] in " \t(":
        start += 1
    opened = text.count("(", position, start)
    found = _SIGNED.match(text, start)
    if found:
        offset_ms = _offset_ms(found[2])
        named = None if offset_ms is None else Zone("", -offset_ms if found[1] == "-" else offset_ms)
    else:
        found = _NAME.match(text, start)
        named = _named(found[0]) if found else None
    if named is None or found is None:
        return None
    end = found.end()
    while opened and text.startswith(")", end):
        opened, end = opened - 1, end + 1
    return named, end


def _offset_ms(digits: str) -> int | None:
    found = _OFFSET.fullmatch(digits)
    if found is None:
        return None
    hours, minutes = (found[name] or found[f"{name}2"] or found[f"{name}3"] or 0 for name in ("h", "m"))
    return int(hours) * HOUR_MS + int(minutes) * MINUTE_MS + int(found["s3"] or 0) * SECOND_MS


def _named(name: str) -> Zone | None:
    lower = name.lower()
    if lower in _HOURS:
        return Zone(lower, int(_HOURS[lower] * HOUR_MS))
    if len(lower) == 1:
        hours = _EAST.find(lower) + 1 or -(_WEST.find(lower) + 1)
        return Zone(lower, hours * HOUR_MS) if hours else UTC_ZONE if lower == "z" else None
    try:
        return zone(name)
    except Poison:
        return None


_MONTH: Final = re.compile(r"[A-Za-z]+")
_MONTH_NUMBERS: Final[Mapping[str, int]] = {
    name: number for number, month in enumerate(MONTHS, 1) for name in (month.lower(), month[:3].lower())
} | {"sept": 9}
_ROMAN: Final = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")


def month_number(name: str) -> int | None:
    """1 to 12 for the month's name, its first three letters, or its Roman number in capitals."""
    found = _MONTH_NUMBERS.get(name.lower())
    if found is None and name in _ROMAN:
        found = _ROMAN.index(name) + 1
    return found


def month_at(text: str, position: int) -> tuple[int, int] | None:
    """The month whose name stands at a position, and where it ends."""
    found = _MONTH.match(text, position)
    number = month_number(found[0]) if found else None
    return (number, found.end()) if found and number else None
