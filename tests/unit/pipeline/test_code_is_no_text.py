"""JavaScript code is a type of its own, which Python's `bson` derives from text: no name, path or option."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Code

from workers.errors import Invalid
from workers.pipeline import compile_stages

CODE = Code("a")
SCOPED = Code("a", {"b": 1})

PLACES: list[Any] = [
    lambda code: {"$unset": code},
    lambda code: {"$unset": ["x", code]},
    lambda code: {"$unwind": code},
    lambda code: {"$unwind": {"path": "$a", "includeArrayIndex": code}},
    lambda code: {"$count": code},
    lambda code: {"$sortByCount": code},
    lambda code: {"$set": {"x": {"$meta": code}}},
    lambda code: {"$set": {"x": {"$getField": code}}},
    lambda code: {"$set": {"x": {"$setField": {"field": code, "input": "$$ROOT", "value": 1}}}},
    lambda code: {"$set": {"x": {"$map": {"input": [1], "as": code, "in": 1}}}},
    lambda code: {"$set": {"x": {"$convert": {"input": 1, "to": code}}}},
    lambda code: {"$set": {"x": {"$dateToString": {"date": None, "format": code}}}},
    lambda code: {"$set": {"x": {"$regexMatch": {"input": "a", "regex": code}}}},
    lambda code: {"$set": {"x": {"$hash": {"input": "a", "algorithm": code}}}},
    lambda code: {"$match": {"a": {"$regex": code}}},
    lambda code: {"$match": {"a": {"$regex": "x", "$options": code}}},
    lambda code: {"$match": {"a": {"$type": code}}},
    lambda code: {"$match": {"$jsonSchema": {"required": [code]}}},
    lambda code: {"$match": {"$jsonSchema": {"properties": {"a": {"bsonType": code}}}}},
    lambda code: {"$match": {"$jsonSchema": {"properties": {"a": {"pattern": code}}}}},
    lambda code: {"$match": {"$jsonSchema": {"title": code}}},
    lambda code: {"$validate": {"validator": {}, "validationAction": code}},
    lambda code: {"$source": {"connectionName": code, "topic": "in"}},
    lambda code: {"$source": {"connectionName": "kafka", "topic": [code]}},
    lambda code: {"$emit": {"connectionName": "kafka", "topic": "x", "config": {"outputFormat": code}}},
    lambda code: {"$externalFunction": {"connectionName": "aws", "functionName": code}},
    lambda code: {"$externalFunction": {"connectionName": "aws", "functionName": "f", "timeout": code}},
]


@pytest.mark.parametrize("code", [CODE, SCOPED], ids=["code", "with a scope"])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: str(place("<code>")))
def test_code_in_the_place_of_text_is_refused_at_start(place: Any, code: Code) -> None:
    """As any other type is, and never as a fault of ours."""
    with pytest.raises(Invalid):
        compile_stages([place(code)])
