"""The rule-expression language as people outside see it: cases of our own through the adapter's process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WORLD = json.loads((HERE / "cases" / "can_evaluate_world.json").read_text("utf-8"))
CASES = [json.loads(line) for line in (HERE / "cases" / "can_evaluate.jsonl").read_text("utf-8").splitlines()]


def request(case: dict[str, Any]) -> dict[str, Any]:
    """The line of a case: its own context, or the parts of the common world that it uses."""
    context = case.get("context", {name: WORLD[name] for name in case.get("uses", ())})
    return {
        "id": case["id"],
        "kind": "can_evaluate",
        "expression": case["expression"],
        "context": context,
    }


def ask(lines: list[str]) -> list[dict[str, Any]]:
    """The adapter's answers, from one process of it."""
    done = subprocess.run(
        [sys.executable, str(HERE / "rule_adapter.py")],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_case_answers_as_it_should() -> None:
    """True, false or an error for each case, in order, with its id."""
    answers = ask([json.dumps(request(case)) for case in CASES])
    assert [answer["id"] for answer in answers] == [case["id"] for case in CASES]
    wrong = {}
    for case, answer in zip(CASES, answers, strict=True):
        is_right = "error" in answer if case.get("error") else answer.get("result") is case["expect"]
        if not is_right:
            wrong[case["id"]] = (case["expression"], answer)
    assert wrong == {}


def test_there_are_cases_for_every_part_of_the_language() -> None:
    """Each operator and expansion stands in at least three expressions, spelled with % or $."""
    texts = [json.dumps(case["expression"]) for case in CASES]
    operators = (
        "exists in nin eq ne gt gte lt lte and or nor not function stringToOid oidToString stringToUuid "
        "uuidToString"
    ).split()
    expansions = "user request args values environment true false".split()
    counts = {
        name: sum(f'"%{name}"' in text or f'"${name}"' in text for text in texts) for name in operators
    } | {f"%%{name}": sum(f"%%{name}" in text for text in texts) for name in expansions}
    assert {name: count for name, count in counts.items() if count < 3} == {}
    assert len(CASES) >= 150


def test_a_kind_that_nobody_knows_is_unsupported_and_the_next_line_is_answered() -> None:
    """The adapter never goes silent: one line in, one line out."""
    answers = ask(
        [
            json.dumps({"id": "a", "kind": "other", "expression": True}),
            "",
            json.dumps({"id": "b", "kind": "can_evaluate", "expression": True, "context": {}}),
        ]
    )
    assert [list(answer) for answer in answers] == [["id", "unsupported"], ["id", "result"]]
