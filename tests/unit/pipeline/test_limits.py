"""How far programs go: length, depth, many fields, values too deep to walk."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.steps import steps_of
from workers.errors import Invalid
from workers.model import Refused
from workers.pipeline import compile_expression, compile_stages


def pairs(count: int) -> list[dict[str, Any]]:
    """So many times two stages."""
    stages: list[dict[str, Any]] = []
    for number in range(count):
        stages.append({"$match": {"a": {"$gte": number - 200}}})
        stages.append({"$addFields": {f"f{number}": {"$add": ["$a", number]}}})
    return stages


def test_two_hundred_stages_compile_in_one_call() -> None:
    """One function, no recursion from stage to stage, and no more work for a stage than among fifty."""
    compile_stages(pairs(1))  # what is done once for a process
    few = steps_of(lambda: compile_stages(pairs(25)))
    assert steps_of(lambda: compile_stages(pairs(100))) < 5 * few
    (segment,) = compile_stages(pairs(100)).segments
    assert segment.run([{"a": 1}], None) == [{"a": 1, **{f"f{n}": n + 1 for n in range(100)}}]


def test_more_stages_than_the_limit_are_refused() -> None:
    """The limit is a thousand."""
    with pytest.raises(Invalid, match="1001 stages; at most 1000"):
        compile_stages([{"$unset": "a"}] * 1001)


def nested(expression: Any, depth: int, wrap: Any) -> Any:
    """The expression within `depth` others."""
    for _ in range(depth):
        expression = wrap(expression)
    return expression


WRAPS: dict[str, tuple[Any, int]] = {
    "$add": (lambda inner: {"$add": [inner, 1]}, 95),
    "$abs": (lambda inner: {"$abs": inner}, 120),
    "$cond": (lambda inner: {"$cond": ["$yes", {"$add": [inner, 1]}, 0]}, 45),
    "$cond condition": (lambda inner: {"$cond": [inner, 1, 0]}, 95),
    "$map": (lambda inner: {"$size": {"$map": {"input": [1], "in": inner}}}, 60),
    "$reduce": (lambda inner: {"$reduce": {"input": ["$x"], "initialValue": 0, "in": inner}}, 90),
    "$let": (lambda inner: {"$let": {"vars": {"v": inner}, "in": {"$add": ["$$v", "$x"]}}}, 60),
    "$and": (lambda inner: {"$and": ["$yes", inner]}, 95),
    "$switch": (lambda inner: {"$switch": {"branches": [{"case": "$yes", "then": inner}]}}, 45),
    "object": (lambda inner: {"$getField": {"field": "f", "input": {"f": inner}}}, 60),
    "$filter": (lambda inner: {"$size": {"$filter": {"input": ["$x"], "cond": inner}}}, 60),
}


@pytest.mark.parametrize("name", WRAPS)
def test_deep_expressions_compile_and_run(name: str) -> None:
    """Deeper than Python nests loops, blocks or parentheses, up to the limit of documents."""
    wrap, depth = WRAPS[name]
    evaluate = compile_expression(nested({"$add": ["$x", 1]}, depth, wrap))
    assert evaluate({"x": 1, "yes": True}) is not None


def test_an_expression_deeper_than_a_document_is_refused() -> None:
    """200 levels with the stage around them, as the server."""
    compile_expression(nested("$x", 198, lambda inner: {"f": inner}))
    with pytest.raises(Invalid, match="nested too deep; at most 199 levels"):
        compile_expression(nested("$x", 199, lambda inner: {"f": inner}))


def test_more_operators_than_the_stack_holds_are_refused() -> None:
    """A problem with a place, at whichever step the stack ends; never a RecursionError."""
    found: set[str] = set()
    for depth in range(100, 199, 7):
        for name in ("$abs", "$not"):
            try:
                compile_expression(nested("$x", depth, lambda inner, name=name: {name: inner}), "p")
            except Invalid as error:
                found |= {problem.found for problem in error.problems}
    assert found == {"an expression nested too deep"}


def test_a_value_too_deep_to_walk_is_refused_not_fatal() -> None:
    """A pipeline can nest what it computes; the stack is Python's."""
    deepen = {"$reduce": {"input": "$n", "initialValue": 0, "in": {"v": "$$value"}}}
    (segment,) = compile_stages(
        [{"$set": {"a": deepen}}, {"$set": {"same": {"$eq": ["$a", deepen]}}}]
    ).segments
    fine: Any
    fine, deep = segment.run([{"n": [1] * 10}, {"n": [1] * 5000}], None)
    assert fine["same"] is True
    assert isinstance(deep, Refused)
    assert (deep.reason, deep.path) == ("a value is nested too deep", "pipeline[1].$set.same.$eq")


def test_a_thousand_fields_and_arguments_compile() -> None:
    """Width has no limit of its own."""
    (segment,) = compile_stages(
        [{"$project": {f"f{n}": {"$add": ["$a"] * 20} for n in range(1000)}}]
    ).segments
    assert segment.run([{"a": 1}], None) == [{f"f{n}": 20 for n in range(1000)}]
    assert compile_expression({"$ifNull": ["$a"] * 300 + [7]})({}) == 7
    assert compile_expression({"$and": [{"$gt": [f"$a{n}", 0]} for n in range(300)]})(
        {f"a{n}": 1 for n in range(300)}
    )
