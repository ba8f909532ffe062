"""`$first $last $firstN $lastN $maxN $minN` as expressions: some elements of an array."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.nodes import Example, Named, Operator, Positional
from workers.pipeline.values import INT64_MAX, MISSING, is_nullish, sort_key, type_name, whole_number


def _end(operator: str, place: int) -> Callable[[Any], Any]:
    def end(array: Any) -> Any:
        if is_nullish(array):
            return None
        if array.__class__ is not list:
            raise Poison(f"{operator}'s argument must be an array, but is {type_name(array)}")
        return array[place] if array else MISSING

    return end


def how_many(value: Any, operator: str) -> int:
    """`n`: a whole number of 1 or more. Raises Poison."""
    found = whole_number(value)
    if found is None or not 1 <= found <= INT64_MAX:
        raise Poison(f"{operator} needs 'n' to be a whole number of at least 1")
    return found


def first_n(values: Iterable[Any], n: int) -> list[Any]:
    """The first n; missing ones as null."""
    return [None if value is MISSING else value for value in list(values)[:n]]


def last_n(values: Iterable[Any], n: int) -> list[Any]:
    """The last n, in their order; missing ones as null."""
    return [None if value is MISSING else value for value in list(values)[-n:]]


def lowest_n(values: Iterable[Any], n: int) -> list[Any]:
    """The n lowest, the lowest first; null and missing do not count."""
    return sorted((value for value in values if not is_nullish(value)), key=sort_key)[:n]


def highest_n(values: Iterable[Any], n: int) -> list[Any]:
    """The n highest, the highest first; null and missing do not count."""
    return sorted((value for value in values if not is_nullish(value)), key=sort_key, reverse=True)[:n]


N_OF_VALUES: Final[dict[str, Callable[[Iterable[Any], int], list[Any]]]] = {
    "$firstN": first_n,
    "$lastN": last_n,
    "$minN": lowest_n,
    "$maxN": highest_n,
}


def _of_array(operator: str) -> Callable[[Any, Any], list[Any]]:
    of_values = N_OF_VALUES[operator]

    def taken(n: Any, array: Any) -> list[Any]:
        count = how_many(n, operator)
        if array.__class__ is not list:
            raise Poison(f"{operator} needs 'input' to be an array, but it is of type {type_name(array)}")
        return of_values(array, count)

    return taken


def _operator(name: str, meaning: str, result: list[int]) -> Operator:
    return Operator(
        name=name,
        signature=Named(("n", "input")),
        meaning=meaning,
        example=Example({name: {"n": 2, "input": "$a"}}, result, {"a": [3, 1, 2]}),
        function=_of_array(name),
    )


OPERATORS: Final[dict[str, Operator]] = {
    "$first": Operator(
        name="$first",
        signature=Positional(1, 1),
        meaning="The first element of an array; missing where it is empty.",
        example=Example({"$first": "$a"}, 3, {"a": [3, 1, 2]}),
        function=_end("$first", 0),
        gives_missing=True,
    ),
    "$last": Operator(
        name="$last",
        signature=Positional(1, 1),
        meaning="The last element of an array; missing where it is empty.",
        example=Example({"$last": "$a"}, 2, {"a": [3, 1, 2]}),
        function=_end("$last", -1),
        gives_missing=True,
    ),
    "$firstN": _operator("$firstN", "The first n elements of an array.", [3, 1]),
    "$lastN": _operator("$lastN", "The last n elements of an array.", [1, 2]),
    "$minN": _operator("$minN", "The n lowest elements, the lowest first; null does not count.", [1, 2]),
    "$maxN": _operator("$maxN", "The n highest elements, the highest first; null does not count.", [3, 2]),
}
