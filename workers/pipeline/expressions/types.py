"""`$type $isNumber $subtype $toHashedIndexKey`: what a value is, and its hash."""

from __future__ import annotations

from typing import Any, Final

from bson import Binary, Int64

from workers.errors import Poison
from workers.pipeline.hashing import hashed_key
from workers.pipeline.nodes import Example, Operator, Positional
from workers.pipeline.values import is_nullish, is_number, type_name


def subtype(value: Any) -> int | None:
    """0 for bytes that have none of their own."""
    if is_nullish(value):
        return None
    if isinstance(value, Binary):
        return value.subtype
    if isinstance(value, bytes):
        return 0
    raise Poison(f"$subtype requires binData, not {type_name(value)}")


OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        Operator(
            name="$type",
            signature=Positional(1, 1),
            meaning="The name of the value's BSON type, `missing` where there is none.",
            example=Example({"$type": "$a"}, "int", {"a": 5}),
            function=type_name,
        ),
        Operator(
            name="$isNumber",
            signature=Positional(1, 1),
            meaning="Whether the value is an int, long, double or decimal.",
            example=Example({"$isNumber": "$a"}, True, {"a": 5}),
            function=is_number,
            gives_bool=True,
        ),
        Operator(
            name="$subtype",
            signature=Positional(1, 1),
            meaning="The subtype of binary data, a number from 0 to 255; null for null.",
            example=Example(
                {"$subtype": {"$toUUID": "$a"}}, 4, {"a": "0e3b9063-8abd-4eb3-9f9f-f4c59fd30a60"}
            ),
            function=subtype,
        ),
        Operator(
            name="$toHashedIndexKey",
            signature=Positional(1, 1),
            meaning="The hash that a hashed index has for the value, a long.",
            example=Example(
                {"$toHashedIndexKey": {"$toDate": "$a"}},
                Int64(-4185544074338741873),
                {"a": "2013-02-12T22:12:57.211Z"},
            ),
            function=hashed_key,
        ),
    )
}
