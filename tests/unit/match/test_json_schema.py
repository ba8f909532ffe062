"""`$jsonSchema`: which documents fit, and which schemas are refused."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Decimal128, Int64

from workers.errors import Invalid
from workers.pipeline.match import compile_match

NAN = float("nan")


def of_a(schema: Any) -> Any:
    """A schema for the field `a`."""
    return {"properties": {"a": schema}}


FITS: list[tuple[Any, list[Any], list[Any]]] = [
    ({}, [{}, {"a": 1}], []),
    ({"title": "t", "description": "d"}, [{}], []),
    ({"required": ["a", "b"]}, [{"a": None, "b": 1}], [{"a": 1}, {}]),
    (of_a({"bsonType": "int"}), [{"a": 1}, {}], [{"a": Int64(1)}, {"a": 1.0}, {"a": [1]}, {"a": None}]),
    (of_a({"bsonType": ["long", "null"]}), [{"a": Int64(1)}, {"a": None}], [{"a": 1}]),
    (of_a({"bsonType": "number"}), [{"a": 1}, {"a": Decimal128("1")}, {"a": 0.5}], [{"a": "1"}]),
    (of_a({"type": ["boolean", "array"]}), [{"a": True}, {"a": []}], [{"a": 1}, {"a": {}}]),
    (of_a({"enum": [1, "x", None, [1]]}), [{"a": 1.0}, {"a": "x"}, {"a": None}, {"a": [1]}, {}],
     [{"a": 2}, {"a": [2]}]),
    (of_a({"minimum": 5}), [{"a": 5}, {"a": "4"}, {"a": Decimal128("5.1")}], [{"a": 4}, {"a": NAN}]),
    (of_a({"maximum": 5, "exclusiveMaximum": True}), [{"a": 4.9}, {}], [{"a": 5}]),
    (of_a({"minimum": 5, "exclusiveMinimum": False}), [{"a": 5}], [{"a": 4}]),
    (of_a({"multipleOf": 0.1}), [{"a": 1.1}, {"a": 3}, {"a": "x"}, {"a": Decimal128("0.3")}, {"a": 1e300}],
     [{"a": 0.15}, {"a": NAN}, {"a": float("inf")}]),
    (of_a({"multipleOf": Decimal128("1E-6176")}), [{"a": Decimal128("9E+6144")}], []),
    (of_a({"minLength": 2, "maxLength": 3}), [{"a": "éé"}, {"a": "abc"}, {"a": 5}], [{"a": "a"},
     {"a": "abcd"}]),
    (of_a({"pattern": "^x"}), [{"a": "xy"}, {"a": 5}], [{"a": "yx"}]),
    (of_a({"minItems": 1, "maxItems": 2}), [{"a": [1]}, {"a": "x"}], [{"a": []}, {"a": [1, 2, 3]}]),
    (of_a({"uniqueItems": True}), [{"a": [1, "1", True, {"x": 1}]}], [{"a": [1, 1.0]}, {"a": [[2], [2]]}]),
    (of_a({"uniqueItems": False}), [{"a": [1, 1]}], []),
    (of_a({"items": {"bsonType": "string"}}), [{"a": ["x"]}, {"a": []}, {"a": 5}], [{"a": ["x", 1]}]),
    (of_a({"items": [{"type": "string"}, {}], "additionalItems": False}),
     [{"a": ["x"]}, {"a": ["x", 1]}, {"a": 5}], [{"a": [1]}, {"a": ["x", 1, 2]}]),
    (of_a({"items": [{}], "additionalItems": {"type": "null"}}), [{"a": [1, None]}], [{"a": [1, 2]}]),
    (of_a({"additionalItems": False}), [{"a": [1]}], []),
    ({"minProperties": 1, "maxProperties": 2}, [{"a": 1}], [{}, {"a": 1, "b": 2, "c": 3}]),
    ({"properties": {"a": {}}, "patternProperties": {"^x": {"type": "number"}},
     "additionalProperties": False},
     [{"a": "1", "x1": 1}], [{"b": 1}, {"x1": "1"}]),
    ({"additionalProperties": {"type": "string"}}, [{"a": "x"}], [{"a": 1}]),
    ({"dependencies": {"a": ["b"], "c": {"properties": {"d": {"type": "null"}}}}},
     [{}, {"a": 1, "b": 2}, {"b": 1}, {"c": 1}, {"c": 1, "d": None}], [{"a": 1}, {"c": 1, "d": 2}]),
    ({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}, [{"a": 1, "b": 1}], [{"a": 1}]),
    ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, [{"a": 1}, {"b": 1}], [{}]),
    ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, [{"a": 1}], [{}, {"a": 1, "b": 1}]),
    ({"not": {"required": ["a"]}}, [{}], [{"a": 1}]),
    (of_a({"properties": {"b": {"type": "string"}}}), [{"a": {"b": "x"}}, {"a": [{"b": 1}]}],
     [{"a": {"b": 1}}]),
    ({"enum": [{"a": 1}]}, [{"a": 1.0}], [{"a": 2}]),
    ({"type": "object"}, [{}], []),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "fitting", "others"), FITS)
def test_a_schema_judges_as_draft_four_says(schema: Any, fitting: list[Any], others: list[Any]) -> None:
    """Each keyword over values of its own type and of others."""
    test = compile_match({"$jsonSchema": schema}, "pipeline[0].$match").test
    assert [doc for doc in fitting if not test(doc)] == []
    assert [doc for doc in others if test(doc)] == []


REFUSED: list[tuple[Any, str, str]] = [
    (None, "", "a JSON Schema"),
    ({"requird": ["a"]}, ".requird", "did you mean 'required'?"),
    ({"zzz": 1}, ".zzz", "unknown keyword"),
    ({"$ref": "#/x"}, ".$ref", "not supported"),
    ({"encrypt": {}}, ".encrypt", "not supported"),
    ({"title": 5}, ".title", "a string"),
    ({"type": "integer"}, ".type", "bsonType"),
    ({"type": 5}, ".type", "an array of one string"),
    ({"bsonType": "int", "type": "number"}, "", "both type and bsonType"),
    ({"bsonType": "itn"}, ".bsonType", "did you mean 'int'?"),
    ({"bsonType": ["int", "int"]}, ".bsonType", "a name twice"),
    ({"required": []}, ".required", "an array of one string or more"),
    ({"required": "a"}, ".required", "an array of one string or more"),
    ({"enum": []}, ".enum", "an array of one value or more"),
    ({"enum": [1, 1.0]}, ".enum", "a value twice"),
    ({"minimum": "5"}, ".minimum", "not a number"),
    ({"exclusiveMinimum": True}, ".exclusiveMinimum", "without minimum"),
    ({"maximum": 1, "exclusiveMaximum": 5}, ".exclusiveMaximum", "draft 4 gives the limit in maximum"),
    ({"multipleOf": 0}, ".multipleOf", "above 0"),
    ({"multipleOf": NAN}, ".multipleOf", "above 0"),
    ({"minLength": -1}, ".minLength", "0 or more"),
    ({"maxItems": 1.5}, ".maxItems", "a whole number"),
    ({"maxProperties": "1"}, ".maxProperties", "a whole number"),
    ({"pattern": "("}, ".pattern", "not valid"),
    ({"pattern": 5}, ".pattern", "not a string"),
    ({"uniqueItems": 1}, ".uniqueItems", "true or false"),
    ({"items": 5}, ".items", "a JSON Schema"),
    ({"items": [5]}, ".items[0]", "a JSON Schema"),
    ({"additionalItems": 5}, ".additionalItems", "a JSON Schema"),
    ({"properties": []}, ".properties", "a schema for each field"),
    ({"properties": {"a": 5}}, ".properties.a", "a JSON Schema"),
    ({"patternProperties": {"(": {}}}, ".patternProperties.(", "not valid"),
    ({"patternProperties": {"(": {}}, "additionalProperties": False}, ".patternProperties.(", "not valid"),
    ({"additionalProperties": "x"}, ".additionalProperties", "a JSON Schema"),
    ({"dependencies": 5}, ".dependencies", "a schema for each field"),
    ({"dependencies": {"a": []}}, ".dependencies.a", "an array of one string"),
    ({"allOf": []}, ".allOf", "an array of one schema or more"),
    ({"anyOf": {}}, ".anyOf", "an array of one schema or more"),
    ({"oneOf": [None]}, ".oneOf[0]", "a JSON Schema"),
    ({"not": None}, ".not", "a JSON Schema"),
]


@pytest.mark.parametrize(("schema", "path", "words"), REFUSED)
def test_a_wrong_schema_is_refused_with_its_place(schema: Any, path: str, words: str) -> None:
    """Known before any data flows, each mistake once."""
    with pytest.raises(Invalid) as caught:
        compile_match({"$jsonSchema": schema}, "pipeline[0].$match")
    (problem,) = caught.value.problems
    assert problem.path == f"pipeline[0].$match.$jsonSchema{path}"
    assert words in f"{problem.found}; {problem.expected}"
