"""Arrays."""

from __future__ import annotations

from functools import cmp_to_key, partial
from typing import Any

from tests.property.language.reference.interpreter import (
    ABSENT,
    Environment,
    Operator,
    Scope,
    check,
    checked_names,
    named,
    path_parts,
    positional,
    register,
    run,
    unread,
    variadic,
)
from tests.property.language.reference.tower import integral, need_integral, need_integral_long, whole
from tests.property.language.reference.values import (
    MISSING,
    DataError,
    Refusal,
    Unsure,
    compare,
    contains,
    equal,
    is_number,
    kind,
    nullish,
    truthy,
)

# The server stops $range at 100 MiB; no test needs more than this.
MAX_RANGE = 100_000


def need_array(value: Any, what: str) -> list[Any]:
    """The value as a list, or DataError."""
    if kind(value) != "array":
        raise DataError(f"{what} takes an array, not {kind(value)}")
    return list(value)


def _element_at(array: Any, index: Any) -> Any:
    if nullish(array) or nullish(index):
        return None
    items = need_array(array, "$arrayElemAt")
    at = need_integral(index, "the index")
    return items[at] if -len(items) <= at < len(items) else MISSING


def _end(at: int) -> Any:
    def function(array: Any) -> Any:
        if nullish(array):
            return None
        items = need_array(array, "$first and $last")
        return items[at] if items else MISSING

    return function


def _concat(values: Any) -> Any:
    found: list[Any] = []
    for value in values:
        if nullish(value):
            return None
        found += need_array(value, "$concatArrays")
    return found


def _in(wanted: Any, array: Any) -> bool:
    return contains(need_array(array, "$in"), wanted)


def bounds(length: int, start: Any, end: Any) -> tuple[int, int]:
    """Where a search begins and ends: integers of 32 bits, none negative."""
    first = 0 if start is ABSENT else need_integral(start, "the start")
    last = length if end is ABSENT else need_integral(end, "the end")
    if first < 0 or last < 0:
        raise DataError("an index must not be negative")
    return first, min(last, length)


def _index_of(array: Any, wanted: Any, start: Any = ABSENT, end: Any = ABSENT) -> Any:
    if nullish(array):
        return None
    items = need_array(array, "$indexOfArray")
    first, last = bounds(len(items), start, end)
    return next((at for at in range(first, last) if equal(items[at], wanted)), -1)


def _range(start: Any, end: Any, step: Any = 1) -> Any:
    first, last = need_integral(start, "the start"), need_integral(end, "the end")
    by = need_integral(step, "the step")
    if by == 0:
        raise DataError("the step of $range must not be zero")
    found = range(first, last, by)
    if len(found) > MAX_RANGE:
        raise Unsure("a range too long for this reference")
    return list(found)


def _reverse(array: Any) -> Any:
    return None if nullish(array) else need_array(array, "$reverseArray")[::-1]


def _slice(array: Any, second: Any, third: Any = ABSENT) -> Any:
    if nullish(array) or nullish(second):
        return None
    items = need_array(array, "$slice")
    at = need_integral(second, "the position")
    if third is ABSENT:
        return items[:at] if at >= 0 else items[at:]
    if nullish(third):
        return None
    count = need_integral(third, "the count")
    if count <= 0:
        raise DataError("the count of $slice must be positive")
    first = min(at, len(items)) if at >= 0 else max(0, len(items) + at)
    return items[first : first + count]


def _to_object(array: Any) -> Any:
    if nullish(array):
        return None
    items = need_array(array, "$arrayToObject")
    found: dict[str, Any] = {}
    for item in items:
        if kind(item) != kind(items[0]):
            raise DataError("$arrayToObject takes pairs of one form")
        if kind(item) == "array":
            if len(item) != 2:
                raise DataError("a pair has two elements")
            name, value = item
        elif kind(item) == "object":
            if set(item) != {"k", "v"}:
                raise DataError("a pair has k and v")
            name, value = item["k"], item["v"]
        else:
            raise DataError("$arrayToObject takes pairs")
        if kind(name) != "string" or "\0" in name:
            raise DataError("a field's name is a string")
        found[name] = value
    return found


def _check_zip(argument: Any, scope: Scope) -> None:
    checked_names(argument, ("inputs",), ("useLongestLength", "defaults"))
    inputs, defaults = argument["inputs"], argument.get("defaults", ABSENT)
    if not isinstance(inputs, list) or not inputs:
        raise Refusal("$zip takes an array of inputs")
    if not isinstance(argument.get("useLongestLength", False), bool):
        raise Refusal("useLongestLength is a boolean")
    if defaults is not ABSENT:
        if not isinstance(defaults, list) or not argument.get("useLongestLength"):
            raise Refusal("defaults is an array and needs useLongestLength")
        if defaults and len(defaults) != len(inputs):
            raise Refusal("there is a default for each input")
        check(defaults, scope)
    check(inputs, scope)


