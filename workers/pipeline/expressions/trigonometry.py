"""`$sin $cos $tan $asin ... $degreesToRadians`: a double of int, long and double, a decimal of one."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from workers.errors import Poison
from workers.pipeline import elementary
from workers.pipeline.nodes import Example, Operator, Positional
from workers.pipeline.numbers import from_decimal, kind_of, to_decimal, widest
from workers.pipeline.values import is_nullish

_DEGREES: Final = 180.0 / math.pi
_RADIANS: Final = math.pi / 180.0


def _of_one(
    name: str,
    of_double: Callable[[float], float],
    of_decimal: Callable[[Decimal], Decimal],
    within: tuple[float, float] | None = None,
) -> Callable[[Any], Any]:
    """A function of one number. `within`: what it has values for, ends included; None: no infinities."""

    def applied(value: Any) -> Any:
        if is_nullish(value):
            return None
        kind = kind_of(value, name)
        number: Any = value.to_decimal() if kind == "decimal" else float(value)
        if number != number:  # noqa: PLR0124 - NaN differs from itself
            return value if kind == "decimal" else number
        if within is None and number in (math.inf, -math.inf):
            raise Poison(f"cannot apply {name} to {number}, the value must be finite")
        if within is not None and not within[0] <= number <= within[1]:
            raise Poison(
                f"cannot apply {name} to {number}, the value must be in [{within[0]:g}, {within[1]:g}]"
            )
        if kind == "decimal":
            return from_decimal(of_decimal(number))
        return of_double(number)

    applied.__name__ = name[1:]
    return applied


def _overflowing(of_double: Callable[[float], float], *, is_odd: bool) -> Callable[[float], float]:
    """Beyond the range of doubles it is an infinity, where Python raises."""

    def applied(number: float) -> float:
        try:
            return of_double(number)
        except OverflowError:
            return math.copysign(math.inf, number) if is_odd else math.inf

    return applied


def _atanh(number: float) -> float:
    return math.copysign(math.inf, number) if abs(number) == 1 else math.atanh(number)


def _atan2(y: Any, x: Any) -> Any:
    if is_nullish(y) or is_nullish(x):
        return None
    if widest(kind_of(y, "$atan2"), kind_of(x, "$atan2")) != "decimal":
        return math.atan2(float(y), float(x))
    one, two = to_decimal(y), to_decimal(x)
    if one.is_nan() or two.is_nan():
        return from_decimal(Decimal("NaN"))
    return from_decimal(elementary.atan2(one, two))


_EVERY: Final = (-math.inf, math.inf)
_UNIT: Final = (-1.0, 1.0)


def _operator(
    name: str, function: Callable[[Any], Any], meaning: str, given: float, result: float
) -> Operator:
    return Operator(
        name=name,
        signature=Positional(1, 1),
        meaning=meaning,
        example=Example({name: "$a"}, result, {"a": given}),
        function=function,
    )


def _table() -> tuple[Operator, ...]:
    e, m = elementary, math
    sinh, cosh = _overflowing(m.sinh, is_odd=True), _overflowing(m.cosh, is_odd=False)
    rows: tuple[tuple[Any, ...], ...] = (
        ("$sin", m.sin, e.sin, None, "The sine of an angle in radians.", 0.0, 0.0),
        ("$cos", m.cos, e.cos, None, "The cosine of an angle in radians.", 0.0, 1.0),
        ("$tan", m.tan, e.tan, None, "The tangent of an angle in radians.", 0.0, 0.0),
        ("$asin", m.asin, e.asin, _UNIT, "The angle in radians that has this sine.", 1, m.pi / 2),
        ("$acos", m.acos, e.acos, _UNIT, "The angle in radians that has this cosine.", 1, 0.0),
        ("$atan", m.atan, e.atan, _EVERY, "The angle in radians that has this tangent.", 1, m.pi / 4),
        ("$sinh", sinh, e.sinh, _EVERY, "The hyperbolic sine.", 0, 0.0),
        ("$cosh", cosh, e.cosh, _EVERY, "The hyperbolic cosine.", 0, 1.0),
        ("$tanh", m.tanh, e.tanh, _EVERY, "The hyperbolic tangent.", 0, 0.0),
        ("$asinh", m.asinh, e.asinh, _EVERY, "What has this hyperbolic sine.", 0, 0.0),
        ("$acosh", m.acosh, e.acosh, (1.0, m.inf), "What has this hyperbolic cosine.", 1, 0.0),
        ("$atanh", _atanh, e.atanh, _UNIT, "What has this hyperbolic tangent.", 0, 0.0),
        ("$degreesToRadians", lambda x: x * _RADIANS, e.radians, _EVERY, "Degrees as radians.", 180, m.pi),
        ("$radiansToDegrees", lambda x: x * _DEGREES, e.degrees, _EVERY, "Radians as degrees.", m.pi, 180.0),
    )
    return tuple(
        _operator(name, _of_one(name, of_double, of_decimal, within), meaning, given, result)
        for name, of_double, of_decimal, within, meaning, given, result in rows
    )


OPERATORS: Final[dict[str, Operator]] = {
    **{operator.name: operator for operator in _table()},
    "$atan2": Operator(
        name="$atan2",
        signature=Positional(2, 2),
        meaning="The angle in radians of the point with this y (first) and x.",
        example=Example({"$atan2": ["$y", "$x"]}, math.pi / 4, {"y": 2, "x": 2}),
        function=_atan2,
    ),
}
