"""JSON files of an app folder."""

from __future__ import annotations

import pytest

from workers.appfolder.json_text import parse_json
from workers.appfolder.limits import BadText


def test_json_keeps_order_and_types() -> None:
    """Integers stay integers, doubles doubles, keys stay in order."""
    found = parse_json('{"b": 1, "a": [1.0, "x", null, true], "[": "{[\\"]}"}')
    assert list(found) == ["b", "a", "["]
    assert found["a"] == [1.0, "x", None, True]
    assert isinstance(found["a"][0], float)


@pytest.mark.parametrize(
    ("text", "place", "found", "expected"),
    [
        ('{"a": 1, "a": 2}', "", "the key 'a' a second time", "each key once"),
        ('{"a": NaN}', "", "NaN", "$numberDouble"),
        ("{a: 1}", "line 1, column 2", "'a: 1}'", "a key in double quotes"),
        ("[1\n2]", "line 2, column 1", "'2]'", "a comma or a closing bracket"),
        ('{"a" 1}', "line 1, column 6", "'1}'", "a colon"),
        ("[1] 2", "line 1, column 5", "'2'", "the end of the text"),
        ("", "line 1, column 1", "the end of the text", "a value"),
        ("[\n" * 101, "line 101, column 1", "more than 100 levels", "fewer levels"),
        ("9" * 5000, "", "thousands of digits", "a double"),
    ],
)
def test_what_is_wrong_is_named(text: str, place: str, found: str, expected: str) -> None:
    """Where the text breaks, and what was expected there."""
    with pytest.raises(BadText) as caught:
        parse_json(text)
    assert caught.value.place == place
    assert found in caught.value.found
    assert expected in caught.value.expected
