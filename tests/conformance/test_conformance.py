"""The language as people outside see it: cases of our own through the adapter's process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def ask(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The adapter's answers, from one process of it."""
    done = subprocess.run(
        [sys.executable, str(HERE / "adapter.py")],
        input="".join(json.dumps(case) + "\n" for case in cases),
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def wanted(case: dict[str, Any]) -> dict[str, Any]:
    """What a case expects, in the shape of an answer; of an error only that there is one."""
    for key in ("error", "unsupported", "missing"):
        if case.get(key):
            return {key: True}
    return {"result": case["expect"]}


def shape(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without its words."""
    return {key: True if key != "result" else value for key, value in answer.items()}


@pytest.mark.parametrize("kind", ["expression", "match", "stages"])
def test_the_language_answers_as_it_should(kind: str) -> None:
    """Every case of the kind: the value, a refusal, or the name of what is not there."""
    lines = (HERE / "cases" / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()
    cases = [{"kind": kind, **json.loads(line)} for line in lines]
    answers = ask(cases)
    assert len(answers) == len(cases)
    wrong = {
        case["id"]: answer
        for case, answer in zip(cases, answers, strict=True)
        if shape(answer) != wanted(case)
    }
    assert wrong == {}


def test_a_fault_of_our_own_is_never_a_correct_refusal() -> None:
    """A case that nobody can answer is `unsupported`, and the next case is answered all the same."""
    broken, whole = ask(
        [{"id": "1", "kind": "match"}, {"id": "2", "kind": "match", "query": {"a": 1}, "doc": {"a": 1}}]
    )
    assert set(broken) == {"unsupported"}
    assert whole == {"result": True}
