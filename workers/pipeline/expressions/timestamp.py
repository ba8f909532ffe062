"""`$tsSecond $tsIncrement`: the two halves of a timestamp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from bson import Timestamp

from workers.errors import Poison
from workers.pipeline.nodes import Example, Operator, Positional
from workers.pipeline.values import as_long, is_nullish, type_name


def _half(name: str, half: Callable[[Timestamp], int]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if is_nullish(value):
            return None
        if value.__class__ is not Timestamp:
            raise Poison(f"the argument of {name} must be a timestamp, but is {type_name(value)}")
        return as_long(half(value))

    return read


def _operator(name: str, meaning: str, result: int, half: Callable[[Timestamp], int]) -> Operator:
    return Operator(
        name=name,
        signature=Positional(1, 1),
        meaning=meaning,
        example=Example({name: "$at"}, as_long(result), {"at": Timestamp(1622731060, 5)}),
        function=_half(name, half),
    )


OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        _operator(
            "$tsSecond", "The seconds of a timestamp, a long.", 1622731060, lambda value: int(value.time)
        ),
        _operator("$tsIncrement", "The increment of a timestamp, a long.", 5, lambda value: int(value.inc)),
    )
}
