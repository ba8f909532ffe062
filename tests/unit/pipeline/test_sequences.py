"""Arrays by place and order, documents by name, and texts within texts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.pipeline.test_expressions import Row, same
from workers.errors import Invalid, Poison
from workers.pipeline import compile_expression

PLACES: list[Row] = [
    ({"$indexOfArray": ["$a", 2]}, {"a": [1, 2.0, 2]}, 1),
    ({"$indexOfArray": ["$a", 2, 2]}, {"a": [1, 2, 2]}, 2),
    ({"$indexOfArray": ["$a", 2, 0, 1]}, {"a": [1, 2]}, -1),
    ({"$indexOfArray": ["$a", "$gone"]}, {"a": [None]}, -1),
    ({"$indexOfArray": ["$gone", 2, "x"]}, {}, None),
    ({"$range": ["$a", 0, -2]}, {"a": 5}, [5, 3, 1]),
    ({"$range": ["$a", 3.0]}, {"a": 0}, [0, 1, 2]),
    ({"$range": ["$a", 3, -1]}, {"a": 0}, []),
    ({"$reverseArray": "$a"}, {"a": [1, [2, 3]]}, [[2, 3], 1]),
    ({"$reverseArray": "$a"}, {}, None),
    ({"$slice": ["$a", 2]}, {"a": [1, 2, 3]}, [1, 2]),
    ({"$slice": ["$a", 0]}, {"a": [1, 2, 3]}, []),
    ({"$slice": ["$a", -5, 2]}, {"a": [1, 2, 3]}, [1, 2]),
    ({"$slice": ["$a", 7, 2]}, {"a": [1, 2, 3]}, []),
    ({"$slice": ["$a", 1, "$gone"]}, {"a": [1, 2, 3]}, None),
    ({"$slice": ["$gone", "x"]}, {}, None),
]
ORDER: list[Row] = [
    (
        {"$sortArray": {"input": "$a", "sortBy": 1}},
        {"a": [True, [1], {"x": 1}, "a", 1, None]},
        [None, 1, "a", {"x": 1}, [1], True],
    ),
    ({"$sortArray": {"input": "$a", "sortBy": -1}}, {"a": [1, 3, 2]}, [3, 2, 1]),
    ({"$sortArray": {"input": "$a", "sortBy": {"x.y": -1, "z": 1}}}, {"a": []}, []),
    ({"$sortArray": {"input": "$a", "sortBy": 1}}, {}, None),
    ({"$zip": {"inputs": ["$a", "$b"]}}, {"a": [1, 2], "b": [3]}, [[1, 3]]),
    (
        {"$zip": {"inputs": ["$a", "$b"], "useLongestLength": True}},
        {"a": [1], "b": [3, 4]},
        [[1, 3], [None, 4]],
    ),
    (
        {"$zip": {"inputs": ["$a", "$b"], "useLongestLength": True, "defaults": ["$d", "$gone"]}},
        {"a": [], "b": [3], "d": 9},
        [[9, 3]],
    ),
    ({"$zip": {"inputs": ["$gone", 5]}}, {}, None),
]
NAMES: list[Row] = [
    ({"$map": {"input": "$a", "as": "CURRENT", "in": "$x"}}, {"a": [{"x": 1}, {}], "x": 5}, [1, None]),
    ({"$arrayToObject": "$a"}, {"a": [["x", 1], ["y", 2], ["x", 3]]}, {"x": 3, "y": 2}),
    ({"$arrayToObject": "$a"}, {"a": [{"v": 1, "k": "a.b"}]}, {"a.b": 1}),
    ({"$arrayToObject": "$a"}, {"a": []}, {}),
    ({"$arrayToObject": "$a"}, {}, None),
    ({"$setField": {"field": "y", "input": "$o", "value": 2}}, {"o": {"x": 1}}, {"x": 1, "y": 2}),
    ({"$setField": {"field": "x", "input": "$o", "value": 2}}, {"o": {"x": 1, "y": 1}}, {"x": 2, "y": 1}),
    ({"$setField": {"field": {"$literal": "$x"}, "input": "$o", "value": 2}}, {"o": {}}, {"$x": 2}),
    ({"$setField": {"field": "x", "input": "$o", "value": "$$REMOVE"}}, {"o": {"x": 1}}, {}),
    ({"$setField": {"field": "x", "input": "$gone", "value": 1}}, {}, None),
    ({"$unsetField": {"field": "a.b", "input": "$$ROOT"}}, {"a.b": 1, "a": {"b": 2}}, {"a": {"b": 2}}),
]
TEXTS: list[Row] = [
    ({"$indexOfCP": ["$a", "本"]}, {"a": "日本"}, 1),
    ({"$indexOfBytes": ["$a", "本"]}, {"a": "日本"}, 3),
    ({"$indexOfCP": ["$a", "lo", 0, 4]}, {"a": "hello"}, 3),
    ({"$indexOfBytes": ["$a", "lo", 0, 4]}, {"a": "hello"}, -1),
    ({"$indexOfCP": ["$a", "", 5]}, {"a": ""}, 0),
    ({"$indexOfCP": ["$a", "", 3]}, {"a": "abc"}, -1),
    ({"$indexOfBytes": ["$a", "", 3]}, {"a": "abc"}, 3),
    ({"$indexOfBytes": ["$a", "a", 9]}, {"a": "abc"}, -1),
    ({"$indexOfCP": ["$gone", None, None]}, {}, None),
    ({"$replaceOne": {"input": "$a", "find": "a", "replacement": "b"}}, {"a": "aa"}, "ba"),
    ({"$replaceAll": {"input": "$a", "find": "a", "replacement": "b"}}, {"a": "aa"}, "bb"),
    ({"$replaceAll": {"input": "$a", "find": "$gone", "replacement": "b"}}, {"a": "aa"}, None),
    ({"$replaceAll": {"input": "$a", "find": "", "replacement": "-"}}, {"a": "ab"}, "-a-b-"),
]


@pytest.mark.parametrize("row", [*PLACES, *ORDER, *NAMES, *TEXTS], ids=str)
def test_sequences_give_what_the_server_gives(row: Row) -> None:
    """The value, the order of fields included."""
    expression, document, expected = row
    found = compile_expression(expression)(document)
    assert same(found, expected), f"gave {found!r}"


def test_equal_documents_keep_their_order_when_they_are_sorted() -> None:
    """What has no such field, or is no document, counts as null there."""
    rows = [{"x": 2, "n": 1}, 7, {"x": 1, "n": 2}, {"n": 3}, {"x": 2, "n": 4}]
    down = compile_expression({"$sortArray": {"input": "$rows", "sortBy": {"x": -1}}})
    assert down({"rows": rows}) == [rows[0], rows[4], rows[2], rows[1], rows[3]]


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ({"$indexOfArray": ["$text", 1]}, "first argument to be an array"),
        ({"$indexOfArray": ["$array", 1, "$below"]}, "not to be below 0"),
        ({"$range": ["$gone", 1]}, "to be a number, but it is of type missing"),
        ({"$range": [0, 1, "$zero"]}, "step value that is not 0"),
        ({"$range": [0, "$half"]}, "whole number of 32 bits"),
        ({"$range": [0, "$many"]}, "more than the 1398101 of a document"),
        ({"$reverseArray": "$text"}, "to be an array"),
        ({"$slice": ["$array", "$half"]}, "whole number of 32 bits"),
        ({"$slice": ["$array", 1, "$zero"]}, "above 0"),
        ({"$sortArray": {"input": "$text", "sortBy": {"a": 1}}}, "to be an array"),
        ({"$zip": {"inputs": ["$array", "$text"]}}, "to be an array"),
        ({"$arrayToObject": "$text"}, "requires an array input"),
        ({"$arrayToObject": "$array"}, "pairs or {k, v}, found: int"),
        ({"$arrayToObject": [["$pair", {"k": "a", "v": 1}]]}, "of one form"),
        ({"$arrayToObject": [[["$zero", 1]]]}, "keys that are strings"),
        ({"$arrayToObject": [[{"k": "$text", "v": 1, "w": 1}]]}, "and no other"),
        ({"$setField": {"field": "x", "input": "$array", "value": 1}}, "type Object, but got array"),
        ({"$indexOfCP": ["$text", "$gone"]}, "found: missing"),
        ({"$indexOfBytes": ["$text", "a", "$below"]}, "nonnegative starting index"),
        ({"$replaceOne": {"input": None, "find": "$zero", "replacement": "b"}}, "'find' be a string"),
    ],
)
def test_wrong_data_is_poison_with_its_reason(expression: Any, reason: str) -> None:
    """The document is dead-lettered, and the reason says why."""
    document = {
        "text": "x", "array": [1], "pair": ["a", 1], "zero": 0, "half": 0.5, "below": -1, "many": 2**31 - 1
    }  # fmt: skip
    run = compile_expression(expression)
    with pytest.raises(Poison) as caught:
        run(document)
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("expression", "path"),
    [
        ({"$sortArray": {"input": "$a", "sortBy": 2}}, "e.$sortArray.sortBy"),
        ({"$sortArray": {"input": "$a", "sortBy": True}}, "e.$sortArray.sortBy"),
        ({"$sortArray": {"input": "$a", "sortBy": {}}}, "e.$sortArray.sortBy"),
        ({"$sortArray": {"input": "$a", "sortBy": {"b..c": 1}}}, "e.$sortArray.sortBy.b..c"),
        ({"$sortArray": {"input": "$a"}}, "e.$sortArray"),
        ({"$sortArray": {"input": 5, "sortBy": {"a": 1}}}, "e.$sortArray"),
        ({"$zip": {"inputs": "$a"}}, "e.$zip.inputs"),
        ({"$zip": {"inputs": ["$a"], "defaults": [1]}}, "e.$zip.defaults"),
        ({"$zip": {"inputs": ["$a"], "useLongestLength": True, "defaults": [1, 2]}}, "e.$zip.defaults"),
        ({"$zip": {"inputs": ["$a"], "useLongestLength": 1}}, "e.$zip.useLongestLength"),
        ({"$zip": {"inputs": ["$a"], "useLongest": True}}, "e.$zip.useLongest"),
        ({"$setField": {"field": "$a", "input": {}, "value": 1}}, "e.$setField.field"),
        ({"$setField": {"field": 5, "input": {}, "value": 1}}, "e.$setField.field"),
        ({"$setField": {"field": "a", "input": {}}}, "e.$setField"),
        ({"$unsetField": {"field": "a", "input": {}, "value": 1}}, "e.$unsetField.value"),
        ({"$range": [0, 10**9]}, "e.$range"),
        ({"$indexOfCP": ["a"]}, "e.$indexOfCP"),
    ],
)
def test_what_is_wrong_without_data_is_refused_at_start(expression: Any, path: str) -> None:
    """With the place of the mistake."""
    with pytest.raises(Invalid) as caught:
        compile_expression(expression, "e")
    assert [problem.path for problem in caught.value.problems] == [path]


def test_a_reduction_that_doubles_is_bounded() -> None:
    """A text joined with itself for each of 60 elements is an error of its document, not of the machine."""
    doubles = {"$concat": ["$$value", "$$value"]}
    reduce = compile_expression({"$reduce": {"input": "$a", "initialValue": "x", "in": doubles}})
    with pytest.raises(Poison, match="the limit is"):
        reduce({"a": [0] * 60})
    assert reduce({"a": [0] * 3}) == "x" * 8
