"""Computed fields stand in the order they were written, on every level."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workers.pipeline import compile_stages

FIELDS: dict[str, Any] = {"o.n": {"$literal": 1}, "o.a.b": {"$literal": 2}, "o.x": {"$literal": 3}}
TWICE: dict[str, Any] = {"o.a.b": {"$literal": 1}, "o.n": {"$literal": 2}, "o.a.c": {"$literal": 3}}
MISSING: dict[str, Any] = {"o.n": "$nope", "o.a.b": "$nope", "o.x": {"$literal": 3}}
# A field that is kept says where its parent stands, too, also where there is none.
KEPT_FIRST: dict[str, Any] = {"o.l.n": 1, "o.m": {"$literal": 1}, "o.l.x": {"$literal": 2}}

ROWS: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("$project", FIELDS, {}, {"n": 1, "a": {"b": 2}, "x": 3}),
    ("$project", FIELDS, {"o": {"x": 0, "n": 0}}, {"n": 1, "a": {"b": 2}, "x": 3}),
    ("$project", FIELDS, {"o": [5, {}]}, [{"n": 1, "a": {"b": 2}, "x": 3}] * 2),
    ("$addFields", FIELDS, {"o": 5}, {"n": 1, "a": {"b": 2}, "x": 3}),
    ("$addFields", FIELDS, {"o": {"c": 0}}, {"c": 0, "n": 1, "a": {"b": 2}, "x": 3}),
    ("$addFields", FIELDS, {"o": {"x": 0, "a": 1}}, {"x": 3, "a": {"b": 2}, "n": 1}),
    ("$set", TWICE, {}, {"a": {"b": 1, "c": 3}, "n": 2}),
    ("$set", MISSING, {"o": {"n": 1}}, {"a": {}, "x": 3}),
    ("$project", KEPT_FIRST, {"o": {"l": {"n": 0}}}, {"l": {"n": 0, "x": 2}, "m": 1}),
    ("$project", KEPT_FIRST, {}, {"l": {"x": 2}, "m": 1}),
]


@pytest.mark.parametrize(("stage", "fields", "document", "expected"), ROWS, ids=str)
def test_fields_of_one_field_stand_as_they_were_written(
    stage: str, fields: dict[str, Any], document: Any, expected: Any
) -> None:
    """Deeper ones among flat ones; a field that is there keeps its place with $addFields."""
    (segment,) = compile_stages([{stage: fields}]).segments
    (found,) = segment.run([document], None)
    assert isinstance(found, dict)
    assert json.dumps(found["o"]) == json.dumps(expected)


def test_a_field_within_which_something_is_kept_stands_where_it_was_first_written() -> None:
    """At the top, too."""
    stage = {"$project": {"l.n": 1, "n": {"$literal": 1}, "l.x": {"$literal": 2}}}
    (segment,) = compile_stages([stage]).segments
    (found,) = segment.run([{"n": 0}], None)
    assert json.dumps(found) == json.dumps({"l": {"x": 2}, "n": 1})
