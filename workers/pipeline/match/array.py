"""`$all $elemMatch $size`: arrays as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from bson import Regex

from workers.pipeline.match.comparison import equal_to
from workers.pipeline.match.nodes import Condition, Every, Place, ValueTest, is_operators, single_of
from workers.pipeline.match.numbers import whole
from workers.pipeline.match.pattern import single_for

_LOGICAL: Final = frozenset({"$and", "$or", "$nor", "$where", "$expr", "$jsonSchema", "$comment"})


def _size(operand: Any, place: Place) -> Condition:
    wanted = whole(operand)
    if wanted is None:
        return place.wrong("not an integer", "the number of elements")
    if wanted < 0:
        return place.wrong(f"{wanted}", "a size of 0 or more")
    return ValueTest(lambda value: value.__class__ is list and len(value) == wanted, spread=False)


def _elem_match(operand: Any, place: Place) -> Condition:
    """Of each element: conditions on the element itself (`{$gt: 1}`), or a query of documents in it."""
    if not isinstance(operand, dict):
        return place.wrong("not a document", "operators, or a query of the elements' fields")
    if is_operators(operand) and next(iter(operand)) not in _LOGICAL:
        ask = single_of(place.compiler.operators(operand, place))
        return ValueTest(lambda value: value.__class__ is list and any(map(ask, value)), spread=False)
    query = place.compiler.query(operand, place)

    def single(value: Any) -> bool:
        if value.__class__ is not list:
            return False
        for element in value:
            if element.__class__ is dict:
                if query(element):
                    return True
            elif element.__class__ is list:  # an array within is a document with the fields "0", "1", ...
                if query({str(number): item for number, item in enumerate(element)}):
                    return True
        return False

    return ValueTest(single, spread=False)


def _all(operand: Any, place: Place) -> Condition:
    if not isinstance(operand, list):
        return place.wrong("not an array", "an array of values")
    if not operand:
        return ValueTest(lambda value: False)  # matches nothing, so that its $not matches everything
    members: list[Condition] = []
    of_elements = [isinstance(item, dict) and next(iter(item), "") == "$elemMatch" for item in operand]
    for number, item in enumerate(operand):
        inside = place.at(number)
        if of_elements[0]:
            if not of_elements[number] or len(item) != 1:
                members.append(inside.wrong("not an $elemMatch", "$elemMatch throughout, as in the first"))
            else:
                members.append(_elem_match(item["$elemMatch"], inside.at("$elemMatch")))
        elif is_operators(item):
            members.append(inside.wrong(f"the operator {next(iter(item))}", "a value"))
        elif isinstance(item, Regex):
            members.append(ValueTest(single_for(item, inside)))
        else:
            members.append(equal_to(item))
    return Every(tuple(members))


OPERATORS: Final[dict[str, Callable[[Any, Place], Condition]]] = {
    "$all": _all,
    "$elemMatch": _elem_match,
    "$size": _size,
}
