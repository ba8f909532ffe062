"""What of a function's own error a dead letter gets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workers.adapters.error_file import shipped_errors
from workers.calls.contract import MAX_REASON_CHARACTERS, MAX_STACK_LINES, CallFailure, judge
from workers.ports import InvokeAnswer


def failure(body: Any) -> CallFailure:
    """The verdict on an answer with `X-Amz-Function-Error`."""
    verdict = judge(
        InvokeAnswer(200, json.dumps(body).encode(), function_error="Unhandled"), "sync", shipped_errors()
    )
    assert isinstance(verdict, CallFailure)
    return verdict


@pytest.mark.parametrize(
    ("body", "stack"),
    [
        ({"errorType": "E", "trace": ["E: m", "at f (f.js:1)"]}, ("E: m", "at f (f.js:1)")),
        ({"errorType": "E", "stackTrace": ["  File f.py\n"]}, ("  File f.py",)),
        ({"errorType": "E", "stackTrace": [["f.py", 3, "f", "x"]]}, ("['f.py', 3, 'f', 'x']",)),
        ({"errorType": "E", "trace": []}, ()),
        ({"errorType": "E", "trace": "text"}, ()),
        ({"errorType": "E"}, ()),
        ("no document", ()),
    ],
)  # fmt: skip
def test_the_stack_comes_from_where_a_runtime_puts_it(body: Any, stack: tuple[str, ...]) -> None:
    """`trace` or `stackTrace`; anything else than a list is none."""
    assert failure(body).stack == stack


def test_a_stack_is_bounded() -> None:
    """The top of it stays, and of each line what a reason may have."""
    many = failure({"trace": [f"line {n}" for n in range(100)]}).stack
    assert (len(many), many[0]) == (MAX_STACK_LINES, "line 0")
    assert [len(line) for line in failure({"trace": ["x" * 5_000]}).stack] == [MAX_REASON_CHARACTERS]
