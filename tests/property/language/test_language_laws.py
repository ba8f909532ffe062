"""Laws of the compiled language over all BSON types, and that nothing but the known errors comes out."""

from __future__ import annotations

import itertools
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.language import judging, strategies
from topics.codecs import json
from workers.pipeline import compile_expression
from workers.pipeline.match import compile_match

KNOWN: Final = judging.known_operators()
OPERATORS: Final = ("$cmp", "$eq", "$ne", "$lt", "$lte", "$gt", "$gte")
COMPARISONS: Final = {name: compile_expression({name: ["$left", "$right"]}) for name in OPERATORS}
# The fuzz program runs these for minutes; here they are only seen to hold.
CASES: Final = min(settings().max_examples, 80)
ANY: Final = strategies.VALUES
# Values that differ and values that are equal in other clothes must both be common.
FEW: Final[st.SearchStrategy[Any]] = st.one_of(
    ANY, st.sampled_from([0, 0.0, -0.0, 1, 1.0, [], {}, None, float("nan")])
)


def compared(name: str, left: Any, right: Any) -> Any:
    """What a comparison operator says of two values."""
    return COMPARISONS[name]({"left": left, "right": right})


@given(left=FEW, right=FEW)
def test_the_order_is_total_and_antisymmetric(left: Any, right: Any) -> None:
    """`$cmp` knows any two values, and turns its sign when they change places."""
    order = compared("$cmp", left, right)
    assert order in (-1, 0, 1)
    assert compared("$cmp", right, left) == -order


@given(value=ANY)
def test_every_value_equals_itself(value: Any) -> None:
    """NaN too, and values within arrays and documents."""
    assert compared("$cmp", value, value) == 0
    assert compared("$eq", value, value) is True


@given(values=st.lists(FEW, min_size=3, max_size=3))
def test_the_order_is_transitive(values: list[Any]) -> None:
    """In whatever order three values are taken."""
    for one, two, three in itertools.permutations(values):
        if compared("$cmp", one, two) <= 0 and compared("$cmp", two, three) <= 0:
            assert compared("$cmp", one, three) <= 0


@given(left=FEW, right=FEW)
def test_every_comparison_follows_the_order(left: Any, right: Any) -> None:
    """`$eq` and the others say what `$cmp` says."""
    order = compared("$cmp", left, right)
    said = [compared(name, left, right) for name in OPERATORS[1:]]
    assert said == [order == 0, order != 0, order < 0, order <= 0, order > 0, order >= 0]


@given(left=FEW, right=FEW)
def test_a_query_for_a_value_is_its_equality(left: Any, right: Any) -> None:
    """Outside of arrays, nulls and regular expressions `{field: value}` is `$eq`."""
    if isinstance(left, list) or right is None:
        assert compile_match({"x": {"$eq": left}}, "").test({"x": left})
    else:
        assert compile_match({"x": {"$eq": right}}, "").test({"x": left}) == compared("$eq", left, right)


@given(doc=strategies.documents())
def test_a_document_survives_extended_json(doc: dict[str, Any]) -> None:
    """Canonical text gives back every value and kind, relaxed text every value."""
    assert judging.same(json.decode(json.encode_canonical(doc)), doc)
    again = json.decode(json.encode(doc))
    assert json.encode(again) == json.encode(doc)


@settings(max_examples=CASES)
@given(expression=strategies.arbitrary(KNOWN), doc=strategies.documents())
def test_no_expression_raises_anything_unknown(expression: Any, doc: dict[str, Any]) -> None:
    """Invalid at start or Poison for a document: any other error comes out of here and fails the test."""
    outcome = judging.expression_outcome(expression, doc)
    assert isinstance(outcome, judging.Failed) or judging.kind(outcome)


@settings(max_examples=CASES)
@given(
    spec=strategies.arbitrary(KNOWN), name=st.sampled_from(judging.known_stages()), doc=strategies.documents()
)
def test_no_stage_raises_anything_unknown(spec: Any, name: str, doc: dict[str, Any]) -> None:
    """The same of stages whose specification is any JSON."""
    assert isinstance(judging.stage_outcome({name: spec}, doc), list | judging.Failed)


@settings(max_examples=CASES)
@given(query=strategies.arbitrary([*KNOWN, *strategies.QUERY_OPERATORS]), doc=strategies.documents())
def test_no_query_raises_anything_unknown(query: Any, doc: dict[str, Any]) -> None:
    """The same of queries."""
    assert isinstance(judging.query_outcome(query, doc), bool | judging.Failed)
