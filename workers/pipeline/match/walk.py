"""From a document to the values at a dotted path, as queries see them.

Arrays on the way are looked into: each document in them is followed, and a component that is a number also
names an element by its position. At the end of the path the elements of an array are asked, then the array
itself. A path that leads nowhere asks MISSING once, but one that ends in an array of scalars asks nothing:
`{"a.b": null}` matches `{}` and `{a: 1}` and neither `{a: []}` nor `{a: [1]}`.
"""

from __future__ import annotations

from typing import Any

from workers.pipeline.match.nodes import DocumentTest, Single, ValueTest
from workers.pipeline.values import MISSING


def value_walker(test: ValueTest) -> Single:
    """A test of the value of a top-level field: it and, if it is an array, its elements."""
    ask = test.single
    if not test.spread:
        return ask

    def spread(value: Any) -> bool:
        if value.__class__ is list:
            for element in value:
                if ask(element):
                    return True
        return ask(value)

    return spread


def document_walker(path: tuple[str, ...], test: ValueTest) -> DocumentTest:
    """A test of a document: does any value at `path` pass?"""
    ask, spread = test.single, test.spread
    return lambda doc: _any_at(doc, path, 0, ask, spread)


def _any_at(holder: Any, path: tuple[str, ...], start: int, ask: Single, spread: bool) -> bool:
    """`holder` is a document, or an array that is entered by position."""
    value, last = holder, len(path) - 1
    for index in range(start, last + 1):
        value = _field(value, path[index])
        if value.__class__ is list:
            if index < last:
                return _any_in(value, path, index + 1, ask, spread)
            return (spread and any(map(ask, value))) or ask(value)
        if value.__class__ is not dict and index < last:
            return ask(MISSING)
    return ask(value)


def _any_in(array: list[Any], path: tuple[str, ...], index: int, ask: Single, spread: bool) -> bool:
    """The rest of the path, from `index` on, within the elements of an array."""
    position = _position(path[index])
    for number, element in enumerate(array):
        if element.__class__ is dict and _any_at(element, path, index, ask, spread):
            return True
        if number != position:
            continue
        if index == len(path) - 1:
            if ask(element):
                return True
        elif element.__class__ is dict or element.__class__ is list:
            if _any_at(element, path, index + 1, ask, spread):
                return True
    return False


def _field(holder: Any, name: str) -> Any:
    if holder.__class__ is dict:
        return holder.get(name, MISSING)
    position = _position(name)
    return holder[position] if 0 <= position < len(holder) else MISSING


def _position(name: str) -> int:
    """The element a component names, or -1: only a number in its plain form counts (not `01`)."""
    if name.isascii() and name.isdigit() and (name == "0" or name[0] != "0") and len(name) < 10:
        return int(name)
    return -1
