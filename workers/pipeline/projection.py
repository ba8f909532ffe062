"""What `$project`, `$addFields` and `$unset` say: fields kept, left out and computed, as a list of paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from workers.pipeline.nodes import Node
from workers.pipeline.paths import Parts, fault, split
from workers.pipeline.spec import Steps
from workers.pipeline.values import MISSING, is_number, truthy


@dataclass(slots=True)
class Projection:
    """`kept` and `left_out` by path; `computed` in the order in which its fields are to be set: on each level
    as the names there were first written, whether kept or computed."""

    kept: list[Parts] = field(default_factory=list)
    left_out: list[Parts] = field(default_factory=list)
    computed: list[tuple[Parts, Node]] = field(default_factory=list)


def read_fields(steps: Steps, spec: Mapping[str, Any], path: str, *, flags: bool) -> Projection:
    """The fields of a specification, nested documents and dotted names alike. `flags`: numbers and booleans
    keep or leave out (`$project`); else they are values (`$addFields`)."""
    found = Projection()
    reader = _Reader(steps, found, path, flags)
    reader.read(spec, (), path)
    order = {parts: number for number, parts in enumerate(_leaves(reader.names, ()))}
    found.computed.sort(key=lambda one: order[one[0]])
    return found


_Names = dict[str, "_Names"]


def _leaves(names: _Names, prefix: Parts) -> Iterator[Parts]:
    """The paths of a tree of names, one name after the other with all within it."""
    for name, inner in names.items():
        path = (*prefix, name)
        if inner:
            yield from _leaves(inner, path)
        else:
            yield path


class _Reader:
    def __init__(self, steps: Steps, found: Projection, path: str, flags: bool) -> None:
        self._steps, self._found, self._flags = steps, found, flags
        self._places: dict[str, str] = {}
        self._prefixes: dict[str, str] = {}
        self.names: _Names = {}
        """Every path, as a tree of names in the order they were first written."""

    def read(self, spec: Mapping[str, Any], prefix: Parts, place: str) -> None:
        for name, value in spec.items():
            inner = f"{place}.{name}"
            wrong = fault(name) if isinstance(name, str) else f"the field name {name!r}"
            if wrong:
                self._steps.wrong(inner, wrong, "a field as a or a.b")
                continue
            self._field((*prefix, *split(name)), value, inner)

    def _field(self, parts: Parts, value: Any, place: str) -> None:
        if isinstance(value, dict) and not any(str(key).startswith("$") for key in value):
            if value:
                self.read(value, parts, place)
            else:
                self._steps.wrong(
                    place, "an empty document", "fields, or {$literal: {}} for an empty document"
                )
            return
        if not self._is_new(parts, place):
            return
        level = self.names
        for part in parts:
            level = level.setdefault(part, {})
        if self._flags and (isinstance(value, bool) or is_number(value)):
            (self._found.kept if truthy(value) else self._found.left_out).append(parts)
        else:
            self._found.computed.append((parts, self._steps.expression(value, place)))

    def _is_new(self, parts: Parts, place: str) -> bool:
        """Whether the path neither leads to nor through another one."""
        name = ".".join(parts)
        other = self._places.get(name) or self._prefixes.get(name)
        for length in range(1, len(parts)):
            other = other or self._places.get(".".join(parts[:length]))
        if other is not None:
            self._steps.wrong(
                place, f"the path {name!r} collides with {other}", "each path once, and none within another"
            )
            return False
        self._places[name] = place
        for length in range(1, len(parts)):
            self._prefixes.setdefault(".".join(parts[:length]), place)
        return True


Tree = dict[str, "Tree | Literal[True]"]
"""Which fields are meant: True the whole field, else what within it. COMPUTED among the names of a level says
that fields are computed there, too."""

COMPUTED: Final = ""
"""No field of a path has an empty name."""


def tree_of(paths: list[Parts], computed: list[Parts]) -> Tree:
    """Paths that do not collide, as a tree, with the levels in which fields are computed."""
    root: Tree = {}
    for parts in computed:
        node = root
        for part in parts[:-1]:
            inner = node.setdefault(part, {})
            assert inner is not True
            inner[COMPUTED] = True
            node = inner
    for parts in paths:
        node = root
        for part in parts[:-1]:
            inner = node.setdefault(part, {})
            assert inner is not True
            node = inner
        node[parts[-1]] = True
    return root


def included_value(value: Any, tree: Tree) -> Any:
    """The fields of the tree alone within a value, in the document's order; an array keeps its documents'
    share and loses its scalars, unless fields are computed in its elements: then each becomes a document of
    these. MISSING for a scalar."""
    if value.__class__ is dict:
        found: dict[str, Any] = {}
        for name, held in value.items():
            if name in tree:
                inner = tree[name]
                kept = held if inner is True else included_value(held, inner)
                if kept is not MISSING:
                    found[name] = kept
        return found
    if value.__class__ is list:
        items = [included_value(item, tree) for item in value]
        if COMPUTED in tree:
            return [{} if item is MISSING else item for item in items]
        return [item for item in items if item is not MISSING]
    return MISSING
