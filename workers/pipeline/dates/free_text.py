"""Reading a date without a format, in the many ways people and programs write them.

The text is a row of parts in any order: a date, a time, a zone, a day of the week. At each place the longest
part that fits is taken, as the server's parser does; what is relative to today ("tomorrow", "+2 days") is
refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from workers.pipeline.dates.calendar import day_number, iso_day_number
from workers.pipeline.dates.reading import Reading, Unreadable, month_number, zone_at
from workers.pipeline.dates.zones import UTC_ZONE, Zone

# No date needs more, and every rule is tried at every part.
_MAX_TEXT: Final = 256

_HOUR = r"(?P<h>2[0-4]|[01]?\d)"
_HOUR_2 = r"(?P<h>2[0-4]|[01]\d)"
_HOUR_12 = r"(?P<h>1[0-2]|0?[1-9])"
_MINUTE, _MINUTE_2 = r"(?P<i>[0-5]?\d)", r"(?P<i>[0-5]\d)"
_SECOND, _SECOND_2 = r"(?P<s>60|[0-5]?\d)", r"(?P<s>60|[0-5]\d)"
_AM_PM = r"[ \t]*(?P<ap>[ap])\.?m\.?(?=[ \t]|$)"
_T = r"(?:t(?=\d))?"

_MONTH, _MONTH_2 = r"(?P<m>1[0-2]|0?\d)", r"(?P<m>0\d|1[0-2])"
_DAY, _DAY_2 = r"(?P<d>3[01]|[0-2]?\d)(?:st|nd|rd|th)?", r"(?P<d>0\d|[12]\d|3[01])"
_DAY_PLAIN = r"(?P<d>3[01]|[0-2]?\d)"
_OFFSET = (
    r"(?-i:GMT)?[+-](?:(?:2[0-4]|[01]\d):[0-5]\d:(?:60|[0-5]\d)|(?:2[0-4]|[01]\d)[0-5]\d(?:60|[0-5]\d)|"
    r"(?:2[0-4]|[01]?\d)(?::?[0-5]?\d)?)"
)
_YEAR, _YEAR_4 = r"(?P<y>\d{1,4})", r"(?P<y>\d{4})"
_SHORT_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sept|sep|oct|nov|dec"
_LONG_NAMES = "january|february|march|april|june|july|august|september|october|november|december"
_ROMAN = "(?-i:VIII|VII|VI|V|IX|IV|III|II|I|XII|XI|X)"
_NAME = f"(?P<name>{_LONG_NAMES}|{_SHORT_NAMES}|{_ROMAN})"
_SHORT_NAME = f"(?P<name>{_SHORT_NAMES})"
_DAY_OF_YEAR = r"(?P<doy>00[1-9]|0[1-9]\d|[12]\d\d|3[0-5]\d|36[0-6])"
_WEEK = r"(?P<w>0[1-9]|[1-4]\d|5[0-3])"
_WEEKDAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_UNITS = (
    r"ms|[\u00b5u]s|(?:msec|millisecond|\u00b5sec|microsecond|usec|sec|second|min|minute|hour|day|fortnight|"
    rf"forthnight|month|year)s?|weeks?|weekdays?|(?:{_WEEKDAYS})s?|mon|tue|wed|thu|fri|sat|sun"
)
_NO_YEAR = rf"{_NAME}[ .\t-]*{_DAY}(?:[,.stndrh\t ]+|$)"

_DIGITS: Final = "0123456789"
_SPACE: Final = " \t\n\v\f\r"
_SKIPPED: Final = " \t\n.,\0"

_DATE, _TIME, _BOTH, _OTHER = "date", "time", "date time", ""

# Each: what it gives, what it can begin with (0: a digit, a: a letter, +: anything else), and how it looks.
# What fits equally long is taken by the first.
_RULES: Final = tuple(
    (kind, first, re.compile(text, re.IGNORECASE | re.ASCII))
    for kind, first, text in (
        (_OTHER, "+", r"@(?P<stamp>-?\d{1,18})(?:\.(?P<f>\d{0,6}))?"),
        (_TIME, "0", rf"{_HOUR_12}{_AM_PM}"),
        (_TIME, "0", rf"{_HOUR_12}[:.]{_MINUTE_2}{_AM_PM}"),
        (_TIME, "0", rf"{_HOUR_12}[:.]{_MINUTE}[:.]{_SECOND_2}{_AM_PM}"),
        (_TIME, "0", rf"{_HOUR_12}:{_MINUTE_2}:{_SECOND_2}[:.](?P<f>\d+){_AM_PM}"),
        (_TIME, "a", rf"t{_HOUR}"),
        (_TIME, "a0", rf"t?{_HOUR}[:.]{_MINUTE}"),
        (_TIME, "a0", rf"t?{_HOUR}[:.]{_MINUTE}[:.]{_SECOND}(?:\.(?P<f>\d+))?"),
        (_OTHER, "a0", r"t?(?P<hhmm>(?:2[0-4]|[01]\d)[0-5]\d)"),
        (_TIME, "a0", rf"t?{_HOUR_2}{_MINUTE_2}{_SECOND_2}"),
        (_DATE, "0", rf"{_MONTH}/{_DAY}(?:/{_YEAR})?"),
        (_DATE, "0+", rf"(?P<y>[+-]?\d{{4}})-{_MONTH_2}-{_DAY_2}"),
        (_DATE, "0", rf"{_YEAR_4}/{_MONTH_2}/{_DAY_2}/?"),
        (_DATE, "0", rf"{_YEAR_4}/{_MONTH}/{_DAY}"),
        (_DATE, "0", rf"(?P<y>\d\d)-{_MONTH_2}-{_DAY_2}"),
        (_DATE, "+", rf"(?P<y>[+-]\d{{5,9}})-{_MONTH_2}-{_DAY_2}"),
        (_DATE, "0", rf"{_YEAR_4}-{_MONTH}"),
        (_DATE, "0", rf"{_YEAR}-{_MONTH}-{_DAY}"),
        (_DATE, "0", rf"{_DAY}[ \t.-]*{_NAME}[ \t.-]*{_YEAR}"),
        (_DATE, "0", rf"{_DAY}[.\t-]{_MONTH}[.-]{_YEAR_4}"),
        (_DATE, "0", rf"{_DAY}[.\t]{_MONTH}\.(?P<y>\d\d)"),
        (_DATE, "a", rf"{_NAME}[ .\t-]*{_YEAR_4}"),
        (_DATE, "0", rf"{_YEAR_4}[ .\t-]*{_NAME}"),
        (_DATE, "a", rf"{_NAME}[ .\t-]*{_DAY}[,.stndrh\t ]+{_YEAR}"),
        (_DATE, "a", _NO_YEAR),
        (_DATE, "0", rf"{_DAY}[ .\t-]*{_NAME}"),
        (_DATE, "0", rf"{_YEAR_4}{_MONTH_2}{_DAY_2}"),
        (_BOTH, "0", rf"{_YEAR_4}:{_MONTH_2}:{_DAY_2} {_HOUR_2}:{_MINUTE_2}:{_SECOND_2}"),
        (_DATE, "0", rf"{_YEAR_4}[.-]?{_DAY_OF_YEAR}"),
        (_DATE, "0", rf"{_YEAR_4}-?(?-i:W){_WEEK}(?:-?(?P<wd>[0-7]))?"),
        (_DATE, "a", rf"{_SHORT_NAME}-{_DAY_2}-{_YEAR}"),
        (_DATE, "0", rf"{_YEAR}-{_SHORT_NAME}-{_DAY_2}"),
        (_BOTH, "0", rf"{_DAY}/{_SHORT_NAME}/{_YEAR_4}:{_HOUR_2}:{_MINUTE_2}:{_SECOND_2}(?=[ \t]+{_OFFSET})"),
        (_BOTH, "0", rf"{_YEAR_4}-{_MONTH}-{_DAY_PLAIN}(?-i:T){_HOUR}:{_MINUTE}:{_SECOND}"),
        (_BOTH, "0", rf"{_YEAR_4}-{_MONTH_2}-{_DAY_2}(?-i:T){_HOUR_2}:{_MINUTE_2}:{_SECOND_2}\.(?P<f>\d+)"),
        (_BOTH, "0", rf"{_YEAR_4}{_MONTH_2}{_DAY_2}(?-i:T){_HOUR}:{_MINUTE_2}:{_SECOND_2}"),
        (_OTHER, "0", r"(?P<year>\d{4})"),
        (_OTHER, "a", rf"(?P<weekday>{_WEEKDAYS}|mon|tue|wed|thu|fri|sat|sun)"),
        (_DATE, "a", rf"(?P<name>{_LONG_NAMES}|{_SHORT_NAMES})"),
        (_OTHER, "a+", rf"(?P<zone>{_OFFSET})"),
        (_OTHER, "a+", r"(?P<zone>\(?[a-z]{1,6}\)?)"),
        (_OTHER, "a", r"(?-i:(?P<zone>[A-Z][a-z]+(?:[_/-][A-Za-z]+)+))"),
        (_BOTH, "a", rf"{_NO_YEAR}{_HOUR_12}[:.]{_MINUTE_2}(?:[:.]{_SECOND_2})?{_AM_PM}"),
        (_BOTH, "a", rf"{_NO_YEAR}{_T}{_HOUR}[:.]{_MINUTE}(?:[:.]{_SECOND})?"),
        (_OTHER, "0+", rf"(?P<relative>[+-]*[ \t]*\d{{1,13}}[ \t]*(?:{_UNITS}))"),
    )
)  # fmt: skip
_BY_FIRST: Final = {
    each: tuple((kind, rule) for kind, first, rule in _RULES if each in first) for each in ("0", "a", "+")
}


# What programs write: read at once, without the rules.
_ISO: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def read(text: str, within: Zone) -> int:
    """The moment that a text stands for; `within` is the zone where it names none. Raises Unreadable."""
    iso = _ISO.fullmatch(text)
    if iso is not None and (within.is_utc or iso[1] is None):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            pass  # a 30 February or an hour 24: the rules carry it over
        else:
            if moment.tzinfo is not None:
                return int((moment - _EPOCH) // _MILLISECOND)
            return within.moment(int((moment.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND))
    if len(text) > _MAX_TEXT:
        raise Unreadable(text, f"a text of {len(text)} characters, at most {_MAX_TEXT}")
    return _Parts(text).read().moment(text, within)


@dataclass(slots=True)
class _Parts:
    """A text and the parts found in it so far."""

    text: str
    found: Reading = field(default_factory=Reading)
    kinds: set[str] = field(default_factory=set)
    zones: int = 0

    def read(self) -> Reading:
        text = self.text.strip(_SPACE)
        if not text:
            raise Unreadable(self.text, "an empty text")
        position = 0
        while position < len(text):
            if text[position] in _SKIPPED:
                position += 1
                continue
            best = None
            first = text[position]
            for kind, rule in _BY_FIRST["0" if first in _DIGITS else "a" if first.isalpha() else "+"]:
                match = rule.match(text, position)
                if match is not None and (best is None or match.end() > best[1].end()):
                    best = kind, match
            if best is None:
                raise Unreadable(self.text, f"{position}: unexpected character {text[position]!r}")
            position = self._take(best[0], best[1].groupdict(), best[1])
        return self.found

    def _take(self, kind: str, groups: dict[str, str | None], match: re.Match[str]) -> int:
        """Note what a rule found; where the next part begins."""
        for each in kind.split():
            if each in self.kinds:
                raise Unreadable(self.text, f"{match.start()}: double {each} specification")
            self.kinds.add(each)
        if _DATE in kind:
            self._date(groups)
        if _TIME in kind:
            self._time(groups)
        if kind:
            return match.end()
        if groups.get("zone"):
            return self._zone(match)
        if groups.get("relative"):
            raise Unreadable(self.text, f"{match.start()}: a relative date")
        self._other(groups, match)
        return match.end()

    def _date(self, groups: dict[str, str | None]) -> None:
        found = self.found
        year, name = groups.get("y"), groups.get("name")
        if year is not None:
            found.year = _full_year(year)
        month = groups.get("m")
        if month is not None:
            found.month = int(month)
        elif name is not None:
            found.month = month_number(name)
        day = groups.get("d")
        if day is not None:
            found.day = int(day)
        elif found.month is not None and year is not None:
            found.day = 1
        if groups.get("doy"):
            found.month, found.day = 1, int(groups["doy"] or 0)
        if groups.get("w"):
            assert found.year is not None, "a week has its year"
            wanted = iso_day_number(found.year, int(groups["w"] or 0), int(groups.get("wd") or 1))
            found.month, found.day = 1, 1
            found.more_days = wanted - day_number(found.year, 1, 1)

    def _time(self, groups: dict[str, str | None]) -> None:
        found = self.found
        hour = int(groups["h"] or 0)
        half = groups.get("ap")
        if half is not None:
            hour = hour % 12 + (12 if half in "pP" else 0)
        found.hour, found.minute = hour, int(groups.get("i") or 0)
        found.second, found.millisecond = int(groups.get("s") or 0), _milliseconds(groups.get("f"))

    def _zone(self, match: re.Match[str]) -> int:
        self.zones += 1
        if self.zones > 2:
            raise Unreadable(self.text, f"{match.start()}: double timezone specification")
        if self.zones == 2:
            return match.end()  # the server only warns of a second zone, as "+0200 (CEST)" has it
        found = zone_at(match[0], 0)
        if found is None:
            raise Unreadable(self.text, f"{match.start()}: the timezone could not be found in the database")
        self.found.zone = found[0]
        return match.start() + found[1]

    def _other(self, groups: dict[str, str | None], match: re.Match[str]) -> None:
        found = self.found
        if groups.get("stamp"):
            stamp = int(groups["stamp"] or 0)
            fraction = _milliseconds(groups.get("f"))
            found.year, found.month, found.day, found.hour, found.minute = 1970, 1, 1, 0, 0
            found.second, found.millisecond = stamp, -fraction if match[0][1] == "-" else fraction
            self.zones, found.zone = self.zones + 1, UTC_ZONE
            self.kinds |= {_DATE, _TIME}
        elif groups.get("weekday"):
            found.weekday = _WEEKDAYS.split("|").index(_day_name(groups["weekday"] or ""))
            found.hour = found.minute = found.second = found.millisecond = 0
            self.kinds -= {_TIME}
        elif groups.get("year"):
            found.year = int(groups["year"] or 0)
        elif _TIME in self.kinds:
            found.year = int(groups["hhmm"] or 0)  # four digits after a time are the year
        else:
            digits = groups["hhmm"] or ""
            found.hour, found.minute, found.second, found.millisecond = int(digits[:2]), int(digits[2:]), 0, 0
            self.kinds.add(_TIME)


def _full_year(digits: str) -> int:
    """Years of one or two digits are those from 1970 to 2069."""
    year = int(digits)
    if len(digits.lstrip("+-")) < 4 and 0 <= year < 100:
        return year + (2000 if year < 70 else 1900)
    return year


def _milliseconds(fraction: str | None) -> int:
    return int((fraction or "")[:3].ljust(3, "0"))


def _day_name(name: str) -> str:
    return next(day for day in _WEEKDAYS.split("|") if day.startswith(name.lower()))
