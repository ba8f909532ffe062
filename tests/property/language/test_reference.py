"""The reference itself, held against examples and tables of the manual."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from bson import Binary, Decimal128, Int64, ObjectId

from tests.property.language import reference, sameness


def day(text: str) -> datetime:
    """A date in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


T: Final = day("2021-03-14T10:11:12.345")
EXAMPLES: Final[list[tuple[Any, Any]]] = [
    ({"$add": [1, 2]}, 3),
    ({"$add": [2147483647, 1]}, Int64(2147483648)),
    ({"$add": [Int64(2**63 - 1), 1]}, 9.223372036854775807e18),
    ({"$add": [1, 0.5]}, 1.5),
    ({"$add": [T, 1000]}, day("2021-03-14T10:11:13.345")),
    ({"$add": [1, None]}, None),
    ({"$subtract": [day("2021-01-02"), day("2021-01-01")]}, Int64(86_400_000)),
    ({"$multiply": [3, 2.5]}, 7.5),
    ({"$divide": [9, 3]}, 3.0),
    ({"$mod": [-7, 3]}, -1),
    ({"$mod": [7.5, 2]}, 1.5),
    ({"$round": [2.5]}, 2.0),
    ({"$round": [-3.5]}, -4.0),
    ({"$round": [19.25, 1]}, 19.2),
    ({"$round": [1234, -2]}, 1200),
    ({"$trunc": [7.88, 1]}, 7.8),
    ({"$pow": [5, 2]}, 25),
    ({"$pow": [2, 40]}, Int64(2**40)),
    ({"$pow": [5, -2]}, 0.04),
    ({"$log": [100, 10]}, 2.0),
    ({"$abs": -1}, 1),
    ({"$ceil": -2.8}, -2.0),
    ({"$arrayElemAt": [[1, 2, 3], -2]}, 2),
    ({"$arrayElemAt": [[1, 2, 3], 15]}, reference.MISSING),
    ({"$arrayToObject": [[["item", "abc"], ["qty", 25]]]}, {"item": "abc", "qty": 25}),
    ({"$concatArrays": [["hello", " "], ["world"]]}, ["hello", " ", "world"]),
    ({"$indexOfArray": [["a", "abc", "de", "abc"], "de"]}, 2),
    ({"$range": [0, 10, 2]}, [0, 2, 4, 6, 8]),
    ({"$slice": [[1, 2, 3], -15, 2]}, [1, 2]),
    ({"$slice": [[1, 2, 3], 15, 2]}, []),
    ({"$zip": {"inputs": [["a"], ["b", "c"]], "useLongestLength": True, "defaults": ["x", "y"]}},
     [["a", "b"], ["x", "c"]]),
    ({"$sortArray": {"input": [20, 4, {"a": "Free"}, 6, 21, 5, "Gratis", {"a": None}, {"a": {"s": 1}}, 10],
                     "sortBy": 1}},
     [4, 5, 6, 10, 20, 21, "Gratis", {"a": None}, {"a": "Free"}, {"a": {"s": 1}}]),
    ({"$reduce": {"input": ["a", "b", "c"], "initialValue": "", "in": {"$concat": ["$$value", "$$this"]}}},
     "abc"),
    ({"$filter": {"input": [1, "a", 2, None, 3.1], "as": "n", "cond": {"$isNumber": "$$n"}, "limit": 2}},
     [1, 2]),
    ({"$maxN": {"n": 2, "input": [1, None, 3, 2]}}, [3, 2]),
    ({"$setDifference": [["a", "b", "a"], ["b"]]}, ["a"]),
    ({"$setEquals": [["a", "b", "a"], ["b", "a"]]}, True),
    ({"$setIsSubset": [["a"], ["b", "a"]]}, True),
    ({"$allElementsTrue": [[True, 1, "some"]]}, True),
    ({"$anyElementTrue": [[0, False]]}, False),
    ({"$objectToArray": {"$literal": {"a": 1}}}, [{"k": "a", "v": 1}]),
    ({"$setField": {"field": {"$literal": "$x"}, "input": {"a": 1}, "value": 2}}, {"a": 1, "$x": 2}),
    ({"$unsetField": {"field": "a.b", "input": {"$literal": {"a.b": 1, "c": 2}}}}, {"c": 2}),
    ({"$substrCP": ["éclair", 0, 3]}, "écl"),
    ({"$substrBytes": ["éclair", 0, 3]}, "éc"),
    ({"$strLenBytes": "x€"}, 4),
    ({"$strcasecmp": ["13q1", "13Q4"]}, -1),
    ({"$split": ["June-15-2013", "-"]}, ["June", "15", "2013"]),
    ({"$trim": {"input": "ggggoodbyeeeee", "chars": "ge"}}, "oodby"),
    ({"$replaceAll": {"input": "abc", "find": "b", "replacement": "x"}}, "axc"),
    ({"$indexOfCP": ["cafétéria", "é"]}, 3),
    ({"$toUpper": "éa"}, "éA"),
    ({"$regexFind": {"input": "First line", "regex": "(li)(ne)"}}, {"match": "line", "idx": 6,
     "captures": ["li", "ne"]}),
    ({"$regexMatch": {"input": "LINE", "regex": "line", "options": "i"}}, True),
    ({"$isoWeekYear": day("2016-01-01")}, Int64(2015)),
    ({"$isoWeek": {"date": day("2016-01-01")}}, 53),
    ({"$week": day("2016-01-01")}, 0),
    ({"$dayOfWeek": day("2016-01-01")}, 6),
    ({"$dayOfYear": day("2024-12-31")}, 366),
    ({"$dateToString": {"date": T, "format": "%Y-%m-%d", "timezone": "America/New_York"}}, "2021-03-14"),
    ({"$dateToString": {"date": T, "format": "%H:%M:%S:%L%z", "timezone": "America/New_York"}},
     "06:11:12:345-0400"),
    ({"$dateFromParts": {"year": 2017, "month": 14, "day": 1, "hour": 12}}, day("2018-02-01T12:00")),
    ({"$dateFromParts": {"year": 2017, "month": 0, "day": 1}}, day("2016-12-01")),
    ({"$dateFromParts": {"isoWeekYear": 2017, "isoWeek": 6, "isoDayOfWeek": 4}}, day("2017-02-09")),
    ({"$dateFromString": {"dateString": "2017-02-08T12:10:40.787", "timezone": "America/New_York"}},
     day("2017-02-08T17:10:40.787")),
    ({"$dateAdd": {"startDate": day("2021-01-31"), "unit": "month", "amount": 1}}, day("2021-02-28")),
    ({"$dateAdd": {"startDate": day("2021-03-13T15:00"), "unit": "day", "amount": 1,
     "timezone": "America/New_York"}},
     day("2021-03-14T14:00")),
    ({"$dateSubtract": {"startDate": day("2021-03-14T14:00"), "unit": "hour", "amount": 24}},
     day("2021-03-13T14:00")),
    ({"$dateDiff": {"startDate": day("2020-12-31T23:59"), "endDate": day("2021-01-01"), "unit": "year"}},
     Int64(1)),
    ({"$dateDiff": {"startDate": day("2021-01-03"), "endDate": day("2021-01-04"), "unit": "week",
                    "startOfWeek": "monday"}}, Int64(1)),
    ({"$dateTrunc": {"date": day("2021-03-20T11:30:05"), "unit": "hour"}}, day("2021-03-20T11:00")),
    ({"$dateTrunc": {"date": day("2021-03-20T11:30:05"), "unit": "week", "binSize": 2,
                     "timezone": "America/Los_Angeles", "startOfWeek": "Monday"}}, day("2021-03-15T07:00")),
    ({"$dateToParts": {"date": day("2017-01-01T01:29:09.123"), "iso8601": True}},
     {"isoWeekYear": 2016, "isoWeek": 52, "isoDayOfWeek": 7, "hour": 1, "minute": 29, "second": 9,
      "millisecond": 123}),
    ({"$convert": {"input": "x", "to": "int", "onError": "bad"}}, "bad"),
    ({"$convert": {"input": None, "to": "int", "onNull": 0}}, 0),
    ({"$toInt": 5.9}, 5),
    ({"$toLong": day("2018-03-26T04:38:28.044")}, Int64(1522039108044)),
    ({"$toDate": 120000000000.5}, day("1973-10-20T21:20:00")),
    ({"$toDate": ObjectId("5ab9c3da31c2ab715d421285")}, day("2018-03-27T04:08:58")),
    ({"$toDecimal": 5.5}, Decimal128("5.50000000000000")),
    ({"$toString": 2.5}, "2.5"),
    ({"$toBool": "false"}, True),
    ({"$toUUID": "0e3b9063-8abd-4eb3-9f9f-f4c59fd30a60"},
     Binary(bytes.fromhex("0e3b90638abd4eb39f9ff4c59fd30a60"), 4)),
    ({"$type": "$nope"}, "missing"),
    ({"$sum": [[1, 2.5, "x"]]}, 3.5),
    ({"$avg": [1, 2, None]}, 1.5),
    ({"$stdDevSamp": [[1, 2, 3]]}, 1.0),
    ({"$percentile": {"input": [1, 2, 3, 4], "p": [0.5, 1], "method": "approximate"}}, [2.0, 4.0]),
    ({"$bitAnd": [5, Int64(4)]}, Int64(4)),
    ({"$bitNot": 0}, -1),
    ({"$cond": [{"$gt": [1, "a"]}, 1, 2]}, 2),
    ({"$ifNull": ["$nope", None, 3]}, 3),
    ({"$let": {"vars": {"low": 1}, "in": {"$add": ["$$low", "$a.b"]}}}, 6),
    ("$l.x", [1, 2]),
    ({"$bsonSize": {"a": 1}}, 12),
]  # fmt: skip
DOCUMENT: Final = {"a": {"b": 5}, "l": [{"x": 1}, {"y": 1}, {"x": 2}, 3]}


