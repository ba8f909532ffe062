"""`$type $isNumber $toHashedIndexKey`: what a value is, and its hash."""

from __future__ import annotations

from typing import Final

from bson import Int64

from workers.pipeline.hashing import hashed_key
from workers.pipeline.nodes import Example, Operator, Positional
from workers.pipeline.values import is_number, type_name

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
