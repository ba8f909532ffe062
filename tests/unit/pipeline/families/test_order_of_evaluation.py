"""What is evaluated first where two arguments could decide, and what is not evaluated at all."""

from __future__ import annotations

from bson import Decimal128

from tests.unit.pipeline.families.rows import Row, Wrong, check_rows, check_wrong
from workers.pipeline import compile_expression

HALF = {"$divide": [1, "$zero"]}

ROWS: list[Row] = [
    ({"$reduce": {"input": "$a", "initialValue": HALF, "in": HALF}}, {"zero": 0}, None),
    ({"$reduce": {"input": "$a", "initialValue": HALF, "in": HALF}}, {"zero": 0, "a": None}, None),
    ({"$reduce": {"input": "$a", "initialValue": 7, "in": HALF}}, {"zero": 0, "a": []}, 7),
    ({"$filter": {"input": "$a", "cond": HALF, "limit": HALF}}, {"zero": 0}, None),
    ({"$filter": {"input": "$a", "cond": HALF, "limit": "$b"}}, {"zero": 0, "a": [], "b": 1}, []),
    ({"$filter": {"input": "$a", "cond": True, "limit": "$b"}}, {"a": [1, 2]}, [1, 2]),
    ({"$map": {"input": "$a", "in": HALF}}, {"zero": 0}, None),
    ({"$multiply": ["$a", "$b"]}, {"b": "x"}, None),
    ({"$add": ["$a", "$b"]}, {"b": "x"}, None),
    ({"$concat": ["$a", "$b"]}, {"b": 1}, None),
    ({"$subtract": ["$b", "$a"]}, {"b": "x"}, None),
    ({"$divide": ["$a", 0]}, {}, None),
    ({"$trunc": ["$a", "$b"]}, {"a": 1.5}, None),
    ({"$round": ["$a", "x"]}, {}, None),
]
WRONG: list[Wrong] = [
    ({"$trunc": ["$a", None]}, {"a": [1]}, "$trunc only supports numeric types, not array"),
    ({"$round": ["$a", "$b"]}, {"a": "x"}, "$round only supports numeric types, not string"),
    ({"$multiply": ["$b", "$a"]}, {"b": "x"}, "$multiply only supports numeric types, not string"),
    ({"$filter": {"input": "$a", "cond": True, "limit": "$b"}}, {"a": 1, "b": 0}, "must be an array not int"),
    ({"$filter": {"input": "$a", "cond": True, "limit": "$b"}}, {"a": [], "b": 0}, "at least 1"),
    ({"$reduce": {"input": "$a", "initialValue": HALF, "in": 1}}, {"a": [], "zero": 0}, "divide by zero"),
]


def test_null_ends_an_operator_before_the_rest_is_looked_at() -> None:
    """From left to right, and nothing is evaluated for elements that are not there."""
    check_rows(ROWS)


def test_a_wrong_argument_before_a_null_is_an_error() -> None:
    """Also one that is evaluated before another wrong one."""
    check_wrong(WRONG)


def test_decimals_round_as_the_standard_quantizes() -> None:
    """An infinity has no quantum and gives NaN; zero keeps its sign."""
    for operator in ("$ceil", "$floor", "$round", "$trunc"):
        for given in ("Infinity", "-Infinity", "NaN"):
            found = compile_expression({operator: "$a"})({"a": Decimal128(given)})
            assert str(found) == "NaN", (operator, given)
    for operator in ("$ceil", "$round", "$trunc"):
        assert str(compile_expression({operator: "$a"})({"a": Decimal128("-0.4")})) == "-0", operator
    assert str(compile_expression({"$floor": "$a"})({"a": Decimal128("-0.4")})) == "-1"
    assert str(compile_expression({"$abs": "$a"})({"a": Decimal128("-0.0")})) == "0.0"
