"""What the docs show of stages and queries: documents to try them on. Operators bring their own examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from workers.model import Document

STAGE_INPUT: Final[Mapping[str, Sequence[Document]]] = {
    "$match": (
        {"total": 250, "status": "paid"},
        {"total": 50, "status": "paid"},
        {"total": "250", "status": "paid"},
    ),
    "$addFields": ({"price": 4.5, "quantity": 2}, {"price": 4.5}, {"price": "free", "quantity": 1}),
    "$set": ({"id": 1}, {"id": 2, "seen": False}),
    "$project": ({"_id": 1, "name": "pen", "net": 4, "tax": 1}, {"name": "ink"}),
    "$unset": ({"id": 1, "secret": "s", "card": {"number": "4111", "name": "Ada"}}, {"id": 2}),
    "$redact": (
        {"level": "public", "notes": [{"level": "secret", "text": "x"}, {"level": "public", "text": "y"}]},
        {"level": "secret"},
    ),
    "$replaceRoot": ({"id": 1, "order": {"total": 5}}, {"id": 2}),
    "$replaceWith": ({"id": 1, "order": {"total": 5}},),
    "$setStreamMeta": ({"country": "DE", "id": 1},),
    "$unwind": ({"id": 1, "lines": ["a", "b"]}, {"id": 2, "lines": []}, {"id": 3, "lines": "c"}),
    "$validate": ({"id": 1}, {"id": "one"}),
    "$group": (
        {"country": "DE", "price": 4},
        {"country": "FR", "price": 1},
        {"country": "DE", "price": 2},
    ),
    "$bucket": ({"price": 5}, {"price": 50}, {"price": 7}, {"price": 500}),
    "$sortByCount": ({"country": "FR"}, {"country": "DE"}, {"country": "DE"}),
    "$count": ({"id": 1}, {"id": 2}),
    "$sort": ({"_id": 1, "total": 5}, {"_id": 2, "total": 9}, {"_id": 3, "total": 9}),
    "$limit": ({"id": 1}, {"id": 2}),
    "$skip": ({"id": 1}, {"id": 2}),
}
"""Documents for the catalogue's example of each stage."""

STAGE_ERRORS: Final[Mapping[str, str]] = {
    "$match": "None by data, but for `$expr`, whose errors dead-letter the document.",
    "$addFields": "What an expression refuses dead-letters the document; the reason names the field.",
    "$set": "As $addFields.",
    "$project": "What an expression refuses dead-letters the document; the reason names the field.",
    "$unset": "None by data.",
    "$redact": "Dead-letters a document for which the expression gives anything else.",
    "$replaceRoot": "Dead-letters a document for which the expression gives no document.",
    "$replaceWith": "As $replaceRoot.",
    "$setStreamMeta": "What an expression refuses dead-letters the document.",
    "$unwind": "None by data: a value that is no array stands for an array of itself.",
    "$validate": "By `validationAction`: the document is dropped, dead-lettered, or the processor fails.",
}
"""What data can do wrong to each stage."""

EDGE_EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "$source": {
        "$source": {
            "connectionName": "kafka",
            "topic": ["orders", "returns"],
            "timeField": {"$toDate": "$placed"},
            "config": {"auto_offset_reset": "earliest", "keyFormat": "string"},
        }
    },
    "$externalFunction": {
        "$externalFunction": {
            "connectionName": "functions",
            "functionName": "score",
            "as": "fraud",
            "onError": "dlq",
            "payload": [{"$project": {"customer": 1, "items": 1}}],
            "parallelism": 16,
            "timeout": "2s",
            "retry": {"maxAttempts": 3},
        }
    },
    "$https": {
        "$https": {
            "connectionName": "geocoder",
            "path": {"$concat": ["v1/places/", "$country"]},
            "parameters": {"q": "$address.city", "limit": 1},
            "headers": {"X-Request-Id": {"$toString": "$_id"}},
            "as": "place",
            "onError": "ignore",
            "config": {"requestTimeoutSec": 5},
            "retryOn": [408, 429, "5xx", "connection", "timeout"],
        }
    },
    "$throttle": {"$throttle": {"messagesPerSec": 100, "bytesPerSec": 1_000_000}},
    "$emit": {
        "$emit": {
            "connectionName": "kafka",
            "topic": {"$concat": ["orders.", "$country"]},
            "config": {"key": "$customer.id", "keyFormat": "string", "outputFormat": "relaxedJson"},
        }
    },
}
"""Complete examples of the stages at both ends and of calls; they compile, and touch nothing when they do."""


@dataclass(frozen=True, slots=True)
class QueryOperator:
    """One operator of `$match`: how it is written, what it asks, a query and documents to try it on."""

    syntax: str
    meaning: str
    query: Mapping[str, Any]
    documents: Sequence[Document]


def _q(syntax: str, meaning: str, query: Mapping[str, Any], *documents: Document) -> QueryOperator:
    return QueryOperator(syntax, meaning, query, documents)


