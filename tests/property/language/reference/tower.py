"""The tower of numbers: int, long, double, decimal; widening, overflow, narrowing."""

from __future__ import annotations

import math
from decimal import ROUND_DOWN, Decimal
from typing import Any

from bson import Decimal128, Int64

from tests.property.language.reference.values import (
    DECIMAL,
    INT_MAX,
    INT_MIN,
    LONG_MAX,
    LONG_MIN,
    NUMBERS,
    DataError,
    is_finite,
    is_number,
    kind,
)


def widest(*values: Any) -> str:
    """The widest kind among numbers."""
    return NUMBERS[max((NUMBERS.index(kind(value)) for value in values), default=0)]


def int_or_long(number: int) -> Any:
    """The narrowest integer that holds `number`."""
    return int(number) if INT_MIN <= number <= INT_MAX else Int64(number)


def fits_long(number: int) -> bool:
    """Whether 64 bits hold the number."""
    return LONG_MIN <= number <= LONG_MAX


def to_double(number: Any) -> float:
    """Any number as a double, rounded."""
    if isinstance(number, Decimal128):
        return float(number.to_decimal())
    return float(number)


def to_decimal(number: Any) -> Decimal:
    """Any number as a decimal; a double gives its first 15 digits, as the server converts it."""
    if isinstance(number, Decimal128):
        return number.to_decimal()
    if isinstance(number, float):
        return Decimal(f"{number:.14e}") if math.isfinite(number) else Decimal(number)
    return Decimal(int(number))


def decimal(number: Decimal) -> Decimal128:
    """A decimal of 34 digits."""
    return Decimal128(DECIMAL.create_decimal(number))


def integral(number: Any) -> bool:
    """Whether the number is whole and fits 32 bits."""
    if not is_number(number):
        return False
    if isinstance(number, Decimal128):
        exact = number.to_decimal()
        return exact.is_finite() and exact == exact.to_integral_value() and INT_MIN <= exact <= INT_MAX
    if isinstance(number, float) and not math.isfinite(number):
        return False
    return bool(number == int(number)) and INT_MIN <= number <= INT_MAX


def integral_long(number: Any) -> bool:
    """Whether the number is whole and fits 64 bits."""
    if not is_number(number):
        return False
    exact = number.to_decimal() if isinstance(number, Decimal128) else number
    if not is_finite(number):
        return False
    return bool(exact == int(exact)) and fits_long(int(exact))


def whole(number: Any) -> int:
    """A finite number without its fraction."""
    if isinstance(number, Decimal128):
        return int(number.to_decimal().to_integral_value(ROUND_DOWN))
    return int(number)


def need_integral(value: Any, what: str) -> int:
    """The value as an integer of 32 bits, or DataError."""
    if not integral(value):
        raise DataError(f"{what} must be an integer of 32 bits, not {kind(value)}")
    return whole(value)


def need_integral_long(value: Any, what: str) -> int:
    """The value as an integer of 64 bits, or DataError."""
    if not integral_long(value):
        raise DataError(f"{what} must be an integer of 64 bits, not {kind(value)}")
    return whole(value)


def of_kind(name: str, number: Any) -> Any:
    """A Python number as a value of the kind named."""
    if name == "decimal":
        return decimal(number if isinstance(number, Decimal) else Decimal(number))
    if name == "double":
        return float(number)
    return Int64(number) if name == "long" else int_or_long(number)