@pytest.mark.parametrize(("expression", "expected"), EXAMPLES)
def test_an_example_of_the_manual_is_reproduced(expression: Any, expected: Any) -> None:
    """In value and kind of number."""
    found = reference.evaluate(expression, DOCUMENT)
    assert sameness.same(found, expected), found


FAILING: Final[list[tuple[Any, type[Exception]]]] = [
    ({"$divide": [1, "$zero"]}, reference.DataError),
    ({"$toInt": "$text"}, reference.DataError),
    ({"$size": "$nope"}, reference.DataError),
    ({"$substrBytes": ["$accent", 1, 1]}, reference.DataError),
    ({"$nope": 1}, reference.Refusal),
    ({"$abs": [1, 2]}, reference.Refusal),
    ({"a": 1, "$abs": 1}, reference.Refusal),
    ("$$nope", reference.Refusal),
    ("$a..b", reference.Refusal),
    ({"$cond": {"if": 1, "then": 2}}, reference.Refusal),
]


@pytest.mark.parametrize(("expression", "error"), FAILING)
def test_an_error_is_of_its_kind(expression: Any, error: type[Exception]) -> None:
    """A refusal needs no data, a data error does."""
    with pytest.raises(error):
        reference.evaluate(expression, {"zero": 0, "text": "1.5", "accent": "é"})


