"""What keeps `$reduce` within a document's size. Values share what they hold, so a value that is put into
itself twice for each element costs little until somebody writes it: 40 elements make a terabyte."""

from __future__ import annotations

from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.nodes import ArrayOf, Call, Const, FieldPath, Node, ObjectOf, children, mentions

# The server's limit of a document is 16 MiB: nothing larger could be written in the end.
MAX_REDUCED_BYTES: Final = 16 * 1024 * 1024
# The least that an element takes in BSON: its type, a name of one character and the name's end.
_ELEMENT_BYTES: Final = 3

# Operators that give a number, a date or a boolean, whatever they are given.
_FLAT: Final = frozenset(
    "$abs $add $and $avg $cmp $divide $mod $multiply $or $size $strLenCP $subtract $sum".split()
)
# Operators that give one of their arguments as it is.
_CHOICES: Final = frozenset("$cond $ifNull $max $min $switch".split())
# Operators that put none of their arguments on another level.
_JOINS: Final = _CHOICES | {"$concat", "$concatArrays", "$setUnion"}


def is_steady(body: Node) -> bool:
    """Whether what the body gives is never larger than what it is given."""
    if isinstance(body, Call):
        if _is_flat(body):
            return True
        return body.operator.name in _CHOICES and all(map(is_steady, children(body)))
    return isinstance(body, FieldPath | Const)


def nests(body: Node, variable: str) -> bool:
    """Whether the body may put the variable's value, or a part of it, on another level."""
    if isinstance(body, ArrayOf | ObjectOf):
        return any(_holds(child, variable) for child in children(body))
    if not isinstance(body, Call) or _is_flat(body):
        return False
    if body.operator.name in _JOINS:
        return any(nests(child, variable) for child in children(body))
    return mentions(body, variable)


def _holds(node: Node, variable: str) -> bool:
    """Whether the node's value may be the variable's, or have a part of it within."""
    if isinstance(node, FieldPath):
        return node.variable == variable
    if isinstance(node, Call):
        if _is_flat(node):
            return False
        if node.operator.name not in _CHOICES:
            return mentions(node, variable)
    return any(_holds(child, variable) for child in children(node))


def _is_flat(call: Call) -> bool:
    return call.operator.gives_bool or call.operator.name in _FLAT


def bounded(value: Any) -> None:
    """Raise Poison for a text or array that grew beyond any document."""
    kind = value.__class__
    if (kind is str or kind is list) and len(value) > MAX_REDUCED_BYTES:
        raise _too_large(len(value))


def _too_large(size: int) -> Poison:
    return Poison(f"$reduce made a value of at least {size} bytes, the limit is {MAX_REDUCED_BYTES}")


class Growth:
    """The size of the value of one `$reduce` that nests, kept up to date: what was weighed once is not
    weighed again."""

    __slots__ = ("_weighed",)

    def __init__(self) -> None:
        # By identity; the values are kept, so that an identity stays what it is.
        self._weighed: dict[int, tuple[Any, int]] = {}

    def check(self, value: Any) -> None:
        """Raise Poison for what grew beyond any document."""
        size = self._bytes(value)
        if size > MAX_REDUCED_BYTES:
            raise _too_large(size)

    def _bytes(self, value: Any) -> int:
        kind = value.__class__
        if kind is not list and kind is not dict:
            return len(value) if kind is str else 0
        known = self._weighed.get(id(value))
        if known is not None:
            return known[1]
        size = _ELEMENT_BYTES * len(value)
        for item in value if kind is list else value.values():
            inner = item.__class__
            if inner is str:
                size += len(item)
            elif inner is list or inner is dict:
                size += self._bytes(item)
        self._weighed[id(value)] = (value, size)
        return size
