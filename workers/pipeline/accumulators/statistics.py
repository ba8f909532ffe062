"""`$sum $avg $min $max` as expressions: of one array's elements, or of several arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

from workers.pipeline.nodes import Example, Operator, Positional
from workers.pipeline.numbers import DECIMAL, fits_long, from_decimal, to_decimal, whole, widest
from workers.pipeline.values import MISSING, NumberKind, compare, is_nullish, number_kind


def total_of(values: Iterable[Any]) -> Any:
    """The sum of the numbers among the values, 0 without any. Doubles are summed without rounding between."""
    whole_sum, kind = 0, "int"
    doubles: list[float] = []
    decimals: list[Any] = []
    widest_kind: NumberKind = "int"
    for value in values:
        own = number_kind(value)
        if own is None:
            continue
        widest_kind = widest(widest_kind, own)
        if own == "decimal":
            decimals.append(value.to_decimal())
        elif own == "double":
            doubles.append(float(value))
        else:
            whole_sum += int(value)
    kind = widest_kind
    if kind == "decimal":
        found = to_decimal(whole_sum)
        if doubles:
            found = DECIMAL.add(found, to_decimal(_exact(doubles)))
        for number in decimals:
            found = DECIMAL.add(found, number)
        return from_decimal(found)
    if kind == "double":
        return _exact([*doubles, *_halves(whole_sum)])
    return whole(whole_sum, kind) if fits_long(whole_sum) else float(whole_sum)


def _halves(number: int) -> list[float]:
    """A whole number as doubles that add up to it exactly, as far as two can."""
    high = float(number)
    return [high, float(number - int(high))]


def _exact(numbers: list[float]) -> float:
    """The sum of doubles, rounded once."""
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):
        return sum(numbers)  # beyond the range, or infinities of both signs: what plain addition says


def average_of(values: Iterable[Any]) -> Any:
    """The mean of the numbers among the values, null without any: a double, or a decimal where one is."""
    numbers = [value for value in values if number_kind(value) is not None]
    if not numbers:
        return None
    found = total_of(numbers)
    if number_kind(found) == "decimal":
        return from_decimal(DECIMAL.divide(found.to_decimal(), to_decimal(len(numbers))))
    return float(found) / len(numbers)


def lowest_of(values: Iterable[Any]) -> Any:
    """The value that is below all others; null and missing do not count; null without any."""
    return _extreme(values, -1)


def highest_of(values: Iterable[Any]) -> Any:
    """The value that is above all others; null and missing do not count; null without any."""
    return _extreme(values, 1)


def _extreme(values: Iterable[Any], side: int) -> Any:
    found: Any = MISSING
    for value in values:
        if not is_nullish(value) and (found is MISSING or compare(value, found) == side):
            found = value
    return None if found is MISSING else found


def _spread(of_values: Callable[[Iterable[Any]], Any]) -> Callable[..., Any]:
    """One argument that is an array stands for its elements."""

    def of_arguments(*values: Any) -> Any:
        if len(values) == 1 and values[0].__class__ is list:
            return of_values(values[0])
        return of_values(values)

    of_arguments.__name__ = of_values.__name__
    return of_arguments


def _operator(name: str, of_values: Callable[[Iterable[Any]], Any], meaning: str, result: Any) -> Operator:
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
