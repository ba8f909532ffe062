"""Sets: arrays without order and repetition."""

from __future__ import annotations

from typing import Any

from tests.property.language.reference.arrays import need_array
from tests.property.language.reference.interpreter import positional, register, unread, variadic
from tests.property.language.reference.values import contains, distinct, nullish


def _equals(values: Any) -> bool:
    sets = [need_array(value, "$setEquals") for value in values]
    return all(
        all(contains(sets[0], item) for item in one) and all(contains(one, item) for item in sets[0])
        for one in sets[1:]
    )


def _intersection(values: Any) -> Any:
    common: list[Any] | None = None
    for value in values:
        if nullish(value):
            return None
        one = need_array(value, "$setIntersection")
        common = distinct(one) if common is None else [item for item in common if contains(one, item)]
        if not common:  # whatever follows cannot add to it
            unread(lambda: [need_array(rest, "$setIntersection") for rest in values if not nullish(rest)])
            return []
    return common or []


def _union(values: Any) -> Any:
    found: list[Any] = []
    for value in values:
        if nullish(value):
            return None
        found += need_array(value, "$setUnion")
    return distinct(found)


def _difference(left: Any, right: Any) -> Any:
    if nullish(left) or nullish(right):
        return None
    first, second = need_array(left, "$setDifference"), need_array(right, "$setDifference")
    return [item for item in distinct(first) if not contains(second, item)]


def _is_subset(left: Any, right: Any) -> bool:
    first, second = need_array(left, "$setIsSubset"), need_array(right, "$setIsSubset")
    return all(contains(second, item) for item in first)


register("$setEquals", variadic(_equals, 2))
register("$setIntersection", variadic(_intersection))
register("$setUnion", variadic(_union))
register("$setDifference", positional(_difference, 2, 2))
register("$setIsSubset", positional(_is_subset, 2, 2))
