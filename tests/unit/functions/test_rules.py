"""What a rule says of itself: refusals with their place, what it reads, what it asks for, its bounds."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from workers.functions.rules import FAILED, Ask, RuleFailed, RuleInvalid, compile_rule, evaluate
from workers.functions.rules.operands import MAX_DEPTH, MAX_FUNCTIONS, MAX_NODES
from workers.functions.rules.values import below, equal


def run(expression: Any, known: dict[str, Any], *answers: Any) -> tuple[bool, list[Ask]]:
    """Evaluate; returns the result and what was asked, answered in order."""
    evaluation = evaluate(compile_rule(expression), known)
    asked, given_answers = [], iter(answers)
    try:
        asked.append(next(evaluation))
        while True:
            asked.append(evaluation.send(next(given_answers)))
    except StopIteration as end:
        return end.value, asked


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (
            {"%or": [True, {"%%user.id": {"%foo": 1}}]},
            "%or[1].%%user.id.%foo: unknown operator; operators alone",
        ),
        ({"%%users.id": 1}, "%%users.id: unknown expansion %%users; one of %%user, %%request, %%args"),
        ({"%%root.x": 1}, "%%root.x: %%root stands for a document of a database, and a call has none"),
        ({"%gt": 1}, '%gt: an operator without a field; {"<field or expansion>": {"%gt": ...}}'),
        ({"a": {"%in": "x"}}, "a.%in: is no list; a list, or an expansion that is one"),
        ({"a": {"%gt": 1, "b": 2}}, "a.%gt: operators beside fields; "),
        ({"a": {"b": {"%gt": 1}}}, "a.b.%gt: an operator within a value"),
        ({"a": {"%stringToOid": "x"}}, "a.%stringToOid: cannot be converted; a string of 24 hexadecimal"),
        ({"a": {"%function": {"name": "f", "args": []}}}, 'a.%function: is no call of a function; {"name"'),
        ("yes", "is no expression; true, false or a document"),
        ({"a": {"$oid": "x"}}, "malformed Extended JSON at a: $oid needs"),
        ({"a": float("nan")}, "is no JSON"),
    ],
)
def test_a_refusal_names_the_place_and_what_would_be_right(expression: Any, text: str) -> None:
    """The path leads to the operator; no value of the expression is quoted at length."""
    with pytest.raises(RuleInvalid) as refused:
        compile_rule(expression)
    assert str(refused.value).startswith(text), str(refused.value)


def test_a_rule_knows_what_it_reads() -> None:
    """So that nothing else is made ready for a call, and names can be checked at start."""
    rule = compile_rule(
        {
            "%%user.id": {"%in": "%%values.admins"},
            "kind": {"%function": {"name": "kinds", "arguments": ["%%values.limit.max"]}},
        }
    )
    assert rule.roots == {"user", "values", "args"}
    assert rule.values == {"admins", "limit"}
    assert rule.function_names == {"kinds"}
    assert compile_rule({}).is_always_true
    assert compile_rule(True).is_always_true
    assert not compile_rule({"%%true": True}).is_always_true


def test_functions_are_asked_inner_ones_first_and_each_once() -> None:
    """Depth first; arguments hold what the inner ones answered, with their types."""
    expression = {
        "%%true": {
            "%function": {
                "name": "outer",
                "arguments": [
                    {"%function": {"name": "inner"}},
                    "%%args.id",
                    "%%user.absent",
                    {"x": "%%user"},
                ],
            }
        },
        "%or": [True, {"%function": {"name": "last"}}],
    }
    holds, asked = run(expression, {"args": {"id": ObjectId("0" * 24)}}, 7, True, False)
    assert holds
    assert asked == [Ask("inner", []), Ask("outer", [7, ObjectId("0" * 24), None, {}]), Ask("last", [])]


def test_what_needs_a_function_that_has_thrown_is_not_called() -> None:
    """And the expression is false."""
    inner = {"%function": {"name": "inner"}}
    holds, asked = run({"%function": {"name": "outer", "arguments": [inner]}}, {}, FAILED)
    assert (holds, asked) == (False, [Ask("inner", [])])


def test_a_failure_names_the_place_and_not_the_value() -> None:
    """It goes to a log."""
    for expression in ({"a": {"%stringToOid": "%%user.id"}}, {"a": {"%in": "%%user.id"}}):
        with pytest.raises(RuleFailed) as failed:
            run(expression, {"user": {"id": "s3cret"}})
        assert "s3cret" not in str(failed.value)
        assert str(failed.value).startswith("a.%")


def test_expressions_have_bounds() -> None:
    """Depth, size, text and calls of functions: at the bound accepted, beyond refused."""
    deep: Any = True
    for _ in range(MAX_DEPTH - 1):
        deep = {"%not": deep} if _ % 2 else {"%and": [deep]}
    for expression in (
        {"%and": [{"%function": {"name": "f"}}] * (MAX_FUNCTIONS + 1)},
        {"a": {"%in": [0] * MAX_NODES}},
        {"a": "x" * 70_000},
        {"%and": [{"%and": [{"%and": [deep]}]}]},
        {".".join(["a"] * 65): 1},
    ):
        with pytest.raises(RuleInvalid):
            compile_rule(expression)
    compile_rule({"%and": [{"%function": {"name": "f"}}] * MAX_FUNCTIONS})
    compile_rule({"a": {"%in": [0] * (MAX_NODES - 10)}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(left=JSON, right=JSON)
def test_order_and_equality_agree(left: Any, right: Any) -> None:
    """Equality is symmetric and holds for a value with itself; below is strict and never both ways."""
    assert equal(left, left)
    assert equal(left, right) == equal(right, left)
    assert not (below(left, right) and (below(right, left) or equal(left, right)))


KEYS = st.sampled_from(
    "%and %or %not %nor %in %nin %eq %gt %exists %function %stringToOid %%true %%false %%user %%user.a "
    "%%args.0 a name arguments".split()
)
EXPRESSIONS = st.recursive(
    st.booleans() | st.none() | st.integers(-1, 1) | KEYS | st.just("5cbf68583025b12840664682"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(expression=EXPRESSIONS)
def test_whatever_stands_in_a_manifest_is_a_rule_or_refused(expression: Any) -> None:
    """No other error, when it is read and when it is evaluated."""
    try:
        rule = compile_rule(expression)
    except RuleInvalid:
        return
    answers = itertools.cycle((True, FAILED, expression))
    evaluation = evaluate(rule, {"user": expression, "args": [expression]})
    asked = 0
    with contextlib.suppress(StopIteration, RuleFailed):
        next(evaluation)
        while asked <= MAX_FUNCTIONS:
            asked += 1
            evaluation.send(next(answers))
    assert asked <= MAX_FUNCTIONS
