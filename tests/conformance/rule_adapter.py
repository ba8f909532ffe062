"""Answers rule-expression cases with Penstock's own evaluator: one JSON line in, one out, in order.

    {"id", "kind": "can_evaluate", "expression",
     "context": {user, request, args, values, environment, functions}}
    -> {"id", "result": true|false} | {"id", "error": text} | {"id", "unsupported": text}

`functions` are stubs for `%function`:
    {name: [{"args": [...], "result": ...} | {"args": [...], "throws": text}]}
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from topics.codecs import decode_value
from workers.functions.rules import FAILED, Ask, RuleFailed, RuleInvalid, compile_rule, evaluate
from workers.functions.rules.values import equal

ROOTS = ("user", "request", "args", "values", "environment")


class NoStub(Exception):
    """The case has no answer for what the expression asks."""


def typed(value: Any) -> Any:
    """A value of a case with its type wrappers resolved."""
    return decode_value(json.dumps(value).encode())


def stubbed(ask: Ask, stubs: Any) -> Any:
    """What the stub of a function answers: its value, or FAILED where it throws."""
    if ask.name not in stubs:
        raise NoStub(f"there is no function {ask.name!r}")
    for stub in stubs[ask.name]:
        if "args" not in stub or equal(typed(stub["args"]), ask.args):
            return FAILED if "throws" in stub else typed(stub.get("result"))
    raise NoStub(f"the function {ask.name!r} has no answer for these arguments")


def answer(case: dict[str, Any]) -> dict[str, Any]:
    """One case's answer."""
    head = {"id": case["id"]} if "id" in case else {}
    if case.get("kind", "can_evaluate") != "can_evaluate":
        return {**head, "unsupported": f"the kind {case['kind']}"}
    try:
        return {**head, "result": _answer(case)}
    except (RuleInvalid, RuleFailed, NoStub) as error:
        return {**head, "error": str(error)}
    except Exception as error:  # a fault of ours: never to be taken for a refusal
        return {**head, "unsupported": f"{type(error).__name__}: {error}"}


def _answer(case: dict[str, Any]) -> bool:
    context = case.get("context") or {}
    rule = compile_rule(case["expression"])
    known = {root: typed(context[root]) for root in ROOTS if root in context}
    evaluation = evaluate(rule, known)
    try:
        ask = next(evaluation)
        while True:
            ask = evaluation.send(stubbed(ask, context.get("functions") or {}))
    except StopIteration as end:
        return bool(end.value)


def main() -> None:
    """Until the input ends."""
    for line in sys.stdin:
        if line.strip():
            sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
