"""Answers the conformance protocol: one JSON line in, one out, with the compiled language behind it.

    {"id", "kind": "expression", "expr", "doc"}     -> {"result"} or {"missing"}
    {"id", "kind": "match", "query", "doc"}         -> {"result": true or false}
    {"id", "kind": "stages", "pipeline", "input"}   -> {"result": [...]}
                                                       or {"error"}, or {"unsupported"}, each with a text

A plain integer is an int32, a number with a point or exponent a double; answers are canonical Extended JSON.
`unsupported` is an operator of the language that Penstock does not have, or a fault of our own: both count as
failures, also where an error is expected.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

if __package__ in (None, ""):  # started as a script from the root of the repository
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.conformance.language import EXPRESSION_NAMES, QUERY_NAMES, STAGE_NAMES
from topics import codecs
from workers.appfolder.supply import SYSTEM
from workers.errors import Invalid, Poison
from workers.model import DROPPED, Many, Refused
from workers.pipeline.match import compile_match
from workers.pipeline.values import MISSING

WRAPPERS: Final = frozenset(
    "$numberInt $numberLong $numberDouble $numberDecimal $date $oid $binary $timestamp $regularExpression "
    "$minKey $maxKey $code $scope $symbol $undefined".split()
)

# How a refusal names what is not there. An option or type that nobody knows is the case's own mistake.
ABSENT: Final = re.compile(
    r"unknown (?:operator|stage|accumulator) (\$\w+)|^(\$\w+) is not (?:supported|in Penstock)"
)


def compiler(name: str) -> Any:
    """`compile_expression` or `compile_stages`, looked up on use: a query without `$expr` needs neither."""
    return getattr(import_module("workers.pipeline"), name)


def typed(value: Any) -> Any:
    """A value of a case with its type wrappers resolved; every other `$` name is an operator and stays."""
    if isinstance(value, list):
        return [typed(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value and value.keys() <= WRAPPERS:
        return codecs.decode_value(json.dumps(value).encode())
    return {name: typed(item) for name, item in value.items()}


def spelled(value: Any) -> Any:
    """A value as canonical Extended JSON."""
    return json.loads(codecs.encode_canonical(value))


def answer(case: dict[str, Any]) -> dict[str, Any]:
    """One case's answer."""
    try:
        return _answer(case)
    except Invalid as error:
        missing = sorted(set(_absent(error, case["kind"])))
        return {"unsupported": ", ".join(missing)} if missing else {"error": str(error)}
    except (Poison, codecs.NotADocument) as error:
        return {"error": str(error)}
    except Exception as error:  # a fault of ours: never to be taken for a refusal
        return {"unsupported": f"{type(error).__name__}: {error}"}


def _expression(expression: Any, path: str) -> Any:
    """`$expr` within a query; its place is the query's affair."""
    return compiler("compile_expression")(expression, supply=SYSTEM)


def _answer(case: dict[str, Any]) -> dict[str, Any]:
    if case["kind"] == "expression":
        value = compiler("compile_expression")(typed(case["expr"]), supply=SYSTEM)(typed(case.get("doc", {})))
        return {"missing": True} if value is MISSING else {"result": spelled(value)}
    if case["kind"] == "match":
        match = compile_match(typed(case["query"]), "$match", _expression)
        return {"result": match.test(typed(case["doc"]))}
    (segment,) = compiler("compile_stages")(typed(case["pipeline"]), supply=SYSTEM).segments
    docs: list[Any] = []
    for outcome in segment.run(typed(case["input"]), None):
        if isinstance(outcome, Refused):
            return {"error": f"{outcome.path}: {outcome.reason}"}
        if isinstance(outcome, Many):
            docs += outcome.docs
        elif outcome is not DROPPED:
            docs.append(outcome)
    return {"result": spelled(docs)}


def _absent(error: Invalid, kind: str) -> Iterator[str]:
    """Names of the language among what was refused as unknown or as not supported."""
    names = {"expression": EXPRESSION_NAMES, "match": QUERY_NAMES}.get(kind, STAGE_NAMES)
    for problem in error.problems:
        known = EXPRESSION_NAMES if "$expr" in problem.path else names
        yield from (name for found in ABSENT.findall(problem.found) for name in found if name in known)


def main() -> None:
    """Until the input ends."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
