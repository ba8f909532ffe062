"""Expressions as a tree of plain data, and how an operator describes itself. No operator has rules in here.

`parse.py` makes the tree out of what the user wrote, `emit.py` makes Python source out of the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from workers.errors import Poison
from workers.pipeline.values import MISSING


@dataclass(frozen=True, slots=True, eq=False)
class Const:
    """A value known at start; MISSING is `$$REMOVE`."""

    value: Any
    path: str


@dataclass(frozen=True, slots=True, eq=False)
class FieldPath:
    """`$a.b` or `$$name.a.b`. `variable` is the binding's own name (ROOT: the document), `parts` may be
    empty."""

    variable: str
    parts: tuple[str, ...]
    path: str


@dataclass(frozen=True, slots=True, eq=False)
class ObjectOf:
    """A document of expressions. Fields whose value is missing are left out."""

    fields: tuple[tuple[str, Node], ...]
    path: str


@dataclass(frozen=True, slots=True, eq=False)
class ArrayOf:
    """An array of expressions. A missing value becomes null."""

    items: tuple[Node, ...]
    path: str


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """An operator and its arguments, in the order of its signature; None is an argument left out.

    `variables` are the bindings that the operator makes for its later arguments, unique in the whole program.
    `detail` is what an operator's own `parse` wants its `emit` to know.
    """

    operator: Operator
    args: tuple[Node | None, ...]
    path: str
    variables: tuple[str, ...] = ()
    detail: Any = None

    @property
    def given(self) -> tuple[Node, ...]:
        """The arguments that are there."""
        return tuple(arg for arg in self.args if arg is not None)


Node: TypeAlias = Const | FieldPath | ObjectOf | ArrayOf | Call

ROOT: Final = "ROOT"
"""The variable that is the whole document."""

ONCE: Final = "once"
"""The `detail` of a call whose value is had once for all documents that are at hand together."""


@dataclass(frozen=True, slots=True)
class Positional:
    """`{$op: [a, b]}`; a single argument may stand without its brackets. `most` None: any number."""

    least: int
    most: int | None

    def text(self) -> str:
        """How many arguments, in words."""
        if self.most is None:
            return f"at least {self.least} argument{'s' if self.least != 1 else ''}"
        if self.least == self.most:
            return f"exactly {self.least} argument{'s' if self.least != 1 else ''}"
        return f"{self.least} to {self.most} arguments"


@dataclass(frozen=True, slots=True)
class Named:
    """`{$op: {input: a, to: b}}`. Arguments reach the operator in the order of `required` + `optional`."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return self.required + self.optional


@dataclass(frozen=True, slots=True)
class Binding:
    """`{$map: {input, as, in}}`: named arguments, and variables that some of them see.

    `variables` maps the name of a field that renames a variable to the variable's default name
    (`{"as": "this"}`). A name that begins with `=` is fixed (`{"=value": "value"}`). The variables are seen
    in the arguments named by `sees`, and nowhere else.
    """

    named: Named
    variables: Mapping[str, str]
    sees: frozenset[str]


@dataclass(frozen=True, slots=True)
class Custom:
    """The operator reads its own argument (`$literal`, `$let`, `$switch`). `text` is its syntax."""

    parse: Callable[[Parsing, Any, str, Scope], Node]
    text: str


Signature: TypeAlias = Positional | Named | Binding | Custom

Scope: TypeAlias = Mapping[str, str]
"""The variables that may be used here: the user's name for each, and the binding's own."""


@dataclass(frozen=True, slots=True)
class Example:
    """An expression, a document and the value it gives; the docs print it and the tests run it."""

    expression: Any
    result: Any
    document: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operator:
    """One aggregation expression, described by data.

    Most operators are a `function` of their arguments' values: MISSING may be among them (and `absent` stands
    for an argument left out), a data error is raised as `Poison`. `emit` writes source instead, where that is
    faster or an argument must not always be evaluated; it returns a name, or text that can be used once and
    cannot fail. An operator with both folds by `function`.

    `folds`: the same arguments always give the same value, so constants are folded at start.
    `gives_missing`: the value may be MISSING, always or asked of the call. `gives_bool`: it is always true or
    false. `check` yields what is certainly wrong with a call that did not fold (a constant argument beside
    others that need data); `at` of each is its place.
    """

    name: str
    signature: Signature
    meaning: str
    example: Example
    function: Callable[..., Any] | None = None
    emit: Callable[[Emitting, Call], str] | None = None
    absent: Any = None
    folds: bool = True
    gives_missing: bool | Callable[[Call], bool] = False
    gives_bool: bool = False
    check: Callable[[Call], Iterable[Poison]] | None = None

    @property
    def syntax(self) -> str:
        """How it is written, for docs and messages."""
        rule = self.signature
        if isinstance(rule, Custom):
            return rule.text
        if isinstance(rule, Positional):
            return _positional_text(self.name, rule)
        if isinstance(rule, Binding):
            renamed = [f"{name}?: <name>" for name in rule.variables if not name.startswith("=")]
            return f"{{{self.name}: {{{', '.join(_named_text(rule.named) + renamed)}}}}}"
        return f"{{{self.name}: {{{', '.join(_named_text(rule))}}}}}"


