"""One expression: compiled once, evaluated for each call. Pure: whoever drives an evaluation calls the
functions."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Final

from topics.codecs import CodecError, decode_value
from workers.functions.rules import operands
from workers.functions.rules.conditions import Condition, expression
from workers.functions.rules.errors import RuleInvalid, Unknown
from workers.functions.rules.expansions import Known
from workers.functions.rules.operands import FunctionCall, Parsing, State

MAX_BYTES: Final = 65_536
"""Of one expression as JSON: what is larger is data, and belongs into a value (`%%values`)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled expression. `roots` are the expansions it reads, `values` the names below `%%values`."""

    condition: Condition
    functions: tuple[FunctionCall, ...]
    roots: frozenset[str]
    values: frozenset[str]
    is_always_true: bool = False

    @property
    def function_names(self) -> frozenset[str]:
        """The functions that `%function` names."""
        return frozenset(call.name for call in self.functions)


@dataclass(frozen=True, slots=True)
class Ask:
    """An evaluation needs what this function returns for these arguments (Extended JSON's types)."""

    name: str
    args: list[Any]


class _Failed:
    __slots__ = ()


FAILED: Final = _Failed()
"""Sent into an evaluation instead of a value: the function has thrown."""


def compile_rule(node: Any) -> Rule:
    """Read an expression as the JSON parser left it: Extended JSON stands for its types. Raises RuleInvalid
    with the place."""
    try:
        text = json.dumps(node, allow_nan=False).encode("utf-8")
    except (ValueError, TypeError, RecursionError):
        raise RuleInvalid("", "is no JSON", "true, false or a document") from None
    if len(text) > MAX_BYTES:
        raise RuleInvalid("", f"is larger than {MAX_BYTES} bytes", "data in values/*.json, by %%values")
    try:
        typed = decode_value(text)
    except CodecError as problem:
        raise RuleInvalid("", str(problem)) from None
    parsing = Parsing()
    condition = expression(typed, parsing, "", 1)
    return Rule(
        condition=condition,
        functions=tuple(parsing.functions),
        roots=frozenset(parsing.roots),
        values=frozenset(parsing.values),
        is_always_true=typed is True or typed == {},
    )


def evaluate(rule: Rule, known: Known) -> Generator[Ask, Any, bool]:
    """Whether the expression is true for what is known. Yields each function it needs, inner ones first, and
    takes its value, or FAILED when it has thrown. A function whose arguments need one that has thrown is not
    called. Raises RuleFailed."""
    results: list[Any] = []
    state = State(known, results)
    for call in rule.functions:
        try:
            args = operands.without_missing(call.arguments(state))
        except Unknown:
            results.append(operands.THREW)
            continue
        answer = yield Ask(call.name, args)
        results.append(operands.THREW if answer is FAILED else answer)
    return rule.condition(state) is True
