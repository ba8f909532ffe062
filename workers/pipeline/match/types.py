"""Names and numbers of BSON types, as `$type` and `bsonType` take them."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Final

from bson import Decimal128

from workers.pipeline.match.nodes import Place

NUMBERS: Final = frozenset({"int", "long", "double", "decimal"})

BY_NUMBER: Final = {
    -1: "minKey",
    1: "double",
    2: "string",
    3: "object",
    4: "array",
    5: "binData",
    6: "undefined",
    7: "objectId",
    8: "bool",
    9: "date",
    10: "null",
    11: "regex",
    12: "dbPointer",
    13: "javascript",
    14: "symbol",
    15: "javascriptWithScope",
    16: "int",
    17: "timestamp",
    18: "long",
    19: "decimal",
    127: "maxKey",
}
_NAMES: Final = frozenset(BY_NUMBER.values())


def type_names(operand: Any, place: Place) -> frozenset[str]:
    """The types that an alias, a number, or an array of both stands for; problems are noted at `place`."""
    if not isinstance(operand, list):
        return _one(operand, place)
    if not operand:
        place.wrong("an empty array", "at least one type")
    names: frozenset[str] = frozenset()
    for number, item in enumerate(operand):
        names |= _one(item, place.at(number))
    return names


def alias(operand: Any, place: Place) -> frozenset[str]:
    """The types one alias stands for (`bsonType` takes no numbers)."""
    if operand == "number":
        return NUMBERS
    if operand.__class__ is str and operand in _NAMES:
        return frozenset({operand})
    near = get_close_matches(operand, [*_NAMES, "number"], 1) if operand.__class__ is str else []
    place.wrong(
        f"unknown type {operand!r}" if operand.__class__ is str else "not the name of a type",
        f"did you mean {near[0]!r}?"
        if near
        else "a name such as 'string', 'int', 'double', 'number', 'date'",
    )
    return frozenset()


def _one(operand: Any, place: Place) -> frozenset[str]:
    if isinstance(operand, Decimal128):
        operand = float(operand.to_decimal())
    if isinstance(operand, (int, float)) and not isinstance(operand, bool):
        name = BY_NUMBER.get(int(operand)) if operand == operand // 1 else None
        if name is not None:
            return frozenset({name})
        place.wrong(f"unknown type number {operand}", "1 to 19, -1 (minKey) or 127 (maxKey)")
        return frozenset()
    return alias(operand, place)
