"""`$bitAnd $bitOr $bitXor $bitNot`: of ints and longs; a long among them makes the result one."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.nodes import Example, Operator, Positional
from workers.pipeline.values import MISSING, as_long, number_kind, type_name


def _is_long(value: Any, name: str) -> bool:
    kind = number_kind(value)
    if kind not in ("int", "long"):
        raise Poison(f"{name} only supports int and long operands, not {type_name(value)}")
    return kind == "long"


def _combined(name: str, combine: Callable[[int, int], int], start: int) -> Callable[..., Any]:
    def combined(*values: Any) -> Any:
        total, is_long = start, False
        for value in values:
            if value is None or value is MISSING:
                return None
            is_long = _is_long(value, name) or is_long
            total = combine(total, int(value))
        return as_long(total) if is_long else total

    return combined


def _not(value: Any) -> Any:
    if value is None or value is MISSING:
        return None
    return as_long(~int(value)) if _is_long(value, "$bitNot") else ~value


def _operator(
    name: str, combine: Callable[[int, int], int], start: int, meaning: str, example: Example
) -> Operator:
    return Operator(
        name=name,
        signature=Positional(0, None),
        meaning=meaning,
        example=example,
        function=_combined(name, combine, start),
    )


OPERATORS: Final[dict[str, Operator]] = {
    "$bitAnd": _operator(
        "$bitAnd",
        operator.and_,
        -1,
        "The bits set in all arguments.",
        Example({"$bitAnd": ["$a", 6]}, 4, {"a": 12}),
    ),
    "$bitOr": _operator(
        "$bitOr",
        operator.or_,
        0,
        "The bits set in any argument.",
        Example({"$bitOr": ["$a", 6]}, 14, {"a": 12}),
    ),
    "$bitXor": _operator(
        "$bitXor",
        operator.xor,
        0,
        "The bits set in an odd number of arguments.",
        Example({"$bitXor": ["$a", 6]}, 10, {"a": 12}),
    ),
    "$bitNot": Operator(
        name="$bitNot",
        signature=Positional(1, 1),
        meaning="Every bit turned over.",
        example=Example({"$bitNot": "$a"}, -13, {"a": 12}),
        function=_not,
    ),
}