def _positional_text(name: str, rule: Positional) -> str:
    if rule.least == rule.most == 1:
        return f"{{{name}: <expression>}}"
    shown = [f"<{number}>" for number in range(1, max(rule.least, 1) + 1)]
    if rule.most is None:
        shown.append("...")
    else:
        shown += [f"<{number}>?" for number in range(len(shown) + 1, rule.most + 1)]
    return f"{{{name}: [{', '.join(shown)}]}}"


def _named_text(rule: Named) -> list[str]:
    return [f"{name}: <expression>" for name in rule.required] + [
        f"{name}?: <expression>" for name in rule.optional
    ]


Lines: TypeAlias = list[tuple[str, tuple[str, int]]]
"""Lines of source, each with the place and the stage it came from."""


class Parsing(Protocol):
    """What an operator's own `parse` may ask for. Kept by `parse.Parser`."""

    def expression(self, spec: Any, path: str, scope: Scope) -> Node:
        """Any expression; problems are noted and a constant stands in."""
        ...

    def wrong(self, path: str, found: str, expected: str = "") -> Const:
        """Note a problem; the answer stands in, so that the rest is still checked."""
        ...

    def literal(self, spec: Any, path: str) -> Const:
        """A value as it stands, no expression."""
        ...

    def variable(self, name: str) -> str:
        """A new binding for a variable the user calls `name`."""
        ...

    def check_variable(self, name: Any, path: str) -> bool:
        """Whether a user may call a variable so; a problem is noted where not."""
        ...


class Emitting(Protocol):
    """What an operator's `emit` may ask for. Kept by `emit.Emitter`."""

    def value(self, node: Node) -> str:
        """Source that evaluates the node here; returns a name or literal that holds its value."""
        ...

    def condition(self, node: Node) -> str:
        """The same for its truth: text to use once after `if`, true or false."""
        ...

    def without_lines(self, node: Node) -> str | None:
        """A name or literal, where the node's value is at hand; None where it takes lines to have it."""
        ...

    def lazy(self, node: Node, *, condition: bool = False) -> tuple[str, Lines]:
        """`value` (or `condition`) of something that need not happen: its text, and its lines for `splice`,
        to stand one level deeper than here."""
        ...

    def splice(self, lines: Lines) -> None:
        """Put lines of `lazy` here."""
        ...

    def assign(self, text: str) -> str:
        """The local name that holds what the text evaluates to."""
        ...

    def function(self, function: Callable[..., Any]) -> str:
        """The name that a function is bound to."""
        ...

    def or_null(self, node: Node) -> str:
        """`value`, null where it is missing; text to use once."""
        ...

    def name(self) -> str:
        """A new local name."""
        ...

    def constant(self, value: Any) -> str:
        """A name or literal for a value known now."""
        ...

    def line(self, text: str) -> None:
        """One line of source at the present depth."""
        ...

    def call(self, function: Callable[..., Any], *args: str) -> str:
        """A line that calls the function; returns the name of its value."""
        ...

    def block(self, header: str) -> AbstractContextManager[None]:
        """What is emitted within is indented under the header and need not happen."""
        ...

    def meta(self) -> str:
        """The local that holds the document's `Meta`, or None where there is none."""
        ...

    def once(self, function: Callable[[], Any]) -> str:
        """The name of a value that is the same for all documents that the generated function is given."""
        ...

    def bind(self, variable: str, local: str) -> None:
        """From here on the variable is the local name."""
        ...


def mentions(node: Node, variable: str) -> bool:
    """Whether the variable (a binding's own name) is read anywhere under the node."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, FieldPath) and one.variable == variable:
            return True
        waiting += children(one)
    return False


def children(node: Node) -> Iterator[Node]:
    """The nodes right under this one."""
    if isinstance(node, Call):
        yield from node.given
    elif isinstance(node, ObjectOf):
        for _, inner in node.fields:
            yield inner
    elif isinstance(node, ArrayOf):
        yield from node.items


def may_be_missing(node: Node) -> bool:
    """Whether the node's value can be MISSING, as far as can be told without data."""
    if isinstance(node, Const):
        return node.value is MISSING
    if isinstance(node, FieldPath):
        return bool(node.parts) or node.variable != ROOT
    if not isinstance(node, Call):
        return False
    rule = node.operator.gives_missing
    return rule if isinstance(rule, bool) else rule(node)
