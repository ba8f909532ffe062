"""Powers, roots and logarithms: whole numbers, doubles and decimals at their limits."""

from __future__ import annotations

import math
from typing import Any

import pytest
from bson import Decimal128, Int64

from tests.unit.pipeline.test_expressions import Row, same
from workers.errors import Poison
from workers.pipeline import compile_expression

NAN, INF = math.nan, math.inf

POW: list[Row] = [
    ({"$pow": ["$a", "$b"]}, {"a": 0, "b": 0}, 1),
    ({"$pow": ["$a", "$b"]}, {"a": 0, "b": 3}, 0),
    ({"$pow": ["$a", "$b"]}, {"a": -1, "b": -3}, -1),
    ({"$pow": ["$a", "$b"]}, {"a": -1, "b": Int64(2**62)}, Int64(1)),
    ({"$pow": ["$a", "$b"]}, {"a": 3, "b": -1}, 1 / 3),
    ({"$pow": ["$a", "$b"]}, {"a": 2, "b": 31}, 2**31),
    ({"$pow": ["$a", "$b"]}, {"a": Int64(2), "b": 3}, Int64(8)),
    ({"$pow": ["$a", "$b"]}, {"a": 2, "b": 63}, 2.0**63),
    ({"$pow": ["$a", "$b"]}, {"a": -2, "b": 63}, -(2**63)),
    ({"$pow": ["$a", "$b"]}, {"a": -10, "b": 401}, -INF),
    ({"$pow": ["$a", "$b"]}, {"a": -8, "b": 0.5}, NAN),
    ({"$pow": ["$a", "$b"]}, {"a": NAN, "b": 0}, 1.0),
    (
        {"$pow": ["$a", "$b"]},
        {"a": 2, "b": Decimal128("0.5")},
        Decimal128("1.414213562373095048801688724209698"),
    ),
    ({"$pow": ["$a", "$b"]}, {"a": Decimal128("1"), "b": Decimal128("NaN")}, Decimal128("1")),
    ({"$pow": ["$a", "$b"]}, {"a": Decimal128("NaN"), "b": 0}, Decimal128("1")),
    ({"$pow": ["$a", "$b"]}, {"a": Decimal128("0"), "b": Decimal128("NaN")}, Decimal128("NaN")),
    ({"$pow": ["$a", "$b"]}, {"a": None, "b": "x"}, None),
]
ROOTS: list[Row] = [
    ({"$sqrt": "$a"}, {"a": 25}, 5.0),
    ({"$sqrt": "$a"}, {"a": NAN}, NAN),
    ({"$sqrt": "$a"}, {"a": Decimal128("2")}, Decimal128("1.414213562373095048801688724209698")),
    ({"$sqrt": "$a"}, {"a": Decimal128("NaN")}, NAN),
    ({"$sqrt": "$a"}, {"a": Decimal128("-0")}, Decimal128("-0")),
    ({"$exp": "$a"}, {"a": 1000}, INF),
    ({"$exp": "$a"}, {"a": -INF}, 0.0),
    ({"$exp": "$a"}, {"a": Decimal128("1")}, Decimal128("2.718281828459045235360287471352662")),
    ({"$exp": "$a"}, {"a": Decimal128("1E+6000")}, Decimal128("Infinity")),
    ({"$sigmoid": "$a"}, {"a": -1000}, 0.0),
    ({"$sigmoid": "$a"}, {"a": INF}, 1.0),
    ({"$sigmoid": "$a"}, {"a": Decimal128("0")}, Decimal128("0.5")),
    ({"$sigmoid": "$a"}, {}, None),
]
LOGARITHMS: list[Row] = [
    ({"$ln": "$a"}, {"a": math.e}, 1.0),
    ({"$ln": "$a"}, {"a": NAN}, NAN),
    ({"$ln": "$a"}, {"a": Decimal128("NaN")}, NAN),
    ({"$log10": "$a"}, {"a": 1000}, 3.0),
    ({"$log10": "$a"}, {"a": Decimal128("0.001")}, Decimal128("-3")),
    ({"$log": ["$a", "$b"]}, {"a": Int64(2**30), "b": 2}, 30.0),
    ({"$log": ["$a", "$b"]}, {"a": Decimal128("100"), "b": 10}, Decimal128("2")),
    ({"$log": ["$a", "$b"]}, {"a": "x"}, None),
]


@pytest.mark.parametrize("row", [*POW, *ROOTS, *LOGARITHMS], ids=str)
def test_powers_give_what_the_server_gives(row: Row) -> None:
    """The value and its type."""
    expression, document, expected = row
    found = compile_expression(expression)(document)
    assert same(found, expected), f"gave {found!r}"


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ({"$pow": ["$zero", -1]}, "base of 0 and a negative exponent"),
        ({"$pow": ["$zero", Decimal128("-1")]}, "base of 0 and a negative exponent"),
        ({"$pow": ["$text", 1]}, "only supports numeric types, not string"),
        ({"$sqrt": "$below"}, "greater than or equal to 0"),
        ({"$sqrt": Decimal128("-1")}, "greater than or equal to 0"),
        ({"$ln": "$zero"}, "must be a positive number"),
        ({"$log10": Decimal128("0")}, "must be a positive number"),
        ({"$log": ["$zero", 2]}, "must be a positive number"),
        ({"$log": [2, "$one"]}, "not equal to 1"),
        ({"$log": [2, "$below"]}, "not equal to 1"),
        ({"$sigmoid": "$text"}, "only supports numeric types"),
    ],
)
def test_what_has_no_power_or_logarithm_is_refused(expression: Any, reason: str) -> None:
    """With the data, or at start where it is constant."""
    document = {"zero": 0, "one": 1, "below": -1.5, "text": "x"}
    with pytest.raises(Exception, match=reason) as caught:
        compile_expression(expression)(document)
    assert type(caught.value).__name__ in ("Poison", "Invalid")


def test_a_remainder_is_exact_however_long_the_quotient() -> None:
    """The quotient of two decimals may have thousands of digits."""
    rest = compile_expression({"$mod": ["$a", 7]})
    assert same(rest({"a": Decimal128("1E+40")}), Decimal128(str(10**40 % 7)))
    with pytest.raises(Poison, match="by zero"):
        compile_expression({"$mod": ["$a", "$b"]})({"a": 1, "b": Decimal128("0")})
