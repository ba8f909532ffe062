"""`$indexOfArray $range $reverseArray $slice $sortArray $zip`: the order of elements and their places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.nodes import (
    Call,
    Const,
    Custom,
    Example,
    Node,
    Operator,
    Parsing,
    Positional,
    Scope,
)
from workers.pipeline.parse import describe
from workers.pipeline.paths import fault, split
from workers.pipeline.values import (
    INT32_MAX,
    INT32_MIN,
    MISSING,
    equal,
    is_nullish,
    is_number,
    sort_key,
    type_name,
    whole_number,
)

# A document holds 16 MiB, and an int in an array takes 12 bytes of it (type, 6 digits and their end, value):
# no longer array could be sent anywhere, and a range within a range stays within seconds.
_MAX_RANGE: Final = 16 * 2**20 // 12


def int32(value: Any, operator: str, what: str) -> int:
    """A whole number of 32 bits. Raises Poison."""
    if not is_number(value):
        raise Poison(f"{operator} requires {what} to be a number, but it is of type {type_name(value)}")
    found = whole_number(value)
    if found is None or not INT32_MIN <= found <= INT32_MAX:
        raise Poison(f"{operator} requires {what} to be a whole number of 32 bits")
    return found


def place(value: Any, operator: str, what: str) -> int:
    """A whole number of 32 bits, not below 0. Raises Poison."""
    found = int32(value, operator, what)
    if found < 0:
        raise Poison(f"{operator} requires {what} not to be below 0, but it is {found}")
    return found


def _array(value: Any, operator: str, what: str) -> list[Any]:
    if value.__class__ is not list:
        raise Poison(f"{operator} requires {what} to be an array, but it is of type {type_name(value)}")
    found: list[Any] = value
    return found


def index_of(array: Any, wanted: Any, start: Any, end: Any) -> int | None:
    """Where the first equal element stands, from `start` on and before `end`; -1 where there is none."""
    if is_nullish(array):
        return None
    items = _array(array, "$indexOfArray", "its first argument")
    first = place(start, "$indexOfArray", "the starting index")
    last = len(items) if end is _TO_THE_END else place(end, "$indexOfArray", "the ending index")
    for position in range(first, min(last, len(items))):
        if equal(items[position], wanted):
            return position
    return -1


class _ToTheEnd:
    """The type of what stands for an end that was left out."""

    __slots__ = ()


_TO_THE_END: Final = _ToTheEnd()


def _index_of(array: Any, wanted: Any, start: Any, end: Any) -> int | None:
    return index_of(array, wanted, 0 if start is _TO_THE_END else start, end)


def numbers_between(start: Any, end: Any, step: Any = 1) -> list[int]:
    """Whole numbers from `start` on, before `end`."""
    first = int32(start, "$range", "the starting value")
    last = int32(end, "$range", "the ending value")
    by = int32(step, "$range", "the step value")
    if by == 0:
        raise Poison("$range requires a step value that is not 0")
    found = range(first, last, by)
    if len(found) > _MAX_RANGE:
        raise Poison(f"$range would make {len(found)} elements, more than the {_MAX_RANGE} of a document")
    return list(found)


def reversed_array(array: Any) -> Any:
    """The elements from last to first."""
    return None if is_nullish(array) else _array(array, "$reverseArray", "its argument")[::-1]


def part(array: Any, first: Any, count: Any) -> Any:
    """Some elements: the first or (below 0) last `first`, or `count` from the place `first` on."""
    if is_nullish(array) or is_nullish(first):
        return None
    items = _array(array, "$slice", "its first argument")
    start = int32(first, "$slice", "its second argument")
    if count is _TO_THE_END:
        if start >= 0:
            return items[:start]
        return items[start:]
    if is_nullish(count):
        return None
    many = int32(count, "$slice", "its third argument")
    if many <= 0:
        raise Poison(f"$slice requires its third argument to be above 0, but it is {many}")
    begin = max(len(items) + start, 0) if start < 0 else start
    return items[begin : begin + many]


# $sortArray


def sorted_whole(array: Any, descending: bool) -> Any:
    """The elements in BSON's order."""
    if is_nullish(array):
        return None
    items = _array(array, "$sortArray", "'input'")
    if len({item.__class__ for item in items}) == 1 and items[0].__class__ in (int, str):
        return sorted(items, reverse=descending)
    return sorted(items, key=sort_key, reverse=descending)


