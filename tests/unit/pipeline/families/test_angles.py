"""Angles and hyperbolas: doubles as the C library has them, decimals to 34 digits, and what has no value."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from bson import Decimal128, Int64

from tests.unit.pipeline.families.rows import Row, Wrong, check_rows, check_wrong
from workers.pipeline import compile_expression, elementary
from workers.pipeline.numbers import DECIMAL

INF = math.inf
NAN = math.nan

ROWS: list[Row] = [
    ({"$sin": "$a"}, {"a": 1}, math.sin(1)),
    ({"$cos": "$a"}, {"a": Int64(2)}, math.cos(2)),
    ({"$tan": "$a"}, {"a": 0.5}, math.tan(0.5)),
    ({"$sin": "$a"}, {"a": None}, None),
    ({"$sin": "$a"}, {}, None),
    ({"$sin": "$a"}, {"a": NAN}, NAN),
    ({"$asin": "$a"}, {"a": -1}, -math.pi / 2),
    ({"$acos": "$a"}, {"a": -1}, math.pi),
    ({"$atan": "$a"}, {"a": INF}, math.pi / 2),
    ({"$atan2": ["$y", "$x"]}, {"y": 1, "x": -1}, 3 * math.pi / 4),
    ({"$atan2": ["$y", "$x"]}, {"y": -0.0, "x": -1.0}, -math.pi),
    ({"$atan2": ["$y", "$x"]}, {"y": "x"} | {"x": None}, None),
    ({"$atan2": ["$y", "$x"]}, {"x": "x"}, None),
    ({"$sinh": "$a"}, {"a": -1000}, -INF),
    ({"$cosh": "$a"}, {"a": -1000}, INF),
    ({"$tanh": "$a"}, {"a": -INF}, -1.0),
    ({"$asinh": "$a"}, {"a": -INF}, -INF),
    ({"$acosh": "$a"}, {"a": INF}, INF),
    ({"$atanh": "$a"}, {"a": -1}, -INF),
    ({"$degreesToRadians": "$a"}, {"a": INF}, INF),
    ({"$radiansToDegrees": "$a"}, {"a": math.pi / 2}, 90.0),
    ({"$sin": "$a"}, {"a": Decimal128("NaN")}, Decimal128("NaN")),
    ({"$sin": "$a"}, {"a": Decimal128("0")}, Decimal128("0")),
    ({"$sin": "$a"}, {"a": Decimal128("1")}, Decimal128("0.8414709848078965066525023216302990")),
    ({"$cos": "$a"}, {"a": Decimal128("3")}, Decimal128("-0.9899924966004454572715727947312613")),
    ({"$atan": "$a"}, {"a": Decimal128("-Infinity")}, Decimal128("-1.570796326794896619231321691639751")),
    ({"$acos": "$a"}, {"a": Decimal128("-1")}, Decimal128("3.141592653589793238462643383279503")),
    ({"$atanh": "$a"}, {"a": Decimal128("1")}, Decimal128("Infinity")),
    ({"$acosh": "$a"}, {"a": Decimal128("2")}, Decimal128("1.316957896924816708625046347307968")),
    (
        {"$atan2": ["$y", "$x"]},
        {"y": Decimal128("1"), "x": 0},
        Decimal128("1.570796326794896619231321691639751"),
    ),
    ({"$atan2": ["$y", "$x"]}, {"y": Decimal128("NaN"), "x": 0}, Decimal128("NaN")),
    (
        {"$degreesToRadians": "$a"},
        {"a": Decimal128("180")},
        Decimal128("3.141592653589793238462643383279503"),
    ),
]
WRONG: list[Wrong] = [
    ({"$sin": "$a"}, {"a": "1"}, "$sin only supports numeric types, not string"),
    ({"$sin": "$a"}, {"a": INF}, "must be finite"),
    ({"$cos": "$a"}, {"a": Decimal128("-Infinity")}, "must be finite"),
    ({"$asin": "$a"}, {"a": 1.0000001}, "the value must be in [-1, 1]"),
    ({"$acos": "$a"}, {"a": Decimal128("-1.1")}, "the value must be in [-1, 1]"),
    ({"$acosh": "$a"}, {"a": 0.5}, "the value must be in [1, inf]"),
    ({"$atanh": "$a"}, {"a": 2}, "the value must be in [-1, 1]"),
    ({"$atan2": ["$a", 1]}, {"a": True}, "$atan2 only supports numeric types, not bool"),
    ({"$radiansToDegrees": "$a"}, {"a": []}, "not array"),
]


def test_angles_give_what_the_server_gives() -> None:
    """Every row, the type included."""
    check_rows(ROWS)


def test_arguments_without_a_value_are_refused() -> None:
    """With the range in the reason."""
    check_wrong(WRONG)


@pytest.mark.parametrize("name", ["sin", "cos", "tan", "atan", "sinh", "cosh", "tanh", "asinh"])
def test_decimals_agree_with_the_c_library(name: str) -> None:
    """To a double's precision, from tiny to large."""
    for number in ("1E-30", "1E-9", "0.001", "-0.5", "1", "1.5", "-3", "10", "99.25", "700"):
        exact, double = getattr(elementary, name)(Decimal(number)), getattr(math, name)(float(number))
        assert math.isclose(float(exact), double, rel_tol=1e-13), (name, number)


def test_a_huge_angle_is_turned_back_exactly() -> None:
    """Sine and cosine of 1E6144 radians lie on the unit circle, in the time of some milliseconds."""
    huge = Decimal("9.87654321E+6144")
    sine, cosine = elementary.sin(huge), elementary.cos(huge)
    square = DECIMAL.add(DECIMAL.multiply(sine, sine), DECIMAL.multiply(cosine, cosine))
    assert abs(square - 1) < Decimal("1E-32")
    shifted = elementary.sin(Decimal("1E+22"))
    assert DECIMAL.plus(shifted) == Decimal("-0.8522008497671888017727058937530294")


def test_inverses_lead_back_to_the_argument() -> None:
    """All 34 digits of it."""
    pairs = [("asin", "sin"), ("acos", "cos"), ("atan", "tan")]
    pairs += [("asinh", "sinh"), ("acosh", "cosh"), ("atanh", "tanh")]
    for number in ("1E-7", "0.3", "0.999", "1.25"):
        for back, there in pairs:
            value = getattr(elementary, back)(getattr(elementary, there)(Decimal(number)))
            assert DECIMAL.plus(value) == Decimal(number), (back, number)


def test_a_decimal_is_never_a_double_on_the_way() -> None:
    """The kind of the result is the kind of the argument."""
    for name in ("$sin", "$cosh", "$atan", "$degreesToRadians"):
        assert isinstance(compile_expression({name: "$a"})({"a": Decimal128("0.5")}), Decimal128)
