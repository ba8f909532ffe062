"""Values in an expression: literals, expansions, conversions, `%function`. Pure.

An operand is a function of the call's `State`. Functions are not called here: `rule.evaluate` has their
results collected, inner ones first, before any condition is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from workers.functions.rules import expansions
from workers.functions.rules.conversions import CONVERSIONS, NotConvertible
from workers.functions.rules.errors import RuleFailed, RuleInvalid, Unknown
from workers.functions.rules.values import MISSING

# Levels of documents and lists: the deepest in the public documentation has six.
MAX_DEPTH: Final = 32
# Fields and list items of one expression: it is evaluated on every call, at about 1 us each.
MAX_NODES: Final = 2_000
# Each is a call of a function, one after the other, before the call that the expression guards.
MAX_FUNCTIONS: Final = 10


@dataclass(frozen=True, slots=True)
class State:
    """What one evaluation knows: the roots of the expansions, and what the functions answered so far.
    `results` holds THREW where a function has thrown."""

    known: expansions.Known
    results: Sequence[Any]


THREW: Final = object()

Operand = Callable[[State], Any]
"""The value for one call, MISSING included. Raises RuleFailed, or Unknown when a function has thrown."""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """One `%function`: `name`, and the arguments as one operand that gives a list."""

    name: str
    arguments: Operand


@dataclass(slots=True)
class Parsing:
    """What the parts of one expression share while it is read: the functions in the order in which they are
    called, which roots and values are used, and the bounds."""

    functions: list[FunctionCall] = field(default_factory=list)
    roots: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    nodes: int = 0

    def enter(self, path: str, depth: int) -> None:
        """Count one value of the expression. Raises RuleInvalid past the bounds."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise RuleInvalid("", f"more than {MAX_NODES} fields and items", "a function, by %function")
        if depth > MAX_DEPTH:
            raise RuleInvalid(path, f"nested more than {MAX_DEPTH} levels deep", "fewer levels")

    def expansion(self, text: str, path: str) -> expansions.Expansion | bool:
        """Read an expansion and note what it uses."""
        found = expansions.parse(text, path)
        if isinstance(found, expansions.Expansion):
            self.use(found)
        return found

    def use(self, found: expansions.Expansion) -> None:
        """Note what an expansion uses."""
        self.roots.add(found.root)
        if found.root == "values" and found.path:
            self.values.add(found.path[0])


def operator(key: str) -> str | None:
    """The name of an operator without its sign: `%in` and `$in` are the same; None for any other key."""
    if key.startswith("%%") or not key.startswith(("%", "$")):
        return None
    return key[1:]


def is_value_operator(node: Any) -> bool:
    """Whether a document stands for a value: `{"%function": ...}` or `{"%stringToOid": ...}`."""
    if not isinstance(node, dict) or len(node) != 1:
        return False
    name = operator(next(iter(node)))
    return name == "function" or name in CONVERSIONS


def read(node: Any, parsing: Parsing, path: str, depth: int) -> Operand:
    """The operand that a node stands for. Raises RuleInvalid."""
    parsing.enter(path, depth)
    if isinstance(node, str) and node.startswith("%%"):
        return _expanded(parsing.expansion(node, path))
    if isinstance(node, list):
        items = [read(item, parsing, f"{path}[{at}]", depth + 1) for at, item in enumerate(node)]
        return lambda state: [item(state) for item in items]
    if not isinstance(node, dict):
        return lambda state: node
    if is_value_operator(node):
        ((key, content),) = node.items()
        inside = f"{path}.{key}"
        name = operator(key)
        if name == "function":
            return _function(content, parsing, inside, depth)
        return _conversion(str(name), content, parsing, inside)
    for key in node:
        if operator(key) is not None or key.startswith("%%"):
            raise RuleInvalid(
                f"{path}.{key}", "an operator within a value", "a literal value or an expansion"
            )
    fields = {
        key: read(child, parsing, f"{path}.{key}", depth + 1) for key, child in node.items()
    }  # fmt: skip
    return lambda state: {key: child(state) for key, child in fields.items()}


def _expanded(found: expansions.Expansion | bool) -> Operand:
    if isinstance(found, bool):
        return lambda state: found
    return lambda state: found.value(state.known)


def _conversion(name: str, content: Any, parsing: Parsing, path: str) -> Operand:
    """A literal is converted once, here; an expansion in each call. A missing value stays missing."""
    convert = CONVERSIONS[name]
    parsing.enter(path, 0)
    if isinstance(content, str) and content.startswith("%%"):
        inner = _expanded(parsing.expansion(content, path))

        def converted(state: State) -> Any:
            value = inner(state)
            if value is MISSING:
                return MISSING
            try:
                return convert(value)
            except NotConvertible as problem:
                raise RuleFailed(f"{path}: {content} is not {problem}") from None

        return converted
    if isinstance(content, dict | list):
        raise RuleInvalid(path, "found an expression", "a literal or an expansion: nothing is evaluated here")
    try:
        constant = convert(content)
    except NotConvertible as problem:
        raise RuleInvalid(path, "cannot be converted", str(problem)) from None
    return lambda state: constant


def _function(content: Any, parsing: Parsing, path: str, depth: int) -> Operand:
    if not isinstance(content, dict) or not content.keys() <= {"name", "arguments"} or "name" not in content:
        raise RuleInvalid(path, "is no call of a function", '{"name": <function>, "arguments": [...]}')
    name, given = content["name"], content.get("arguments", [])
    if not isinstance(name, str) or not name:
        raise RuleInvalid(f"{path}.name", "is no function name", "a text")
    if not isinstance(given, list):
        raise RuleInvalid(f"{path}.arguments", "is no list", "a list of values and expansions")
    arguments = read(given, parsing, f"{path}.arguments", depth + 1)
    if len(parsing.functions) >= MAX_FUNCTIONS:
        raise RuleInvalid(path, f"more than {MAX_FUNCTIONS} calls of functions", "one function that decides")
    at = len(parsing.functions)
    parsing.functions.append(FunctionCall(name, arguments))

    def result(state: State) -> Any:
        found = state.results[at]
        if found is THREW:
            raise Unknown
        return found

    return result


def without_missing(value: Any) -> Any:
    """What a function gets: null for a missing item of a list, nothing for a missing field."""
    if isinstance(value, list):
        return [None if item is MISSING else without_missing(item) for item in value]
    if isinstance(value, Mapping):
        return {key: without_missing(item) for key, item in value.items() if item is not MISSING}
    return value
