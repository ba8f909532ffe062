"""Sets: what counts as one element, what null does, in which order they come."""

from __future__ import annotations

from bson import Decimal128, Int64

from tests.unit.pipeline.families.rows import Row, Wrong, check_rows, check_wrong
from workers.pipeline import compile_expression

NAN = float("nan")

ROWS: list[Row] = [
    ({"$setUnion": []}, {}, []),
    ({"$setUnion": ["$a", "$b"]}, {"a": [3, 1], "b": [2, 1]}, [1, 2, 3]),
    ({"$setUnion": ["$a", "$b"]}, {"a": [1], "b": ["x", None]}, [None, 1, "x"]),
    ({"$setUnion": "$a"}, {"a": [[1, 2], [2, 1], [1, 2]]}, [[1, 2], [2, 1]]),
    (
        {"$setUnion": ["$a"]},
        {"a": [{"x": 1, "y": 2}, {"y": 2, "x": 1}]},
        [{"x": 1, "y": 2}, {"y": 2, "x": 1}],
    ),
    ({"$setUnion": ["$a"]}, {"a": [NAN, NAN, 0.0, -0.0, False]}, [NAN, 0.0, False]),
    ({"$setUnion": ["$a", "$missing", "$text"]}, {"a": [1], "text": "x"}, None),
    ({"$setIntersection": []}, {}, []),
    ({"$setIntersection": ["$a", "$b", "$c"]}, {"a": [3, 2, 1], "b": [1, 3], "c": [3, 1, 7]}, [1, 3]),
    ({"$setIntersection": ["$a", "$b"]}, {"a": [1, 2], "b": None}, None),
    ({"$setIntersection": ["$a", "$b", "$text"]}, {"a": [1], "b": [2], "text": "x"}, []),
    ({"$setDifference": ["$a", "$b"]}, {"a": [3, 1, 3, 2, 1], "b": [2]}, [3, 1]),
    ({"$setDifference": ["$a", "$b"]}, {"a": [1, [1]], "b": [[1]]}, [1]),
    ({"$setDifference": ["$a", "$b"]}, {"a": None, "b": "no array"}, None),
    ({"$setEquals": ["$a", "$b", [2, 1]]}, {"a": [1, 2, 2], "b": [2, 1]}, True),
    ({"$setEquals": ["$a", "$b"]}, {"a": [1], "b": [1, 2]}, False),
    ({"$setIsSubset": ["$a", "$b"]}, {"a": [], "b": []}, True),
    ({"$setIsSubset": ["$a", "$b"]}, {"a": [1, None], "b": [1]}, False),
    ({"$allElementsTrue": ["$a"]}, {"a": [1, "", [], {}, -0.5]}, True),
    ({"$allElementsTrue": "$a"}, {"a": [True, None]}, False),
    ({"$anyElementTrue": ["$a"]}, {"a": []}, False),
    ({"$anyElementTrue": ["$a"]}, {"a": [0, None, False, Decimal128("0.00"), "0"]}, True),
]
WRONG: list[Wrong] = [
    ({"$setUnion": ["$a", None]}, {"a": 1}, "must be an array, but is of type int"),
    ({"$setIntersection": ["$a", [1]]}, {"a": {}}, "must be an array, but is of type object"),
    ({"$setDifference": [[1], "$a"]}, {"a": "x"}, "the second argument of $setDifference"),
    ({"$setEquals": ["$a", [1]]}, {"a": None}, "of type null"),
    ({"$setEquals": [[1]]}, {}, "at least 2 arguments"),
    ({"$setIsSubset": ["$a", [1]]}, {}, "the first argument of $setIsSubset must be an array"),
    ({"$setIsSubset": [[1], "$a"]}, {"a": 1}, "the second argument of $setIsSubset must be an array"),
    ({"$allElementsTrue": ["$a"]}, {}, "of type missing"),
    ({"$anyElementTrue": ["$a"]}, {"a": None}, "of type null"),
    ({"$anyElementTrue": [True, False]}, {}, "exactly 1 argument"),
]


def test_sets_give_what_the_server_gives() -> None:
    """Every row."""
    check_rows(ROWS)


def test_what_is_no_array_is_refused() -> None:
    """With the argument's type in the reason."""
    check_wrong(WRONG)


def test_of_equal_numbers_the_first_stays() -> None:
    """1, NumberLong(1) and 1.0 are one element, of the type that came first."""
    union = compile_expression({"$setUnion": ["$a"]})
    assert type(union({"a": [Int64(1), 1, 1.0]})[0]) is Int64
    assert type(union({"a": [1.0, Int64(1)]})[0]) is float
