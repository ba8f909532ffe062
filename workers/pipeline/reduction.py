"""What keeps `$reduce` within a document's size. Values share what they hold, so a value that is put into
itself twice for each element costs little until somebody writes it: 40 elements make a terabyte."""

from __future__ import annotations

from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.nodes import ArrayOf, Call, Node, ObjectOf, children, mentions

# The server's limit of a document is 16 MiB: nothing larger could be written in the end.
MAX_REDUCED_BYTES: Final = 16 * 1024 * 1024
# The least that an element takes in BSON: its type, a name of one character and the name's end.
_ELEMENT_BYTES: Final = 3

GROWS: Final = frozenset({str, list, dict})
"""Classes of values whose size has no bound of its own."""

# Operators that put none of their arguments into an array or document of another level.
_FLAT: Final = frozenset(
    "$add $and $avg $concat $concatArrays $cond $divide $ifNull $max $min $mod $multiply $or $setUnion $sum "
    "$subtract $switch".split()
)


def nests(body: Node, variable: str) -> bool:
    """Whether the body may put the variable's value within what it gives, on another level."""
    if isinstance(body, ArrayOf | ObjectOf):
        return mentions(body, variable)
    if isinstance(body, Call):
        if body.operator.name in _FLAT or body.operator.gives_bool:
            return any(nests(child, variable) for child in children(body))
        return mentions(body, variable)
    return False


class Growth:
    """The size of the value of one `$reduce`, kept up to date: what was weighed once is not weighed again."""

    __slots__ = ("_nests", "_weighed")

    def __init__(self, nests: bool) -> None:
        self._nests = nests
        # By identity; the values are kept, so that an identity stays what it is.
        self._weighed: dict[int, tuple[Any, int]] = {}

    def check(self, value: Any) -> None:
        """Raise Poison for what grew beyond any document."""
        size = self._bytes(value) if self._nests else len(value)
        if size > MAX_REDUCED_BYTES:
            raise Poison(f"$reduce made a value of at least {size} bytes, the limit is {MAX_REDUCED_BYTES}")

    def _bytes(self, value: Any) -> int:
        kind = value.__class__
        if kind is str:
            return len(value) + _ELEMENT_BYTES
        if kind is not list and kind is not dict:
            return _ELEMENT_BYTES
        known = self._weighed.get(id(value))
        if known is not None:
            return known[1]
        items = value if kind is list else value.values()
        size = _ELEMENT_BYTES + sum(map(self._bytes, items))
        self._weighed[id(value)] = (value, size)
        return size
