"""The compiled language and the plain reference give the same answer, or both fail."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.language import judging, strategies
from tests.property.language.signatures import FORMS

KNOWN: Final = judging.known_operators()
STAGES: Final = judging.known_stages()
# Seven families of 80 calls take 4 s: with 200 the file would take longer than its 15 s.
CALLS: Final = 80
FAMILIES: Final = {
    "numbers": ("num",),
    "texts": ("str",),
    "arrays": ("arr",),
    "documents": ("obj",),
    "truth": ("bool",),
    "dates": ("date",),
    "anything": ("any",),
}


def expect_agreement(kind: str, spec: Any, doc: dict[str, Any]) -> None:
    """Fail with both answers where the two sides part."""
    found = judging.disagreement(kind, spec, doc)
    assert found is None, f"\n  {kind} {spec!r}\n  document {doc!r}\n  {found}"


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=min(settings().max_examples, CALLS))
@given(data=st.data())
def test_a_call_gives_what_the_reference_gives(family: str, data: st.DataObject) -> None:
    """One operator of the family over fields and constants: value, kind of number, missing or failure."""
    forms = [form for form in FORMS if form.name in KNOWN and form.result in FAMILIES[family]]
    if not forms:
        assert family != "anything"
        return
    call = data.draw(strategies.calls(data.draw(st.sampled_from(forms)), KNOWN, 0))
    expect_agreement("expression", call, data.draw(strategies.documents()))


@given(expression=strategies.expressions(KNOWN), doc=strategies.documents())
def test_an_expression_gives_what_the_reference_gives(expression: Any, doc: dict[str, Any]) -> None:
    """Expressions of several levels."""
    expect_agreement("expression", expression, doc)


@given(expression=strategies.arbitrary(KNOWN), doc=strategies.documents())
def test_what_is_no_expression_is_refused_by_both(expression: Any, doc: dict[str, Any]) -> None:
    """Any JSON in the place of an expression; an error that needs no data comes at start."""
    expect_agreement("expression", expression, doc)


@given(query=strategies.queries(KNOWN), doc=strategies.documents())
def test_a_query_matches_what_the_reference_matches(query: dict[str, Any], doc: dict[str, Any]) -> None:
    """Queries with paths through arrays, nulls, logical operators and `$expr`."""
    expect_agreement("query", query, doc)


@given(stage=strategies.stages(KNOWN, STAGES), doc=strategies.documents())
def test_a_stage_makes_what_the_reference_makes(stage: dict[str, Any], doc: dict[str, Any]) -> None:
    """Stages over one document; the document that came in is not changed."""
    expect_agreement("stage", stage, doc)
