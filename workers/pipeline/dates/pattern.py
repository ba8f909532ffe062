"""Reading a date by a format: `read("15-06-2018", pattern("%d-%m-%Y"))`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias

from workers.pipeline.dates.calendar import civil, iso_day_number
from workers.pipeline.dates.formatting import pieces
from workers.pipeline.dates.reading import Reading, Unreadable, month_at, zone_at
from workers.pipeline.dates.zones import Zone

SPECIFIERS: Final = "bBdGHjLmMSuVYzZ%"

Pattern: TypeAlias = tuple[tuple[bool, str], ...]
"""A format taken apart: (whether it is a specifier, its letter or the text itself)."""

_CACHED: Final = 256

# Digits that each specifier takes, and what is asked for where they are not there.
_DIGITS: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    letter: (re.compile(pattern, re.ASCII), what)
    for letter, pattern, what in (
        ("d", r"\d{1,2}", "a two digit day"),
        ("m", r"\d{1,2}", "a two digit month"),
        ("Y", r"\d{1,4}", "a four digit year"),
        ("H", r"\d{1,2}", "a two digit hour"),
        ("M", r"\d{2}", "a two digit minute"),
        ("S", r"\d{2}", "a two digit second"),
        ("L", r"\d{1,3}", "a three digit millisecond"),
        ("j", r"\d{1,3}", "a three digit day of the year"),
        ("G", r"\d{1,4}", "a four digit ISO year"),
        ("V", r"\d{1,2}", "a two digit ISO week"),
        ("u", r"\d", "a single digit day of the week"),
        ("Z", r"[+-]\d{1,9}", "an offset in minutes"),
    )
}


@dataclass(slots=True)
class _Scan:
    """The text, how far it was read, and what was found."""

    text: str
    position: int = 0
    found: Reading = field(default_factory=Reading)
    iso: dict[str, int] = field(default_factory=dict)

    def fail(self, why: str) -> Unreadable:
        return Unreadable(self.text, f"{self.position}: {why}")

    def digits(self, letter: str) -> str:
        pattern, what = _DIGITS[letter]
        found = pattern.match(self.text, self.position)
        if found is None:
            raise self.fail(f"{what} could not be found")
        self.position = found.end()
        return found[0]


@lru_cache(maxsize=_CACHED)
def pattern(text: str) -> Pattern:
    """The format taken apart. Raises Poison where it is wrong."""
    return tuple(pieces(text, "$dateFromString", SPECIFIERS))


def read(text: str, by: Pattern, within: Zone) -> int:
    """The moment that a text stands for. Raises Unreadable."""
    scan = _Scan(text)
    for is_specifier, part in by:
        if not is_specifier or part == "%":
            if not text.startswith(part, scan.position):
                raise scan.fail(f"the text {part!r} of the format could not be found")
            scan.position += len(part)
        else:
            _READERS[part](scan)
    if scan.position < len(text):
        raise scan.fail("trailing data")
    if scan.iso:
        _iso_date(scan)
    return scan.found.moment(text, within)


def _number(letter: str, attribute: str) -> Callable[[_Scan], None]:
    def read_number(scan: _Scan) -> None:
        setattr(scan.found, attribute, int(scan.digits(letter)))

    return read_number


def _millisecond(scan: _Scan) -> None:
    scan.found.millisecond = int(scan.digits("L").ljust(3, "0"))


def _month(scan: _Scan) -> None:
    found = month_at(scan.text, scan.position)
    if found is None:
        raise scan.fail("a textual month could not be found")
    scan.found.month, scan.position = found


def _day_of_year(scan: _Scan) -> None:
    if scan.found.year is None:
        raise scan.fail("a day of the year can only come after a year")
    scan.found.month, scan.found.day = 1, int(scan.digits("j"))


def _iso(letter: str, low: int, high: int) -> Callable[[_Scan], None]:
    def read_iso(scan: _Scan) -> None:
        number = int(scan.digits(letter))
        if not low <= number <= high:
            raise scan.fail(f"%{letter} must be between {low} and {high}")
        scan.iso[letter] = number

    return read_iso


def _zone(scan: _Scan) -> None:
    found = zone_at(scan.text, scan.position)
    if found is None:
        raise scan.fail("the timezone could not be found in the database")
    scan.found.zone, scan.position = found


def _zone_minutes(scan: _Scan) -> None:
    scan.found.zone = Zone("", int(scan.digits("Z")) * 60_000)


_READERS: Final[Mapping[str, Callable[[_Scan], None]]] = {
    "Y": _number("Y", "year"),
    "m": _number("m", "month"),
    "d": _number("d", "day"),
    "H": _number("H", "hour"),
    "M": _number("M", "minute"),
    "S": _number("S", "second"),
    "L": _millisecond,
    "b": _month,
    "B": _month,
    "j": _day_of_year,
    "G": _iso("G", 0, 9999),
    "V": _iso("V", 1, 53),
    "u": _iso("u", 1, 7),
    "z": _zone,
    "Z": _zone_minutes,
}


def _iso_date(scan: _Scan) -> None:
    """An ISO year makes the date; weeks and weekdays default to the first."""
    found = scan.found
    if found.year is not None or ("G" in scan.iso and (found.month is not None or found.day is not None)):
        raise scan.fail("mixing of ISO dates with natural dates is not allowed")
    if "G" in scan.iso:
        day = iso_day_number(scan.iso["G"], scan.iso.get("V", 1), scan.iso.get("u", 1))
        found.year, found.month, found.day = civil(day)