MATCHES: Final[list[tuple[Any, Any, bool]]] = [
    ({"a": 1}, {"a": [1, 2]}, True),
    ({"a": [1, 2]}, {"a": [1, 2]}, True),
    ({"a": None}, {}, True),
    ({"a.b": None}, {"a": []}, False),
    ({"a": {"$gt": 1}}, {"a": "x"}, False),
    ({"a": {"$ne": 1}}, {"a": [1, 2]}, False),
    ({"a.0": 1}, {"a": [1, 2]}, True),
    ({"a": {"$elemMatch": {"$gt": 1, "$lt": 3}}}, {"a": [1, 5, 2]}, True),
    ({"a": {"$elemMatch": {"b": 1}}}, {"a": [{"b": 2}]}, False),
    ({"a": {"$not": {"$gt": 1}}}, {}, True),
    ({"a": {"$all": []}}, {"a": []}, False),
    ({"a": {"$all": [1, 2]}}, {"a": [2, 1, 3]}, True),
    ({"a": {"$type": "number"}}, {"a": [1.5]}, True),
    ({"a": {"$mod": [4, 0]}}, {"a": 8.9}, True),
    ({"a": {"$bitsAllSet": [1, 5]}}, {"a": 54}, True),
    ({"a": {"$regex": "^x", "$options": "i"}}, {"a": "Xy"}, True),
    ({"$expr": {"$gt": ["$a", "$b"]}}, {"a": 2, "b": 1}, True),
    ({"$jsonSchema": {"required": ["a"], "properties": {"a": {"bsonType": "int", "minimum": 2}}}},
     {"a": 1}, False),
    ({"$nor": [{"a": 1}, {"b": 1}]}, {"a": 2}, True),
]  # fmt: skip


