"""Where the references of a JSON Schema lead. A validator would fetch those that lead outside, in the middle
of its work."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final
from urllib.parse import urldefrag, urljoin

_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")


def foreign_reference(schema: Any, known: Collection[str]) -> str | None:
    """The first reference that leads neither into the schema itself nor to one of the `known` names."""
    ids = {*known, *(urldefrag(name).url for name in known)}
    ids |= {base for base, _ in _places(schema, "")}
    for base, node in _places(schema, ""):
        for name in _REFERENCES:
            target = node.get(name)
            if isinstance(target, str) and urldefrag(urljoin(base, target)).url not in ids:
                return target
    return None


def _places(node: Any, base: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every document within, with the URL that its references are relative to."""
    waiting: list[tuple[Any, str]] = [(node, base)]
    while waiting:
        one, at = waiting.pop()
        if isinstance(one, dict):
            own = one.get("$id")
            if isinstance(own, str):
                at = urldefrag(urljoin(at, own)).url
            yield at, one
            waiting += ((child, at) for child in one.values())
        elif isinstance(one, list):
            waiting += ((child, at) for child in one)
