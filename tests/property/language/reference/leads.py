"""Where a path of a query leads: through documents and arrays, by name and by index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.property.language.reference.values import MISSING, kind


def candidates(value: Any, parts: list[str], opens_last: bool) -> Iterator[Any]:
    """Every value a path leads to; `opens_last` gives the elements of an array at its end too."""
    if not parts:
        if opens_last and kind(value) == "array":
            yield from value
        yield value
    elif kind(value) == "array":
        for item in value:
            if kind(item) == "object":
                yield from candidates(item, parts, opens_last)
        if parts[0].isdigit() and (parts[0] == "0" or parts[0][0] != "0") and int(parts[0]) < len(value):
            # An array reached by its index at the end of a path stands for itself alone.
            yield from candidates(value[int(parts[0])], parts[1:], opens_last and len(parts) > 1)
    else:
        inner = value.get(parts[0], MISSING) if kind(value) == "object" else MISSING
        yield from candidates(inner, parts[1:] if inner is not MISSING else [], opens_last)


def lead(doc: Any, parts: list[str], opens_last: bool) -> Iterator[Any]:
    """The same from a document; without a path the one value that `$elemMatch` asks about."""
    return candidates(doc, parts, opens_last) if parts else iter([doc])
