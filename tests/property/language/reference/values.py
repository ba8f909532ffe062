"""Values: names of types, BSON order, equality, truth, dates as milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from math import isfinite, isnan
from typing import Any, Final

from bson import Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS


class Missing:
    """The value of a field that is not there. One instance: MISSING."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()


class Failure(Exception):
    """The server would answer with an error."""


class Refusal(Failure):
    """An error that is known without data."""


class DataError(Failure):
    """An error of this document."""


class Unsure(Exception):
    """The manual does not settle what happens here."""


class Rough(Decimal128):
    """A decimal computed as a double: good to be compared with a tolerance, not to be computed with."""

    def to_decimal(self) -> Decimal:
        raise Unsure("what is computed from an approximate decimal")


INT_MIN: Final = -(2**31)
INT_MAX: Final = 2**31 - 1
LONG_MIN: Final = -(2**63)
LONG_MAX: Final = 2**63 - 1
DECIMAL: Final = Context(prec=34, Emin=-6143, Emax=6144, clamp=1, traps=[])
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_MS: Final = -62_135_596_800_000
LAST_MS: Final = 253_402_300_799_999

# The order of types; neighbours in one row compare with each other.
_RANKS: Final = {
    "minKey": 0, "missing": 1, "null": 2,
    "int": 3, "long": 3, "double": 3, "decimal": 3,
    "string": 4, "object": 5, "array": 6, "binData": 7, "objectId": 8, "bool": 9, "date": 10,
    "timestamp": 11, "regex": 12, "javascript": 13, "javascriptWithScope": 14, "maxKey": 15,
}  # fmt: skip

NUMBERS: Final = ("int", "long", "double", "decimal")


def kind(value: Any) -> str:
    """The type's name as `$type` says it."""
    if value is MISSING:
        return "missing"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, Int64):
        return "long"
    if isinstance(value, int):
        return "int" if INT_MIN <= value <= INT_MAX else "long"
    if isinstance(value, Code):
        return "javascript" if value.scope is None else "javascriptWithScope"
    for classes, name in _CLASSES:
        if isinstance(value, classes):
            return name
    raise TypeError(f"no BSON type: {type(value).__name__}")


_CLASSES: Final[tuple[tuple[Any, str], ...]] = (
    (float, "double"),
    (Decimal128, "decimal"),
    (str, "string"),
    (dict, "object"),
    ((list, tuple), "array"),
    (bytes, "binData"),
    (ObjectId, "objectId"),
    ((datetime, DatetimeMS), "date"),
    (Timestamp, "timestamp"),
    ((Regex, re.Pattern), "regex"),
    (MinKey, "minKey"),
    (MaxKey, "maxKey"),
)


def rank(value: Any) -> int:
    """The place of the value's type in the order of types."""
    return _RANKS[kind(value)]


def is_number(value: Any) -> bool:
    """Whether the value is an int, long, double or decimal."""
    return kind(value) in NUMBERS


def nullish(value: Any) -> bool:
    """Whether the value is null or missing."""
    return value is None or value is MISSING


def is_nan(value: Any) -> bool:
    """Whether the value is the double or decimal that is no number."""
    return value.to_decimal().is_nan() if isinstance(value, Decimal128) else isnan(value)


def is_finite(number: Any) -> bool:
    """Whether a number is neither NaN nor infinite."""
    return number.to_decimal().is_finite() if isinstance(number, Decimal128) else isfinite(number)


def truthy(value: Any) -> bool:
    """What `$and`, `$cond` and friends make of a value: false are false, null, missing and zeros."""
    if nullish(value):
        return False
    if isinstance(value, bool):
        return value
    if isinstance(value, Decimal128):
        return not value.to_decimal().is_zero()
    return bool(value != 0) if is_number(value) else True


