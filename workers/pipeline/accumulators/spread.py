"""`$stdDevPop $stdDevSamp $percentile $median` as expressions: how numbers lie about their middle."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.nodes import Call, Const, Example, Named, Operator, Positional
from workers.pipeline.values import is_nan, number_kind


def _doubles(values: Iterable[Any]) -> list[float]:
    """The numbers among the values."""
    return [float(v.to_decimal() if kind == "decimal" else v) for v in values if (kind := number_kind(v))]


def deviation(values: Iterable[Any], *, is_sample: bool) -> float | None:
    """The standard deviation of the numbers: of all there are, or (from two on) of a sample of more."""
    numbers = _doubles(values)
    count = len(numbers)
    if count < (2 if is_sample else 1):
        return None
    if not all(map(math.isfinite, numbers)):
        return math.nan
    mean = squares = 0.0
    # Welford's way: one pass, and no difference of two large sums.
    for seen, number in enumerate(numbers, 1):
        delta = number - mean
        mean += delta / seen
        squares += delta * (number - mean)
    return math.sqrt(squares / (count - 1 if is_sample else count))


def deviation_of_all(values: Iterable[Any]) -> float | None:
    return deviation(values, is_sample=False)


def deviation_of_sample(values: Iterable[Any]) -> float | None:
    return deviation(values, is_sample=True)


def percentiles(values: Iterable[Any], shares: Iterable[float]) -> list[float | None]:
    """For each share from 0 to 1 the lowest number that so much of the numbers is not above; null without
    numbers. NaN does not count."""
    numbers = sorted(_doubles(value for value in values if not is_nan(value)))
    if not numbers:
        return [None for _ in shares]
    return [numbers[max(math.ceil(share * len(numbers)) - 1, 0)] for share in shares]


def checked_shares(shares: Any, operator: str = "$percentile") -> list[float]:
    """`p` as doubles. Raises Poison."""
    if shares.__class__ is not list or not shares:
        raise Poison(f"{operator} needs 'p' to be an array of at least one number from 0 to 1")
    found = _doubles(shares)
    if len(found) < len(shares) or not all(0 <= share <= 1 for share in found):
        raise Poison(f"{operator} needs every element of 'p' to be a number from 0 to 1")
    return found


def check_method(method: Any, operator: str) -> None:
    """Raise Poison unless the method is the server's only one."""
    if method != "approximate" or method.__class__ is not str:
        raise Poison(f"{operator} needs 'method' to be 'approximate'")


def _input(value: Any) -> list[Any]:
    """An array, or a number on its own."""
    return value if value.__class__ is list else [value]


def _percentile(values: Any, shares: Any, method: Any) -> list[float | None]:
    check_method(method, "$percentile")
    return percentiles(_input(values), checked_shares(shares))


def _median(values: Any, method: Any) -> float | None:
    check_method(method, "$median")
    return percentiles(_input(values), (0.5,))[0]


def _check(call: Call) -> Iterable[Poison]:
    """`p` and `method` are constants, on the server too."""
    *shares, method = call.args[1:]
    for node, name in (*((each, "p") for each in shares), (method, "method")):
        if not isinstance(node, Const):
            yield Poison(f"{call.operator.name} needs {name!r} to be a constant", at=f"{call.path}.{name}")
            return
        try:
            if name == "p":
                checked_shares(node.value)
            else:
                check_method(node.value, call.operator.name)
        except Poison as error:
            yield Poison(error.reason, at=node.path)


def of_arguments(of_values: Callable[[Iterable[Any]], Any]) -> Callable[..., Any]:
    """One argument that is an array stands for its elements."""

    def applied(*values: Any) -> Any:
        only = values[0] if len(values) == 1 else None
        return of_values(only if only.__class__ is list else values)

    applied.__name__ = of_values.__name__
    return applied


OPERATORS: Final[dict[str, Operator]] = {
    "$stdDevPop": Operator(
        name="$stdDevPop",
        signature=Positional(0, None),
        meaning="The standard deviation of the numbers, as all there are; null without any.",
        example=Example({"$stdDevPop": "$a"}, 2.0, {"a": [2, 4, 4, 4, 5, 5, 7, 9]}),
        function=of_arguments(deviation_of_all),
    ),
    "$stdDevSamp": Operator(
        name="$stdDevSamp",
        signature=Positional(0, None),
        meaning="The standard deviation of the numbers, as a sample of more; null with fewer than two.",
        example=Example({"$stdDevSamp": "$a"}, 1.0, {"a": [1, 2, 3]}),
        function=of_arguments(deviation_of_sample),
    ),
    "$percentile": Operator(
        name="$percentile",
        signature=Named(("input", "p", "method")),
        meaning="For each share in `p`, the number that so much of the input is not above.",
        example=Example(
            {"$percentile": {"input": "$a", "p": [0.5, 0.9], "method": "approximate"}},
            [2.0, 4.0],
            {"a": [4, 1, 3, 2]},
        ),
        function=_percentile,
        check=_check,
    ),
    "$median": Operator(
        name="$median",
        signature=Named(("input", "method")),
        meaning="The number that half of the input is not above.",
        example=Example({"$median": {"input": "$a", "method": "approximate"}}, 2.0, {"a": [3, 1, 2]}),
        function=_median,
        check=_check,
    ),
}
