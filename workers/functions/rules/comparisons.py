"""Operators that compare a field with an operand. Pure.

The field comes as its candidates: every value that its path leads to. An operator holds when it holds for one
of them, or for an element of one that is an array; `%ne` and `%nin` are the opposites of `%eq` and `%in`, and
so hold where there is no field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from workers.functions.rules.values import MISSING, below, equal, kind

Comparison = Callable[[Sequence[Any], Any], bool]
"""(candidates of the field, operand) -> whether it holds. Raises WrongOperand."""


class WrongOperand(ValueError):
    """The operand is of no type that the operator takes; the text says which it takes."""


def is_equal(candidates: Sequence[Any], operand: Any) -> bool:
    """A missing operand equals nothing: a value that is not set must not let anybody in. A null equals what
    is null or missing."""
    if operand is MISSING:
        return False
    for one in candidates:
        if equal(one, operand) or (operand is None and one is MISSING):
            return True
        if one.__class__ is list and any(equal(item, operand) for item in one):
            return True
    return False


def _is_not_equal(candidates: Sequence[Any], operand: Any) -> bool:
    return not is_equal(candidates, operand)


def _some(candidates: Sequence[Any], operand: Any, holds: Callable[[Any, Any], bool]) -> bool:
    return any(
        holds(one, operand) or (one.__class__ is list and any(holds(item, operand) for item in one))
        for one in candidates
    )


def _greater(candidates: Sequence[Any], operand: Any) -> bool:
    return _some(candidates, operand, lambda one, other: below(other, one))


def _less(candidates: Sequence[Any], operand: Any) -> bool:
    return _some(candidates, operand, below)


def _greater_or_equal(candidates: Sequence[Any], operand: Any) -> bool:
    return _greater(candidates, operand) or is_equal(candidates, operand)


def _less_or_equal(candidates: Sequence[Any], operand: Any) -> bool:
    return _less(candidates, operand) or is_equal(candidates, operand)


def _in(candidates: Sequence[Any], operand: Any) -> bool:
    """A list that is missing has nothing in it."""
    if operand is MISSING:
        return False
    if operand.__class__ is not list:
        raise WrongOperand("a list")
    return any(is_equal(candidates, item) for item in operand)


def _not_in(candidates: Sequence[Any], operand: Any) -> bool:
    return not _in(candidates, operand)


def _exists(candidates: Sequence[Any], operand: Any) -> bool:
    """A null is a value: the field is there."""
    if kind(operand) not in ("bool", "number"):
        raise WrongOperand("true or false (or a number: 0 is false)")
    is_there = any(one is not MISSING for one in candidates)
    return is_there if not equal(operand, 0) and operand is not False else not is_there


COMPARISONS: Final[Mapping[str, Comparison]] = {
    "eq": is_equal,
    "ne": _is_not_equal,
    "gt": _greater,
    "gte": _greater_or_equal,
    "lt": _less,
    "lte": _less_or_equal,
    "in": _in,
    "nin": _not_in,
    "exists": _exists,
}
