"""Arithmetic between BSON's four kinds of numbers: which kind a result has, and what overflows to what."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

from bson import Decimal128, Int64

from workers.errors import Poison
from workers.pipeline.values import (
    INT32_MAX,
    INT32_MIN,
    INT64_MAX,
    INT64_MIN,
    NumberKind,
    number_kind,
    type_name,
)

DECIMAL: Final = Context(
    prec=34, rounding=ROUND_HALF_EVEN, Emin=-6143, Emax=6144, capitals=1, clamp=1, flags=[], traps=[]
)
"""IEEE 754 decimal128; nothing is trapped, as the server gives NaN and infinities."""

# The server turns a double into a decimal by its first 15 digits, so that 0.1 becomes 0.100000000000000.
_FIFTEEN: Final = Context(prec=15, rounding=ROUND_HALF_EVEN, flags=[], traps=[])

_RANK: Final[dict[NumberKind, int]] = {"int": 0, "long": 1, "double": 2, "decimal": 3}


def widest(left: NumberKind, right: NumberKind) -> NumberKind:
    """The kind of a result: int < long < double < decimal."""
    return left if _RANK[left] >= _RANK[right] else right


def kind_of(value: Any, operator: str, also: str = "") -> NumberKind:
    """The number's kind; Poison when it is no number. `also` names what else the operator takes."""
    kind = number_kind(value)
    if kind is None:
        raise Poison(f"{operator} only supports numeric{also} types, not {type_name(value)}")
    return kind


def to_decimal(value: Any) -> Decimal:
    """Any number as a decimal, as arithmetic mixes them."""
    if isinstance(value, Decimal128):
        return value.to_decimal()
    if isinstance(value, float):
        return _FIFTEEN.create_decimal_from_float(value)
    return Decimal(int(value))


def from_decimal(value: Decimal) -> Decimal128:
    """A decimal as BSON has it, rounded to 34 digits; zero keeps its sign."""
    return Decimal128(DECIMAL.create_decimal(value) if value.is_finite() else value)


def whole(value: int, kind: NumberKind) -> Any:
    """A whole result of int and long operands: an int grows to a long, a long to a double."""
    if kind == "int":
        return value
    if INT64_MIN <= value <= INT64_MAX:
        return Int64(value) if INT32_MIN <= value <= INT32_MAX else value
    return float(value)


def fits_long(value: int) -> bool:
    """Whether it is within 64 bits."""
    return INT64_MIN <= value <= INT64_MAX


INT_RANGE: Final = f"{INT32_MIN} <= {{0}} <= {INT32_MAX}"
"""Source that asks whether a plain int counts as an int."""
