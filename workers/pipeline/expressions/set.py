"""`$setUnion $setIntersection $setDifference $setEquals $setIsSubset $allElementsTrue $anyElementTrue`.

Elements are the same when BSON's order calls them equal: 1, 1.0 and NumberLong(1) are one element.
"""

from __future__ import annotations

from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.nodes import Example, Operator, Positional
from workers.pipeline.values import is_nullish, sort_key, truthy, type_name


def _array(value: Any, operator: str, which: str) -> list[Any]:
    if value.__class__ is not list:
        raise Poison(f"{which} of {operator} must be an array, but is of type {type_name(value)}")
    found: list[Any] = value
    return found


def distinct(values: list[Any]) -> dict[tuple[Any, ...], Any]:
    """The values by key, the first of equal ones."""
    found: dict[tuple[Any, ...], Any] = {}
    for value in values:
        found.setdefault(sort_key(value), value)
    return found


def _ordered(found: dict[tuple[Any, ...], Any]) -> list[Any]:
    """As the server gives sets that it makes: in BSON's order."""
    return [found[key] for key in sorted(found)]


def union(*arrays: Any) -> list[Any] | None:
    """Every element of any array, once; null where an array is null, as far as it was read."""
    found: dict[tuple[Any, ...], Any] = {}
    for array in arrays:
        if is_nullish(array):
            return None
        for key, value in distinct(_array(array, "$setUnion", "every argument")).items():
            found.setdefault(key, value)
    return _ordered(found)


def intersection(*arrays: Any) -> list[Any] | None:
    """The elements of all arrays, once; what follows an empty result is not looked at, as on the server."""
    found: dict[tuple[Any, ...], Any] | None = None
    for array in arrays:
        if is_nullish(array):
            return None
        own = distinct(_array(array, "$setIntersection", "every argument"))
        found = own if found is None else {key: value for key, value in found.items() if key in own}
        if not found:
            break
    return _ordered(found or {})


def difference(left: Any, right: Any) -> list[Any] | None:
    """The elements of the first array that the second has not, once, in the first one's order."""
    if is_nullish(left) or is_nullish(right):
        return None
    kept = distinct(_array(left, "$setDifference", "the first argument"))
    gone = {sort_key(value) for value in _array(right, "$setDifference", "the second argument")}
    return [value for key, value in kept.items() if key not in gone]


def _equals(*arrays: Any) -> bool:
    keys = [{sort_key(value) for value in _array(array, "$setEquals", "every argument")} for array in arrays]
    return all(own == keys[0] for own in keys)


def _is_subset(left: Any, right: Any) -> bool:
    inner = _array(left, "$setIsSubset", "the first argument")
    outer = {sort_key(value) for value in _array(right, "$setIsSubset", "the second argument")}
    return all(sort_key(value) in outer for value in inner)


def _all_true(array: Any) -> bool:
    return all(map(truthy, _array(array, "$allElementsTrue", "the argument")))


def _any_true(array: Any) -> bool:
    return any(map(truthy, _array(array, "$anyElementTrue", "the argument")))


OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        Operator(
            name="$setUnion",
            signature=Positional(0, None),
            meaning="Every element of any of the arrays, once.",
            example=Example({"$setUnion": ["$a", [3, 2]]}, [1, 2, 3], {"a": [1, 2, 1]}),
            function=union,
        ),
        Operator(
            name="$setIntersection",
            signature=Positional(0, None),
            meaning="The elements that all arrays have, once.",
            example=Example({"$setIntersection": ["$a", [3, 2, 1]]}, [1, 2], {"a": [2, 1, 2]}),
            function=intersection,
        ),
        Operator(
            name="$setDifference",
            signature=Positional(2, 2),
            meaning="The elements of the first array that the second has not, once.",
            example=Example({"$setDifference": ["$a", [1]]}, [3, 2], {"a": [3, 1, 2, 3]}),
            function=difference,
        ),
        Operator(
            name="$setEquals",
            signature=Positional(2, None),
            meaning="Whether the arrays have the same elements, however often and in whatever order.",
            example=Example({"$setEquals": ["$a", [2, 1]]}, True, {"a": [1, 2, 2]}),
            function=_equals,
        ),
        Operator(
            name="$setIsSubset",
            signature=Positional(2, 2),
            meaning="Whether the second array has every element of the first.",
            example=Example({"$setIsSubset": ["$a", [1, 2, 3]]}, True, {"a": [1, 3]}),
            function=_is_subset,
        ),
        Operator(
            name="$allElementsTrue",
            signature=Positional(1, 1),
            meaning="Whether no element of the array is false, null or 0.",
            example=Example({"$allElementsTrue": ["$a"]}, False, {"a": [1, 0]}),
            function=_all_true,
        ),
        Operator(
            name="$anyElementTrue",
            signature=Positional(1, 1),
            meaning="Whether an element of the array is neither false, null nor 0.",
            example=Example({"$anyElementTrue": ["$a"]}, True, {"a": [1, 0]}),
            function=_any_true,
        ),
    )
}
