"""Regular expressions as expressions: matches, offsets in code points, captures, and what is refused when."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Regex

from tests.unit.pipeline.families.rows import Row, Wrong, at_start, check_rows, check_wrong
from workers.pipeline import compile_expression
from workers.pipeline import matches as all_matches


def matches(regex: Any, **more: Any) -> dict[str, Any]:
    return {"$regexMatch": {"input": "$a", "regex": regex, **more}}


def first(regex: Any, **more: Any) -> dict[str, Any]:
    return {"$regexFind": {"input": "$a", "regex": regex, **more}}


def every(regex: Any, **more: Any) -> dict[str, Any]:
    return {"$regexFindAll": {"input": "$a", "regex": regex, **more}}


def hit(text: str, place: int, *captures: str | None) -> dict[str, Any]:
    return {"match": text, "idx": place, "captures": list(captures)}


ROWS: list[Row] = [
    (matches("^a.c$"), {"a": "abc"}, True),
    (matches("B"), {"a": "abc"}, False),
    (matches("B", options="i"), {"a": "abc"}, True),
    (matches(Regex("B", "i")), {"a": "abc"}, True),
    (matches(Regex("B", "i"), options=""), {"a": "abc"}, True),
    (matches(Regex("b c # note", "x")), {"a": "abc"}, True),
    (matches("^b", options="m"), {"a": "a\nb"}, True),
    (matches("a.b", options="s"), {"a": "a\nb"}, True),
    (matches("x", options=None), {"a": "x"}, True),
    (matches("x"), {}, False),
    (matches("x"), {"a": None}, False),
    (matches("$missing"), {"a": "x"}, False),
    (matches(None, options="i"), {"a": "x"}, False),
    (matches("$p"), {"a": "x1", "p": "\\d"}, True),
    (matches("$p", options="$o"), {"a": "X", "p": "x", "o": "i"}, True),
    (first("日"), {"a": "🙂日本"}, hit("日", 1)),
    (first("(a)|(b)"), {"a": "b"}, hit("b", 0, None, "b")),
    (first("(?<year>\\d{4})-(\\d\\d)"), {"a": "on 2024-05"}, hit("2024-05", 3, "2024", "05")),
    (first("x"), {"a": "abc"}, None),
    (first("x"), {}, None),
    (first(None), {"a": "abc"}, None),
    (first(""), {"a": ""}, hit("", 0)),
    (every("[a-z]\\d"), {"a": "🙂a1 b2"}, [hit("a1", 1), hit("b2", 4)]),
    (every("a*"), {"a": "baac"}, [hit("", 0), hit("aa", 1), hit("", 3)]),
    (every("|a"), {"a": "a"}, [hit("", 0)]),
    (every(""), {"a": ""}, [hit("", 0)]),
    (every("^a"), {"a": "aa"}, [hit("a", 0)]),
    (every("(?<=a)b"), {"a": "abab"}, [hit("b", 1), hit("b", 3)]),
    (every("x"), {"a": None}, []),
    (every(None), {"a": "x"}, []),
]
WRONG: list[Wrong] = [
    (matches("x"), {"a": 5}, "needs 'input' to be a string, but it is of type int"),
    (first("$p"), {"a": "x", "p": 1}, "needs 'regex' to be a string or regular expression, not of type int"),
    (every("$p"), {"a": "x", "p": "("}, "the pattern is not valid"),
    (every("$p"), {"p": "("}, "the pattern is not valid"),
    (matches("$p", options="$o"), {"a": "x", "p": "x", "o": 1}, "needs 'options' to be a string"),
    (matches("$p", options="$o"), {"a": "x", "p": "x", "o": "g"}, "unknown option 'g'"),
    (
        matches("$p", options="m"),
        {"a": "x", "p": Regex("x", "i")},
        "options both in 'regex' and in 'options'",
    ),
    ({"$regexMatch": {"input": "$a"}}, {}, "'regex' is missing"),
    ({"$regexMatch": {"input": "$a", "regex": "x", "flags": "i"}}, {}, "has no field 'flags'"),
]


def test_matches_are_those_of_the_server() -> None:
    """Every row."""
    check_rows(ROWS)


def test_what_is_no_text_or_no_pattern_is_refused() -> None:
    """With what it was, or what is wrong with the pattern."""
    check_wrong(WRONG)


def test_a_constant_pattern_is_refused_before_any_document() -> None:
    """Beside an input that needs data, too; a constant null has no options to be wrong."""
    for regex, options in [("(", ""), ("x", "z"), (5, ""), (Regex("x", "i"), "m"), ("a\0b", "")]:
        ((place, _),) = at_start(matches(regex, options=options))
        assert place == "p.$regexMatch"
    check_rows([(first(None, options="z"), {"a": "x"}, None)])


def test_matches_that_would_hold_up_everybody_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the characters before them, which are counted for each place; the simple patterns, whose matches
    know their places, have no such bound."""
    monkeypatch.setattr(all_matches, "MAX_MATCHING_CHARACTERS", 50_000)
    document = {"a": "ab" * 3_000}
    reason = "more than 315 matches in a text of 6000 characters are too many"
    check_wrong([(every("a+|b"), document, reason)])
    assert len(compile_expression(every("[ab]"))(document)) == 6_000
