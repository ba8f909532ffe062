"""JSON Schemas of the files of an app folder, for completion in editors. Draft 7, which YAML servers read.

They are made of the catalogue and of the models that read the files, and refuse nothing that those take; what
they cannot say (paths that collide, operators within `$literal`) is left to `penstock validate`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from workers.appfolder.connections import LATER, MODELS
from workers.appfolder.processors import ProcessorFile
from workers.pipeline import EDGE_STAGES, OPERATORS, STAGES
from workers.pipeline.call_fields import PAYLOAD_STAGES
from workers.pipeline.match.build import OPERATORS as QUERY_OPERATORS
from workers.pipeline.nodes import Binding, Named, Operator, Positional
from workers.pipeline.option import schema_of
from workers.pipeline.options import EMIT_BESIDE, OPTIONS

Schema = dict[str, Any]

_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_EXPRESSION: Final[Schema] = {"$ref": "#/$defs/expression"}
_QUERY: Final[Schema] = {"$ref": "#/$defs/query"}
# Values of BSON that JSON has no text for, as Extended JSON writes them: `{$date: ...}` is a value.
_WRAPPERS: Final = (
    r"^\$(oid|date|numberInt|numberLong|numberDouble|numberDecimal|binary|uuid|timestamp|regularExpression|"
    r"regex|options|code|scope|symbol|undefined|minKey|maxKey|type|ref|id|db)$"
)
_UNDER_FIELD: Final = (*QUERY_OPERATORS, "$not", "$regex", "$options", "$comment")
_AT_TOP: Final = ("$and", "$or", "$nor", "$expr", "$jsonSchema", "$comment", "$alwaysTrue", "$alwaysFalse")
_FIELD: Final = r"^[^$]|^$"
_SCALARS: Final[Schema] = {"type": ["string", "number", "boolean", "null"]}


def processor_schema() -> Schema:
    """The schema of `processors/<name>.yaml`: a list of stages, or name, pipeline and options."""
    model = _plain(ProcessorFile.model_json_schema(by_alias=True))
    defs = {**model.pop("$defs"), **_definitions()}
    model["properties"]["pipeline"] |= {"items": {"$ref": "#/$defs/stage"}}
    stages = {"type": "array", "items": {"$ref": "#/$defs/stage"}, "minItems": 1}
    return {
        "$schema": _DRAFT,
        "title": "A processor of Penstock",
        "anyOf": [{**model, "description": "A processor."}, {**stages, "description": "Its pipeline alone."}],
        "$defs": defs,
    }


def connections_schema() -> Schema:
    """The schema of `connections.yaml`. Whatever is written there may be `${NAME}` of the environment."""
    defs: Schema = {}
    rules = []
    for name, model in MODELS.items():
        made = _plain(model.model_json_schema(by_alias=True))
        defs |= {key: _lenient(inner) for key, inner in made.pop("$defs", {}).items()}
        properties = _lenient(made)["properties"]
        rules.append(
            {
                "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
                "then": {"properties": {key: one for key, one in properties.items() if key != "type"}},
            }
        )
    kinds = {"type": {"enum": [*MODELS, *sorted(LATER)], "description": "What kind of connection it is."}}
    connection = {"type": "object", "properties": kinds, "required": ["type"], "allOf": rules}
    return {
        "$schema": _DRAFT,
        "title": "The connections of Penstock",
        "anyOf": [
            {"type": "object", "additionalProperties": connection, "minProperties": 1},
            {"type": "array", "items": {**connection, "required": ["type", "name"]}, "minItems": 1},
        ],
        "$defs": defs,
    }


SCHEMAS: Final[Mapping[str, Callable[[], Schema]]] = {
    "processor": processor_schema,
    "connections": connections_schema,
}
"""What `penstock schema` can print, by name."""


# Pipelines


def _definitions() -> Schema:
    inner = {name: _stage(name) for name in STAGES}
    edges = {name: {**schema_of(OPTIONS[name]), "description": EDGE_STAGES[name]} for name in OPTIONS}
    edges["$throttle"]["minProperties"] = 1  # none of its limits is required, but one of them is
    edges["$emit"]["properties"] |= schema_of(EMIT_BESIDE)["properties"]
    return {
        "stage": _one_of({**edges, **inner}),
        "payloadStage": _one_of({name: inner[name] for name in sorted(PAYLOAD_STAGES)}),
        "expression": _expression(),
        "query": _query(),
        "condition": _condition(),
        "projection": {
            "type": "object",
            "additionalProperties": {"anyOf": [{"type": ["boolean", "number"]}, _EXPRESSION]},
        },
        "duration": {
            "description": "A duration: 200ms, 5s, 2m, 1h, or {size: 5, unit: second}.",
            "anyOf": [
                {"type": "string", "pattern": r"^\s*\d{1,9}(\.\d{1,6})?\s*(ms|s|m|h|d)\s*$"},
                {
                    "type": "object",
                    "properties": {
                        "size": {"type": "number"},
                        "unit": {"enum": ["ms", "second", "minute", "hour", "day"]},
                    },
                    "required": ["size", "unit"],
                    "additionalProperties": False,
                },
            ],
        },
    }


def _one_of(stages: Schema) -> Schema:
    """A document of exactly one of these stages."""
    return {
        "type": "object",
        "properties": stages,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _stage(name: str) -> Schema:
    kind = STAGES[name]
    description = f"{kind.meaning} {kind.syntax}"
    fields: Schema = {"type": "object", "additionalProperties": _EXPRESSION}
    texts: Schema = {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
    }
    known: Mapping[str, Schema] = {
        "$match": {"allOf": [_QUERY]},
        "$project": {"allOf": [{"$ref": "#/$defs/projection"}], "minProperties": 1},
        "$addFields": fields,
        "$set": fields,
        "$setStreamMeta": fields,
        "$unset": texts,
        "$replaceRoot": _document({"newRoot": _EXPRESSION}, "newRoot"),
        "$replaceWith": {"allOf": [_EXPRESSION]},
        "$redact": {"allOf": [_EXPRESSION]},
        "$unwind": {
            "anyOf": [
                {"type": "string", "pattern": r"^\$"},
                _document(
                    {
                        "path": {"type": "string", "pattern": r"^\$"},
                        "includeArrayIndex": {"type": ["string", "null"]},
                        "preserveNullAndEmptyArrays": {"type": "boolean"},
                    },
                    "path",
                ),
            ]
        },
        "$validate": _document(
            {"validator": _QUERY, "validationAction": {"enum": ["discard", "dlq", "error"]}}, "validator"
        ),
    }
    return {**known.get(name, {}), "description": description}


def _document(properties: Schema, *required: str) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


# Expressions and queries


def _expression() -> Schema:
    """Any expression. A document is either one operator, or fields."""
    return {
        "anyOf": [
            _SCALARS,
            {"type": "array", "items": _EXPRESSION},
            {
                "type": "object",
                "properties": {name: _arguments(operator) for name, operator in OPERATORS.items()},
                "patternProperties": {_FIELD: _EXPRESSION, _WRAPPERS: {}},
                "additionalProperties": False,
            },
        ]
    }


def _arguments(operator: Operator) -> Schema:
    rule = operator.signature
    about = {"description": f"{operator.meaning} {operator.syntax}"}
    if isinstance(rule, Positional) and (rule.least > 1):
        bounds: Schema = {"type": "array", "items": _EXPRESSION, "minItems": rule.least}
        return {**bounds, **({} if rule.most is None else {"maxItems": rule.most}), **about}
    if isinstance(rule, Binding | Named):
        named = rule.named if isinstance(rule, Binding) else rule
        properties: Schema = dict.fromkeys(named.names, _EXPRESSION)
        if isinstance(rule, Binding):
            properties |= {name: {"type": "string"} for name in rule.variables if not name.startswith("=")}
        return {**_document(properties, *named.required), **about}
    return about


def _query() -> Schema:
    queries = {"type": "array", "items": _QUERY, "minItems": 1}
    special: Schema = dict.fromkeys(("$and", "$or", "$nor"), queries)
    special |= {"$expr": _EXPRESSION, "$jsonSchema": {"type": "object"}}
    return {
        "type": "object",
        "properties": {name: special.get(name, {}) for name in _AT_TOP},
        "patternProperties": {_FIELD: {"$ref": "#/$defs/condition"}, r"^\$(ref|id|db)$": {}},
        "additionalProperties": False,
    }


def _condition() -> Schema:
    """What stands under a field: a value, or operators."""
    return {
        "anyOf": [
            _SCALARS,
            {"type": "array"},
            {
                "type": "object",
                "properties": {name: {} for name in _UNDER_FIELD},
                "patternProperties": {_FIELD: {}, _WRAPPERS: {}},
                "additionalProperties": False,
            },
        ]
    }


# Models


def _plain(node: Any) -> Any:
    """A schema without the titles that pydantic makes of names; `null` for what may be left out."""
    if isinstance(node, dict):
        return {
            key: _plain(value)
            for key, value in node.items()
            if not (key == "title" and isinstance(value, str)) and key not in ("ge", "le")
        }
    return [_plain(item) for item in node] if isinstance(node, list) else node


def _lenient(node: Any) -> Any:
    """Names and descriptions alone: the rules are for what `${NAME}` is replaced with."""
    if not isinstance(node, dict) or "properties" not in node:
        return node
    kept: Schema = {}
    for name, inner in node["properties"].items():
        references = [one for one in [inner, *inner.get("anyOf", [])] if "$ref" in one]
        shown = {
            key: inner[key] for key in ("description", "default", "enum") if key in inner and not references
        }
        if "enum" in shown:
            shown = {"anyOf": [{"enum": shown.pop("enum")}, {"type": "string", "pattern": r"\$\{"}], **shown}
        kept[name] = {"anyOf": [*references, _SCALARS]} if references else shown
    return {"type": "object", "properties": kept}
