"""What expressions give: a table a family, each row (expression, document, value)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId

from workers.errors import Poison
from workers.pipeline import FAMILIES, OPERATORS, compile_expression
from workers.pipeline.values import MISSING, compare, type_name

NAN = float("nan")
DATE = datetime(2024, 1, 31, 12, 30, tzinfo=UTC)

Row = tuple[Any, dict[str, Any], Any]

COMPARISON: list[Row] = [
    ({"$eq": ["$a", 1]}, {"a": 1.0}, True),
    ({"$eq": ["$a", None]}, {}, False),
    ({"$eq": ["$a", None]}, {"a": None}, True),
    ({"$ne": ["$a", True]}, {"a": 1}, True),
    ({"$gt": ["$a", 5]}, {"a": 5.5}, True),
    ({"$gt": ["$a", 5]}, {"a": "5"}, True),
    ({"$gt": ["$a", 5]}, {}, False),
    ({"$gt": ["$a", 5]}, {"a": NAN}, False),
    ({"$lt": ["$a", 5]}, {"a": NAN}, True),
    ({"$lte": ["$a", 5]}, {"a": NAN}, True),
    ({"$lt": [5, "$a"]}, {"a": 6}, True),
    ({"$gte": [5, "$a"]}, {"a": NAN}, True),
    ({"$lt": ["$a", NAN]}, {"a": 1}, False),
    ({"$gte": ["$a", NAN]}, {"a": NAN}, True),
    ({"$lt": ["$a", "$b"]}, {"a": NAN, "b": 1}, True),
    ({"$lt": ["$a", "$b"]}, {"a": 1, "b": NAN}, False),
    ({"$gt": ["$a", "$b"]}, {"a": "b", "b": "a"}, True),
    ({"$gt": ["$a", "$b"]}, {"a": 2**53 + 1, "b": 2.0**53}, True),
    ({"$eq": ["$a", "$b"]}, {"a": {"x": 1, "y": 2}, "b": {"y": 2, "x": 1}}, False),
    ({"$eq": ["$a", [1, 2]]}, {"a": [1, 2.0]}, True),
    ({"$cmp": ["$a", "$b"]}, {"a": [1], "b": {"z": 1}}, 1),
    ({"$lt": ["$a", None]}, {}, True),
]
BOOLEAN: list[Row] = [
    ({"$and": []}, {}, True),
    ({"$or": []}, {}, False),
    ({"$and": ["$a", "$b"]}, {"a": 1, "b": "x"}, True),
    ({"$and": ["$a", "$b"]}, {"a": 1, "b": 0}, False),
    ({"$and": ["$a", {"$divide": [1, "$zero"]}]}, {"a": 0, "zero": 0}, False),
    ({"$or": ["$a", {"$divide": [1, "$zero"]}]}, {"a": 1, "zero": 0}, True),
    ({"$or": ["$a", "$b", {"$gt": ["$c", 1]}]}, {"c": 2}, True),
    ({"$not": "$a"}, {}, True),
    ({"$not": [{"$and": ["$a", "$b"]}]}, {"a": 1}, True),
    ({"$not": ["$a"]}, {"a": []}, False),
]
CONDITIONAL: list[Row] = [
    ({"$cond": ["$a", "$b", "$c"]}, {"a": True, "b": 1}, 1),
    ({"$cond": ["$a", "$b", "$c"]}, {"a": False, "b": 1}, MISSING),
    ({"$cond": {"if": {"$gt": ["$a", 1]}, "then": {"$divide": [1, "$z"]}, "else": 0}}, {"a": 0, "z": 0}, 0),
    ({"$cond": [True, "$a", 1]}, {}, MISSING),
    ({"$ifNull": ["$a", "$b", 9]}, {"b": None}, 9),
    ({"$ifNull": ["$a", {"$divide": [1, "$z"]}]}, {"a": 0, "z": 0}, 0),
    ({"$ifNull": ["$a", "$b"]}, {}, MISSING),
    (
        {"$switch": {"branches": [{"case": {"$gt": ["$a", 1]}, "then": "x"}, {"case": "$b", "then": "$a"}]}},
        {"a": 1, "b": 1},
        1,
    ),
    ({"$switch": {"branches": [{"case": "$gone", "then": 1}], "default": {"$add": ["$a", 1]}}}, {"a": 1}, 2),
]
ARITHMETIC: list[Row] = [
    ({"$add": ["$a", "$b"]}, {"a": 1, "b": 2.5}, 3.5),
    ({"$add": ["$a", None]}, {"a": 1}, None),
    ({"$add": ["$a", "$gone"]}, {"a": 1}, None),
    ({"$add": []}, {}, 0),
    ({"$add": ["$a", 1]}, {"a": 2**31 - 1}, 2**31),
    ({"$add": ["$a", 1]}, {"a": 2**63 - 1}, float(2**63)),
    ({"$add": ["$a", "$b", "$c"]}, {"a": 2**31 - 1, "b": 1, "c": -1}, 2**31 - 1),
    ({"$add": ["$a", 1]}, {"a": Int64(1)}, Int64(2)),
    ({"$add": ["$a", 0.1]}, {"a": Decimal128("1")}, Decimal128("1.100000000000000")),
    ({"$add": ["$d", 1000]}, {"d": DATE}, DATE.replace(second=1)),
    ({"$subtract": ["$a", 1]}, {"a": 1.5}, 0.5),
    ({"$subtract": ["$d", "$d"]}, {"d": DATE}, Int64(0)),
    ({"$subtract": ["$d", 1000]}, {"d": DATE}, DATE.replace(minute=29, second=59)),
    ({"$subtract": ["$a", 2**31]}, {"a": 2**31 + 1}, Int64(1)),
    ({"$multiply": ["$a", "$a"]}, {"a": 2**31 - 1}, (2**31 - 1) ** 2),
    ({"$multiply": ["$a", 2]}, {"a": 2**62}, float(2**63)),
    ({"$multiply": ["$a", "$b", "$c"]}, {"a": 2, "b": 3, "c": 0.5}, 3.0),
    ({"$divide": ["$a", 2]}, {"a": 6}, 3.0),
    ({"$divide": ["$a", "$b"]}, {"a": 6, "b": Decimal128("4")}, Decimal128("1.5")),
    ({"$divide": ["$a", "$gone"]}, {"a": 6}, None),
    ({"$mod": ["$a", 3]}, {"a": -7}, -1),
    ({"$mod": ["$a", 3]}, {"a": -7.5}, -1.5),
    ({"$mod": ["$a", 3]}, {"a": float("inf")}, NAN),
    ({"$abs": "$a"}, {"a": -(2**31)}, 2**31),
    ({"$abs": "$a"}, {}, None),
    ({"$ceil": "$a"}, {"a": -1.5}, -1.0),
    ({"$floor": "$a"}, {"a": 3}, 3),
    ({"$round": ["$a", 0]}, {"a": 2.5}, 2.0),
    ({"$round": ["$a", -2]}, {"a": 1250}, 1200),
    ({"$round": ["$a", 2]}, {"a": 2.675}, 2.67),
    ({"$round": "$a"}, {"a": Decimal128("1E+6000")}, Decimal128("1E+6000")),
    ({"$trunc": ["$a", 1]}, {"a": -1.29}, -1.2),
]
STRING: list[Row] = [
    ({"$concat": ["$a", "-", "$b"]}, {"a": "x", "b": "y"}, "x-y"),
    ({"$concat": ["$a", "-"]}, {}, None),
    ({"$toUpper": "$a"}, {"a": "grüße"}, "GRüßE"),
    ({"$toLower": "$a"}, {}, ""),
    ({"$toLower": "$a"}, {"a": "ÄB"}, "Äb"),
    ({"$substrCP": ["$a", 1, 2]}, {"a": "日本語"}, "本語"),
    ({"$substrBytes": ["$a", 0, 3]}, {"a": "日本語"}, "日"),
    ({"$substr": ["$a", 2, -1]}, {"a": "hello"}, "llo"),
    ({"$strLenCP": "$a"}, {"a": "日本"}, 2),
    ({"$strLenBytes": "$a"}, {"a": "日本"}, 6),
    ({"$split": ["$a", ","]}, {"a": "a,,b"}, ["a", "", "b"]),
    ({"$trim": {"input": "$a"}}, {"a": " \n\u00a0x "}, "x"),
    ({"$ltrim": {"input": "$a", "chars": "xy"}}, {"a": "yxaxy"}, "axy"),
    ({"$rtrim": {"input": "$a", "chars": "$gone"}}, {"a": "x"}, None),
    ({"$strcasecmp": ["$a", "$b"]}, {"a": "abc", "b": "ABD"}, -1),
]
ARRAY: list[Row] = [
    ({"$size": "$a"}, {"a": [1, 2]}, 2),
    ({"$arrayElemAt": ["$a", -1]}, {"a": [1, 2]}, 2),
    ({"$arrayElemAt": ["$a", 2]}, {"a": [1, 2]}, MISSING),
    ({"$arrayElemAt": ["$gone", 2]}, {}, None),
    ({"$in": ["$x", "$a"]}, {"x": 1.0, "a": [1]}, True),
    ({"$in": ["$x", ["a", "b"]]}, {"x": "b"}, True),
    ({"$in": ["$x", "$a"]}, {"x": 1, "a": [True]}, False),
    ({"$isArray": "$a"}, {"a": []}, True),
    ({"$concatArrays": ["$a", "$a"]}, {"a": [1]}, [1, 1]),
    ({"$concatArrays": ["$a", "$gone"]}, {"a": [1]}, None),
    ({"$map": {"input": "$a", "in": "$$this.x"}}, {"a": [{"x": 1}, {}, 5]}, [1, None, None]),
    ({"$map": {"input": "$a", "as": "n", "in": {"$add": ["$$n", "$k"]}}}, {"a": [1, 2], "k": 10}, [11, 12]),
    ({"$map": {"input": "$gone", "in": 1}}, {}, None),
    ({"$filter": {"input": "$a", "cond": {"$gt": ["$$this", 1]}}}, {"a": [1, 2, 3]}, [2, 3]),
    ({"$filter": {"input": "$a", "as": "n", "cond": "$$n", "limit": 1}}, {"a": [0, 2, 3]}, [2]),
    ({"$filter": {"input": "$a", "cond": True, "limit": "$gone"}}, {"a": [0, 2]}, [0, 2]),
    (
        {"$reduce": {"input": "$a", "initialValue": "", "in": {"$concat": ["$$value", "$$this"]}}},
        {"a": ["x", "y"]},
        "xy",
    ),
    (
        {
            "$map": {
                "input": "$a",
                "as": "row",
                "in": {
                    "$filter": {"input": "$$row", "as": "n", "cond": {"$lt": ["$$n", {"$size": "$$row"}]}}
                },
            }
        },
        {"a": [[1, 5], [0, 1, 2]]},
        [[1], [0, 1, 2]],
    ),
]
OBJECT: list[Row] = [
    ({"$mergeObjects": ["$a", None, {"x": 2}]}, {"a": {"x": 1, "y": 1}}, {"x": 2, "y": 1}),
    ({"$mergeObjects": []}, {}, {}),
    ({"$getField": "a.b"}, {"a.b": 1}, 1),
    ({"$getField": {"field": "$name", "input": "$o"}}, {"name": "x", "o": {"x": 5}}, 5),
    ({"$getField": {"field": "x", "input": None}}, {}, None),
    ({"$getField": {"field": "x", "input": "$gone"}}, {}, MISSING),
    ({"$objectToArray": "$o"}, {"o": {"a": 1}}, [{"k": "a", "v": 1}]),
    ({"a": "$x", "b": "$gone", "c": 1}, {"x": 2}, {"a": 2, "c": 1}),
    (["$x", "$gone", 1], {"x": 2}, [2, None, 1]),
    ({"a": {"b": "$$REMOVE"}}, {}, {"a": {}}),
]
VARIABLES: list[Row] = [
    ("$$ROOT", {"a": 1}, {"a": 1}),
    ("$$CURRENT.a", {"a": 1}, 1),
    ("$$REMOVE.x", {}, MISSING),
    ({"$let": {"vars": {"x": 5}, "in": "$$x.y"}}, {}, MISSING),
    ({"$let": {"vars": {"x": "$a", "y": 2}, "in": {"$add": ["$$x", "$$y"]}}}, {"a": 1}, 3),
    ({"$let": {"vars": {"CURRENT": "$o"}, "in": "$x"}}, {"o": {"x": 5}, "x": 1}, 5),
    ({"$let": {"vars": {"a": 1}, "in": {"$let": {"vars": {"a": {"$add": ["$$a", 1]}}, "in": "$$a"}}}}, {}, 2),
    ({"$literal": {"$add": [1, 2]}}, {}, {"$add": [1, 2]}),
    ("$a.b.c.d", {"a": {"b": [{"c": {"d": 1}}, {"c": [{"d": 2}]}]}}, [1, [2]]),
    ("$a.b.c.d.e.f.g.h.i.j", {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": {"j": 1}}}}}}}}}}, 1),
]
TYPES: list[Row] = [
    ({"$type": "$a"}, {}, "missing"),
    ({"$type": "$a"}, {"a": Int64(1)}, "long"),
    ({"$isNumber": "$a"}, {"a": True}, False),
    ({"$toInt": "$a"}, {"a": "-7"}, -7),
    ({"$toInt": "$a"}, {"a": 7.9}, 7),
    ({"$toLong": "$a"}, {"a": DATE}, Int64(1_706_704_200_000)),
    ({"$toDouble": "$a"}, {"a": "1e3"}, 1000.0),
    ({"$toDecimal": "$a"}, {"a": 0.1}, Decimal128("0.100000000000000")),
    ({"$toBool": "$a"}, {"a": "false"}, True),
    ({"$toBool": "$a"}, {}, None),
    ({"$toString": "$a"}, {"a": 1e16}, "1e+16"),
    ({"$toString": "$a"}, {"a": DATE}, "2024-01-31T12:30:00.000Z"),
    ({"$toString": "$a"}, {"a": ObjectId("5ab9cbfa31c2ab715d42129e")}, "5ab9cbfa31c2ab715d42129e"),
    ({"$toDate": "$a"}, {"a": "2024-01-31T13:30:00+01:00"}, DATE),
    ({"$toDate": "$a"}, {"a": Int64(1_706_704_200_000)}, DATE),
    ({"$convert": {"input": "$a", "to": "int", "onError": "$b"}}, {"a": "x", "b": 5}, 5),
    ({"$convert": {"input": "$a", "to": "int", "onNull": {"$divide": [1, "$z"]}}}, {"a": "1", "z": 0}, 1),
    ({"$convert": {"input": "$a", "to": "$to"}}, {"a": "1", "to": "double"}, 1.0),
    ({"$convert": {"input": "$a", "to": 16, "onNull": 0}}, {}, 0),
]
ACCUMULATORS: list[Row] = [
    ({"$sum": "$a"}, {"a": [1, "x", None, 2]}, 3),
    ({"$sum": "$a"}, {"a": 5}, 5),
    ({"$sum": ["$a", "$b"]}, {"a": 1, "b": [2]}, 1),
    ({"$sum": "$gone"}, {}, 0),
    ({"$sum": "$a"}, {"a": [0.1] * 10}, 1.0),
    ({"$sum": "$a"}, {"a": [2**31 - 1, 1]}, 2**31),
    ({"$sum": "$a"}, {"a": [2**63 - 1, 1]}, float(2**63)),
    ({"$sum": "$a"}, {"a": [1, 0.5, Decimal128("1")]}, Decimal128("2.500000000000000")),
    ({"$avg": "$a"}, {"a": [1, 2]}, 1.5),
    ({"$avg": "$a"}, {"a": ["x"]}, None),
    ({"$min": "$a"}, {"a": [3, None, "x", 2.5]}, 2.5),
    ({"$max": ["$a", "$b"]}, {"a": 1, "b": "x"}, "x"),
    ({"$max": "$a"}, {"a": []}, None),
]
TABLES = {
    "comparison": COMPARISON,
    "boolean": BOOLEAN,
    "conditional": CONDITIONAL,
    "arithmetic": ARITHMETIC,
    "string": STRING,
    "array": ARRAY,
    "object": OBJECT,
    "variables": VARIABLES,
    "types": TYPES,
    "accumulators": ACCUMULATORS,
}


def same(found: Any, expected: Any) -> bool:
    """Equal in BSON's sense and of the same type."""
    if found is MISSING or expected is MISSING:
        return found is expected
    return compare(found, expected) == 0 and type_name(found) == type_name(expected)


