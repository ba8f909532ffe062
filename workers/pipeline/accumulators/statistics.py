"""`$sum $avg $min $max` as expressions: of one array's elements, or of several arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from workers.pipeline.nodes import Example, Operator, Positional
from workers.pipeline.numbers import DECIMAL, from_decimal, to_decimal, whole, widest
from workers.pipeline.values import (
    INT32_MAX,
    INT32_MIN,
    MISSING,
    NumberKind,
    compare,
    is_nullish,
    number_kind,
)

_INT: Final = frozenset({int})
_DOUBLE: Final = frozenset({float})


def total_of(values: Sequence[Any]) -> Any:
    """The sum of the numbers among the values, 0 without any. Doubles are summed without rounding between."""
    classes = {*map(type, values)}
    if classes == _DOUBLE:
        return _exact(values)
    if classes == _INT and min(values) >= INT32_MIN and max(values) <= INT32_MAX:
        return sum(values)
    kind: NumberKind = "int"
    wholes, doubles = 0, []
    decimals = []
    for value in values:
        own = number_kind(value)
        if own is None:
            continue
        kind = widest(kind, own)
        if own == "decimal":
            decimals.append(value.to_decimal())
        elif own == "double":
            doubles.append(float(value))
        else:
            wholes += int(value)
    if kind == "decimal":
        return from_decimal(_decimal_total(wholes, doubles, decimals))
    if kind == "double":
        return _exact([*doubles, *_halves(wholes)])
    return whole(wholes, kind)


def _decimal_total(wholes: int, doubles: Sequence[float], decimals: Iterable[Decimal]) -> Decimal:
    found = DECIMAL.create_decimal(wholes)
    if doubles:
        found = DECIMAL.add(found, to_decimal(_exact(doubles)))
    for number in decimals:
        found = DECIMAL.add(found, number)
    return found


def _halves(number: int) -> list[float]:
    """A whole number as doubles that add up to it exactly, as far as two can."""
    high = float(number)
    return [high, float(number - int(high))]


def _exact(numbers: Sequence[float]) -> float:
    """The sum of doubles, rounded once."""
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):
        return sum(numbers)  # beyond the range, or infinities of both signs: what plain addition says


def average_of(values: Sequence[Any]) -> Any:
    """The mean of the numbers among the values, null without any: a double, or a decimal where one is."""
    numbers = [value for value in values if number_kind(value) is not None]
    if not numbers:
        return None
    found = total_of(numbers)
    if number_kind(found) == "decimal":
        return from_decimal(DECIMAL.divide(found.to_decimal(), to_decimal(len(numbers))))
    return float(found) / len(numbers)


def lowest_of(values: Sequence[Any]) -> Any:
    """The value that is below all others; null and missing do not count; null without any."""
    return _extreme(values, -1)


def highest_of(values: Sequence[Any]) -> Any:
    """The value that is above all others; null and missing do not count; null without any."""
    return _extreme(values, 1)


def _extreme(values: Sequence[Any], side: int) -> Any:
    found: Any = MISSING
    for value in values:
        if not is_nullish(value) and (found is MISSING or compare(value, found) == side):
            found = value
    return None if found is MISSING else found


def _spread(of_values: Callable[[Sequence[Any]], Any]) -> Callable[..., Any]:
    """One argument that is an array stands for its elements."""

    def of_arguments(*values: Any) -> Any:
        if len(values) == 1 and values[0].__class__ is list:
            return of_values(values[0])
        return of_values(values)

    of_arguments.__name__ = of_values.__name__
    return of_arguments


def _operator(name: str, of_values: Callable[[Sequence[Any]], Any], meaning: str, result: Any) -> Operator:
    return Operator(
        name=name,
        signature=Positional(0, None),
        meaning=meaning,
        example=Example({name: "$a"}, result, {"a": [3, 1, None, 5]}),
        function=_spread(of_values),
    )


OPERATORS: Final[dict[str, Operator]] = {
    "$sum": _operator("$sum", total_of, "The sum of the numbers; what is no number does not count.", 9),
    "$avg": _operator("$avg", average_of, "The mean of the numbers, null without any.", 3.0),
    "$min": _operator("$min", lowest_of, "The lowest value; null and missing do not count.", 1),
    "$max": _operator("$max", highest_of, "The highest value; null and missing do not count.", 5),
}
