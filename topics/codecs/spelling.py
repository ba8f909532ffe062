"""How BSON types are spelled in JSON: relaxed (what `$emit` and calls write), canonical and basic. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

import orjson
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from topics.codecs.ejson import EPOCH, INT64_MAX, INT64_MIN

Table: TypeAlias = "dict[type, Callable[[Any], Any]]"
"""How each type that is not spelled as itself is spelled."""

_LETTERS: Final = "ilmsux"
_FLAGS: Final = {letter: int(Regex("", letter).flags) for letter in _LETTERS}


def milliseconds(moment: datetime) -> int:
    """Milliseconds since the epoch, rounded down; a datetime without a zone is taken as UTC."""
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def _date(moment: datetime) -> dict[str, Any]:
    """ISO text from 1970 on, as relaxed Extended JSON asks; the number before that."""
    if moment.tzinfo is not None and moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    if moment.year < 1970:
        return {"$date": {"$numberLong": str(milliseconds(moment))}}
    # orjson writes "2024-01-31T12:30:00.123456Z" in a sixth of isoformat's time; the quotes are cut off, too.
    text = orjson.dumps(moment, None, orjson.OPT_NAIVE_UTC)
    return {"$date": f"{str(text[1:24] if moment.microsecond >= 1000 else text[1:20], 'ascii')}Z"}


def _canonical_date(moment: datetime) -> dict[str, Any]:
    return {"$date": {"$numberLong": str(milliseconds(moment))}}


def _far_date(moment: DatetimeMS) -> dict[str, Any]:
    return {"$date": {"$numberLong": str(int(moment))}}


def _binary(data: bytes) -> dict[str, Any]:
    subtype = data.subtype if isinstance(data, Binary) else 0
    return {"$binary": {"base64": b64encode(data).decode("ascii"), "subType": f"{subtype:02x}"}}


def _uuid(value: UUID) -> dict[str, Any]:
    return _binary(Binary(value.bytes, 4))


def _basic_binary(data: bytes) -> str:
    """A UUID as its text, all else in base64; the subtype is lost."""
    if isinstance(data, Binary) and data.subtype == 4 and len(data) == 16:
        return str(UUID(bytes=bytes(data)))
    return b64encode(data).decode("ascii")


def iso_date(moment: datetime) -> str:
    """`2024-10-24T18:07:29.636Z`: always with milliseconds, always in UTC."""
    if moment.tzinfo is not None and moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.isoformat()[:19]}.{moment.microsecond // 1000:03d}Z"


def _basic_regex(value: Regex[Any]) -> dict[str, Any]:
    options = "".join(letter for letter in _LETTERS if value.flags & _FLAGS[letter])
    return {"pattern": value.pattern, "options": options}


def _regex(value: Regex[Any]) -> dict[str, Any]:
    return {"$regularExpression": _basic_regex(value)}


def _code(value: Code) -> dict[str, Any]:
    return (
        {"$code": str(value)} if value.scope is None else {"$code": str(value), "$scope": dict(value.scope)}
    )


def _float(value: float) -> Any:
    """Only the doubles that JSON has no text for are wrapped in relaxed Extended JSON."""
    return value if value - value == 0.0 else {"$numberDouble": _double_text(value)}


def _basic_float(value: float) -> Any:
    """JSON has no text for NaN and the infinities: they become strings."""
    return value if value - value == 0.0 else _double_text(value)


def _double_text(value: float) -> str:
    if value - value == 0.0:
        return repr(value)
    return "Infinity" if value > 0 else "-Infinity" if value < 0 else "NaN"


def _canonical_int(value: int) -> dict[str, Any]:
    if -(2**31) <= value < 2**31 and value.__class__ is int:
        return {"$numberInt": str(value)}
    if INT64_MIN <= value <= INT64_MAX:
        return {"$numberLong": str(int(value))}
    return {"$numberDouble": repr(float(value))}


RELAXED: Final[Table] = {
    Int64: int,
    ObjectId: lambda value: {"$oid": str(value)},
    datetime: _date,
    Decimal128: lambda value: {"$numberDecimal": str(value)},
    DatetimeMS: _far_date,
    bytes: _binary,
    Binary: _binary,
    UUID: _uuid,
    Regex: _regex,
    Timestamp: lambda value: {"$timestamp": {"t": value.time, "i": value.inc}},
    MinKey: lambda value: {"$minKey": 1},
    MaxKey: lambda value: {"$maxKey": 1},
    Code: _code,
}
CANONICAL: Final[Table] = {
    **RELAXED,
    int: _canonical_int,
    Int64: _canonical_int,
    float: lambda value: {"$numberDouble": _double_text(value)},
    datetime: _canonical_date,
}
BASIC: Final[Table] = {
    Int64: int,
    ObjectId: str,
    datetime: milliseconds,
    Decimal128: str,
    DatetimeMS: int,
    bytes: _basic_binary,
    Binary: _basic_binary,
    UUID: str,
    Regex: _basic_regex,
    Timestamp: lambda value: value.time * 1000,
    MinKey: lambda value: "MinKey",
    MaxKey: lambda value: "MaxKey",
    Code: str,
}
"""JSON without wrappers: types are lost, as Atlas's basicJson loses them."""

RELAXED_FLOATS: Final[Table] = {float: _float}
BASIC_FLOATS: Final[Table] = {float: _basic_float}
"""What orjson would write as null: only spelled where a document holds one."""

ISO_DATES: Final[Table] = {datetime: iso_date}
"""Dates as text in any format. A date outside the years 1 to 9999 has no such text and stays as it was."""

_PLAIN: Final[tuple[Any, ...]] = (dict, str, int, float, list)
_RELAXED_IN_FULL: Final[Table] = {**RELAXED, **RELAXED_FLOATS}


def hook(table: Table) -> Callable[[Any], Any]:
    """orjson's `default`: called for what it does not write itself. TypeError for a foreign type."""
    find = table.get

    def spell_one(value: Any) -> Any:
        spell = find(value.__class__)
        if spell is not None:
            return spell(value)
        for plain in _PLAIN:  # a subclass of a plain type is written as that type
            if isinstance(value, plain):
                return plain(value)
        raise TypeError(f"a value of type {value.__class__.__name__} has no JSON form")

    return spell_one


spell_default: Final = hook(RELAXED)


def spell_relaxed(value: Any) -> Any:
    """A copy of `value` in which everything, NaN and infinities too, is spelled in relaxed Extended JSON."""
    return spell_all(value, _RELAXED_IN_FULL)


def spell_canonical(value: Any) -> Any:
    """A copy of `value` in canonical Extended JSON: every number keeps its type."""
    return spell_all(value, CANONICAL)


def spell_all(value: Any, table: Table) -> Any:
    """A copy of `value` in which everything that the table names is spelled."""
    if isinstance(value, dict):
        return {key: spell_all(item, table) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [spell_all(item, table) for item in value]
    spell = table.get(value.__class__)
    if spell is None:
        return value
    if spell is _code and value.scope is not None:
        return {"$code": str(value), "$scope": spell_all(dict(value.scope), table)}
    return spell(value)