@pytest.mark.parametrize("family", TABLES)
def test_expressions_give_what_the_server_gives(family: str) -> None:
    """Every row of the family's table, the type of the value included."""
    for expression, document, expected in TABLES[family]:
        found = compile_expression(expression)(document)
        assert same(found, expected), f"{expression} of {document} gave {found!r}, not {expected!r}"


@pytest.mark.parametrize("family", TABLES)
def test_a_value_does_not_depend_on_whether_it_is_known_at_start(family: str) -> None:
    """The rows again, with the document's values written into the expression where that is possible."""
    for expression, document, expected in TABLES[family]:
        known = {
            "$let": {
                "vars": {"doc": {"$literal": document}, "CURRENT": {"$literal": document}},
                "in": expression,
            }
        }
        if "$$ROOT" not in str(expression):
            found = compile_expression(known)({})
            assert same(found, expected), f"{expression} of the constant {document} gave {found!r}"


ERRORS: list[tuple[Any, dict[str, Any], str]] = [
    ({"$add": ["$a", 1]}, {"a": "x"}, "$add only supports numeric or date types, not string"),
    ({"$add": ["$a", "$a"]}, {"a": DATE}, "$add only supports one date"),
    ({"$subtract": ["$a", 1]}, {"a": "x"}, "can't $subtract int from string"),
    ({"$multiply": ["$a", 2]}, {"a": []}, "$multiply only supports numeric types, not array"),
    ({"$divide": ["$a", "$b"]}, {"a": 1, "b": 0}, "can't $divide by zero"),
    ({"$mod": ["$a", "$b"]}, {"a": 1, "b": 0.0}, "can't $mod by zero"),
    ({"$abs": "$a"}, {"a": -(2**63)}, "can't take $abs"),
    ({"$round": ["$a", "$b"]}, {"a": 1, "b": 0.5}, "must be a whole number"),
    ({"$concat": ["$a", "$b"]}, {"a": "x", "b": 1}, "$concat only supports strings, not int"),
    ({"$substrBytes": ["$a", 1, 2]}, {"a": "日本"}, "within a character"),
    ({"$strLenCP": "$a"}, {}, "requires a string argument, found: missing"),
    ({"$size": "$a"}, {}, "must be an array, but was of type missing"),
    ({"$in": [1, "$a"]}, {"a": 1}, "requires an array as a second argument"),
    ({"$map": {"input": "$a", "in": 1}}, {"a": 1}, "input to $map must be an array not int"),
    ({"$filter": {"input": [1], "cond": True, "limit": "$a"}}, {"a": 0}, "limit must be"),
    ({"$mergeObjects": ["$a"]}, {"a": [1]}, "requires object inputs"),
    ({"$toInt": "$a"}, {"a": "1.5"}, "no whole number"),
    ({"$toInt": "$a"}, {"a": 2**31}, "does not fit"),
    ({"$toDate": "$a"}, {"a": "Friday"}, "no date"),
    ({"$toObjectId": "$a"}, {"a": "12"}, "24 hexadecimal"),
    ({"$switch": {"branches": [{"case": "$a", "then": 1}]}}, {}, "no default"),
    ({"$convert": {"input": "$a", "to": "$to"}}, {"a": 1, "to": "nope"}, "names no type"),
]