def milliseconds(date: Any) -> int:
    """Milliseconds since 1970 of a date."""
    if isinstance(date, DatetimeMS):
        return int(date)
    return int((date - EPOCH) // timedelta(milliseconds=1))


def date_of(ms: int) -> Any:
    """The date of milliseconds since 1970; outside of the years 1 to 9999 a DatetimeMS."""
    if FIRST_MS <= ms <= LAST_MS:
        return EPOCH + timedelta(milliseconds=ms)
    if not LONG_MIN <= ms <= LONG_MAX:
        raise DataError("the date does not fit 64 bits")
    return DatetimeMS(ms)


def flags_of(pattern: Any) -> str:
    """A regular expression's options, sorted."""
    pairs = ((re.I, "i"), (re.L, "l"), (re.M, "m"), (re.S, "s"), (re.U, "u"), (re.X, "x"))
    flags = pattern.flags
    return flags if isinstance(flags, str) else "".join(letter for bit, letter in pairs if flags & bit)


def _exact(number: Any) -> tuple[int, Fraction]:
    """A number as something that orders: NaN below all, then the infinities around the finite."""
    plain = number.to_decimal() if isinstance(number, Decimal128) else number
    if is_nan(number):
        return -2, Fraction(0)
    return (0, Fraction(plain)) if is_finite(number) else ((1 if plain > 0 else -1), Fraction(0))


def _compare_numbers(left: Any, right: Any) -> int:
    if isinstance(left, float) and isinstance(right, Decimal128):
        left = Decimal128(DECIMAL.create_decimal(Decimal(left)))
    if isinstance(right, float) and isinstance(left, Decimal128):
        right = Decimal128(DECIMAL.create_decimal(Decimal(right)))
    return _sign(_exact(left), _exact(right))


def _sign(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def _compare_objects(left: dict[str, Any], right: dict[str, Any]) -> int:
    for (name, value), (other_name, other) in zip(left.items(), right.items(), strict=False):
        for step in (
            _sign(rank(value), rank(other)),
            _sign(name.encode(), other_name.encode()),
            compare(value, other),
        ):
            if step:
                return step
    return _sign(len(left), len(right))


def _compare_arrays(left: Any, right: Any) -> int:
    for value, other in zip(left, right, strict=False):
        if step := compare(value, other):
            return step
    return _sign(len(left), len(right))


def _text(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def compare(left: Any, right: Any) -> int:
    """-1, 0 or 1 in BSON's order over all types."""
    name = kind(left)
    if rank(left) != rank(right):
        return _sign(rank(left), rank(right))
    if name in NUMBERS:
        return _compare_numbers(left, right)
    if name == "object":
        return _compare_objects(left, right)
    if name == "array":
        return _compare_arrays(left, right)
    if name in ("missing", "null", "minKey", "maxKey"):
        return 0
    if name == "javascriptWithScope":
        return _sign(_text(left), _text(right)) or compare(dict(left.scope), dict(right.scope))
    return _sign(_plain(name, left), _plain(name, right))


def _plain(name: str, value: Any) -> Any:
    """What orders values of one scalar type."""
    if name in ("string", "javascript"):
        return _text(value)
    if name == "binData":
        return len(value), getattr(value, "subtype", 0), bytes(value)
    if name == "objectId":
        return value.binary
    if name == "date":
        return milliseconds(value)
    if name == "timestamp":
        return value.time, value.inc
    if name == "regex":
        return _text(value.pattern), flags_of(value)
    return value


def equal(left: Any, right: Any) -> bool:
    """Equality by BSON's order: `1 == 1.0`, documents with their fields in the same order."""
    return compare(left, right) == 0


def contains(values: Any, wanted: Any) -> bool:
    """Whether an equal value is among `values`."""
    return any(equal(value, wanted) for value in values)


def distinct(values: Any) -> list[Any]:
    """The first of equal values, in order."""
    found: list[Any] = []
    for value in values:
        if not contains(found, value):
            found.append(value)
    return found
