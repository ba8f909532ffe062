"""Trigonometry. Decimals are computed as doubles: callers compare with a tolerance."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bson import Decimal128

from tests.property.language.reference.arithmetic import need_number
from tests.property.language.reference.interpreter import positional, register
from tests.property.language.reference.tower import decimal, to_double
from tests.property.language.reference.values import DataError, Rough, Unsure, kind, nullish


def _as(value: Any, result: float) -> Any:
    return Rough(decimal(Decimal(result)).to_decimal()) if isinstance(value, Decimal128) else result


def _within(function: Callable[[float], float], least: float, most: float) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        if nullish(value):
            return None
        need_number(value, "trigonometry")
        number = to_double(value)
        if math.isnan(number):
            return value
        is_infinite_decimal_only = math.isinf(number) and kind(value) == "decimal"
        if is_infinite_decimal_only and value.to_decimal().is_finite():
            raise Unsure("a decimal beyond the doubles")
        if not least <= number <= most:
            raise DataError("the argument is out of range")
        try:
            return _as(value, function(number))
        except OverflowError:
            if kind(value) == "decimal":
                raise Unsure("a decimal beyond the doubles") from None
            return _as(value, math.copysign(math.inf, number) if function is math.sinh else math.inf)

    return checked


def _atanh(number: float) -> float:
    return math.copysign(math.inf, number) if abs(number) == 1 else math.atanh(number)


def _atan2(left: Any, right: Any) -> Any:
    if nullish(left) or nullish(right):
        return None
    need_number(left, "$atan2")
    need_number(right, "$atan2")
    result = math.atan2(to_double(left), to_double(right))
    return _as(left if kind(left) == "decimal" else right, result)


_LARGEST = math.nextafter(math.inf, 0)
_ANY = (-math.inf, math.inf)
for _name, _function, _range in (
    ("$sin", math.sin, (-_LARGEST, _LARGEST)),
    ("$cos", math.cos, (-_LARGEST, _LARGEST)),
    ("$tan", math.tan, (-_LARGEST, _LARGEST)),
    ("$asin", math.asin, (-1.0, 1.0)),
    ("$acos", math.acos, (-1.0, 1.0)),
    ("$atan", math.atan, _ANY),
    ("$sinh", math.sinh, _ANY),
    ("$cosh", math.cosh, _ANY),
    ("$tanh", math.tanh, _ANY),
    ("$asinh", math.asinh, _ANY),
    ("$acosh", math.acosh, (1.0, math.inf)),
    ("$atanh", _atanh, (-1.0, 1.0)),
    ("$degreesToRadians", math.radians, _ANY),
    ("$radiansToDegrees", math.degrees, _ANY),
):
    register(_name, positional(_within(_function, *_range), 1, 1))
register("$atan2", positional(_atan2, 2, 2))
