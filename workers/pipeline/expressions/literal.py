"""`$literal $let`: values as they stand, and names for values."""

from __future__ import annotations

from typing import Any, Final

from workers.pipeline.nodes import (
    Call,
    Custom,
    Emitting,
    Example,
    Node,
    Operator,
    Parsing,
    Scope,
    may_be_missing,
)

_LET_SYNTAX: Final = "{$let: {vars: {<name>: <expression>, ...}, in: <expression>}}"


def _parse_literal(parsing: Parsing, spec: Any, path: str, scope: Scope) -> Node:
    return parsing.literal(spec, path)


def _parse_let(parsing: Parsing, spec: Any, path: str, scope: Scope) -> Node:
    if not isinstance(spec, dict) or not isinstance(spec.get("vars"), dict) or "in" not in spec:
        return parsing.wrong(path, "no document of vars and in", _LET_SYNTAX)
    for name in spec:
        if name not in ("vars", "in"):
            return parsing.wrong(f"{path}.{name}", f"$let has no field {name!r}", _LET_SYNTAX)
    inner = dict(scope)
    values: list[Node] = []
    bound: list[str] = []
    for name, value in spec["vars"].items():
        place = f"{path}.vars.{name}"
        values.append(parsing.expression(value, place, scope))
        if parsing.check_variable(name, place):
            bound.append(parsing.variable(name))
            inner[name] = bound[-1]
    body = parsing.expression(spec["in"], f"{path}.in", inner)
    return Call(LET, (*values, body), path, tuple(bound))


def _emit_let(em: Emitting, call: Call) -> str:
    *values, body = call.given
    held = [em.value(value) for value in values]
    for variable, local in zip(call.variables, held, strict=True):
        em.bind(variable, local)
    return em.value(body)


LET: Final = Operator(
    name="$let",
    signature=Custom(_parse_let, _LET_SYNTAX),
    meaning="Evaluates `in` with names for the values of `vars`.",
    example=Example(
        {"$let": {"vars": {"net": {"$subtract": ["$a", "$b"]}}, "in": {"$multiply": ["$$net", "$$net"]}}},
        9,
        {"a": 5, "b": 2},
    ),
    emit=_emit_let,
    gives_missing=lambda call: may_be_missing(call.given[-1]),
)

OPERATORS: Final[dict[str, Operator]] = {
    "$literal": Operator(
        name="$literal",
        signature=Custom(_parse_literal, "{$literal: <value>}"),
        meaning="The value as it stands, no expression.",
        example=Example({"$literal": "$5"}, "$5"),
    ),
    "$let": LET,
}
