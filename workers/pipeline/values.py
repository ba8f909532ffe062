"""The values of documents: missing against null, BSON's types, its order and its equality. Pure.

A value is what `topics.codecs` decodes: dict, list, str, int, float, bool, None, bytes, datetime, and the
types of `bson`. How Python's numbers stand for BSON's:

| Python | BSON |
|---|---|
| int within 32 bits | int |
| int within 64 bits, any `Int64` | long |
| int beyond 64 bits (JSON can hold one) | double, but ordered and passed on exactly |
| float | double |
| `Decimal128` | decimal |
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

Order: TypeAlias = Literal[-1, 0, 1]
"""Below, equal, above."""


class Missing:
    """The type of MISSING: no such field. Not null, and never within a document."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()

INT32_MIN: Final = -(2**31)
INT32_MAX: Final = 2**31 - 1
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

# BSON's canonical order of types; numbers share a place, and so do strings and symbols.
_MINKEY, _MISSING, _NULL, _NUMBER, _STRING, _OBJECT, _ARRAY = -1, 0, 5, 10, 15, 20, 25
_BINARY, _OBJECT_ID, _BOOL, _DATE, _TIMESTAMP, _REGEX, _CODE, _SCOPED, _MAXKEY = (
    30, 35, 40, 45, 47, 50, 60, 65, 127,
)  # fmt: skip

_BRACKETS: Final[dict[type, int]] = {
    int: _NUMBER,
    str: _STRING,
    float: _NUMBER,
    bool: _BOOL,
    type(None): _NULL,
    dict: _OBJECT,
    list: _ARRAY,
    Missing: _MISSING,
    Int64: _NUMBER,
    Decimal128: _NUMBER,
    datetime: _DATE,
    DatetimeMS: _DATE,
    ObjectId: _OBJECT_ID,
    bytes: _BINARY,
    Binary: _BINARY,
    Timestamp: _TIMESTAMP,
    Regex: _REGEX,
    MinKey: _MINKEY,
    MaxKey: _MAXKEY,
}

_NAMES: Final[dict[type, str]] = {
    str: "string",
    float: "double",
    bool: "bool",
    type(None): "null",
    dict: "object",
    list: "array",
    Missing: "missing",
    Int64: "long",
    Decimal128: "decimal",
    datetime: "date",
    DatetimeMS: "date",
    ObjectId: "objectId",
    bytes: "binData",
    Binary: "binData",
    Timestamp: "timestamp",
    Regex: "regex",
    MinKey: "minKey",
    MaxKey: "maxKey",
}


def type_name(value: Any) -> str:
    """BSON's name of the value's type (`int`, `long`, `objectId`, ...), or `missing`."""
    kind = value.__class__
    if kind is int:
        if INT32_MIN <= value <= INT32_MAX:
            return "int"
        return "long" if INT64_MIN <= value <= INT64_MAX else "double"
    if kind is Code:
        return "javascript" if value.scope is None else "javascriptWithScope"
    name = _NAMES.get(kind)
    assert name is not None, f"a document holds a {kind.__name__}"
    return name


def bracket(value: Any) -> int:
    """The place of the value's type in BSON's order. Only values of one bracket compare in `$match`."""
    kind = value.__class__
    if kind is Code:
        return _CODE if value.scope is None else _SCOPED
    found = _BRACKETS.get(kind)
    assert found is not None, f"a document holds a {kind.__name__}"
    return found


def is_nan(value: Any) -> bool:
    """Whether it is the double or the decimal NaN."""
    kind = value.__class__
    if kind is float:
        return math.isnan(value)
    return kind is Decimal128 and bool(value.to_decimal().is_nan())


def is_number(value: Any) -> bool:
    """int, long, double or decimal; a boolean is none."""
    kind = value.__class__
    return kind is int or kind is float or kind is Int64 or kind is Decimal128


def is_nullish(value: Any) -> bool:
    """Null or missing."""
    return value is None or value is MISSING


def truthy(value: Any) -> bool:
    """As `$and`, `$cond` and their like see it: false are missing, null, false and zero of any number."""
    kind = value.__class__
    if kind is bool:
        return bool(value)
    if kind is int or kind is float or kind is Int64:
        return bool(value != 0)
    if kind is Decimal128:
        return not value.to_decimal().is_zero()
    return value is not None and value is not MISSING


def date_ms(value: datetime | DatetimeMS) -> int:
    """Milliseconds since the epoch; a datetime without a zone is in UTC."""
    if isinstance(value, DatetimeMS):
        return int(value)
    moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return (moment - EPOCH) // _MILLISECOND


# datetime holds the years 1 to 9999; dates beyond are DatetimeMS.
_FIRST_MS: Final = -62_135_596_800_000
_LAST_MS: Final = 253_402_300_799_999


