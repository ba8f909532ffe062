"""What each operator of `$match` matches. Cases: query, documents that match, documents that do not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

from workers.pipeline.match import compile_match

NAN, INF = float("nan"), float("inf")
OID = ObjectId("5f0000000000000000000001")
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)

COMPARISON: list[tuple[Any, list[Any], list[Any]]] = [
    ({}, [{}, {"a": 1}], []),
    ({"a": 1}, [{"a": 1}, {"a": 1.0}, {"a": Int64(1)}, {"a": Decimal128("1.0")}, {"a": [2, 1]}],
     [{}, {"a": True}, {"a": "1"}, {"a": None}, {"a": 2}, {"a": [[1]]}, {"a": {"a": 1}}]),
    ({"a": True}, [{"a": True}], [{"a": 1}, {"a": False}, {}]),
    ({"a": "x"}, [{"a": "x"}, {"a": ["x"]}], [{"a": Code("x")}, {"a": "X"}, {}]),
    ({"a": None}, [{}, {"a": None}, {"a": [1, None]}, {"b": 1}], [{"a": []}, {"a": 0}, {"a": ""}]),
    ({"a": {"$ne": None}}, [{"a": []}, {"a": 0}], [{}, {"a": None}, {"a": [None]}]),
    ({"a": NAN}, [{"a": NAN}, {"a": Decimal128("NaN")}, {"a": [NAN]}], [{"a": 1.0}, {}]),
    ({"a": {"$gte": NAN}}, [{"a": NAN}], [{"a": 1.0}]),
    ({"a": {"$gt": NAN}}, [], [{"a": NAN}, {"a": 1}]),
    ({"a": {"$lt": INF}}, [{"a": 1}, {"a": -INF}, {"a": Decimal128("1")}], [{"a": INF}, {"a": NAN},
     {"a": "1"}]),
    ({"a": {"$gt": 5}}, [{"a": 6}, {"a": 5.5}, {"a": [1, 6]}, {"a": Int64(6)}, {"a": Decimal128("5.1")}],
     [{"a": 5}, {"a": "6"}, {"a": NAN}, {"a": None}, {}, {"a": {"x": 6}}, {"a": True}]),
    ({"a": {"$gt": 2**53}}, [{"a": 2**53 + 1}], [{"a": float(2**53)}]),
    ({"a": {"$lte": Decimal128("0.1")}}, [{"a": 0.0}, {"a": Decimal128("0.1")}], [{"a": 1}, {"a": NAN}]),
    ({"a": {"$gt": 1, "$lt": 3}}, [{"a": 2}, {"a": [0, 5]}, {"a": [1, 3]}], [{"a": 3}, {"a": [3, 4]}]),
    ({"a": {"$gte": "b"}}, [{"a": "b"}, {"a": "é"}], [{"a": "a"}, {"a": 5}]),
    ({"a": {"$gt": False}}, [{"a": True}], [{"a": False}, {"a": 1}]),
    ({"a": {"$gt": None}}, [], [{"a": None}, {}, {"a": 1}]),
    ({"a": {"$gte": None}}, [{"a": None}, {}], [{"a": 1}]),
    ({"a": {"$lt": NOON}}, [{"a": datetime(2024, 5, 1, tzinfo=UTC)}], [{"a": NOON}, {"a": 5},
     {"a": Timestamp(1, 1)}]),
    ({"a": {"$gt": MinKey()}}, [{"a": 1}, {}, {"a": MaxKey()}], [{"a": MinKey()}]),
    ({"a": {"$lte": MaxKey()}}, [{"a": 1}, {}, {"a": MaxKey()}], []),
    ({"a": {"$lt": MinKey()}}, [], [{"a": 1}, {"a": MinKey()}]),
    ({"a": MinKey()}, [{"a": MinKey()}], [{}, {"a": 1}]),
    ({"a": OID}, [{"a": OID}], [{"a": str(OID)}]),
    ({"a": b"x"}, [{"a": b"x"}], [{"a": Binary(b"x", 5)}, {"a": "x"}]),
    ({"a": {"$eq": Regex("x")}}, [{"a": Regex("x")}], [{"a": "x"}, {"a": Regex("x", "i")}]),
    ({"a": {"b": 1, "c": 2}}, [{"a": {"b": 1.0, "c": 2}}, {"a": [{"b": 1, "c": 2}]}],
     [{"a": {"c": 2, "b": 1}}, {"a": {"b": 1}}, {"a": {"b": 1, "c": 2, "d": 3}}]),
    ({"a": [1, 2]}, [{"a": [1, 2]}, {"a": [[1, 2], 3]}], [{"a": [2, 1]}, {"a": [1, 2, 3]}, {"a": 1}]),
    ({"a": []}, [{"a": []}, {"a": [[]]}], [{"a": [1]}, {}]),
    ({"a": {}}, [{"a": {}}], [{"a": []}, {"a": {"b": 1}}]),
    ({"a": {"$gt": [1, 2]}}, [{"a": [1, 3]}, {"a": [2]}], [{"a": [1, 2]}, {"a": 5}]),
    ({"a": {"$ne": 1}}, [{}, {"a": 2}, {"a": [2]}, {"a": "1"}], [{"a": 1}, {"a": [1, 2]}, {"a": 1.0}]),
    ({"a": {"$in": ["x", 1, None]}}, [{}, {"a": "x"}, {"a": 1.0}, {"a": [3, "x"]}, {"a": Decimal128("1")}],
     [{"a": "y"}, {"a": True}, {"a": []}]),
    ({"a": {"$in": ["x", "y"]}}, [{"a": "y"}, {"a": ["x"]}], [{"a": Code("x")}, {}, {"a": 1}]),
    ({"a": {"$in": [1, 2.5]}}, [{"a": 2.5}, {"a": Int64(1)}, {"a": Decimal128("2.5")}], [{"a": True},
     {"a": NAN}]),
    ({"a": {"$in": [True]}}, [{"a": True}], [{"a": 1}]),
    ({"a": {"$in": [NAN, OID]}}, [{"a": NAN}, {"a": OID}], [{"a": 1.0}]),
    ({"a": {"$in": [[1], {"b": 1}]}}, [{"a": [1]}, {"a": {"b": 1.0}}, {"a": [[1]]}], [{"a": 1}]),
    ({"a": {"$in": [Regex("^x"), 5]}}, [{"a": "xy"}, {"a": 5}, {"a": Regex("^x")}], [{"a": "yx"}]),
    ({"a": {"$in": []}}, [], [{}, {"a": 1}, {"a": None}]),
    ({"a": {"$nin": [1, None]}}, [{"a": 2}, {"a": []}], [{}, {"a": 1}, {"a": [1]}]),
    ({"a": {"$nin": []}}, [{}, {"a": 1}], []),
]  # fmt: skip

PATHS: list[tuple[Any, list[Any], list[Any]]] = [
    ({"a.b": 1}, [{"a": {"b": 1}}, {"a": [{"b": 1}]}, {"a": {"b": [1]}}, {"a": [5, {"b": [0, 1]}]}],
     [{"a.b": 1}, {"a": 1}, {"a": [[{"b": 1}]]}, {}]),
    ({"a.b": None}, [{}, {"a": None}, {"a": 5}, {"a": {}}, {"a": [{}]}, {"a": [{"b": 1}, {}]}],
     [{"a": []}, {"a": [5]}, {"a": [{"b": 1}]}]),
    ({"a.b": {"$exists": False}}, [{}, {"a": [5]}, {"a": []}], [{"a": [{"b": 1}, {}]}]),
    ({"a.0": 5}, [{"a": [5, 6]}, {"a": {"0": 5}}, {"a": [{"0": 5}]}], [{"a": [6, 5]}, {"a": 5},
     {"a": [[5]]}]),
    ({"a.1.b": 7}, [{"a": [0, {"b": 7}]}, {"a": {"1": {"b": 7}}}, {"a": [{"1": {"b": 7}}]}],
     [{"a": [{"b": 7}]}, {"a": [0, [{"b": 7}]]}]),
    ({"a.0.0": 5}, [{"a": [[5]]}, {"a": [[[4, 5]]]}], [{"a": [5]}, {"a": [[4, 5]]}]),
    ({"a.01": 5}, [{"a": {"01": 5}}], [{"a": [4, 5]}]),
    ({"a.b.c": 1}, [{"a": [{"b": [{"c": 1}]}]}, {"a": {"b": {"c": 1}}}], [{"a": {"b": 1}},
     {"a": {"b": [1]}}]),
    ({"": 1}, [{"": 1}], [{"a": 1}]),
    ({"{v}": "{k}", "a{m}.{k}": {"$exists": True}}, [{"{v}": "{k}", "a{m}": {"{k}": 1}}],
     [{"v1": "{k}"}, {}]),
    ({"a": {"$ref": "c", "$id": 1}}, [{"a": {"$ref": "c", "$id": 1}}], [{"a": 1}]),
]  # fmt: skip

LOGICAL: list[tuple[Any, list[Any], list[Any]]] = [
    ({"$and": [{"a": 1}, {"b": 2}]}, [{"a": 1, "b": 2}], [{"a": 1}, {"b": 2}]),
    ({"$or": [{"a": 1}, {"b": 2}]}, [{"a": 1}, {"b": 2}], [{}, {"a": 2}]),
    ({"$nor": [{"a": 1}, {"b": 2}]}, [{}, {"a": 2}], [{"a": 1}, {"b": 2}]),
    (
        {"c": 3, "$or": [{"a": 1}, {"$and": [{"b": 2}, {"d": None}]}]},
        [{"c": 3, "b": 2}],
        [{"a": 1}, {"c": 3}],
    ),
    ({"a": {"$not": {"$gt": 5}}}, [{}, {"a": 5}, {"a": "x"}], [{"a": 6}, {"a": [1, 6]}]),
    ({"a": {"$not": {"$gt": 1, "$lt": 3}}}, [{"a": 3}, {}], [{"a": 2}, {"a": [0, 5]}]),
    ({"a": {"$not": {"$not": {"$eq": 1}}}}, [{"a": 1}], [{"a": 2}, {}]),
    ({"a": {"$not": {"$ne": 1}}}, [{"a": 1}, {"a": [1, 2]}], [{"a": 2}]),
    ({"a": {"$not": Regex("^x")}}, [{"a": "y"}, {"a": 5}, {}], [{"a": "xy"}, {"a": ["y", "x"]}]),
    ({"a": {"$not": {"$all": [1, 2]}}}, [{"a": [1]}, {}], [{"a": [1, 2]}]),
    ({"$alwaysTrue": 1}, [{}], []),
    ({"$alwaysFalse": 1}, [], [{}]),
    ({"$comment": "why", "a": 1}, [{"a": 1}], [{}]),
    ({"a": {"$gt": 1, "$comment": "why"}}, [{"a": 2}], [{}]),
]

ELEMENT: list[tuple[Any, list[Any], list[Any]]] = [
    ({"a": {"$exists": True}}, [{"a": None}, {"a": []}, {"a": {}}, {"a": 1}], [{}]),
    ({"a": {"$exists": 0}}, [{}], [{"a": None}]),
    ({"a": {"$exists": "yes"}}, [{"a": 1}], [{}]),
    ({"a": {"$type": "string"}}, [{"a": "x"}, {"a": [1, "x"]}], [{"a": 1}, {"a": Code("x")}, {}]),
    ({"a": {"$type": "number"}}, [{"a": 1}, {"a": 1.5}, {"a": Decimal128("1")}, {"a": Int64(1)}],
     [{"a": True}]),
    ({"a": {"$type": ["int", 8]}}, [{"a": 1}, {"a": True}], [{"a": Int64(1)}, {"a": 2**40}, {"a": 1.0}]),
    ({"a": {"$type": "long"}}, [{"a": Int64(1)}, {"a": 2**40}], [{"a": 1}]),
    ({"a": {"$type": 4.0}}, [{"a": []}, {"a": [1]}, {"a": [[1]]}], [{"a": {}}]),
    ({"a": {"$type": "null"}}, [{"a": None}], [{}]),
    ({"a": {"$type": -1}}, [{"a": MinKey()}], [{"a": MaxKey()}]),
    ({"a": {"$type": [127, "regex", "timestamp", "objectId", "binData", "date", "javascript"]}},
     [{"a": MaxKey()}, {"a": Regex("x")}, {"a": Timestamp(1, 1)}, {"a": OID}, {"a": b""}, {"a": NOON},
      {"a": Code("f")}], [{"a": Code("f", {"x": 1})}, {"a": "x"}]),
]  # fmt: skip

ARRAY: list[tuple[Any, list[Any], list[Any]]] = [
    ({"a": {"$size": 2}}, [{"a": [1, 2]}, {"a": [[], []]}], [{"a": [1]}, {"a": [[1, 2]]}, {"a": 2}, {}]),
    ({"a": {"$size": 0.0}}, [{"a": []}], [{}, {"a": [1]}]),
    ({"a.b": {"$size": 1}}, [{"a": [{"b": [9]}]}], [{"a": [{"b": 9}]}]),
    ({"a": {"$all": [1, 2]}}, [{"a": [2, 1, 3]}], [{"a": [1]}, {"a": 1}, {}]),
    ({"a": {"$all": [1]}}, [{"a": 1}, {"a": [1]}], [{"a": 2}]),
    ({"a": {"$all": []}}, [], [{"a": []}, {}]),
    ({"a": {"$all": [[1, 2]]}}, [{"a": [1, 2]}, {"a": [[1, 2]]}], [{"a": [1]}]),
    ({"a": {"$all": [Regex("^x"), None]}}, [{"a": ["xy", None]}], [{"a": ["xy"]}]),
    ({"a": {"$all": [{"$elemMatch": {"x": 1, "y": 1}}, {"$elemMatch": {"x": 2}}]}},
     [{"a": [{"x": 1, "y": 1}, {"x": 2}]}], [{"a": [{"x": 1}, {"y": 1}, {"x": 2}]}]),
    ({"a": {"$elemMatch": {"$gt": 1, "$lt": 3}}}, [{"a": [0, 2]}], [{"a": [0, 5]}, {"a": 2},
     {"a": [[2]]}, {}]),
    ({"a": {"$elemMatch": {"$not": {"$gt": 1}}}}, [{"a": [0, 5]}], [{"a": [5]}, {"a": []}]),
    ({"a": {"$elemMatch": {"$nin": [1], "$exists": True}}}, [{"a": [1, 2]}], [{"a": [1]}]),
    ({"a": {"$elemMatch": {"x": 1, "y": {"$gt": 1}}}}, [{"a": [{"x": 1, "y": 2}]}],
     [{"a": [{"x": 1}, {"y": 2}]}, {"a": {"x": 1, "y": 2}}]),
    ({"a": {"$elemMatch": {"0": 5}}}, [{"a": [[5]]}, {"a": [{"0": 5}]}], [{"a": [5]}]),
    ({"a": {"$elemMatch": {}}}, [{"a": [{}]}, {"a": [[]]}], [{"a": [1]}, {"a": []}]),
    ({"a": {"$elemMatch": {"$or": [{"x": 1}, {"y": 2}]}}}, [{"a": [{"y": 2}]}], [{"a": [{"x": 2}]}]),
    ({"a": {"$elemMatch": {"$elemMatch": {"$eq": 1}}}}, [{"a": [[1]]}], [{"a": [1]}]),
]  # fmt: skip

EVALUATION: list[tuple[Any, list[Any], list[Any]]] = [
    ({"a": {"$mod": [4, 1]}}, [{"a": 5}, {"a": 5.9}, {"a": [4, 9]}, {"a": Decimal128("5.5")},
     {"a": Int64(1)}],
     [{"a": 4}, {"a": -5}, {"a": NAN}, {"a": INF}, {"a": "5"}, {}, {"a": 1e300}, {"a": Decimal128("1E+30")}]),
    ({"a": {"$mod": [-4.9, -1]}}, [{"a": -5}], [{"a": 5}]),
    ({"a": {"$mod": [-1, 0]}}, [{"a": -(2**63)}], [{"a": 2**70}]),
    ({"a": {"$regex": "^ab"}}, [{"a": "abc"}, {"a": ["x", "ab"]}, {"a": Regex("^ab")}],
     [{"a": "cab"}, {"a": 5}, {}, {"a": Regex("^ab", "i")}]),
    ({"a": Regex("B", "i")}, [{"a": "abc"}], [{"a": "ac"}]),
    ({"a": {"$regex": Regex("B"), "$options": "i"}}, [{"a": "abc"}], [{"a": "ac"}]),
    ({"a": {"$options": "x", "$regex": "a b # note"}}, [{"a": "ab"}], [{"a": "a b"}]),
    ({"a": {"$regex": "a.c", "$options": "s"}}, [{"a": "a\nc"}], [{"a": "ac"}]),
    ({"a": {"$regex": "x", "$ne": "x"}}, [{"a": "xx"}], [{"a": "x"}, {"a": "y"}]),
]  # fmt: skip

BITWISE: list[tuple[Any, list[Any], list[Any]]] = [
    ({"a": {"$bitsAllSet": [1, 5]}}, [{"a": 50}, {"a": 50.0}, {"a": -1}, {"a": b"\x32"}, {"a": [1, 50]}],
     [{"a": 2}, {"a": 50.5}, {"a": "50"}, {"a": None}, {}, {"a": 2.0**70}, {"a": NAN}, {"a": True}]),
    ({"a": {"$bitsAllClear": 3}}, [{"a": 4}, {"a": 0}, {"a": b""}, {"a": -4}], [{"a": 5}, {"a": 1}]),
    ({"a": {"$bitsAnySet": 3}}, [{"a": 1}, {"a": 6}], [{"a": 4}, {"a": 0}]),
    ({"a": {"$bitsAnyClear": 3}}, [{"a": 1}, {"a": 0}], [{"a": 3}, {"a": 7}]),
    ({"a": {"$bitsAllSet": [200, 2147483647]}}, [{"a": -1}], [{"a": 2**62}, {"a": b"\xff"}]),
    ({"a": {"$bitsAllSet": b"\x00\x01"}}, [{"a": 256}, {"a": b"\x00\x01"}], [{"a": 1}, {"a": b"\x01"}]),
    ({"a": {"$bitsAnySet": 0}}, [], [{"a": 255}]),
    ({"a": {"$bitsAllSet": 0}}, [{"a": 0}], [{"a": "x"}]),
    ({"a": {"$bitsAllSet": Decimal128("2")}}, [{"a": Decimal128("6")}], [{"a": Decimal128("1.5")}]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "matching", "others"),
    [*COMPARISON, *PATHS, *LOGICAL, *ELEMENT, *ARRAY, *EVALUATION, *BITWISE],
)
def test_a_query_means_what_the_server_means(query: Any, matching: list[Any], others: list[Any]) -> None:
    """Each operator over the types and shapes that it tells apart."""
    test = compile_match(query, "pipeline[0].$match").test
    assert [doc for doc in matching if not test(doc)] == []
    assert [doc for doc in others if test(doc)] == []


def test_expressions_are_compiled_once_and_judged_by_their_truth() -> None:
    """`$expr` holds for every value but missing, null, false and zero."""
    seen: list[tuple[Any, str]] = []

    def compile_expression(expression: Any, path: str) -> Any:
        seen.append((expression, path))
        return lambda doc: doc["value"]

    values: list[Any] = [0, None, False, 0.0, 1, "", [], "x"]
    test = compile_match({"$expr": "$value", "a": 1}, "pipeline[2].$match", compile_expression).test
    assert seen == [("$value", "pipeline[2].$match.$expr")]
    assert [value for value in values if test({"value": value, "a": 1})] == [
        1, "", [], "x",
    ]  # fmt: skip
    assert len(seen) == 1


def test_a_query_can_be_inlined_by_its_source_and_names() -> None:
    """`source` is an expression over `doc` that says the same as `test`."""
    match = compile_match({"a": {"$gt": 5}, "b.c": {"$in": ["x", None]}, "$nor": [{"d": 1}]}, "p")
    inlined = eval(f"lambda doc: {match.source}", dict(match.names))
    for doc in (
        {"a": 6, "b": {"c": "x"}},
        {"a": 6},
        {"a": 5},
        {"a": 6, "d": 1},
        {"a": [9], "b": [{"c": "x"}]},
    ):
        assert inlined(doc) == match.test(doc)


def test_queries_of_any_width_and_depth_compile() -> None:
    """A thousand alternatives and the deepest permitted nesting are neither slow nor too deep for Python."""
    wide = compile_match({"$or": [{"a": number} for number in range(1000)]}, "p").test
    assert wide({"a": 999})
    assert not wide({"a": 1000})
    deep: dict[str, Any] = {"a": 1}
    for _ in range(45):
        deep = {"$nor": [deep]}
    assert not compile_match(deep, "p").test({"a": 1})
    assert compile_match(deep, "p").test({"a": 2})
