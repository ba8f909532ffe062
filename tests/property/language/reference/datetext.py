"""Dates to text and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import Any

from tests.property.language.reference.calendar import instant, local, ms_of, offset_minutes, zone_of
from tests.property.language.reference.dates import settled, week_of
from tests.property.language.reference.interpreter import (
    Environment,
    Operator,
    Scope,
    check,
    checked_names,
    register,
    run,
)
from tests.property.language.reference.values import DataError, Unsure, date_of, kind, nullish

_MONTHS = "January February March April May June July August September October November December".split()


def _formatted(ms: int, pattern: str, zone: tzinfo) -> str:
    time = local(ms, zone)
    minutes = offset_minutes(ms, zone)
    sign, size = "-" if minutes < 0 else "+", abs(minutes)
    iso_year, iso_week, iso_day = time.isocalendar()
    parts = {
        "d": f"{time.day:02d}",
        "G": f"{iso_year:04d}",
        "H": f"{time.hour:02d}",
        "L": f"{ms % 1000:03d}",
        "j": f"{time.timetuple().tm_yday:03d}",
        "m": f"{time.month:02d}",
        "M": f"{time.minute:02d}",
        "S": f"{time.second:02d}",
        "u": str(iso_day),
        "U": f"{week_of(time):02d}",
        "V": f"{iso_week:02d}",
        "w": str((time.weekday() + 1) % 7 + 1),
        "Y": f"{time.year:04d}",
        "%": "%",
        "z": f"{sign}{size // 60:02d}{size % 60:02d}",
        "b": _MONTHS[time.month - 1][:3],
        "B": _MONTHS[time.month - 1],
    }
    return re.sub(r"%(.)", lambda match: parts[match[1]], pattern, flags=re.DOTALL)


_SPECIFIERS = "dGHLjmMSuUVwYzZ%bB"


def _pattern(value: Any) -> str:
    if kind(value) != "string":
        raise DataError("a format is a string")
    if re.sub(rf"%[{_SPECIFIERS}]", "", value).find("%") >= 0:
        raise DataError("an unknown specifier")
    if "%Z" in value.replace("%%", ""):
        raise Unsure("how minutes of an offset are padded")
    return str(value)


def _check_to_string(argument: Any, scope: Scope) -> None:
    for value in checked_names(argument, ("date",), ("format", "timezone", "onNull")).values():
        check(value, scope)


def _to_string(argument: Any, env: Environment) -> Any:
    date = run(argument["date"], env)
    rest = {name: run(argument[name], env) for name in ("format", "timezone") if name in argument}
    found = settled(rest, {"format": _pattern, "timezone": zone_of})
    if nullish(date):
        if found is None and "onNull" in argument:
            raise Unsure("which null counts first")
        return run(argument["onNull"], env) if "onNull" in argument else None
    if found is None:
        try:
            ms_of(date)
        except DataError:
            raise Unsure("null beside an error") from None
        return None
    where = found.get("timezone", UTC)
    default = "%Y-%m-%dT%H:%M:%S.%L" + ("Z" if where is UTC else "")
    return _formatted(ms_of(date), found.get("format", default), where)


_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?\s?(Z|[+-]\d\d:?\d\d)?)?"
)
_GROUPS = {
    "Y": r"(?P<Y>\d{4})",
    "m": r"(?P<m>\d\d)",
    "d": r"(?P<d>\d\d)",
    "H": r"(?P<H>\d\d)",
    "M": r"(?P<M>\d\d)",
    "S": r"(?P<S>\d\d)",
    "L": r"(?P<L>\d{3})",
    "%": "%",
}


def _by_format(text: str, pattern: str) -> tuple[list[int], str | None]:
    expression = ""
    for piece in re.split(r"(%.)", pattern):
        if piece.startswith("%") and len(piece) == 2:
            if piece[1] not in _GROUPS:
                raise Unsure("a format beyond the plain ones")
            expression += _GROUPS[piece[1]]
        else:
            expression += re.escape(piece)
    try:
        match = re.fullmatch(expression, text, re.ASCII)
    except re.error:
        raise Unsure("a format with a part twice") from None
    if not match:
        if re.search(r"\d", text):
            raise Unsure("how loosely a format reads")
        raise DataError("the text is not of the format")
    groups = match.groupdict()
    if not {"Y", "m", "d"} <= set(groups):
        raise Unsure("a format without a whole day")
    return [int(groups.get(name) or 0) for name in "YmdHMSL"], None


def parsed(text: str, pattern: str | None, zone: tzinfo | None) -> Any:
    """The date in a text, by a format or as ISO 8601. Raises DataError, Unsure."""
    if pattern is not None:
        numbers, offset = _by_format(text, pattern)
    else:
        match = _ISO.fullmatch(text)
        if not match:
            if re.search(r"\d", text) or not text.strip() or len(text) < 4:
                raise Unsure("a text that a loose reader may take for a date")
            raise DataError("no date")
        *digits, fraction, offset = match.groups()
        numbers = [*(int(part or 0) for part in digits), int((fraction or "").ljust(3, "0"))]
    if offset and zone is not None:
        raise Unsure("two time zones") if offset in ("Z", "+00:00", "+0000") else DataError("two time zones")
    if offset and offset != "Z":
        zone = zone_of(offset)
    *clock, ms = numbers
    try:
        time = datetime(*clock, microsecond=ms * 1000)  # type: ignore[misc,arg-type]  # noqa: DTZ001 - local time
    except ValueError:
        raise Unsure("a day that no month has") from None
    return date_of(instant(time, zone or UTC))


def _check_from_string(argument: Any, scope: Scope) -> None:
    names = checked_names(argument, ("dateString",), ("format", "timezone", "onError", "onNull"))
    for value in names.values():
        check(value, scope)


def _from_string(argument: Any, env: Environment) -> Any:
    text = run(argument["dateString"], env)
    rest = {name: run(argument[name], env) for name in ("format", "timezone") if name in argument}
    found = settled(rest, {"format": _pattern, "timezone": zone_of})
    if nullish(text):
        if found is None and "onNull" in argument:
            raise Unsure("which null counts first")
        return run(argument["onNull"], env) if "onNull" in argument else None
    if found is None:
        if kind(text) != "string":
            raise Unsure("null beside an error")
        return None
    try:
        if kind(text) != "string":
            raise DataError("no text")
        return parsed(text, found.get("format"), found.get("timezone"))
    except DataError:
        if "onError" in argument:
            return run(argument["onError"], env)
        raise


register("$dateToString", Operator(_check_to_string, _to_string))
register("$dateFromString", Operator(_check_from_string, _from_string))
