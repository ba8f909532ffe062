"""`$throttle`: its fields, its place in the pipeline, and what it is compiled to."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Int64

from workers.errors import Invalid
from workers.pipeline import compile_processor
from workers.pipeline.program import Program, ThrottleSpec

SOURCE = {"$source": {"connectionName": "kafka", "topic": "in"}}
EMIT = {"$emit": {"connectionName": "kafka", "topic": "out"}}
CALL = {"$externalFunction": {"connectionName": "aws", "functionName": "f", "as": "x", "parallelism": 1}}


def program(*stages: dict[str, Any]) -> Program:
    return compile_processor([SOURCE, *stages, EMIT])


def problems(*stages: dict[str, Any]) -> list[str]:
    with pytest.raises(Invalid) as caught:
        program(*stages)
    return [f"{problem.path}: {problem.found}; {problem.expected}" for problem in caught.value.problems]


def test_it_cuts_the_pipeline_as_a_call_does() -> None:
    """Segments before and behind it; several may stand in a pipeline, each with its own limits."""
    found = program(
        {"$throttle": {"messagesPerSec": 5}},
        {"$set": {"a": 1}},
        CALL,
        {"$throttle": {"bytesPerSec": Int64(1_000), "messagesPerSec": 2}},
    )
    first, call, second = found.call_sites
    assert first == ThrottleSpec("pipeline[1].$throttle", 5, None)
    assert second == ThrottleSpec("pipeline[4].$throttle", 2, 1_000)
    assert found.calls == (call,)
    assert [segment.stages for segment in found.segments] == [(), ("$set",), (), ()]
    assert found.warnings == ()


FIELDS = "$throttle requires at least one of 'bytesPerSec' or 'messagesPerSec'"
WRONG: list[tuple[Any, str]] = [
    ({}, f"pipeline[1].$throttle: neither of its fields; {FIELDS}"),
    ({"messagesPerSec": 0}, "pipeline[1].$throttle.messagesPerSec: "),
    ({"messagesPerSec": -1}, "pipeline[1].$throttle.messagesPerSec: "),
    ({"messagesPerSec": 1.5}, "pipeline[1].$throttle.messagesPerSec: "),
    ({"bytesPerSec": "10"}, "pipeline[1].$throttle.bytesPerSec: "),
    ({"bytesPerSec": True}, "pipeline[1].$throttle.bytesPerSec: "),
    ({"bytesPerSec": None}, "pipeline[1].$throttle.bytesPerSec: "),
    ({"bytesPerSec": "$rate"}, "pipeline[1].$throttle.bytesPerSec: "),
    ({"messagePerSec": 1}, "pipeline[1].$throttle.messagePerSec: "),
    (7, "pipeline[1].$throttle: "),
]


@pytest.mark.parametrize(("spec", "problem"), WRONG, ids=str)
def test_what_is_wrong_is_refused_with_its_place(spec: Any, problem: str) -> None:
    """Positive whole numbers, at least one, no other fields."""
    assert problems({"$throttle": spec})[0].startswith(problem)


def test_it_stands_in_the_main_pipeline_alone() -> None:
    """Neither in a payload nor at the end."""
    payload = {"$externalFunction": {"connectionName": "aws", "functionName": "f",
                                     "payload": [{"$throttle": {"messagesPerSec": 1}}]}}  # fmt: skip
    assert problems(payload)[0].startswith(
        "pipeline[1].$externalFunction.payload[0].$throttle: $throttle cannot stand here"
    )
    with pytest.raises(Invalid) as caught:
        compile_processor([SOURCE, {"$throttle": {"messagesPerSec": 1}}])
    assert "$throttle as the last stage" in str(caught.value)
