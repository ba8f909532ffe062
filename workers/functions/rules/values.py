"""Missing, equality and order of values. Pure.

A value is what `topics.codecs` decodes. Equality and order are those of a MongoDB query, with one difference:
the fields of a document may come in any order, because a rule compares documents that JSON texts hold.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS


class Missing:
    """The type of MISSING: no such field, no such value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS: Final[dict[type, str]] = {
    bool: "bool", int: "number", Int64: "number", float: "number", Decimal128: "number", str: "string",
    dict: "document", list: "array", type(None): "null", Missing: "missing",
    bytes: "binary", Binary: "binary",
    datetime: "date", DatetimeMS: "date", ObjectId: "objectId", Timestamp: "timestamp", Regex: "regex",
    Code: "code", MinKey: "minKey", MaxKey: "maxKey",
}  # fmt: skip
_ORDERED: Final = frozenset({"number", "string", "bool", "date", "objectId", "timestamp", "binary"})


def kind(value: Any) -> str:
    """The type of a value as the language tells types apart: int, long, double and decimal are one."""
    return _KINDS[value.__class__]


def equal(left: Any, right: Any) -> bool:
    """Whether two values are the same. MISSING is equal to nothing, not even to itself."""
    if left.__class__ is str or right.__class__ is str:
        return bool(left == right)
    one = kind(left)
    if one != kind(right) or one == "missing":
        return False
    if one == "document":
        return left.keys() == right.keys() and all(equal(left[name], right[name]) for name in left)
    if one == "array":
        return len(left) == len(right) and all(map(equal, left, right))
    if one == "number":
        return _number(left) == _number(right) or (_is_nan(left) and _is_nan(right))
    return bool(_comparable(one, left) == _comparable(one, right))


def below(left: Any, right: Any) -> bool:
    """Whether `left < right`. False for values of different types, and for types without an order: documents,
    arrays, null, regular expressions, code. Every other value is between MinKey and MaxKey."""
    one, other = kind(left), kind(right)
    if "missing" in (one, other):
        return False
    if one != other:
        return one == "minKey" or other == "maxKey"
    if one not in _ORDERED:
        return False
    if one == "number":
        return not (_is_nan(left) or _is_nan(right)) and bool(_number(left) < _number(right))
    return bool(_comparable(one, left) < _comparable(one, right))


def _number(value: Any) -> int | float | Decimal:
    return value.to_decimal() if value.__class__ is Decimal128 else value


def _is_nan(value: Any) -> bool:
    number = _number(value)
    return number.is_nan() if isinstance(number, Decimal) else math.isnan(number)


def _comparable(one: str, value: Any) -> Any:
    if one == "date":
        return _milliseconds(value)
    if one == "binary":
        return len(value), getattr(value, "subtype", 0), bytes(value)
    if one == "timestamp":
        return value.time, value.inc
    if one == "regex":
        return value.pattern, value.flags
    if one == "code":
        return str(value), value.scope
    return value


def _milliseconds(value: datetime | DatetimeMS) -> int:
    if isinstance(value, DatetimeMS):
        return int(value)
    since = value - _EPOCH
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000
