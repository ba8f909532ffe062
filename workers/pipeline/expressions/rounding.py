"""`$ceil $floor $round $trunc`: null or missing in, null out; ints and longs stay what they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.nodes import Example, Operator, Positional
from workers.pipeline.numbers import fits_long, from_decimal, kind_of, to_decimal, whole
from workers.pipeline.values import is_nullish, number_kind, type_name

# Digits that hold any double written out (308 before the point, 1,074 after it) with places from -20 to 100.
_WIDE: Final = Context(prec=1500, flags=[], traps=[])
_MIN_PLACE, _MAX_PLACE = -20, 100


def _to_whole(operator: str, of_double: Callable[[float], int], rounding: str) -> Callable[[Any], Any]:
    def rounded(value: Any) -> Any:
        if is_nullish(value):
            return None
        kind = kind_of(value, operator)
        if kind == "decimal":
            number = value.to_decimal()
            if number.is_infinite():
                number = Decimal("NaN")  # the server quantizes, and infinity has no quantum
            return from_decimal(number.to_integral_value(rounding) if number.is_finite() else number)
        if kind == "double":
            return math.copysign(float(of_double(value)), value) if math.isfinite(value) else value
        return value

    return rounded


def _to_place(operator: str, rounding: str) -> Callable[[Any, Any], Any]:
    """`$round` and `$trunc`: to a number of decimal places; below zero, to tens and hundreds."""
    is_half_even = rounding == ROUND_HALF_EVEN

    def rounded(value: Any, place: Any = 0) -> Any:
        if is_half_even and value.__class__ is float and place.__class__ is int and 0 <= place <= _MAX_PLACE:
            return round(value, place)  # exact and half-even in Python, too; a tenth of the time
        if is_nullish(value):
            return None
        kind = kind_of(value, operator)
        if is_nullish(place):
            return None
        places = _place_of(place, operator)
        quantum = Decimal((0, (1,), -places))
        if kind == "decimal":
            number = value.to_decimal()
            if number.is_infinite():
                number = Decimal("NaN")
            return from_decimal(_quantized(number, quantum, rounding) if number.is_finite() else number)
        if kind == "double":
            if not math.isfinite(value):
                return value
            return float(_quantized(Decimal(value), quantum, rounding))
        if places >= 0:
            return value
        result = int(_quantized(Decimal(int(value)), quantum, rounding))
        if not fits_long(result):
            raise Poison(f"{operator} gives a number beyond 64 bits")
        return whole(result, kind)

    return rounded


def _quantized(number: Decimal, quantum: Decimal, rounding: str) -> Decimal:
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= int(quantum.as_tuple().exponent):
        return number  # nothing finer than the place; quantizing 1E+6000 would only write out zeros
    return number.quantize(quantum, rounding, _WIDE)


def _place_of(place: Any, operator: str) -> int:
    kind = number_kind(place)
    number = to_decimal(place) if kind is not None else Decimal("NaN")
    if not number.is_finite() or number != number.to_integral_value():
        raise Poison(f"the precision of {operator} must be a whole number, not {type_name(place)}")
    if not _MIN_PLACE <= number <= _MAX_PLACE:
        raise Poison(f"the precision of {operator} must be between {_MIN_PLACE} and {_MAX_PLACE}")
    return int(number)


def _operator(
    name: str, signature: Positional, function: Callable[..., Any], meaning: str, example: Example
) -> Operator:
    return Operator(
        name=name, signature=signature, meaning=meaning, example=example, function=function, absent=0
    )


OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        _operator(
            "$ceil",
            Positional(1, 1),
            _to_whole("$ceil", math.ceil, ROUND_CEILING),
            "The next whole number at or above.",
            Example({"$ceil": 7.2}, 8.0),
        ),
        _operator(
            "$floor",
            Positional(1, 1),
            _to_whole("$floor", math.floor, ROUND_FLOOR),
            "The next whole number at or below.",
            Example({"$floor": -7.2}, -8.0),
        ),
        _operator(
            "$round",
            Positional(1, 2),
            _to_place("$round", ROUND_HALF_EVEN),
            "Rounded to decimal places (default 0), halves to the even digit.",
            Example({"$round": ["$a", 1]}, 19.2, {"a": 19.25}),
        ),
        _operator(
            "$trunc",
            Positional(1, 2),
            _to_place("$trunc", ROUND_DOWN),
            "Cut off after decimal places (default 0).",
            Example({"$trunc": ["$a", 1]}, 19.2, {"a": 19.25}),
        ),
    )
}
