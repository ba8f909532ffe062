"""`$arrayElemAt $concatArrays $filter $in $isArray $map $reduce $size`."""

from __future__ import annotations

from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.nodes import (
    Binding,
    Call,
    Const,
    Emitting,
    Example,
    Named,
    Node,
    Operator,
    Positional,
    may_be_missing,
    mentions,
)
from workers.pipeline.reduction import Growth, bounded, is_steady, nests
from workers.pipeline.values import INT32_MAX, INT32_MIN, MISSING, equal, is_nullish, type_name, whole_number


def size(array: Any) -> int:
    """The number of elements."""
    if array.__class__ is not list:
        raise Poison(f"the argument of $size must be an array, but was of type {type_name(array)}")
    return len(array)


def _is_array(value: Any) -> bool:
    return value.__class__ is list


def is_in(value: Any, array: Any) -> bool:
    """Whether an element is equal to the value; a missing value equals none."""
    if array.__class__ is not list:
        raise Poison(f"$in requires an array as a second argument, found {type_name(array)}")
    if value.__class__ is str:
        return value in array  # a text only equals a text, in Python as in BSON
    return any(equal(value, item) for item in array)


def element_at(array: Any, position: Any) -> Any:
    """The element at a position; below zero it counts from the end. MISSING beyond the ends."""
    if is_nullish(array) or is_nullish(position):
        return None
    if array.__class__ is not list:
        raise Poison(f"$arrayElemAt's first argument must be an array, but is {type_name(array)}")
    index = whole_number(position)
    if index is None or not INT32_MIN <= index <= INT32_MAX:
        raise Poison(
            f"$arrayElemAt's second argument must be a whole number of 32 bits, but is {type_name(position)}"
        )
    return array[index] if -len(array) <= index < len(array) else MISSING


def concatenated(*arrays: Any) -> Any:
    """The arrays one after the other; null where one is null or missing."""
    found: list[Any] = []
    for array in arrays:
        if array is None or array is MISSING:
            return None
        if array.__class__ is not list:
            raise Poison(f"$concatArrays only supports arrays, not {type_name(array)}")
        found += array
    return found


def _emit_size(em: Emitting, call: Call) -> str:
    array = em.value(call.given[0])
    return em.assign(f"len({array}) if {array}.__class__ is list else {em.function(size)}({array})")


def _emit_in(em: Emitting, call: Call) -> str:
    value, array = call.given
    one, many = em.value(value), em.value(array)
    slow = f"{em.function(is_in)}({one}, {many})"
    if isinstance(value, Const) and value.value.__class__ is str:
        return em.assign(f"{one} in {many} if {many}.__class__ is list else {slow}")
    return em.assign(slow)


def _emit_element(em: Emitting, call: Call) -> str:
    array, position = call.given
    many, at = em.value(array), em.value(position)
    slow = f"{em.function(element_at)}({many}, {at})"
    if isinstance(position, Const) and position.value.__class__ is int and abs(position.value) <= INT32_MAX:
        least = position.value + 1 if position.value >= 0 else -position.value
        return em.assign(f"{many}[{at}] if {many}.__class__ is list and len({many}) >= {least} else {slow}")
    return em.assign(slow)


def _no_array(value: Any, operator: str) -> None:
    """What an operator over an array gives of null; anything else is an error."""
    if not is_nullish(value):
        raise Poison(f"input to {operator} must be an array not {type_name(value)}")


def _filter_limit(value: Any) -> int:
    """How many elements `$filter` keeps at most."""
    limit = whole_number(value)
    if limit is None or not 1 <= limit <= INT32_MAX:
        raise Poison("$filter: limit must be a whole number of 32 bits, at least 1")
    return limit


def _loop(em: Emitting, array: str, body: Node, element: str, position: str) -> tuple[str, str]:
    """The header of a loop over an array, and the local of the element; its variables are bound."""
    item = em.name()
    em.bind(element, item)
    if not mentions(body, position):
        return f"for {item} in {array}:", item
    place = em.name()
    em.bind(position, place)
    return f"for {place}, {item} in enumerate({array}):", item


def _emit_map(em: Emitting, call: Call) -> str:
    source, body = call.given
    array, found = em.value(source), em.name()
    array = em.assign(array)
    with em.block(f"if {array}.__class__ is list:"):
        em.line(f"{found} = []")
        header, _ = _loop(em, array, body, *call.variables)
        with em.block(header):
            em.line(f"{found}.append({em.or_null(body)})")
    with em.block("else:"):
        em.line(f"{found} = {em.function(_no_array)}({array}, '$map')")
    return found


