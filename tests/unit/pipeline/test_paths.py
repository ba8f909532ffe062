"""Dotted paths: reading, setting, removing, and which are none."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from workers.pipeline.paths import MAX_PARTS, collision, fault, read, with_value, without
from workers.pipeline.values import MISSING

DOC: dict[str, Any] = {
    "o": {"p": {"q": 7}},
    "a": [{"b": 1}, {"b": 2}, {"c": 3}, 5, [{"b": 9}]],
    "n": None,
    "e": [],
    "deep": [{"x": [{"y": 1}, {"y": 2}]}, {"x": {"y": 3}}],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("o.p.q", 7),
        ("o.p", {"q": 7}),
        ("o.x", MISSING),
        ("a.b", [1, 2]),
        ("a.0", []),
        ("n.b", MISSING),
        ("e.b", []),
        ("deep.x.y", [[1, 2], 3]),
        ("gone", MISSING),
    ],
)
def test_a_path_maps_over_arrays(path: str, value: Any) -> None:
    """Documents of an array answer; scalars, arrays within and missing fields are left out."""
    found = read(DOC, path.split("."))
    assert found is value if value is MISSING else found == value


@pytest.mark.parametrize(
    ("doc", "path", "value", "after"),
    [
        ({}, "a", 1, {"a": 1}),
        ({}, "a.b.c", 1, {"a": {"b": {"c": 1}}}),
        ({"a": 5}, "a.b", 1, {"a": {"b": 1}}),
        ({"a": {"c": 2}}, "a.b", 1, {"a": {"c": 2, "b": 1}}),
        ({"a": [1, {"c": 2}, [{}]]}, "a.b", 9, {"a": [{"b": 9}, {"c": 2, "b": 9}, [{"b": 9}]]}),
        ({"a": []}, "a.b", 9, {"a": []}),
        ({"a": 1, "z": 2}, "a", 3, {"a": 3, "z": 2}),
        ({"a": 1, "z": 2}, "a", MISSING, {"z": 2}),
    ],
)
def test_setting_builds_what_is_missing(doc: dict[str, Any], path: str, value: Any, after: Any) -> None:
    """Scalars on the way become documents, arrays stand for their elements, order is kept."""
    before = copy.deepcopy(doc)
    found = with_value(doc, path.split("."), value)
    assert found == after
    assert list(found) == list(after)
    assert doc == before


@pytest.mark.parametrize(
    ("doc", "path", "after"),
    [
        ({"a": 1, "b": 2}, "a", {"b": 2}),
        ({"a": {"b": 1, "c": 2}}, "a.b", {"a": {"c": 2}}),
        ({"a": [{"b": 1}, 5, [{"b": 1, "c": 2}]]}, "a.b", {"a": [{}, 5, [{"c": 2}]]}),
    ],
)
def test_removing_leaves_the_rest(doc: dict[str, Any], path: str, after: Any) -> None:
    """The document given stays as it was."""
    before = copy.deepcopy(doc)
    assert without(doc, path.split(".")) == after
    assert doc == before


def test_what_is_not_on_the_way_is_shared() -> None:
    """A copy costs the documents on the path, nothing else."""
    doc = {"a": {"b": 1}, "big": {"list": [1, 2]}}
    assert with_value(doc, ["a", "b"], 2)["big"] is doc["big"]
    assert without(doc, ["a", "b"])["big"] is doc["big"]
    assert without(doc, ["a", "x"]) is doc


@pytest.mark.parametrize(
    "path", ["", ".", "a.", ".a", "a..b", "$a", "a.$b", "a\0b", ".".join("a" * (MAX_PARTS + 1))]
)
def test_a_path_that_is_none_says_why(path: str) -> None:
    """Empty components, dollars, null bytes and endless paths."""
    assert fault(path)


@pytest.mark.parametrize("path", ["a", "a.b", "a.0.b", "a$b", "é.ü", ".".join("a" * MAX_PARTS)])
def test_a_good_path_has_no_fault(path: str) -> None:
    """Numbers, accents and dollars within are fine."""
    assert fault(path) is None


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["a", "b"], None),
        (["a.b", "a.c"], None),
        (["a", "a"], ("a", "a")),
        (["a", "a.b"], ("a", "a.b")),
        (["a.b.c", "a"], ("a.b.c", "a")),
        (["ab", "a"], None),
    ],
)
def test_paths_collide_when_one_leads_to_the_other(paths: list[str], found: Any) -> None:
    """In either order."""
    assert collision(paths) == found
