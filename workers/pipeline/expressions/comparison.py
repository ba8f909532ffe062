"""`$cmp $eq $gt $gte $lt $lte $ne`: BSON's order, across types; missing is below null."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from workers.pipeline.nodes import Call, Const, Emitting, Example, Node, Operator, Positional
from workers.pipeline.values import compare, equal


def eq(left: Any, right: Any) -> bool:
    return equal(left, right)


def ne(left: Any, right: Any) -> bool:
    return not equal(left, right)


def gt(left: Any, right: Any) -> bool:
    return compare(left, right) > 0


def gte(left: Any, right: Any) -> bool:
    return compare(left, right) >= 0


def lt(left: Any, right: Any) -> bool:
    return compare(left, right) < 0


def lte(left: Any, right: Any) -> bool:
    return compare(left, right) <= 0


# What Python says about `value ? constant` where the value is a plain number and the constant is no NaN. NaN
# is below every number in BSON and compares false in Python, so "below" is asked as "not at or above".
_WITH_NUMBER: Final = {
    "==": "{v} == {k}",
    "!=": "{v} != {k}",
    ">": "{v} > {k}",
    ">=": "{v} >= {k}",
    "<": "not {v} >= {k}",
    "<=": "not {v} > {k}",
}
_FLIPPED: Final = {"==": "==", "!=": "!=", ">": "<", ">=": "<=", "<": ">", "<=": ">="}
_FUNCTIONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": eq,
    "!=": ne,
    ">": gt,
    ">=": gte,
    "<": lt,
    "<=": lte,
}


def _emit(symbol: str) -> Callable[[Emitting, Call], str]:
    def emit(em: Emitting, call: Call) -> str:
        left, right = call.given
        if isinstance(right, Const):
            return _with_constant(em, symbol, left, right.value)
        if isinstance(left, Const):
            return _with_constant(em, _FLIPPED[symbol], right, left.value)
        one, two = em.value(left), em.value(right)
        slow = f"{em.function(_FUNCTIONS[symbol])}({one}, {two})"
        same = f"{one}.__class__ is int and {two}.__class__ is int"
        texts = f"{one}.__class__ is str and {two}.__class__ is str"
        return f"({one} {symbol} {two} if {same} or {texts} else {slow})"

    return emit


def _with_constant(em: Emitting, symbol: str, node: Node, constant: Any) -> str:
    v, k, kind = em.value(node), em.constant(constant), constant.__class__
    if (constant is None or kind is bool) and symbol in ("==", "!="):
        return f"({v} {'is' if symbol == '==' else 'is not'} {k})"
    slow = f"{em.function(_FUNCTIONS[symbol])}({v}, {k})"
    if kind is str:
        return f"({v} {symbol} {k} if {v}.__class__ is str else {slow})"
    if (kind is int or kind is float) and constant == constant:  # noqa: PLR0124 - NaN differs from itself
        quick = _WITH_NUMBER[symbol].format(v=v, k=k)
        return f"({quick} if {v}.__class__ is int or {v}.__class__ is float else {slow})"
    return slow


def _operator(name: str, symbol: str, meaning: str, example: Example) -> Operator:
    return Operator(
        name=name,
        signature=Positional(2, 2),
        meaning=meaning,
        example=example,
        function=_FUNCTIONS[symbol],
        emit=_emit(symbol),
        gives_bool=True,
    )


OPERATORS: Final[dict[str, Operator]] = {
    "$eq": _operator(
        "$eq", "==", "Whether two values are equal.", Example({"$eq": ["$a", 1]}, True, {"a": 1.0})
    ),
    "$ne": _operator("$ne", "!=", "Whether two values differ.", Example({"$ne": ["$a", None]}, True)),
    "$gt": _operator(
        "$gt", ">", "Whether the first is above the second.", Example({"$gt": ["b", "a"]}, True)
    ),
    "$gte": _operator(
        "$gte", ">=", "Whether the first is at or above the second.", Example({"$gte": [1, 1]}, True)
    ),
    "$lt": _operator("$lt", "<", "Whether the first is below the second.", Example({"$lt": [5, "5"]}, True)),
    "$lte": _operator(
        "$lte", "<=", "Whether the first is at or below the second.", Example({"$lte": [2, 1]}, False)
    ),
    "$cmp": Operator(
        name="$cmp",
        signature=Positional(2, 2),
        meaning="-1, 0 or 1: the first is below, equal to or above the second.",
        example=Example({"$cmp": ["$a", 10]}, -1, {"a": 5}),
        function=compare,
    ),
}
