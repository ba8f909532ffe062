"""What a user wrote as an expression becomes a tree; mistakes are noted by place, constants folded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from workers.errors import Poison, Problem
from workers.pipeline.emit import Emitter
from workers.pipeline.nearest import nearest
from workers.pipeline.nodes import (
    ONCE,
    ROOT,
    ArrayOf,
    Binding,
    Call,
    Const,
    Custom,
    FieldPath,
    Named,
    Node,
    ObjectOf,
    Operator,
    Positional,
    Scope,
)
from workers.pipeline.paths import fault
from workers.pipeline.unit import Unit
from workers.pipeline.values import MISSING, Missing, bracket

MAX_DEPTH: Final = 199
"""Levels of documents and arrays in an expression. The server takes 200 with the stage around it."""

DEFAULT_SCOPE: Final[Scope] = {"ROOT": ROOT, "CURRENT": ROOT}
"""What every expression over a document may use."""

_SERVER_VARIABLES: Final[Mapping[str, str]] = {
    "CLUSTER_TIME": "streams have no cluster time: use $$NOW",
    "USER_ROLES": "a processor runs without a user",
    "SEARCH_META": "streams have no search",
}

_VARIABLE: Final = re.compile(r"[a-z\u0080-\U0010ffff][A-Za-z0-9_\u0080-\U0010ffff]*\Z")

_TOO_DEEP: Final = "an expression nested too deep"


class Parser:
    """Parses expressions with a table of operators and collects what is wrong. Kept: `nodes.Parsing`."""

    def __init__(self, operators: Mapping[str, Operator], elsewhere: Mapping[str, str]) -> None:
        """`elsewhere` names operators that are known but not available here, and why."""
        self._operators = operators
        self._elsewhere = elsewhere
        self._bindings = 0
        self._depth = 0
        self.problems: list[Problem] = []

    def wrong(self, path: str, found: str, expected: str = "") -> Const:
        """Note a problem; the answer stands in for the expression, so that the rest is still checked."""
        self.problems.append(Problem(file="", path=path, found=found, expected=expected))
        return Const(None, path)

    def variable(self, name: str) -> str:
        """A new binding for a variable that the user calls `name`."""
        self._bindings += 1
        return f"{name}#{self._bindings}"

    def expression(self, spec: Any, path: str, scope: Scope = DEFAULT_SCOPE) -> Node:
        """The tree of any expression. Problems are noted; a constant null stands in for what is wrong."""
        if self._depth >= MAX_DEPTH:
            return self.wrong(path, _TOO_DEEP, f"at most {MAX_DEPTH} levels")
        self._depth += 1
        try:
            return self._expression(spec, path, scope)
        except RecursionError:
            # An operator takes up to six calls a level, and Python allows a thousand: only the outermost
            # expression has the stack to say so.
            if self._depth > 1:
                raise
            return self.wrong(path, _TOO_DEEP, "fewer operators within each other")
        finally:
            self._depth -= 1

    def _expression(self, spec: Any, path: str, scope: Scope) -> Node:
        if spec.__class__ is str:
            if spec.startswith("$$"):
                return self._variable(spec, path, scope)
            return self._field(spec, path, scope) if spec.startswith("$") else Const(spec, path)
        if spec.__class__ is dict:
            return self._object(spec, path, scope)
        if spec.__class__ is list:
            items = tuple(self.expression(item, f"{path}[{i}]", scope) for i, item in enumerate(spec))
            if all(isinstance(item, Const) for item in items):
                values = [item.value for item in items if isinstance(item, Const)]
                return Const([None if value is MISSING else value for value in values], path)
            return ArrayOf(items, path)
        return self.literal(spec, path)

    def literal(self, spec: Any, path: str) -> Const:
        """A value as it stands; refused when no document can hold it."""
        waiting = [spec]
        while waiting:
            value = waiting.pop()
            try:
                is_known = bracket(value) is not None and value.__class__ is not Missing
            except AssertionError:
                is_known = False
            if not is_known:
                return self.wrong(path, f"a value of the type {type(value).__name__}", "a BSON value")
            if value.__class__ is dict:
                waiting += value.values()
            elif value.__class__ is list:
                waiting += value
        return Const(spec, path)

    # Fields and variables

    def _field(self, spec: str, path: str, scope: Scope) -> Node:
        wrong = "a '$' without a field" if spec == "$" else fault(spec[1:])
        if wrong:
            return self.wrong(
                path, wrong, "a field as $a.b; write {$literal: ...} for text that begins with '$'"
            )
        return FieldPath(scope["CURRENT"], tuple(spec[1:].split(".")), path)

    def _variable(self, spec: str, path: str, scope: Scope) -> Node:
        name, _, rest = spec[2:].partition(".")
        wrong = None if rest or not spec.endswith(".") else f"the variable {spec!r} ends with a '.'"
        wrong = wrong or (fault(rest) if rest else None)
        if wrong:
            return self.wrong(path, wrong, "a variable as $$name or $$name.a.b")
        if name == "REMOVE":
            return Const(MISSING, path)
        if name in _SERVER_VARIABLES:
            return self.wrong(path, f"$${name} is not supported", _SERVER_VARIABLES[name])
        if name == "NOW" and "$currentDate" in self._operators:
            now = Call(self._operators["$currentDate"], (), path, detail=ONCE)
            return Const(MISSING, path) if rest else now  # a date has no fields
        bound = scope.get(name)
        if bound is None:
            hint = nearest(name, [*scope, "REMOVE", "NOW"])
            return self.wrong(
                path, f"the variable $${name} is not defined", hint and f"did you mean $${hint}?"
            )
        return FieldPath(bound, tuple(rest.split(".")) if rest else (), path)

    def check_variable(self, name: Any, path: str) -> bool:
        """Whether a user may call a variable so; a problem is noted where not."""
        if name.__class__ is str and (name == "CURRENT" or _VARIABLE.match(name)):
            return True
        self.wrong(
            path, f"{name!r} is no name for a variable", "a lower-case letter, then letters, digits and '_'"
        )
        return False

    # Documents and operators

    def _object(self, spec: dict[str, Any], path: str, scope: Scope) -> Node:
        operator = next((name for name in spec if name.__class__ is str and name.startswith("$")), None)
        if operator is not None:
            if len(spec) > 1:
                others = ", ".join(repr(name) for name in spec if name != operator)
                return self.wrong(
                    f"{path}.{operator}", f"fields beside an operator ({others})", "one operator alone"
                )
            return self._call(operator, spec[operator], f"{path}.{operator}", scope)
        fields: list[tuple[str, Node]] = []
        for name, inner in spec.items():
            place = f"{path}.{name}"
            if name.__class__ is not str or not name or "." in name or "\0" in name:
                self.wrong(place, f"{name!r} is no field name here", "a name without '.', as {a: {b: ...}}")
            else:
                fields.append((name, self.expression(inner, place, scope)))
        if all(isinstance(inner, Const) for _, inner in fields):
            known = {name: inner.value for name, inner in fields if isinstance(inner, Const)}
            return Const({name: value for name, value in known.items() if value is not MISSING}, path)
        return ObjectOf(tuple(fields), path)

    def _call(self, name: str, spec: Any, path: str, scope: Scope) -> Node:
        operator = self._operators.get(name)
        if operator is None:
            if name in self._elsewhere:
                return self.wrong(path, f"{name} {self._elsewhere[name]}")
            hint = nearest(name, self._operators)
            return self.wrong(path, f"unknown operator {name}", hint and f"did you mean {hint}?")
        rule = operator.signature
        before = len(self.problems)
        if isinstance(rule, Custom):
            node = rule.parse(self, spec, path, scope)
        elif isinstance(rule, Positional):
            node = self._positional(operator, rule, spec, path, scope)
        else:
            node = self._named(operator, rule, spec, path, scope)
        if len(self.problems) > before:
            return Const(None, path)
        folded = self._folded(node)
        if folded is node and operator.check is not None and isinstance(node, Call):
            for error in operator.check(node):
                self.wrong(error.at or path, error.reason)
        return folded

    def _positional(self, operator: Operator, rule: Positional, spec: Any, path: str, scope: Scope) -> Node:
        many = spec if spec.__class__ is list else [spec]
        if len(many) < rule.least or (rule.most is not None and len(many) > rule.most):
            return self.wrong(path, f"{len(many)} argument{'s' if len(many) != 1 else ''}", rule.text())
        if spec.__class__ is list:
            args = [self.expression(item, f"{path}[{i}]", scope) for i, item in enumerate(many)]
        else:
            args = [self.expression(spec, path, scope)]
        padding = [None] * ((rule.most or 0) - len(args))
        return Call(operator, (*args, *padding), path)

    def _named(self, operator: Operator, rule: Named | Binding, spec: Any, path: str, scope: Scope) -> Node:
        if spec.__class__ is not dict:
            return self.wrong(path, f"{describe(spec)}", f"a document: {operator.syntax}")
        named = rule.named if isinstance(rule, Binding) else rule
        renames = rule.variables if isinstance(rule, Binding) else {}
        for name in spec:
            if name not in named.names and name not in renames:
                hint = nearest(str(name), [*named.names, *(key for key in renames if key[0] != "=")])
                self.wrong(
                    f"{path}.{name}",
                    f"{operator.name} has no field {name!r}",
                    hint and f"did you mean {hint}?",
                )
        for name in named.required:
            if name not in spec:
                self.wrong(path, f"the field {name!r} is missing", operator.syntax)
        inner, bound, names = dict(scope), [], set[str]()
        for field, default in renames.items():
            user = spec.get(field, default)
            if field in spec and not self.check_variable(user, f"{path}.{field}"):
                continue
            if user in names:
                self.wrong(f"{path}.{field}", f"two variables called {user!r}", "a name for each")
            names.add(user)
            bound.append(self.variable(user))
            inner[user] = bound[-1]
        seen = rule.sees if isinstance(rule, Binding) else frozenset()
        args = tuple(
            self.expression(spec[name], f"{path}.{name}", inner if name in seen else scope)
            if name in spec
            else None
            for name in named.names
        )
        return Call(operator, args, path, tuple(bound))

    def _folded(self, node: Node) -> Node:
        """The node's value, where all it needs is known; an error that is certain is a problem now."""
        if not isinstance(node, Call) or not node.operator.folds or node.variables or node.detail is not None:
            return node
        if not all(isinstance(arg, Const) for arg in node.given):
            return node
        try:
            return Const(evaluate(node), node.path)
        except Poison as error:
            return self.wrong(error.at or node.path, error.reason)


def evaluate(node: Node) -> Any:
    """The value of an expression that reads no document. Raises Poison."""
    if isinstance(node, Const):
        return node.value
    if isinstance(node, Call) and node.operator.function is not None:
        absent = node.operator.absent
        return node.operator.function(*(absent if arg is None else evaluate(arg) for arg in node.args))
    emitter, unit = Emitter(), Unit()
    with emitter.block("def constant():"):
        emitter.line("meta = None")
        emitter.line(f"return {emitter.value(node)}")
    function = unit.make(emitter, "constant")
    try:
        return function()
    except Exception as error:
        raise unit.poison(error) from error


def describe(spec: Any) -> str:
    """What stands there, in a few words."""
    if spec is None:
        return "null"
    if spec.__class__ is str:
        return f"the text {spec[:40]!r}"
    if isinstance(spec, bool):
        return "true" if spec else "false"
    if isinstance(spec, int | float):
        return f"{spec}"
    if isinstance(spec, list):
        return "an array"
    return "a document" if isinstance(spec, dict) else f"a value of the type {type(spec).__name__}"
