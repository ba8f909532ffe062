"""Laws of sets over values of every type, and of regular expressions over all kinds of characters."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.property.pipeline.strategies import values
from workers.pipeline import compile_expression
from workers.pipeline.values import compare, sort_key

arrays = st.lists(values, max_size=6)

UNION = compile_expression({"$setUnion": ["$a", "$b"]})
INTERSECTION = compile_expression({"$setIntersection": ["$a", "$b"]})
DIFFERENCE = compile_expression({"$setDifference": ["$a", "$b"]})
EQUALS = compile_expression({"$setEquals": ["$a", "$b"]})
SUBSET = compile_expression({"$setIsSubset": ["$a", "$b"]})
FIND_ALL = compile_expression({"$regexFindAll": {"input": "$t", "regex": "$p"}})
FIND = compile_expression({"$regexFind": {"input": "$t", "regex": "$p"}})
MATCH = compile_expression({"$regexMatch": {"input": "$t", "regex": "$p"}})


def keys(array: list[Any]) -> set[Any]:
    return {sort_key(value) for value in array}


@given(arrays, arrays)
def test_sets_are_made_of_keys(a: list[Any], b: list[Any]) -> None:
    """Union, intersection and difference hold what the sets of keys hold, each element once."""
    document = {"a": a, "b": b}
    for operator, expected in (
        (UNION, keys(a) | keys(b)),
        (INTERSECTION, keys(a) & keys(b)),
        (DIFFERENCE, keys(a) - keys(b)),
    ):
        found = operator(document)
        assert keys(found) == expected
        assert len(found) == len(expected)


@given(arrays, arrays)
def test_made_sets_are_in_order(a: list[Any], b: list[Any]) -> None:
    """BSON's, strictly rising; the difference keeps the order of the first array."""
    for operator in (UNION, INTERSECTION):
        found = operator({"a": a, "b": b})
        assert all(compare(low, high) < 0 for low, high in pairwise(found))
    places = [
        next(i for i, value in enumerate(a) if compare(value, kept) == 0)
        for kept in DIFFERENCE({"a": a, "b": b})
    ]
    assert places == sorted(places)


@given(arrays, arrays)
def test_equality_and_subset_agree_with_the_operations(a: list[Any], b: list[Any]) -> None:
    """A is within B when nothing is left of it without B; equal are two that are within each other."""
    document = {"a": a, "b": b}
    assert SUBSET(document) is (DIFFERENCE(document) == [])
    assert EQUALS(document) is (SUBSET(document) and SUBSET({"a": b, "b": a}))
    assert EQUALS({"a": UNION(document), "b": UNION({"a": b, "b": a})}) is True


text = st.text(st.sampled_from("ab1 \n\u00e9\u65e5\U0001f642\u0301"), max_size=12)
patterns = st.lists(
    st.sampled_from(
        ["a", "b", "[ab]", "\\d", "\\w", ".", "\u65e5", "\U0001f642", "(a)", "(b)?", "a*", "\\s+", "^", "$"]
    ),
    max_size=4,
).map("".join)


@given(text, patterns)
def test_offsets_count_code_points(subject: str, pattern: str) -> None:
    """Every match stands where it says, in order, without overlap; captures are parts of the text or null."""
    end = 0
    for found in FIND_ALL({"t": subject, "p": pattern}):
        start = found["idx"]
        assert subject[start : start + len(found["match"])] == found["match"]
        assert start >= end
        end = start + max(len(found["match"]), 1)
        assert all(capture is None or capture in found["match"] for capture in found["captures"])


@given(text, patterns)
def test_the_three_operators_agree(subject: str, pattern: str) -> None:
    """The first of all matches is the first, and there is a match where there is one."""
    document = {"t": subject, "p": pattern}
    every, first = FIND_ALL(document), FIND(document)
    assert MATCH(document) is (first is not None)
    assert (every[0] if every else None) == first