def _zip(argument: Any, env: Environment) -> Any:
    columns = []
    for place, one in enumerate(argument["inputs"]):
        value = run(one, env)
        if nullish(value):
            unread(partial(run, argument["inputs"][place + 1 :], env))
            return None
        columns.append(need_array(value, "$zip"))
    defaults = run(argument.get("defaults") or [None] * len(columns), env)
    pick = max if argument.get("useLongestLength") else min
    length = pick(len(column) for column in columns)
    return [
        [
            column[at] if at < len(column) else default
            for column, default in zip(columns, defaults, strict=True)
        ]
        for at in range(length)
    ]


def _sort_key(value: Any, parts: list[str], direction: int) -> Any:
    """What a document is sorted by: of an array on the way the least, or the greatest when descending."""
    found: list[Any] = []

    def walk(node: Any, rest: list[str]) -> None:
        if isinstance(node, list | tuple):
            if rest and rest[0].isdigit():
                raise Unsure("an index in a sort path")
            for item in node:
                if isinstance(item, list | tuple) and rest:
                    continue
                if rest:
                    walk(item, rest)
                else:
                    found.append(item)
            if not node:
                raise Unsure("an empty array as a sort key")
        elif rest:
            walk(node.get(rest[0], MISSING) if isinstance(node, dict) else MISSING, rest[1:])
        else:
            found.append(None if node is MISSING else node)

    walk(value, parts)
    if not found:
        return None
    ordered = sorted(found, key=cmp_to_key(compare))
    return ordered[0] if direction > 0 else ordered[-1]


def _direction(value: Any) -> int:
    if not is_number(value) or not integral(value) or whole(value) not in (1, -1):
        raise Refusal("an order is 1 or -1")
    return whole(value)


def sort_by(items: list[Any], pattern: Any) -> list[Any]:
    """Sort stably by 1, -1 or a pattern of fields."""
    if not isinstance(pattern, dict):
        return (
            sorted(items, key=cmp_to_key(compare), reverse=False)
            if _direction(pattern) > 0
            else sorted(items, key=cmp_to_key(lambda left, right: -compare(left, right)))
        )
    for path, order in reversed(pattern.items()):
        way = _direction(order)
        parts = path_parts(path)
        keys = [_sort_key(item if isinstance(item, dict) else {}, parts, way) for item in items]
        places = sorted(
            range(len(items)),
            key=cmp_to_key(lambda a, b, k=keys, w=way: w * compare(k[a], k[b])),  # type: ignore[misc]
        )
        items = [items[place] for place in places]
    return items


def _check_sort(argument: Any, scope: Scope) -> None:
    checked_names(argument, ("input", "sortBy"), ())
    check(argument["input"], scope)
    pattern = argument["sortBy"]
    if isinstance(pattern, dict) and not pattern:
        raise Refusal("a pattern names at least one field")
    sort_by([], pattern)


def _sort(argument: Any, env: Environment) -> Any:
    value = run(argument["input"], env)
    return None if nullish(value) else sort_by(need_array(value, "$sortArray"), argument["sortBy"])


def _check_n(argument: Any, scope: Scope) -> None:
    for value in checked_names(argument, ("n", "input"), ()).values():
        check(value, scope)


def _n(name: str) -> Any:
    def ran(argument: Any, env: Environment) -> Any:
        count = need_integral_long(run(argument["n"], env), "n")
        if count < 1:
            raise DataError("n must be positive")
        items = need_array(run(argument["input"], env), name)
        if name == "$firstN":
            return items[:count]
        if name == "$lastN":
            return items[-count:]
        known = [item for item in items if item is not None]
        return sort_by(known, 1 if name == "$minN" else -1)[:count]

    return ran


def _size(array: Any) -> int:
    return len(need_array(array, "$size"))


register("$arrayElemAt", positional(_element_at, 2, 2))
register("$first", positional(_end(0), 1, 1))
register("$last", positional(_end(-1), 1, 1))
register("$concatArrays", variadic(_concat))
register("$in", positional(_in, 2, 2))
register("$indexOfArray", positional(_index_of, 2, 4))
register("$isArray", positional(lambda value: kind(value) == "array", 1, 1))
register("$range", positional(_range, 2, 3))
register("$reverseArray", positional(_reverse, 1, 1))
register("$size", positional(_size, 1, 1))
register("$slice", positional(_slice, 2, 3))
register("$arrayToObject", positional(_to_object, 1, 1))
register("$zip", Operator(_check_zip, _zip))
register("$sortArray", Operator(_check_sort, _sort))
for _name in ("$firstN", "$lastN", "$maxN", "$minN"):
    register(_name, Operator(_check_n, _n(_name)))
register(
    "$allElementsTrue",
    positional(lambda array: all(truthy(item) for item in need_array(array, "$allElementsTrue")), 1, 1),
)
register(
    "$anyElementTrue",
    positional(lambda array: any(truthy(item) for item in need_array(array, "$anyElementTrue")), 1, 1),
)
__all__ = ["bounds", "named", "need_array", "sort_by"]