QUERIES: Final[Mapping[str, QueryOperator]] = {
    "$eq": _q(
        "{<field>: <value>} or {<field>: {$eq: <value>}}",
        "Equal, numbers across their types; null equals missing.",
        {"a": {"$eq": 1}},
        {"a": 1.0},
        {"a": [1, 2]},
        {"a": "1"},
    ),
    "$ne": _q("{<field>: {$ne: <value>}}", "Not equal.", {"a": {"$ne": 1}}, {"a": 2}, {}, {"a": [1]}),
    "$gt": _q(
        "{<field>: {$gt: <value>}}",
        "Above, among values of one type.",
        {"a": {"$gt": 5}},
        {"a": 6},
        {"a": "6"},
    ),
    "$gte": _q("{<field>: {$gte: <value>}}", "At or above.", {"a": {"$gte": 5}}, {"a": 5}, {"a": 4}),
    "$lt": _q("{<field>: {$lt: <value>}}", "Below.", {"a": {"$lt": 5}}, {"a": 4}, {}),
    "$lte": _q("{<field>: {$lte: <value>}}", "At or below.", {"a": {"$lte": 5}}, {"a": 5}, {"a": 6}),
    "$in": _q(
        "{<field>: {$in: [<value or regular expression>, ...]}}",
        "Equal to one of the values.",
        {"a": {"$in": [1, "x"]}},
        {"a": "x"},
        {"a": [5, 1]},
        {"a": 2},
    ),
    "$nin": _q("{<field>: {$nin: [...]}}", "Equal to none.", {"a": {"$nin": [1]}}, {"a": 2}, {"a": 1}),
    "$not": _q(
        "{<field>: {$not: {<operators>}}}",
        "The operators do not hold together.",
        {"a": {"$not": {"$gt": 5}}},
        {"a": 4},
        {},
        {"a": 6},
    ),
    "$exists": _q(
        "{<field>: {$exists: <boolean>}}",
        "The field is there, null or not.",
        {"a": {"$exists": True}},
        {"a": None},
        {},
    ),
    "$type": _q(
        "{<field>: {$type: <name, number or an array of them>}}",
        "Of a BSON type.",
        {"a": {"$type": "number"}},
        {"a": 1.5},
        {"a": "x"},
    ),
    "$mod": _q(
        "{<field>: {$mod: [<divisor>, <remainder>]}}",
        "Leaves that remainder.",
        {"a": {"$mod": [4, 1]}},
        {"a": 5},
        {"a": 6},
    ),
    "$regex": _q(
        "{<field>: {$regex: <pattern>, $options?: <letters i m s x u>}}",
        "The text matches.",
        {"a": {"$regex": "^or", "$options": "i"}},
        {"a": "Order"},
        {"a": 5},
    ),
    "$all": _q(
        "{<field>: {$all: [<value>, ...]}}",
        "The array has all of them.",
        {"a": {"$all": [1, 2]}},
        {"a": [2, 1, 3]},
        {"a": [1]},
    ),
    "$elemMatch": _q(
        "{<field>: {$elemMatch: <query or operators>}}",
        "One element fits as a whole.",
        {"a": {"$elemMatch": {"$gt": 1, "$lt": 3}}},
        {"a": [0, 2]},
        {"a": [0, 4]},
    ),
    "$size": _q(
        "{<field>: {$size: <number>}}", "An array of so many.", {"a": {"$size": 2}}, {"a": [1, 2]}, {"a": 2}
    ),
    "$bitsAllSet": _q(
        "{<field>: {$bitsAllSet: <number, positions or binary>}}",
        "All these bits are 1.",
        {"a": {"$bitsAllSet": 6}},
        {"a": 7},
        {"a": 5},
    ),
    "$bitsAllClear": _q(
        "{<field>: {$bitsAllClear: ...}}", "All are 0.", {"a": {"$bitsAllClear": [0]}}, {"a": 6}, {"a": 7}
    ),
    "$bitsAnySet": _q(
        "{<field>: {$bitsAnySet: ...}}", "One is 1.", {"a": {"$bitsAnySet": 6}}, {"a": 2}, {"a": 1}
    ),
    "$bitsAnyClear": _q(
        "{<field>: {$bitsAnyClear: ...}}", "One is 0.", {"a": {"$bitsAnyClear": 6}}, {"a": 2}, {"a": 7}
    ),
    "$and": _q(
        "{$and: [<query>, ...]}", "All hold.", {"$and": [{"a": 1}, {"b": 2}]}, {"a": 1, "b": 2}, {"a": 1}
    ),
    "$or": _q("{$or: [<query>, ...]}", "One holds.", {"$or": [{"a": 1}, {"b": 2}]}, {"b": 2}, {"a": 2}),
    "$nor": _q("{$nor: [<query>, ...]}", "None holds.", {"$nor": [{"a": 1}, {"b": 2}]}, {}, {"b": 2}),
    "$expr": _q(
        "{$expr: <expression>}",
        "The expression is true.",
        {"$expr": {"$gt": ["$paid", "$total"]}},
        {"paid": 5, "total": 4},
        {"paid": 4, "total": 4},
    ),
    "$jsonSchema": _q(
        "{$jsonSchema: <JSON Schema, draft 4 with bsonType>}",
        "The document fits the schema.",
        {"$jsonSchema": {"required": ["a"], "properties": {"a": {"bsonType": "int"}}}},
        {"a": 5},
        {"a": "5"},
        {},
    ),
    "$alwaysTrue": _q("{$alwaysTrue: 1}", "Holds.", {"$alwaysTrue": 1}, {}),
    "$alwaysFalse": _q("{$alwaysFalse: 1}", "Does not hold.", {"$alwaysFalse": 1}, {}),
    "$comment": _q("{$comment: <text>}", "Asks nothing.", {"a": 1, "$comment": "why"}, {"a": 1}, {"a": 2}),
}
"""Everything that `$match` knows."""
