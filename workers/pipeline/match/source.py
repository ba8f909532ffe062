"""A checked query to Python source: one expression over `doc`, with its constants bound by name.

Everyday conditions (`{status: "paid", total: {$gt: 5}}`) become a few instructions inline; the rest calls the
closures of its family. Arrays and documents always take the closures, so a shortcut never changes a meaning.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from workers.pipeline.match.nodes import Condition, DocumentTest, Every, Quick, ValueTest
from workers.pipeline.match.walk import document_walker, value_walker
from workers.pipeline.values import MISSING

# Python's parser takes 200 nested parentheses; a level of a query nests up to four.
_NESTING: Final = 20


@dataclass(frozen=True, slots=True)
class Field:
    """Conditions on the values at one path."""

    path: tuple[str, ...]
    condition: Condition


@dataclass(frozen=True, slots=True)
class Whole:
    """A test of the document as a whole (`$expr`, `$jsonSchema`)."""

    test: DocumentTest


@dataclass(frozen=True, slots=True)
class Always:
    """A condition known without data."""

    holds: bool


@dataclass(frozen=True, slots=True)
class Logic:
    """`members` joined by `and` or `or`; `negate`: the opposite."""

    word: str
    members: tuple[Node, ...]
    negate: bool = False


Node = Field | Whole | Always | Logic


class Source:
    """Writes expressions and collects what they name."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"M": MISSING}
        self.temporaries = 0

    def bind(self, value: Any) -> str:
        """A name for a constant; short plain literals stand for themselves. Braces mean something here."""
        kind = value.__class__
        if kind is bool or (kind is int and abs(value) < 2**63) or (kind is float and math.isfinite(value)):
            return f"({value!r})" if value < 0 else repr(value)
        if kind is str and len(value) < 100 and value.isascii() and value.isprintable() and "{" not in value:
            return repr(value)
        name = f"k{len(self.names)}"
        self.names[name] = value
        return name

    def node(self, node: Node, depth: int = 0) -> str:
        """The expression of one node, fit to stand between `and` and `or`."""
        if isinstance(node, Always):
            return str(node.holds)
        if isinstance(node, Whole):
            return f"{self.bind(node.test)}(doc)"
        if isinstance(node, Field):
            return self.condition(node.path, node.condition)
        if not node.members:
            return str((node.word == "and") is not node.negate)
        if depth >= _NESTING:
            return f"{self.bind(Source().function(node))}(doc)"
        parts = [self.node(member, depth + 1) for member in node.members]
        text = parts[0] if len(parts) == 1 else f"({f' {node.word} '.join(parts)})"
        return f"(not {text})" if node.negate else text

    def condition(self, path: tuple[str, ...], condition: Condition) -> str:
        """The expression of what stands under a path."""
        if isinstance(condition, Every):
            parts = [self.condition(path, member) for member in condition.members]
            text = f"({' and '.join(parts)})" if parts else "True"
        else:
            text = self.test(path, condition)
        return f"(not {text})" if condition.negate else text

    def test(self, path: tuple[str, ...], test: ValueTest) -> str:
        """Whether any value at the path passes."""
        if len(path) == 1:
            walker = self.bind(value_walker(test))
            value = f"doc.get({self.bind(path[0])}, M)"
            if test.quick is None:
                return f"{walker}({value})"
            name = self.temporary()
            return self.shortcut(test.quick, name, value, f"{walker}({name})")
        walker = f"{self.bind(document_walker(path, test))}(doc)"
        if test.quick is None:
            return walker
        guard, holder = "", "doc"
        for part in path[:-1]:
            inner = self.temporary()
            guard += f"({inner} := {holder}.get({self.bind(part)})).__class__ is dict and "
            holder = inner
        value = f"{holder}.get({self.bind(path[-1])}, M)"
        return self.shortcut(test.quick, self.temporary(), value, walker, guard)

    def shortcut(self, quick: Quick, name: str, value: str, otherwise: str, before: str = "") -> str:
        """`test if guard else otherwise`, with the value read once into `name`."""
        guard = quick.guard.replace("{v}", f"({name} := {value})", 1).replace("{v}", name)
        test = quick.test.replace("{v}", name)
        for key, constant in quick.names.items():
            bound = "M" if constant is MISSING else self.bind(constant)
            guard, test = guard.replace(f"{{{key}}}", bound), test.replace(f"{{{key}}}", bound)
        return f"({test} if {before}({guard}) else {otherwise})"

    def temporary(self) -> str:
        """A fresh name for a value within the expression."""
        self.temporaries += 1
        return f"v{self.temporaries}"

    def function(self, node: Node) -> Callable[[Any], bool]:
        """The expression as a function of a document."""
        namespace = self.names
        text = f"def test(doc):\n    return {self.node(node)}\n"
        exec(compile(text, "<$match>", "exec"), namespace)  # noqa: S102 - source made above, constants by name
        test: Callable[[Any], bool] = namespace["test"]
        return test