def sorted_by(array: Any, fields: Sequence[tuple[tuple[str, ...], bool]]) -> Any:
    """The documents by fields, the first field first; equal ones keep their order."""
    if is_nullish(array):
        return None
    found = list(_array(array, "$sortArray", "'input'"))
    for parts, descending in reversed(fields):
        found.sort(key=_key(parts), reverse=descending)
    return found


def _key(parts: tuple[str, ...]) -> Callable[[Any], Any]:
    return lambda item: sort_key(_field(item, parts))


def _field(item: Any, parts: tuple[str, ...]) -> Any:
    """The value that a document is sorted by; null where there is none. A number is a position, too."""
    for name in parts:
        if item.__class__ is dict:
            item = item.get(name)
        elif item.__class__ is list and name.isdecimal() and int(name) < len(item):
            item = item[int(name)]
        else:
            return None
    return item


_SORT_SYNTAX: Final = "{$sortArray: {input: <expression>, sortBy: 1 | -1 | {<field>: 1 | -1, ...}}}"


def _direction(value: Any) -> int | None:
    found = whole_number(value)
    return found if found in (1, -1) else None


def _parse_sort(parsing: Parsing, spec: Any, path: str, scope: Scope) -> Node:
    if not isinstance(spec, dict):
        return parsing.wrong(path, describe(spec), _SORT_SYNTAX)
    for name in spec:
        if name not in ("input", "sortBy"):
            return parsing.wrong(f"{path}.{name}", f"$sortArray has no field {name!r}", _SORT_SYNTAX)
    for name in ("input", "sortBy"):
        if name not in spec:
            return parsing.wrong(path, f"the field {name!r} is missing", _SORT_SYNTAX)
    array = parsing.expression(spec["input"], f"{path}.input", scope)
    by, at = spec["sortBy"], f"{path}.sortBy"
    if not isinstance(by, dict):
        direction = _direction(by)
        if direction is None:
            return parsing.wrong(at, describe(by), "1, -1 or a document of fields")
        return Call(_SORT_WHOLE, (array, Const(direction < 0, at)), path)
    if not by:
        return parsing.wrong(at, "no field to sort by", _SORT_SYNTAX)
    fields: list[tuple[tuple[str, ...], bool]] = []
    for name, value in by.items():
        direction, wrong = _direction(value), fault(str(name))
        if direction is None or wrong:
            parsing.wrong(f"{at}.{name}", wrong or describe(value), "a field's path, and 1 or -1 for it")
        else:
            fields.append((split(name), direction < 0))
    return Call(_SORT_BY, (array, Const(tuple(fields), at)), path)


_SORT_EXAMPLE: Final = Example({"$sortArray": {"input": "$a", "sortBy": -1}}, [3, 2, 1], {"a": [1, 3, 2]})
_SORT_MEANING: Final = "The elements in order: by themselves, or documents by fields."
_SORT_WHOLE: Final = Operator(
    name="$sortArray",
    signature=Custom(_parse_sort, _SORT_SYNTAX),
    meaning=_SORT_MEANING,
    example=_SORT_EXAMPLE,
    function=sorted_whole,
)
_SORT_BY: Final = Operator(
    name="$sortArray",
    signature=Custom(_parse_sort, _SORT_SYNTAX),
    meaning=_SORT_MEANING,
    example=_SORT_EXAMPLE,
    function=sorted_by,
)


# $zip

_ZIP_SYNTAX: Final = (
    "{$zip: {inputs: [<expression>, ...], useLongestLength?: true | false, defaults?: [<expression>, ...]}}"
)
_ZIP_FIELDS: Final = ("inputs", "useLongestLength", "defaults")


def zipped(arrays: Sequence[Any], defaults: Sequence[Any] | None) -> Any:
    """Arrays of the elements at one place; with `defaults` as long as the longest, else as the shortest."""
    for array in arrays:
        if is_nullish(array):
            return None
        _array(array, "$zip", "every element of 'inputs'")
    if defaults is None:
        return [list(row) for row in zip(*arrays, strict=False)]
    return [
        [default if item is MISSING else item for item, default in zip(row, defaults, strict=True)]
        for row in zip_longest(*arrays, fillvalue=MISSING)
    ]


