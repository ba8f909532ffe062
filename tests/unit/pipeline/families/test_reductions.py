"""`$reduce` stays within a document's size, whatever it puts into itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.steps import steps_of
from workers.errors import Poison
from workers.pipeline import compile_expression

NESTED: list[Any] = [
    ["$$value", "$$value"],
    {"left": "$$value", "right": "$$value"},
    {"$map": {"input": [1, 2, 3], "in": "$$value"}},
    {"$let": {"vars": {"v": "$$value"}, "in": ["$$v", "$$v"]}},
    {"$cond": ["$$this", ["$$value", "$$value"], None]},
    {"$zip": {"inputs": [["$$value"], ["$$value"]]}},
    {"$concatArrays": [["$$value"], ["$$value"]]},
    {"$setField": {"field": "a", "input": {"b": "$$value"}, "value": "$$value"}},
    {"$objectToArray": {"a": "$$value", "b": "$$value"}},
    {"$ifNull": ["$nope", {"$mergeObjects": [{"a": "$$value"}, {"b": "$$value"}]}]},
    {"a": {"$cond": ["$$this", "$$value", 1]}, "b": {"$max": ["$$value", None]}},
    {"a": {"$concatArrays": [["$$value"], ["$$value"]]}},
]


@pytest.mark.parametrize("body", NESTED, ids=str)
def test_a_value_within_itself_twice_is_refused_before_it_is_too_large(body: Any) -> None:
    """64 elements would make 2**64 of them; the refusal names the limit, and comes after a few steps for
    each: 500 to 1,300 in all."""
    evaluate = compile_expression({"$reduce": {"input": "$a", "initialValue": "start", "in": body}}, "p")

    def reduce() -> None:
        with pytest.raises(Poison, match="the limit is 16777216") as caught:
            evaluate({"a": list(range(1, 65))})
        assert caught.value.at.startswith("p.$reduce")

    assert steps_of(reduce) < 10_000


@pytest.mark.parametrize(
    "body", [{"$concat": ["$$value", "$$value"]}, {"$concatArrays": ["$$value", "$$value"]}], ids=str
)
def test_texts_and_arrays_that_double_are_refused(body: Any) -> None:
    """Flat ones are measured by their length."""
    initial = "x" if "$concat" in body else [1]
    spec = {"$reduce": {"input": "$a", "initialValue": initial, "in": body}}
    with pytest.raises(Poison, match="the limit is 16777216"):
        compile_expression(spec, "p")({"a": list(range(64))})


def test_what_grows_as_documents_do_is_left_alone() -> None:
    """Sums beside each other, a list of all elements, a chain of 90 documents."""
    many = list(range(500))
    sums = {"sum": {"$add": ["$$value.sum", "$$this"]}, "all": {"$concatArrays": ["$$value.all", ["$$this"]]}}
    spec = {"$reduce": {"input": "$a", "initialValue": {"sum": 0, "all": []}, "in": sums}}
    assert compile_expression(spec)({"a": many}) == {"sum": sum(many), "all": many}
    chain = {"$reduce": {"input": "$a", "initialValue": None, "in": {"next": "$$value"}}}
    found, depth = compile_expression(chain)({"a": many[:90]}), 0
    while found is not None:
        found, depth = found["next"], depth + 1
    assert depth == 90