def _emit_filter(em: Emitting, call: Call) -> str:
    source, condition, limit = call.args
    assert source is not None
    assert condition is not None
    array, found = em.assign(em.value(source)), em.name()
    most = None
    with em.block(f"if {array}.__class__ is list:"):
        if limit is not None:
            most = em.name()
            given = em.assign(em.value(limit))
            em.line(
                f"{most} = None if {given} is None or {given} is M else {em.function(_filter_limit)}({given})"
            )
        em.line(f"{found} = []")
        header, item = _loop(em, array, condition, *call.variables)
        with em.block(header):
            with em.block(f"if {em.condition(condition)}:"):
                em.line(f"{found}.append({item})")
                if most is not None:
                    with em.block(f"if {most} is not None and len({found}) >= {most}:"):
                        em.line("break")
    with em.block("else:"):
        em.line(f"{found} = {em.function(_no_array)}({array}, '$filter')")
    return found


def _emit_reduce(em: Emitting, call: Call) -> str:
    source, initial, body = call.given
    element, value, position = call.variables
    array, found = em.assign(em.value(source)), em.name()
    check = "" if is_steady(body) else em.function(bounded)
    with em.block(f"if {array}.__class__ is list:"):
        em.line(f"{found} = {em.value(initial)}")
        if nests(body, value):
            check = em.assign(f"{em.function(Growth)}().check")
        header, _ = _loop(em, array, body, element, position)
        with em.block(header):
            em.bind(value, found)
            em.line(f"{found} = {em.value(body)}")
            if check:
                em.line(f"{check}({found})")
    with em.block("else:"):
        em.line(f"{found} = {em.function(_no_array)}({array}, '$reduce')")
    return found


_ELEMENT: Final = {"as": "this", "arrayIndexAs": "IDX"}

OPERATORS: Final[dict[str, Operator]] = {
    "$arrayElemAt": Operator(
        name="$arrayElemAt",
        signature=Positional(2, 2),
        meaning="The element at a position, from the end where it is below zero; missing beyond the ends.",
        example=Example({"$arrayElemAt": ["$a", -1]}, 3, {"a": [1, 2, 3]}),
        function=element_at,
        emit=_emit_element,
        gives_missing=True,
    ),
    "$concatArrays": Operator(
        name="$concatArrays",
        signature=Positional(0, None),
        meaning="Arrays one after the other.",
        example=Example({"$concatArrays": ["$a", [3]]}, [1, 2, 3], {"a": [1, 2]}),
        function=concatenated,
    ),
    "$filter": Operator(
        name="$filter",
        signature=Binding(Named(("input", "cond"), ("limit",)), _ELEMENT, frozenset({"cond"})),
        meaning="The elements ($$this, place $$IDX) for which `cond` is true, at most `limit`.",
        example=Example(
            {"$filter": {"input": "$a", "cond": {"$gt": ["$$this", 1]}}}, [2, 3], {"a": [1, 2, 3]}
        ),
        emit=_emit_filter,
    ),
    "$in": Operator(
        name="$in",
        signature=Positional(2, 2),
        meaning="Whether the value is an element of the array.",
        example=Example({"$in": ["$a", ["x", "y"]]}, True, {"a": "y"}),
        function=is_in,
        emit=_emit_in,
        gives_bool=True,
    ),
    "$isArray": Operator(
        name="$isArray",
        signature=Positional(1, 1),
        meaning="Whether the value is an array.",
        example=Example({"$isArray": "$a"}, True, {"a": []}),
        function=_is_array,
        gives_bool=True,
    ),
    "$map": Operator(
        name="$map",
        signature=Binding(Named(("input", "in")), _ELEMENT, frozenset({"in"})),
        meaning="The array of what `in` gives for each element ($$this) and its place ($$IDX).",
        example=Example(
            {"$map": {"input": "$a", "as": "n", "in": {"$add": ["$$n", 1]}}}, [2, 3], {"a": [1, 2]}
        ),
        emit=_emit_map,
    ),
    "$reduce": Operator(
        name="$reduce",
        signature=Binding(
            Named(("input", "initialValue", "in")),
            {"as": "this", "valueAs": "value", "arrayIndexAs": "IDX"},
            frozenset({"in"}),
        ),
        meaning=(
            "One value out of an array: `in` of each element ($$this), its place ($$IDX) and the value so "
            "far ($$value)."
        ),
        example=Example(
            {"$reduce": {"input": "$a", "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}},
            6,
            {"a": [1, 2, 3]},
        ),
        emit=_emit_reduce,
        gives_missing=lambda call: may_be_missing(call.given[1]) or may_be_missing(call.given[2]),
    ),
    "$size": Operator(
        name="$size",
        signature=Positional(1, 1),
        meaning="The number of elements of an array.",
        example=Example({"$size": "$a"}, 2, {"a": [1, 2]}),
        function=size,
        emit=_emit_size,
    ),
}
