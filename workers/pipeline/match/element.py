"""`$exists $type`: whether something is there, and of which type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from workers.pipeline.match.nodes import Condition, Place, Quick, ValueTest
from workers.pipeline.match.types import type_names
from workers.pipeline.values import MISSING, truthy, type_name

_PLAIN: Final = {"string": str, "bool": bool}


def _exists(operand: Any, place: Place) -> Condition:
    """Any operand counts by its truth. An array is one value here, not its elements."""
    quick = Quick("{v}.__class__ is not list and {v}.__class__ is not dict", "{v} is not {m}", {"m": MISSING})
    return ValueTest(
        lambda value: value is not MISSING, spread=False, negate=not truthy(operand), quick=quick
    )


def _type(operand: Any, place: Place) -> Condition:
    names = type_names(operand, place)
    kinds = {_PLAIN.get(name) for name in names}
    quick = None
    if len(names) == 1 and None not in kinds:
        quick = Quick("{v}.__class__ is {k}", "True", {"k": kinds.pop()})
    return ValueTest(lambda value: type_name(value) in names, quick=quick)


OPERATORS: Final[dict[str, Callable[[Any, Place], Condition]]] = {"$exists": _exists, "$type": _type}
