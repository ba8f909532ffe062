"""Laws of values, and what no pipeline may do whatever it is made of."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.pipeline.strategies import documents, expressions, stages, values
from workers.errors import Invalid, Poison, Problem
from workers.model import DROPPED, Refused
from workers.pipeline import compile_expression, compile_stages
from workers.pipeline.values import MISSING, compare, equal, sort_key


@given(left=values, right=values)
def test_the_order_is_the_same_from_both_sides(left: Any, right: Any) -> None:
    """Below from here is above from there; equality, keys and hashes agree with it."""
    order = compare(left, right)
    assert compare(right, left) == -order
    assert equal(left, right) == (order == 0)
    one, two = sort_key(left), sort_key(right)
    assert (one > two) - (one < two) == order
    if order == 0:
        assert hash(one) == hash(two)


@given(items=st.lists(values, min_size=3, max_size=3))
def test_the_order_is_transitive(items: list[Any]) -> None:
    """What is at or below something at or below a third is at or below the third."""
    low, middle, high = sorted(items, key=sort_key)
    assert compare(low, middle) <= 0
    assert compare(middle, high) <= 0
    assert compare(low, high) <= 0


def outcome(expression: Any, document: dict[str, Any]) -> Any:
    """A key of the value, or the reason of the error, or what was wrong at start."""
    try:
        value = compile_expression(expression)(document)
    except Invalid as error:
        return "invalid", error.problems[0].found
    except Poison as error:
        return "poison", error.reason, bool(error.at)
    return MISSING if value is MISSING else sort_key(value)


@settings(max_examples=300)
@given(expression=expressions, document=documents)
def test_an_expression_raises_poison_or_nothing(expression: Any, document: dict[str, Any]) -> None:
    """No fault of ours in any generated program, no change to the document, the same value twice."""
    before = copy.deepcopy(document)
    first = outcome(expression, document)
    assert "internal error" not in str(first)
    assert first is MISSING or first[0] != "poison" or first[2], "an error without its place"
    assert sort_key(document) == sort_key(before)
    assert outcome(expression, document) == first


@settings(max_examples=200)
@given(expression=expressions, document=documents)
def test_folding_constants_changes_no_value(expression: Any, document: dict[str, Any]) -> None:
    """With every constant hidden in a field the value is the same; errors may come later, not otherwise."""
    hidden: dict[str, Any] = {}
    disguised = _hide(expression, hidden)
    plain = outcome(expression, document)
    if isinstance(plain, tuple) and plain[0] in ("invalid", "poison"):
        return
    if "$$ROOT" not in str(expression):
        assert outcome(disguised, {**document, "hidden": hidden}) == plain


def _hide(expression: Any, hidden: dict[str, Any]) -> Any:
    """Numbers and texts that stand as arguments in lists become fields of `hidden`."""
    if isinstance(expression, dict):
        if "$literal" in expression:
            return expression
        return {name: _hide(inner, hidden) for name, inner in expression.items()}
    if not isinstance(expression, list):
        return expression
    items = []
    for item in expression:
        if isinstance(item, int | float) or (isinstance(item, str) and not item.startswith("$")):
            name = f"h{len(hidden)}"
            hidden[name] = item
            items.append(f"$hidden.{name}")
        else:
            items.append(_hide(item, hidden))
    return items


@settings(max_examples=300)
@given(pipeline=st.lists(stages, max_size=4), batch=st.lists(documents, max_size=3))
def test_a_segment_answers_each_document_and_changes_none(
    pipeline: list[dict[str, Any]], batch: list[dict[str, Any]]
) -> None:
    """A document, DROPPED or Refused for each, in order, whatever the others are."""
    with suppress(Invalid):
        (segment,) = compile_stages(pipeline).segments
        before = copy.deepcopy(batch)
        found = segment.run(batch, None)
        assert len(found) == len(batch)
        assert sort_key(batch) == sort_key(before)
        for document, answer in zip(batch, found, strict=True):
            assert answer is DROPPED or isinstance(answer, dict | Refused)
            alone = segment.run([document], None)[0]
            if isinstance(answer, dict):
                assert isinstance(alone, dict)
                assert sort_key(alone) == sort_key(answer)
            elif isinstance(answer, Refused):
                assert "internal error" not in answer.reason
                assert answer.path.startswith("pipeline[")


@settings(max_examples=200)
@given(pipeline=st.lists(stages, min_size=2, max_size=4), document=documents)
def test_stages_together_make_what_they_make_one_by_one(
    pipeline: list[dict[str, Any]], document: dict[str, Any]
) -> None:
    """Reading a field once, or changing a copy in place, is never seen."""
    with suppress(Invalid):
        (whole,) = compile_stages(pipeline).segments
        together = whole.run([document], None)[0]
        current: Any = document
        for stage in pipeline:
            (segment,) = compile_stages([stage]).segments
            current = segment.run([current], None)[0]
            if not isinstance(current, dict):
                break
        if isinstance(together, dict):
            assert isinstance(current, dict)
            assert sort_key(together) == sort_key(current)
        elif isinstance(together, Refused):
            assert isinstance(current, Refused)
            assert together.reason == current.reason
            assert sort_key(together.doc) == sort_key(current.doc)
        else:
            assert together is current


NAMES_OF_STAGES = (
    "$addFields",
    "$project",
    "$unset",
    "$replaceRoot",
    "$match",
    "$externalFunction",
    "$source",
    "$emit",
)
WORDS = ("$add", "$cond", "$map", "$let", "$switch", "input", "in", "vars", "a", "$x")
nonsense = st.recursive(
    st.one_of(values, st.sampled_from(["$", "$$x", "$a.", "$$NOW"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=2),
    max_leaves=8,
)


@settings(max_examples=200)
@given(spec=nonsense)
def test_nonsense_is_refused_not_crashed_on(spec: Any) -> None:
    """Whatever stands where an expression or a stage may stand: a function, or problems with a place."""
    stages_of_it: list[Any] = [[{name: spec}] for name in NAMES_OF_STAGES]
    for problem in attempt(compile_expression, spec):
        assert problem.path
        assert problem.found
    for pipeline in (spec, *stages_of_it):
        for problem in attempt(compile_stages, pipeline):
            assert problem.path
            assert problem.found


def attempt(compile_it: Callable[[Any], Any], argument: Any) -> tuple[Problem, ...]:
    """What is wrong with it; nothing when it compiles."""
    try:
        compile_it(argument)
    except Invalid as error:
        return error.problems
    return ()
