"""Dates as text: `writer("%Y-%m-%d", zone)` gives a function of a date."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, TypeAlias

from workers.errors import Poison
from workers.pipeline.dates.arguments import to_moment
from workers.pipeline.dates.calendar import Fields, day_of_year, fields, iso_week, week, weekday
from workers.pipeline.dates.zones import Zone

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

DEFAULT: Final = "%Y-%m-%dT%H:%M:%S.%L"
"""What a date is written as in a zone of its own; in UTC a Z follows."""

# A document may carry the format: so many are remembered.
_CACHED: Final = 256
_MAX_FORMAT: Final = 16_384

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock without a zone
_FIRST_MS: Final = -62_135_596_800_000  # 0001-01-01
_LAST_MS: Final = 253_402_300_799_999  # 9999-12-31

Write: TypeAlias = Callable[[Fields, int], str]
"""A part of the text, from the local time's fields and the zone's offset in milliseconds."""


def _year(year: int) -> str:
    if not 0 <= year <= 9999:
        raise Poison(f"dates are only written in the years 0 to 9999, tried to use year {year}")
    return f"{year:04d}"


def _offset(offset_ms: int) -> str:
    minutes = abs(offset_ms) // 60_000
    return f"{'-' if offset_ms < 0 else '+'}{minutes // 60:02d}{minutes % 60:02d}"


_WRITERS: Final[Mapping[str, Write]] = {
    "Y": lambda at, _: _year(at.year),
    "m": lambda at, _: f"{at.month:02d}",
    "d": lambda at, _: f"{at.day:02d}",
    "H": lambda at, _: f"{at.hour:02d}",
    "M": lambda at, _: f"{at.minute:02d}",
    "S": lambda at, _: f"{at.second:02d}",
    "L": lambda at, _: f"{at.millisecond:03d}",
    "j": lambda at, _: f"{day_of_year(at.year, at.day_number):03d}",
    "b": lambda at, _: MONTHS[at.month - 1][:3],
    "B": lambda at, _: MONTHS[at.month - 1],
    "w": lambda at, _: f"{(weekday(at.day_number) + 1) % 7 + 1}",
    "u": lambda at, _: f"{weekday(at.day_number) + 1}",
    "U": lambda at, _: f"{week(at.year, at.day_number):02d}",
    "V": lambda at, _: f"{iso_week(at.day_number)[1]:02d}",
    "G": lambda at, _: _year(iso_week(at.day_number)[0]),
    "z": lambda _, offset_ms: _offset(offset_ms),
    # Minutes of the offset, cut off towards 0 where an old local time has seconds.
    "Z": lambda _, offset_ms: str(int(offset_ms / 60_000)),
    "%": lambda _, __: "%",
}

# Where Python's ISO text `2024-01-31T12:30:45.123` has a part: a format of these is cut out of it.
_PLACES: Final[Mapping[str, tuple[int, int]]] = {
    "Y": (0, 4),
    "m": (5, 7),
    "d": (8, 10),
    "H": (11, 13),
    "M": (14, 16),
    "S": (17, 19),
    "L": (20, 23),
}
_BETWEEN: Final = "    -  -  T  :  :  .   "

SPECIFIERS: Final = "".join(_WRITERS)


def pieces(text: str, operator: str, known: str) -> list[tuple[bool, str]]:
    """A format as (whether it is a specifier, its letter or the text itself); Poison for unknown ones."""
    found: list[tuple[bool, str]] = []
    position = 0
    while position < len(text):
        sign = text.find("%", position)
        if sign < 0:
            found.append((False, text[position:]))
            break
        if sign > position:
            found.append((False, text[position:sign]))
        if sign + 1 == len(text):
            raise Poison(f"{operator}: unmatched '%' at the end of the format")
        if text[sign + 1] not in known:
            raise Poison(f"{operator}: invalid format character '%{text[sign + 1]}' in the format")
        found.append((True, text[sign + 1]))
        position = sign + 2
    return found


def writer(text: str, zone: Zone) -> Callable[[Any], str]:
    """The function that writes a date, timestamp or id so, by the zone's wall clock.

    Raises Poison for a wrong format; the function for what is no date, and for a year outside 0 to 9999 where
    the format has one.
    """
    cuts, writers = _compiled(text)
    if cuts is None:
        return lambda value: _written(writers, to_moment(value), zone)
    if len(cuts) == 1 and not isinstance(cuts[0], str):
        cut = cuts[0]
        join: Callable[[str], str] = lambda iso: iso[cut]  # noqa: E731 - the same shape as the other
    else:
        join = _joining(cuts)
    has_year = "%Y" in text.replace("%%", "")
    rules = UTC if zone.is_utc else zone.rules

    def write(value: Any) -> str:
        if rules is not None and value.__class__ is datetime and value.tzinfo is UTC:
            try:
                local = value if rules is UTC else value.astimezone(rules)
                return join(local.isoformat(timespec="milliseconds"))
            except OverflowError:
                pass  # the zone moves it out of datetime's years
        return join(_iso(zone.local(to_moment(value)), has_year=has_year))

    return write


def _joining(cuts: Sequence[slice | str]) -> Callable[[str], str]:
    return lambda iso: "".join([cut if cut.__class__ is str else iso[cut] for cut in cuts])  # type: ignore[index]


def _iso(local_ms: int, *, has_year: bool) -> str:
    """The ISO text of a local time."""
    if _FIRST_MS <= local_ms <= _LAST_MS:
        return (_EPOCH + timedelta(milliseconds=local_ms)).isoformat(timespec="milliseconds")
    at = fields(local_ms)
    year = _year(at.year) if has_year else "0000"
    clock = f"{at.hour:02d}:{at.minute:02d}:{at.second:02d}.{at.millisecond:03d}"
    return f"{year}-{at.month:02d}-{at.day:02d}T{clock}"


def _written(writers: Sequence[Write], ms: int, zone: Zone) -> str:
    offset_ms = zone.offset_at(ms)
    at = fields(ms + offset_ms)
    return "".join([write(at, offset_ms) for write in writers])


@lru_cache(maxsize=_CACHED)
def _compiled(text: str) -> tuple[tuple[slice | str, ...] | None, tuple[Write, ...]]:
    """Cuts of the ISO text where it has all that the format wants, and the format's writers."""
    if len(text) > _MAX_FORMAT:
        raise Poison(f"$dateToString: a format of {len(text)} characters; at most {_MAX_FORMAT}")
    parts = pieces(text, "$dateToString", SPECIFIERS)
    if all(letter in _PLACES or letter == "%" for is_specifier, letter in parts if is_specifier):
        return tuple(_cuts(parts)), ()
    return None, tuple(_WRITERS[part] if is_specifier else _literal(part) for is_specifier, part in parts)


def _literal(text: str) -> Write:
    return lambda _, __: text


def _cuts(parts: Sequence[tuple[bool, str]]) -> list[slice | str]:
    """As few cuts as there can be: what stands between two parts in the ISO text too is cut out with them."""
    found: list[tuple[int, int] | str] = []
    for is_specifier, part in parts:
        place = _PLACES.get(part) if is_specifier else None
        if place is None:
            found.append("%" if is_specifier else part)
            continue
        first, last = place
        if found and isinstance(found[-1], tuple) and found[-1][1] == first:
            first = found.pop()[0]  # type: ignore[assignment]
        elif len(found) > 1 and isinstance(found[-2], tuple):
            between, end = found[-1], found[-2][1]
            if end < first and between == _BETWEEN[end:first]:
                first = found[-2][0]
                del found[-2:]
        found.append((first, last))
    return [slice(*each) if isinstance(each, tuple) else each for each in found]
