"""`$cond $ifNull $switch`: only the branch that is taken is evaluated."""

from __future__ import annotations

from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.nodes import (
    Call,
    Custom,
    Emitting,
    Example,
    Node,
    Operator,
    Parsing,
    Positional,
    Scope,
    may_be_missing,
)

_COND_SYNTAX: Final = "{$cond: [<if>, <then>, <else>]} or {$cond: {if: <1>, then: <2>, else: <3>}}"
_COND_FIELDS: Final = ("if", "then", "else")
_SWITCH_SYNTAX: Final = "{$switch: {branches: [{case: <1>, then: <2>}, ...], default?: <3>}}"


def _parse_cond(parsing: Parsing, spec: Any, path: str, scope: Scope) -> Node:
    if isinstance(spec, dict):
        unknown = [name for name in spec if name not in _COND_FIELDS]
        lacking = [name for name in _COND_FIELDS if name not in spec]
        if unknown:
            return parsing.wrong(f"{path}.{unknown[0]}", f"$cond has no field {unknown[0]!r}", _COND_SYNTAX)
        if lacking:
            return parsing.wrong(path, f"the field {lacking[0]!r} is missing", _COND_SYNTAX)
        places = {name: f"{path}.{name}" for name in _COND_FIELDS}
        parts = spec
    elif isinstance(spec, list) and len(spec) == len(_COND_FIELDS):
        places = {name: f"{path}[{number}]" for number, name in enumerate(_COND_FIELDS)}
        parts = dict(zip(_COND_FIELDS, spec, strict=True))
    else:
        count = len(spec) if isinstance(spec, list) else 1
        return parsing.wrong(path, f"{count} argument{'s' if count != 1 else ''}", _COND_SYNTAX)
    args = tuple(parsing.expression(parts[name], places[name], scope) for name in _COND_FIELDS)
    return Call(COND, args, path)


def _emit_cond(em: Emitting, call: Call) -> str:
    test, then, other = call.given
    condition = em.condition(test)
    if condition in ("True", "False"):
        return em.value(then if condition == "True" else other)
    then_text, then_lines = em.lazy(then)
    other_text, other_lines = em.lazy(other)
    if not then_lines and not other_lines:
        return f"({then_text} if {condition} else {other_text})"
    found = em.name()
    with em.block(f"if {condition}:"):
        em.splice(then_lines)
        em.line(f"{found} = {then_text}")
    with em.block("else:"):
        em.splice(other_lines)
        em.line(f"{found} = {other_text}")
    return found


def _emit_if_null(em: Emitting, call: Call) -> str:
    first, *rest = call.given
    found = em.name()
    em.line(f"{found} = {em.value(first)}")
    for arg in rest:
        text, lines = em.lazy(arg)
        with em.block(f"if {found} is None or {found} is M:"):
            em.splice(lines)
            em.line(f"{found} = {text}")
    return found


def _parse_switch(parsing: Parsing, spec: Any, path: str, scope: Scope) -> Node:
    if not isinstance(spec, dict):
        return parsing.wrong(path, "no document", _SWITCH_SYNTAX)
    for name in spec:
        if name not in ("branches", "default"):
            return parsing.wrong(f"{path}.{name}", f"$switch has no field {name!r}", _SWITCH_SYNTAX)
    branches = spec.get("branches")
    if not isinstance(branches, list) or not branches:
        return parsing.wrong(f"{path}.branches", "no array of at least one branch", _SWITCH_SYNTAX)
    args: list[Node | None] = []
    for number, branch in enumerate(branches):
        place = f"{path}.branches[{number}]"
        if not isinstance(branch, dict) or branch.keys() != {"case", "then"}:
            parsing.wrong(place, "no document of case and then", _SWITCH_SYNTAX)
            continue
        args.append(parsing.expression(branch["case"], f"{place}.case", scope))
        args.append(parsing.expression(branch["then"], f"{place}.then", scope))
    default = parsing.expression(spec["default"], f"{path}.default", scope) if "default" in spec else None
    return Call(SWITCH, (*args, default), path)


def _no_branch() -> None:
    raise Poison("$switch could not find a matching branch for the document, and no default was given")


def _emit_switch(em: Emitting, call: Call) -> str:
    """A loop that runs once: a taken branch leaves it, and the branches do not nest."""
    *branches, default = call.args
    found = em.name()
    with em.block("while True:"):
        for case, then in zip(branches[::2], branches[1::2], strict=True):
            assert case is not None
            assert then is not None
            condition = em.condition(case)
            text, lines = em.lazy(then)
            with em.block(f"if {condition}:"):
                em.splice(lines)
                em.line(f"{found} = {text}")
                em.line("break")
        last = em.call(_no_branch) if default is None else em.value(default)
        em.line(f"{found} = {last}")
        em.line("break")
    return found


def _switch_may_miss(call: Call) -> bool:
    *branches, default = call.args
    outcomes = [*branches[1::2], default]
    return any(node is not None and may_be_missing(node) for node in outcomes)


COND: Final = Operator(
    name="$cond",
    signature=Custom(_parse_cond, _COND_SYNTAX),
    meaning="One of two values, by the truth of a third.",
    example=Example({"$cond": [{"$gte": ["$qty", 250]}, 30, 20]}, 20, {"qty": 200}),
    emit=_emit_cond,
    gives_missing=lambda call: any(may_be_missing(node) for node in call.given[1:]),
)
IF_NULL: Final = Operator(
    name="$ifNull",
    signature=Positional(2, None),
    meaning="The first argument that is neither null nor missing, or the last.",
    example=Example({"$ifNull": ["$a", "$b", "none"]}, "none", {"a": None}),
    emit=_emit_if_null,
    gives_missing=lambda call: may_be_missing(call.given[-1]),
)
SWITCH: Final = Operator(
    name="$switch",
    signature=Custom(_parse_switch, _SWITCH_SYNTAX),
    meaning="The value beside the first case that is true.",
    example=Example(
        {"$switch": {"branches": [{"case": {"$lt": ["$a", 0]}, "then": "below"}], "default": "above"}},
        "above",
        {"a": 3},
    ),
    emit=_emit_switch,
    gives_missing=_switch_may_miss,
)

OPERATORS: Final[dict[str, Operator]] = {"$cond": COND, "$ifNull": IF_NULL, "$switch": SWITCH}