def test_data_errors_are_poison_with_their_reason() -> None:
    """Nothing but Poison leaves an expression, and it says what is wrong."""
    for expression, document, reason in ERRORS:
        with pytest.raises(Poison) as caught:
            compile_expression(expression, "p")(document)
        assert reason in caught.value.reason, expression
        assert caught.value.at.startswith("p.$"), caught.value.at


def test_an_error_names_the_innermost_operator() -> None:
    """Also within a lazy branch, a loop, and a function split off for depth."""
    expression: Any = {"$divide": [1, "$z"]}
    expression = {"$cond": ["$yes", {"$map": {"input": "$a", "in": {"$add": [1, expression]}}}, 0]}
    with pytest.raises(Poison) as caught:
        compile_expression(expression, "p")({"yes": 1, "a": [1], "z": 0})
    assert caught.value.at == "p.$cond[1].$map.in.$add[1].$divide"


def test_every_example_of_the_catalogue_holds() -> None:
    """The docs print these examples; each gives the value it shows."""
    for name, operator in OPERATORS.items():
        found = compile_expression(operator.example.expression)(dict(operator.example.document))
        assert same(found, operator.example.result), f"{name}: {found!r}"
        assert name in operator.syntax
        assert operator.meaning


def test_no_operator_is_in_two_families() -> None:
    """The table that joins the families loses none."""
    assert len(OPERATORS) == sum(len(family) for family in FAMILIES.values())
    assert all(name == operator.name for name, operator in OPERATORS.items())
