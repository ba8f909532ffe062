"""What the families of `$match` give and get: tests of values, and the place they stand in the query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.errors import Problem

Single = Callable[[Any], bool]
"""Asks one value (MISSING where the path leads nowhere)."""

DocumentTest = Callable[[Any], bool]
"""Asks a whole document."""

Evaluate = Callable[[Any], Any]
"""A compiled expression: document to value, MISSING included."""


@dataclass(frozen=True, slots=True)
class Quick:
    """A shortcut for plain scalars, as Python source with `{v}` for the value.

    Where `guard` is true, `test` answers; the guard lets neither arrays nor documents in. `names` are
    constants of the source, to be replaced like `{v}`.
    """

    guard: str
    test: str
    names: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ValueTest:
    """What one operator asks of the values at a path: one that passes is enough.

    `spread`: the elements of an array at the end of the path are asked before the array itself.
    `negate`: the condition holds when no value passes (`$ne`, `$nin`, `$exists: false`).
    """

    single: Single
    spread: bool = True
    negate: bool = False
    quick: Quick | None = None


@dataclass(frozen=True, slots=True)
class Every:
    """All members hold at the path (`{$gt: 1, $lt: 5}`, `$all`); `negate`: not all of them (`$not`)."""

    members: tuple[Condition, ...]
    negate: bool = False


Condition = ValueTest | Every
"""What stands under a path of the query."""

NEVER = ValueTest(lambda value: False)

_REFERENCE = frozenset({"$ref", "$id", "$db"})


def is_operators(operand: Any) -> bool:
    """Whether a document under a field is one of operators: its first name says so. References are values."""
    if not isinstance(operand, dict) or not operand:
        return False
    first = next(iter(operand))
    return isinstance(first, str) and first.startswith("$") and first not in _REFERENCE


def single_of(condition: Condition) -> Single:
    """The condition asked of one value alone, as `$elemMatch` asks each element."""
    if isinstance(condition, ValueTest):
        ask = condition.single
        return (lambda value: not ask(value)) if condition.negate else ask
    asks = tuple(single_of(member) for member in condition.members)
    if condition.negate:
        return lambda value: not all(ask(value) for ask in asks)
    if len(asks) == 1:
        return asks[0]
    return lambda value: all(ask(value) for ask in asks)


@dataclass(slots=True)
class Compiler:
    """The entry points that operators with queries inside need, and the list of what was found wrong."""

    problems: list[Problem]
    query: Callable[[Any, Place], DocumentTest]
    operators: Callable[[Any, Place], Condition]
    expression: Callable[[Any, str], Evaluate] | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the pipeline something stands (`pipeline[0].$match.total.$gt`)."""

    path: str
    compiler: Compiler
    depth: int = 0

    def at(self, key: str | int) -> Place:
        """One step inwards: a field or operator by name, an element by number."""
        step = f"[{key}]" if isinstance(key, int) else f".{key}"
        return Place(f"{self.path}{step}", self.compiler, self.depth + 1)

    def wrong(self, found: str, expected: str = "") -> Condition:
        """Note a problem; the answer stands in for the condition, so that the rest is still checked."""
        self.compiler.problems.append(Problem(file="", path=self.path, found=found, expected=expected))
        return NEVER
