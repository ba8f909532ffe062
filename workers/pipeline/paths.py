"""Dotted paths: reading, setting and removing what they name. Pure; nothing that is given is ever changed.

As expressions and projections see them: an array on the way stands for its documents, and a number is a
field's name, not a position. (`match/walk.py` reads paths as queries do.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from workers.pipeline.values import MISSING

Parts: TypeAlias = tuple[str, ...]

MAX_PARTS: Final = 200
"""Components of a path: the server's limit."""


def split(path: str) -> Parts:
    """`a.b.c` as its components. The caller has checked the path with `fault`."""
    return tuple(path.split("."))


def fault(path: str) -> str | None:
    """What is wrong with a path, or None. Without its `$`: `a.b`, not `$a.b`."""
    if not path:
        return "an empty path"
    if "\0" in path:
        return f"the path {path!r} holds a null byte"
    parts = path.split(".")
    if len(parts) > MAX_PARTS:
        return f"a path of {len(parts)} components, the limit is {MAX_PARTS}"
    for part in parts:
        if not part:
            return f"the path {path!r} has an empty component"
        if part.startswith("$"):
            return f"the component {part!r} of the path {path!r} starts with '$'"
    return None


def read(value: Any, parts: Sequence[str], start: int = 0) -> Any:
    """The value at a path, as `$a.b` reads it.

    An array on the way gives the array of what its documents have there (those without it, scalars and arrays
    within are left out). MISSING where the path leads nowhere.
    """
    for index in range(start, len(parts)):
        if value.__class__ is dict:
            value = value.get(parts[index], MISSING)
        elif value.__class__ is list:
            if index == len(parts) - 1:
                name = parts[index]
                return [
                    found
                    for item in value
                    if item.__class__ is dict and (found := item.get(name, MISSING)) is not MISSING
                ]
            deeper = (read(item, parts, index) for item in value if item.__class__ is dict)
            return [item for item in deeper if item is not MISSING]
        else:
            return MISSING
    return value


def with_value(holder: Any, parts: Sequence[str], value: Any, start: int = 0) -> Any:
    """`holder` with `value` at the path, as `$addFields` sets it; MISSING removes the field.

    Documents on the way are copied, missing and scalar ones become documents, an array stands for each of its
    elements. What is not on the way is shared.
    """
    if start == len(parts):
        return value
    if holder.__class__ is list:
        return [with_value(item, parts, value, start) for item in holder]
    changed = dict(holder) if holder.__class__ is dict else {}
    name = parts[start]
    inner = with_value(changed.get(name, MISSING), parts, value, start + 1)
    if inner is MISSING:
        changed.pop(name, None)
    else:
        changed[name] = inner
    return changed


def without(holder: Any, parts: Sequence[str], start: int = 0) -> Any:
    """`holder` without the field at the path; the same object where there was nothing to remove."""
    if holder.__class__ is list:
        items = [without(item, parts, start) for item in holder]
        same = all(item is other for item, other in zip(items, holder, strict=True))
        return holder if same else items
    if holder.__class__ is not dict or parts[start] not in holder:
        return holder
    name = parts[start]
    if start == len(parts) - 1:
        return {key: item for key, item in holder.items() if key != name}
    inner = without(holder[name], parts, start + 1)
    return holder if inner is holder[name] else {**holder, name: inner}


def collision(paths: Iterable[str]) -> tuple[str, str] | None:
    """Two paths of which one is the other or leads to it (`a.b` and `a`), None when there are none."""
    seen: set[str] = set()
    prefixes: dict[str, str] = {}
    for path in paths:
        if path in seen:
            return path, path
        if path in prefixes:
            return prefixes[path], path
        parts = path.split(".")
        for length in range(1, len(parts)):
            prefix = ".".join(parts[:length])
            if prefix in seen:
                return prefix, path
            prefixes.setdefault(prefix, path)
        seen.add(path)
    return None
