"""YAML as an app folder is written in: 1.2, core schema, nothing that surprises."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.appfolder.limits import BadText
from workers.appfolder.yaml_text import parse_yaml


def refused(text: str) -> BadText:
    with pytest.raises(BadText) as caught:
        parse_yaml(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[NO, no, yes, on, off, Y]", ["NO", "no", "yes", "on", "off", "Y"]),
        ("[true, True, FALSE]", [True, True, False]),
        ("[null, ~, '', Null]", [None, None, "", None]),
        ("[12, -3, +4, 012, 0o17, 0xFF]", [12, -3, 4, 12, 15, 255]),
        ("[1.5, .5, 1., -1e3, 1E-2]", [1.5, 0.5, 1.0, -1000.0, 0.01]),
        ("[1_000, 1:30, 2024-01-01, 12:30:45, 0b1]", ["1_000", "1:30", "2024-01-01", "12:30:45", "0b1"]),
        ("['5', \"true\", !!str 5, !!float 5]", ["5", "true", "5", 5.0]),
        ('{"a":1, b: "$x"}', {"a": 1, "b": "$x"}),
        ("$match: {$expr: {$eq: [$a, 1]}}", {"$match": {"$expr": {"$eq": ["$a", 1]}}}),
        ("1: a\nnull: b\ntrue: c", {"1": "a", "null": "b", "true": "c"}),
        ("a: |\n  line\n  two\n", {"a": "line\ntwo\n"}),
        ("%YAML 1.1\n---\na: no", {"a": "no"}),
        ("# nothing but a comment", None),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: Any) -> None:
    """What YAML 1.1 makes booleans, dates and base-60 numbers of stays text; keys are texts as written."""
    assert parse_yaml(text) == value


def test_numbers_that_are_none_and_endless_are_doubles() -> None:
    """.inf, -.inf and .nan as the core schema spells them."""
    endless, negative, nan = parse_yaml("[.inf, -.INF, .NaN]")
    assert (endless, negative) == (math.inf, -math.inf)
    assert math.isnan(nan)


def test_key_order_is_kept_as_written() -> None:
    """A pipeline's meaning depends on the order of its keys."""
    assert list(parse_yaml("z: 1\na: 2\nm: 3")) == ["z", "a", "m"]


def test_aliases_stand_for_their_anchor() -> None:
    """An anchored value may be used again."""
    assert parse_yaml("a: &x {q: [1]}\nb: *x") == {"a": {"q": [1]}, "b": {"q": [1]}}


@pytest.mark.parametrize(
    ("text", "place", "found", "expected"),
    [
        ("a: 1\nb: 2\na: 3", "line 3, column 1", "the key 'a' a second time", "each key once"),
        ("a:\n\t- 1", "line 2, column 1", "'\\t'", "spaces"),
        ("a: [1", "line 1, column 6", "expected ',' or ']'", ""),
        ("a: @b", "line 1, column 4", "cannot start", "quotes"),
        ("a: b: c", "line 1, column 5", "mapping values", "quotes"),
        ('a: {b:"$x"}', "line 1, column 5", "without a value", "a space after the colon"),
        ("a: 1\n---\nb: 2", "line 2, column 1", "a second document", "one document"),
        ("a: *b", "line 1, column 4", "the alias *b", "&b before it"),
        ("a: &a [*a]", "line 1, column 8", "the alias *a", "not around it"),
        ("a: !!python/object/apply:os.system [ls]", "line 1, column 4", "the tag python/object", "no tags"),
        ("a: !!timestamp 2024-01-01", "line 1, column 4", "the tag timestamp", "no tags"),
        ("a: !!int x", "line 1, column 4", "'x' with the tag !!int", "type int"),
        ("a: !!set {x}", "line 1, column 4", "the tag set", "no tags"),
        ("<<: {a: 1}", "line 1, column 1", "merge key", "write the keys out"),
        ("? [a]\n: 1", "line 1, column 3", "a key that is no text", "texts"),
        ("[" * 101 + "]" * 101, "line 1, column 101", "more than 100 levels", "fewer"),
        ("a: \x07", "", "#x0007", "printed"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, place: str, found: str, expected: str) -> None:
    """Line and column, what stands there, what would be right."""
    error = refused(text)
    assert error.place == place
    assert found in error.found
    assert expected in error.expected


def test_nested_anchors_cannot_grow_without_bound() -> None:
    """Nine lines that name a billion values are refused in no time."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "more than 200,000 values" in refused("\n".join(lines)).found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(codec="ascii", min_codepoint=32), max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_json_is_yaml(value: Any) -> None:
    """What is pasted as JSON means the same in a YAML file."""
    assert parse_yaml(json.dumps(value)) == value
