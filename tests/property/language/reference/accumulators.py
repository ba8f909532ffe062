"""Accumulators as expressions: over the elements of one array, or over several arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from bson import Int64

from tests.property.language.reference.arithmetic import sum_numbers
from tests.property.language.reference.interpreter import (
    Environment,
    Operator,
    Scope,
    check,
    checked_names,
    operands,
    register,
    run,
    variadic,
)
from tests.property.language.reference.tower import decimal, of_kind, to_decimal, to_double
from tests.property.language.reference.values import (
    DECIMAL,
    DataError,
    Refusal,
    Unsure,
    compare,
    is_number,
    kind,
    nullish,
)


def _over(function: Callable[[list[Any]], Any]) -> Operator:
    def ran(argument: Any, env: Environment) -> Any:
        values = [run(one, env) for one in operands(argument)]
        if len(values) == 1 and kind(values[0]) == "array":
            values = list(values[0])
        return function(values)

    return Operator(variadic(list).check, ran)


def _numbers(values: list[Any]) -> list[Any]:
    return [value for value in values if is_number(value)]


def _avg(values: list[Any]) -> Any:
    numbers = _numbers(values)
    if not numbers:
        return None
    total = sum_numbers(numbers)
    if kind(total) == "decimal":
        return decimal(DECIMAL.divide(to_decimal(total), len(numbers)))
    return float(total) / len(numbers)


def _sum(values: list[Any]) -> Any:
    return sum_numbers(_numbers(values))


def _extreme(direction: int) -> Callable[[list[Any]], Any]:
    def function(values: list[Any]) -> Any:
        best: Any = None
        for value in values:
            if not nullish(value) and (best is None or direction * compare(value, best) > 0):
                best = value
        return best

    return function


def _deviation(lost: int) -> Callable[[list[Any]], Any]:
    def function(values: list[Any]) -> Any:
        numbers = [to_double(value) for value in _numbers(values)]
        if len(numbers) <= lost:
            return None
        if not all(math.isfinite(number) for number in numbers):
            if len(numbers) == 1:
                raise Unsure("the deviation of one infinity")
            return math.nan
        exact = [Fraction(number) for number in numbers]
        mean = sum(exact) / len(exact)
        variance = sum((number - mean) ** 2 for number in exact) / (len(exact) - lost)
        try:
            return math.sqrt(float(variance))
        except OverflowError:
            raise Unsure("a variance beyond the doubles") from None

    return function


def _check_percentile(*required: str) -> Callable[[Any, Scope], None]:
    def checked(argument: Any, scope: Scope) -> None:
        checked_names(argument, required, ())
        if argument["method"] != "approximate":
            raise Refusal("the method is 'approximate'")
        check(argument["input"], scope)
        shares = argument.get("p", [0.5])
        if isinstance(shares, dict) or (isinstance(shares, str) and shares.startswith("$")):
            raise Unsure("shares that are computed")
        if not isinstance(shares, list) or not shares:
            raise Refusal("p is an array of numbers from 0 to 1")
        for share in shares:
            if isinstance(share, dict | str):
                raise Unsure("a share that is computed") if isinstance(share, dict) else Refusal("no number")
            if not is_number(share) or not 0 <= to_double(share) <= 1:
                raise Refusal("p is an array of numbers from 0 to 1")

    return checked


def _percentiles(argument: Any, env: Environment) -> Any:
    value = run(argument["input"], env)
    values = list(value) if kind(value) == "array" else [value]
    numbers = sorted(to_double(one) for one in _numbers(values))
    if any(not math.isfinite(number) for number in numbers):
        raise Unsure("the place of infinities and NaN among percentiles")
    shares = [to_double(share) for share in argument.get("p", [0.5])]
    found = [numbers[max(0, math.ceil(share * len(numbers)) - 1)] if numbers else None for share in shares]
    return found if "p" in argument else found[0]


def need_finite(value: Any) -> float:
    """A finite number as a double, or DataError."""
    if not is_number(value) or not math.isfinite(to_double(value)):
        raise DataError("a finite number is needed")
    return to_double(value)


register("$sum", _over(_sum))
register("$avg", _over(_avg))
register("$max", _over(_extreme(1)))
register("$min", _over(_extreme(-1)))
register("$stdDevPop", _over(_deviation(0)))
register("$stdDevSamp", _over(_deviation(1)))
register("$percentile", Operator(_check_percentile("input", "p", "method"), _percentiles))
register("$median", Operator(_check_percentile("input", "method"), _percentiles))
__all__ = ["Int64", "need_finite", "of_kind"]
