"""`$dateToString $dateFromString`: dates as text, by a format or without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.dates import free_text
from workers.pipeline.dates.arguments import ABSENT, constants, date_of, faults
from workers.pipeline.dates.formatting import DEFAULT, writer
from workers.pipeline.dates.pattern import pattern, read
from workers.pipeline.dates.reading import Unreadable
from workers.pipeline.dates.zones import UTC_ZONE, Zone, zone
from workers.pipeline.nodes import Call, Emitting, Example, Named, Node, Operator, may_be_missing
from workers.pipeline.values import MISSING, is_nullish, type_name

_TO: Final = ("date", "format", "timezone", "onNull")
_FROM: Final = ("dateString", "format", "timezone", "onError", "onNull")

_NULL: Final = object()
_ERROR: Final = object()
"""Stand for what `onNull` and `onError` say, which is only evaluated when it is needed."""

# A document may name format and zone: so many combinations are remembered.
_CACHED: Final = 256


def _format(value: Any, name: str) -> str:
    if value.__class__ is not str:
        raise Poison(f"{name} requires that 'format' be a string, found: {type_name(value)}")
    return str(value)


def _where(timezone: Any) -> Zone | None:
    """The zone, None where it is null."""
    if timezone is ABSENT:
        return UTC_ZONE
    return None if is_nullish(timezone) else zone(timezone)


# Writing


@lru_cache(maxsize=_CACHED)
def _writer(text: str | None, where: Zone) -> Callable[[Any], str]:
    if text is None:
        text = f"{DEFAULT}Z" if where.is_utc else DEFAULT
    return writer(text, where)


def to_string(value: Any, text: Any, timezone: Any, on_null: Any) -> Any:
    """A date as text; `on_null` where it is null or missing, null where the format or the zone is."""
    if text is not ABSENT:
        if is_nullish(text):
            return None
        _check_to_format(text)
    where = _where(timezone)
    if where is None:
        return None
    if is_nullish(value):
        return None if on_null is ABSENT else on_null
    return _writer(None if text is ABSENT else text, where)(value)


def _check_to_format(text: Any) -> None:
    _writer(_format(text, "$dateToString"), UTC_ZONE)


def _emit_to_string(em: Emitting, call: Call) -> str:
    when, text, timezone, on_null = call.args
    assert when is not None
    known = constants(Call(call.operator, (text, timezone), call.path), 0)
    if known is None or any(is_nullish(value) for value in known):
        absent, null = em.constant(ABSENT), em.constant(None if on_null is None else _NULL)
        args = [absent if arg is None else em.value(arg) for arg in (when, text, timezone)]
        found = em.call(to_string, *args, null)
    else:
        where = _where(known[1])
        assert where is not None, "null was left to the run"
        write = _writer(None if known[0] is ABSENT else known[0], where)
        nothing = None if on_null is None else _NULL

        def to_string_known(value: Any) -> Any:
            return nothing if value is None or value is MISSING else write(value)

        found = em.call(to_string_known, em.value(when))
    return _instead(em, found, (_NULL, on_null))


def _instead(em: Emitting, found: str, *stands: tuple[object, Node | None]) -> str:
    """What stands in for a mark is evaluated where the mark was found."""
    for mark, node in stands:
        if node is not None:
            with em.block(f"if {found} is {em.constant(mark)}:"):
                em.line(f"{found} = {em.value(node)}")
    return found


def _check_to(call: Call) -> Iterator[Poison]:
    return faults(call, _TO, {"format": _check_to_format, "timezone": zone})


# Reading


def from_string(text: Any, by: Any, timezone: Any, on_error: Any, on_null: Any) -> Any:
    """The date of a text. `on_error` where it is none, `on_null` where it is null or missing."""
    if by is not ABSENT and not is_nullish(by):
        _check_from_format(by)
    where = _where(timezone)
    if is_nullish(text):
        return None if on_null is ABSENT else on_null
    try:
        if text.__class__ is not str:
            raise Unreadable("", f"'dateString' must be a string, found: {type_name(text)}")
        if where is None or is_nullish(by):
            return None
        return _read(text, by, where)
    except Unreadable:
        if on_error is ABSENT:
            raise
        return on_error


def _read(text: str, by: Any, where: Zone) -> Any:
    ms = free_text.read(text, where) if by is ABSENT else read(text, pattern(by), where)
    return date_of(ms, "$dateFromString")


def _check_from_format(by: Any) -> None:
    pattern(_format(by, "$dateFromString"))


def _emit_from_string(em: Emitting, call: Call) -> str:
    text, by, timezone, on_error, on_null = call.args
    assert text is not None
    known = constants(Call(call.operator, (by, timezone), call.path), 0)
    error = ABSENT if on_error is None else _ERROR
    null = ABSENT if on_null is None else _NULL
    if known is None or any(is_nullish(value) for value in known):
        absent = em.constant(ABSENT)
        args = [absent if arg is None else em.value(arg) for arg in (text, by, timezone)]
        found = em.call(from_string, *args, em.constant(error), em.constant(null))
    else:
        where, known_format = _where(known[1]), known[0]
        assert where is not None, "null was left to the run"

        def from_string_known(value: Any) -> Any:
            if value.__class__ is not str:
                return from_string(value, known_format, ABSENT, error, null)
            try:
                return _read(value, known_format, where)
            except Unreadable:
                if error is ABSENT:
                    raise
                return error

        found = em.call(from_string_known, em.value(text))
    return _instead(em, found, (_ERROR, on_error), (_NULL, on_null))


def _check_from(call: Call) -> Iterator[Poison]:
    return faults(call, _FROM, {"format": _check_from_format, "timezone": zone})


def _may_miss(first: int) -> Callable[[Call], bool]:
    return lambda call: any(arg is not None and may_be_missing(arg) for arg in call.args[first:])


OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        Operator(
            name="$dateToString",
            signature=Named(_TO[:1], _TO[1:]),
            meaning=(
                "A date as text by a format of %Y %m %d %H %M %S %L %j %b %B %w %u %U %V %G %z %Z and %%; "
                "without one as 2024-01-31T12:30:00.000Z."
            ),
            example=Example(
                {
                    "$dateToString": {
                        "date": "$at",
                        "format": "%Y-%m-%d %H:%M",
                        "timezone": "America/New_York",
                    }
                },
                "2014-01-01 03:15",
                {"at": datetime(2014, 1, 1, 8, 15, 39, 736000, tzinfo=UTC)},
            ),
            function=to_string,
            emit=_emit_to_string,
            absent=ABSENT,
            gives_missing=_may_miss(3),
            check=_check_to,
        ),
        Operator(
            name="$dateFromString",
            signature=Named(_FROM[:1], _FROM[1:]),
            meaning=(
                "The date that a text stands for, by a format or in any usual form; `onError` and `onNull` "
                "stand in where there is none."
            ),
            example=Example(
                {"$dateFromString": {"dateString": "$text", "timezone": "America/New_York"}},
                datetime(2017, 2, 8, 17, 10, 40, 787000, tzinfo=UTC),
                {"text": "2017-02-08T12:10:40.787"},
            ),
            function=from_string,
            emit=_emit_from_string,
            absent=ABSENT,
            gives_missing=_may_miss(3),
            check=_check_from,
        ),
    )
}