def _parse_zip(parsing: Parsing, spec: Any, path: str, scope: Scope) -> Node:
    if not isinstance(spec, dict):
        return parsing.wrong(path, describe(spec), _ZIP_SYNTAX)
    for name in spec:
        if name not in _ZIP_FIELDS:
            return parsing.wrong(f"{path}.{name}", f"$zip has no field {name!r}", _ZIP_SYNTAX)
    inputs, longest = spec.get("inputs"), spec.get("useLongestLength", False)
    defaults = spec.get("defaults", [])
    if not isinstance(inputs, list) or not inputs:
        return parsing.wrong(f"{path}.inputs", "no array of at least one expression", _ZIP_SYNTAX)
    if not isinstance(longest, bool):
        return parsing.wrong(f"{path}.useLongestLength", describe(longest), "true or false")
    if not isinstance(defaults, list):
        return parsing.wrong(f"{path}.defaults", describe(defaults), "an array, one default an input")
    if defaults and not longest:
        return parsing.wrong(f"{path}.defaults", "defaults that nothing uses", "useLongestLength: true")
    if defaults and len(defaults) != len(inputs):
        found = f"{len(defaults)} defaults for {len(inputs)} inputs"
        return parsing.wrong(f"{path}.defaults", found, "one default an input")
    args = [parsing.expression(one, f"{path}.inputs[{i}]", scope) for i, one in enumerate(inputs)]
    if longest:
        given = [parsing.expression(one, f"{path}.defaults[{i}]", scope) for i, one in enumerate(defaults)]
        args += given or [Const(None, f"{path}.defaults")] * len(inputs)
    return Call(_ZIP_LONGEST if longest else _ZIP_SHORTEST, tuple(args), path)


def _zip_shortest(*arrays: Any) -> Any:
    return zipped(arrays, None)


def _zip_longest(*values: Any) -> Any:
    half = len(values) // 2
    defaults = [None if value is MISSING else value for value in values[half:]]
    return zipped(values[:half], defaults)


def _zip(function: Callable[..., Any]) -> Operator:
    return Operator(
        name="$zip",
        signature=Custom(_parse_zip, _ZIP_SYNTAX),
        meaning="Arrays of the elements that stand at the same place of several arrays.",
        example=Example(
            {"$zip": {"inputs": ["$a", "$b"]}}, [[1, "x"], [2, "y"]], {"a": [1, 2], "b": ["x", "y"]}
        ),
        function=function,
    )


_ZIP_SHORTEST: Final = _zip(_zip_shortest)
_ZIP_LONGEST: Final = _zip(_zip_longest)

OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        Operator(
            name="$indexOfArray",
            signature=Positional(2, 4),
            meaning="Where a value first stands in an array, between a start and an end; -1 without it.",
            example=Example({"$indexOfArray": ["$a", "y"]}, 1, {"a": ["x", "y"]}),
            function=_index_of,
            absent=_TO_THE_END,
        ),
        Operator(
            name="$range",
            signature=Positional(2, 3),
            meaning=f"Whole numbers from a start to before an end, by a step; at most {_MAX_RANGE:,}.",
            example=Example({"$range": [0, "$a", 25]}, [0, 25], {"a": 42}),
            function=numbers_between,
            absent=1,
        ),
        Operator(
            name="$reverseArray",
            signature=Positional(1, 1),
            meaning="The elements from last to first.",
            example=Example({"$reverseArray": "$a"}, [3, 2, 1], {"a": [1, 2, 3]}),
            function=reversed_array,
        ),
        Operator(
            name="$slice",
            signature=Positional(2, 3),
            meaning="The first elements, the last ones (a number below 0), or some from a position on.",
            example=Example({"$slice": ["$a", -2]}, [2, 3], {"a": [1, 2, 3]}),
            function=part,
            absent=_TO_THE_END,
        ),
        _SORT_WHOLE,
        _ZIP_SHORTEST,
    )
}