@pytest.mark.parametrize(("query", "doc", "expected"), MATCHES)
def test_a_query_of_the_manual_matches_as_it_says(query: Any, doc: Any, expected: bool) -> None:
    """Arrays, nulls, type bracketing."""
    assert reference.matches(query, doc) is expected


STAGES: Final[list[tuple[Any, Any, list[Any]]]] = [
    ({"$project": {"a": 1}}, {"_id": 1, "a": 2, "b": 3}, [{"_id": 1, "a": 2}]),
    ({"$project": {"a.b": 0}}, {"a": [{"b": 1, "c": 2}, 3]}, [{"a": [{"c": 2}, 3]}]),
    ({"$project": {"_id": 0, "x": "$a"}}, {"_id": 1, "a": 2}, [{"x": 2}]),
    ({"$project": {"a.x": {"$literal": 1}}}, {"a": [1, {"y": 2}]}, [{"a": [{"x": 1}, {"x": 1}]}]),
    ({"$addFields": {"a.b": 1}}, {"a": {"c": 2}}, [{"a": {"c": 2, "b": 1}}]),
    ({"$set": {"a": "$$REMOVE"}}, {"a": 1, "b": 2}, [{"b": 2}]),
    ({"$unset": ["a", "b.c"]}, {"a": 1, "b": {"c": 1, "d": 2}}, [{"b": {"d": 2}}]),
    ({"$replaceWith": "$a"}, {"a": {"b": 1}}, [{"b": 1}]),
    ({"$unwind": {"path": "$a", "includeArrayIndex": "i"}}, {"a": [5, 6]},
     [{"a": 5, "i": Int64(0)}, {"a": 6, "i": Int64(1)}]),
    ({"$unwind": "$a"}, {"a": []}, []),
    ({"$unwind": {"path": "$a", "preserveNullAndEmptyArrays": True}}, {"a": [], "b": 1}, [{"b": 1}]),
    ({"$redact": {"$cond": [{"$eq": ["$l", 5]}, "$$PRUNE", "$$DESCEND"]}}, {"l": 1, "x": [{"l": 5},
     {"l": 2}, 3]},
     [{"l": 1, "x": [{"l": 2}, 3]}]),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "doc", "expected"), STAGES)
def test_a_stage_of_the_manual_makes_what_it_says(stage: Any, doc: Any, expected: list[Any]) -> None:
    """With the fields in their order."""
    assert sameness.same(reference.run_stage(stage, doc), expected)


def test_the_comparison_of_answers_can_fail() -> None:
    """Kinds of numbers, the sign of zero and the order of fields are told apart."""
    pairs: list[tuple[Any, Any]] = [
        (1, Int64(1)),
        (1, 1.0),
        (0.0, -0.0),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ]
    assert not any(sameness.same(left, right) for left, right in pairs)
    assert sameness.same({"a": [float("nan")]}, {"a": [float("nan")]})