def date_from_ms(milliseconds: int) -> datetime | DatetimeMS:
    """The date that many milliseconds after the epoch."""
    if _FIRST_MS <= milliseconds <= _LAST_MS:
        return EPOCH + timedelta(0, 0, 0, milliseconds)
    return DatetimeMS(milliseconds)


def compare(left: Any, right: Any) -> Order:
    """BSON's order of any two values, missing included. Equality respects the order of fields."""
    kind = left.__class__
    if kind is right.__class__ and (kind is int or kind is str):
        return -1 if left < right else 1 if left > right else 0
    place, other = bracket(left), bracket(right)
    if place != other:
        return -1 if place < other else 1
    if place == _NUMBER:
        return _compare_numbers(left, right)
    if place == _OBJECT:
        return _compare_objects(left, right)
    if place == _ARRAY:
        for mine, yours in zip(left, right, strict=False):
            order = compare(mine, yours)
            if order:
                return order
        return _ordered(len(left), len(right))
    return _ordered(_scalar_key(place, left), _scalar_key(place, right))


def _ordered(left: Any, right: Any) -> Order:
    return -1 if left < right else 1 if left > right else 0


def _compare_numbers(left: Any, right: Any) -> Order:
    """Exact across kinds; NaN equals NaN and is below every other number."""
    if is_nan(left):
        return 0 if is_nan(right) else -1
    if is_nan(right):
        return 1
    return _ordered(_number_key(left), _number_key(right))


def _number_key(value: Any) -> Any:
    if value.__class__ is Decimal128:
        return value.to_decimal()
    return value


def _compare_objects(left: dict[str, Any], right: dict[str, Any]) -> Order:
    """Field by field: the type, then the name, then the value; what ends first is below."""
    for (name, value), (other_name, other) in zip(left.items(), right.items(), strict=False):
        order = _ordered(bracket(value), bracket(other)) or _ordered(name, other_name)
        order = order or compare(value, other)
        if order:
            return order
    return _ordered(len(left), len(right))


def _scalar_key(place: int, value: Any) -> Any:
    """What orders values of one bracket that is no number, object or array."""
    if place == _BINARY:
        return (len(value), getattr(value, "subtype", 0), bytes(value))
    if place == _DATE:
        return date_ms(value)
    if place == _OBJECT_ID:
        return value.binary
    if place == _TIMESTAMP:
        return (value.time, value.inc)
    if place == _REGEX:
        return (_pattern_text(value.pattern), value.flags)
    if place == _CODE:
        return str(value)
    if place == _SCOPED:
        return (str(value), sort_key(value.scope))
    if place in (_STRING, _BOOL):
        return value
    return 0


def _pattern_text(pattern: str | bytes) -> str:
    return pattern if isinstance(pattern, str) else pattern.decode("utf-8", "surrogateescape")


def equal(left: Any, right: Any) -> bool:
    """Whether BSON's order calls them equal: 1, 1.0 and NumberLong(1) are, `{a, b}` and `{b, a}` are not."""
    kind = left.__class__
    if kind is right.__class__ and (kind is str or kind is int or kind is bool):
        return bool(left == right)
    return compare(left, right) == 0


def sort_key(value: Any) -> tuple[Any, ...]:
    """A hashable key: keys order as `compare` does, and equal values have equal keys (and hashes)."""
    place = bracket(value)
    if place == _NUMBER:
        return (place, 0, 0) if is_nan(value) else (place, 1, _number_key(value))
    if place == _OBJECT:
        return (place, tuple((bracket(item), name, sort_key(item)) for name, item in value.items()))
    if place == _ARRAY:
        return (place, tuple(sort_key(item) for item in value))
    return (place, _scalar_key(place, value))


NumberKind: TypeAlias = Literal["int", "long", "double", "decimal"]


def number_kind(value: Any) -> NumberKind | None:
    """Which of BSON's four number types it is, None where it is none."""
    kind = value.__class__
    if kind is int:
        if INT32_MIN <= value <= INT32_MAX:
            return "int"
        return "long" if INT64_MIN <= value <= INT64_MAX else "double"
    if kind is float:
        return "double"
    if kind is Int64:
        return "long"
    return "decimal" if kind is Decimal128 else None


def as_long(value: int) -> int:
    """A whole number as a long: `Int64` where a plain int would count as an int."""
    return Int64(value) if INT32_MIN <= value <= INT32_MAX else value


def whole_number(value: Any) -> int | None:
    """The integer that a number stands for (5, 5.0), None for a fraction, NaN, an infinity or no number."""
    kind = value.__class__
    if kind is int:
        return int(value)
    if kind is Int64:
        return int(value)
    if kind is float:
        return int(value) if math.isfinite(value) and value == math.floor(value) else None
    if kind is Decimal128:
        number = value.to_decimal()
        # The exponent bounds the digits: 1E+6000 is never written out.
        if number.is_finite() and number.adjusted() < 20 and number == number.to_integral_value():
            return int(number)
    return None
