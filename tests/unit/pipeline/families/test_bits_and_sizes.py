"""Bits of whole numbers, and how many bytes values take."""

from __future__ import annotations

from datetime import UTC, datetime

import bson
from bson import Binary, Int64

from tests.unit.pipeline.families.rows import Row, Wrong, check_rows, check_wrong
from workers.pipeline import compile_expression

ROWS: list[Row] = [
    ({"$bitAnd": []}, {}, -1),
    ({"$bitOr": []}, {}, 0),
    ({"$bitXor": []}, {}, 0),
    ({"$bitAnd": ["$a", 7]}, {"a": -2}, 6),
    ({"$bitAnd": ["$a", 7]}, {"a": Int64(5)}, Int64(5)),
    ({"$bitOr": ["$a", "$b"]}, {"a": 2**40, "b": 1}, 2**40 + 1),
    ({"$bitXor": ["$a", "$a", "$a"]}, {"a": 5}, 5),
    ({"$bitOr": ["$a", "$missing"]}, {"a": 1}, None),
    ({"$bitOr": [None, "$a"]}, {"a": "x"}, None),
    ({"$bitOr": "$a"}, {"a": 4}, 4),
    ({"$bitNot": "$a"}, {"a": 0}, -1),
    ({"$bitNot": "$a"}, {"a": Int64(0)}, Int64(-1)),
    ({"$bitNot": "$a"}, {"a": 2**31 - 1}, -(2**31)),
    ({"$bitNot": "$a"}, {}, None),
    ({"$bsonSize": "$a"}, {"a": {}}, 5),
    ({"$bsonSize": "$a"}, {"a": None}, None),
    ({"$bsonSize": "$a"}, {}, None),
    ({"$bsonSize": "$a"}, {"a": {"huge": 2**70}}, 5 + 1 + 5 + 8),
    ({"$bsonSize": "$a"}, {"a": {"list": [2**70, 1]}}, len(bson.encode({"list": [0.5, 1]}))),
    ({"$binarySize": "$a"}, {"a": "日本"}, 6),
    ({"$binarySize": "$a"}, {"a": ""}, 0),
    ({"$binarySize": "$a"}, {"a": b"abc"}, 3),
    ({"$binarySize": "$a"}, {"a": Binary(b"abcd", 4)}, 4),
    ({"$binarySize": "$a"}, {"a": None}, None),
]
WRONG: list[Wrong] = [
    ({"$bitAnd": ["$a", 1]}, {"a": 1.0}, "$bitAnd only supports int and long operands, not double"),
    ({"$bitOr": [1, "$a"]}, {"a": True}, "not bool"),
    ({"$bitXor": ["$a", None]}, {"a": 2**70}, "not double"),
    ({"$bitNot": "$a"}, {"a": "1"}, "$bitNot only supports int and long operands, not string"),
    ({"$bitNot": [1, 2]}, {}, "exactly 1 argument"),
    ({"$bsonSize": "$a"}, {"a": [1]}, "$bsonSize requires a document, not array"),
    ({"$bsonSize": "$a"}, {"a": {"\0": 1}}, "text that BSON cannot"),
    ({"$bsonSize": "$a"}, {"a": {"x": "\ud800"}}, "text that BSON cannot"),
    ({"$binarySize": "$a"}, {"a": 5}, "$binarySize requires a string or binData, not int"),
]


def test_bits_and_sizes_give_what_the_server_gives() -> None:
    """Every row, the type included."""
    check_rows(ROWS)


def test_other_types_are_refused() -> None:
    """With the type in the reason."""
    check_wrong(WRONG)


def test_the_whole_document_has_the_size_of_its_bson() -> None:
    """Whatever it holds."""
    document = {"a": [1, "x", None], "d": datetime(2024, 1, 1, tzinfo=UTC), "l": Int64(1), "b": b"\x00"}
    assert compile_expression({"$bsonSize": "$$ROOT"})(document) == len(bson.encode(document))
