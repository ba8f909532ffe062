"""Operators that the reference evaluator does not know: whatever they are given, a value or a refusal."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from bson import Binary, Regex
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.property.pipeline.strategies import values
from workers.errors import Poison
from workers.pipeline import compile_expression
from workers.pipeline.values import MISSING, sort_key

CALLS: dict[str, Any] = {
    "$toObject": "$a",
    "$toArray": "$a",
    "$subtype": "$a",
    "$hash": {"input": "$a", "algorithm": "$b"},
    "$hexHash": {"input": "$a", "algorithm": "xxh64"},
    "$similarityCosine": ["$a", "$b"],
    "$similarityDotProduct": {"vectors": ["$a", "$b"], "score": True},
    "$similarityEuclidean": ["$a", "$b"],
    "$serializeEJSON": {"input": "$a", "relaxed": "$b"},
    "$deserializeEJSON": {"input": "$a"},
    "$split": ["$a", "$b"],
    "$replaceAll": {"input": "$a", "find": "$b", "replacement": "$a"},
    "$reduce": {"input": "$a", "initialValue": "$b", "in": ["$$value", "$$IDX", {"x": "$$value"}]},
    "$filter": {"input": "$a", "cond": "$$IDX", "limit": "$b"},
}
numbers = st.floats() | st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
json_values = st.recursive(
    st.none() | st.booleans() | numbers.filter(math.isfinite) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
likely = (
    values
    | st.lists(numbers, max_size=4)
    | st.binary(max_size=40).map(lambda data: Binary(data, 9))
    | st.sampled_from(
        [Regex("a*"), Regex("(b)|c", "i"), Regex("["), "md5", "sha256", True, "[1,{}]", '{"a":[]}']
    )
    | json_values.map(json.dumps)
    | st.sampled_from([{"$oid": "x"}, {"$numberInt": "1"}, {"$date": {"$numberLong": "9" * 30}}, {"$x": 1}])
)


def outcome(expression: Any, document: dict[str, Any]) -> Any:
    """A key of the value, or the place and reason of the refusal."""
    try:
        value = compile_expression(expression)(document)
    except Poison as error:
        return "refused", error.at, error.reason
    return "missing" if value is MISSING else sort_key(value)


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=60)
@given(first=likely, second=likely)
def test_a_value_or_a_refusal_and_nothing_else(name: str, first: Any, second: Any) -> None:
    """No fault of ours, no change of the document, the same twice."""
    document = {"a": first, "b": second}
    before = sort_key(document)
    found = outcome({name: CALLS[name]}, document)
    assert "internal error" not in str(found)
    assert found[0] != "refused" or found[1], "a refusal without its place"
    assert outcome({name: CALLS[name]}, document) == found
    assert sort_key(document) == before


@given(value=st.dictionaries(texts, json_values, max_size=4))
def test_json_text_becomes_what_it_says(value: dict[str, Any]) -> None:
    """As Python's own reader has it, where numbers stay within 64 bits."""
    assert compile_expression({"$toObject": "$a"})({"a": json.dumps(value)}) == value


@given(value=values)
def test_extended_json_leads_back(value: Any) -> None:
    """Canonical Extended JSON loses nothing of a value that it can write."""
    there = {"$serializeEJSON": {"input": "$a", "onError": "cannot"}}
    assume(outcome(there, {"a": value}) != sort_key("cannot"))
    assert outcome({"$deserializeEJSON": {"input": there}}, {"a": value}) == outcome("$a", {"a": value})
