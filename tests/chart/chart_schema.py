"""values.schema.json: made of comments in values.yaml, of the models of connections.yaml and of the settings.

Draft 7, which every Helm reads. Nothing may stand in the values that is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pydantic import BaseModel
from ruamel.yaml import YAML

from tests.chart.chart_values import Value, read_values
from workers.appfolder.connections import MODELS
from workers.settings import LOG_LEVELS, MAX_PROCESSES, ProcessorOptions

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_TEXTS: Final[Schema] = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
_NAME: Final[Schema] = {"type": "string", "minLength": 1}
_PORT: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 65_535}
_QUANTITY: Final[Schema] = {
    "type": ["string", "number"],
    "pattern": r"^[0-9.]+(m|k|Ki|M|Mi|G|Gi|T|Ti|e[0-9]+)?$",
}
_KEY: Final[Schema] = {"type": "string", "pattern": r"^[-._a-zA-Z0-9]+$"}


FIELD_TEXTS: Final[Mapping[str, str]] = YAML(typ="safe").load(Path(__file__).with_name("field_texts.yaml"))


def _object(properties: Mapping[str, Schema], *required: str, **more: Any) -> Schema:
    found: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False, **more}
    return {**found, "required": list(required)} if required else found


_SECRET_REF: Final = _object({"existingSecret": _NAME, "key": _KEY}, "existingSecret", "key")
_MAP_REF: Final = _object({"existingConfigMap": _NAME, "key": _KEY}, "existingConfigMap", "key")
_FILE_REF: Final = _object({"file": _NAME}, "file")
_REFERENCES: Final = _object(
    {"existingSecret": _NAME, "existingConfigMap": _NAME, "key": _KEY, "file": _NAME}, minProperties=1
)
_QUANTITIES: Final[Schema] = {"type": "object", "additionalProperties": _QUANTITY}
_ITEMS: Final[Schema] = {
    "type": "array",
    "items": _object({"key": _KEY, "path": _NAME, "mode": {"type": "integer"}}, "key", "path"),
}
_OBJECT: Final[Schema] = {"type": "object"}

# What `{"$ref": "#/$defs/..."}` in a comment stands for. Parts of Kubernetes' own API are left to its server.
PARTS: Final[Mapping[str, Schema]] = {
    "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}},
    "annotations": {"type": "object", "additionalProperties": _TEXT},
    "object": _OBJECT,
    "objectOrNull": {"type": ["object", "null"]},
    "objects": {"type": "array", "items": _OBJECT},
    "pullSecrets": {
        "type": "array", "items": {**_object({"name": _NAME}, "name"), "type": ["string", "object"]},
    },
    "quantity": _QUANTITY,
    "quantities": _QUANTITIES,
    "resources": _object(
        {"requests": _QUANTITIES, "limits": _QUANTITIES, "claims": {"type": "array", "items": _OBJECT}}
    ),
    "env": _object({"name": _NAME, "value": _TEXT, "valueFrom": _OBJECT}, "name"),
    "envFrom": _object({"prefix": _TEXT, "configMapRef": _OBJECT, "secretRef": _OBJECT}),
    "probe": {
        **_object(
            {
                "httpGet": _OBJECT, "tcpSocket": _OBJECT, "exec": _OBJECT, "grpc": _OBJECT,
                **{
                    name: {"type": "integer", "minimum": 0}
                    for name in ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold",
                                 "successThreshold", "terminationGracePeriodSeconds")
                },
            }
        ),
        "type": ["object", "null"],
    },
    "intOrPercentOrNull": {"type": ["integer", "string", "null"], "minimum": 0, "pattern": r"^\d{1,3}%$"},
    "duration": {"type": "string", "pattern": r"^([0-9]+(ms|s|m|h))+$"},
    "appConfigMap": _object(
        {"name": _NAME, "folder": {"type": "string", "pattern": "^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$"},
         "items": _ITEMS}, "name",
    ),
    "secretFiles": _object(
        {"existingSecret": _NAME, "items": _ITEMS, "mountPath": {"type": "string", "pattern": "^/.+"}},
        "existingSecret",
    ),
    "lagSource": _object(
        {"consumerGroup": _NAME, "topic": _NAME, "connection": _NAME, "bootstrapServers": _NAME,
         "offsetResetPolicy": {"enum": ["earliest", "latest"]}}, "consumerGroup", "topic",
    ),
}  # fmt: skip


def values_schema() -> Schema:
    """The whole schema."""
    root = read_values()
    pool = _of(root.keys["workers"], inside=True)
    schema = _of(root, inside=True)
    schema["properties"]["workers"] = {
        "$ref": "#/definitions/pool", "description": root.keys["workers"].description,
    }  # fmt: skip
    whole = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart penstock",
        **schema,
        "definitions": {
            "pool": {**pool, "description": "A pool of workers."},
            "connections": connections_schema(),
            "accounts": accounts_schema(),
        },
    }
    return {key: _described(one) for key, one in whole.items()}


def _described(node: Any) -> Any:
    """The same with a text for every property that has none: FIELD_TEXTS."""
    if isinstance(node, list):
        return [_described(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: _described(one) for key, one in node.items()}
    for name, one in made.get("properties", {}).items():
        if isinstance(one, dict) and name in FIELD_TEXTS and "$ref" not in one:
            made["properties"][name] = {"description": FIELD_TEXTS[name], **one}
    return made


def _of(value: Value, *, inside: bool = False) -> Schema:
    """The schema of one value. `inside`: of its keys, whatever the comment refers to."""
    said = dict(value.schema)
    about: Schema = {"description": value.description} if value.description else {}
    if source := said.pop("from", None):
        return {**_settings()[source], **about}
    reference = said.get("$ref", "").rpartition("/")[2]
    if reference and not inside:
        found = PARTS.get(reference, {"$ref": f"#/definitions/{reference}"})
        return {**found, **about}
    if value.keys:
        made = _object({name: _of(one) for name, one in value.keys.items()})
        return {**made, **about, **({} if reference else _filled(said))}
    return {**_inferred(value), **about, **_filled(said)}


def _inferred(value: Value) -> Schema:
    if "enum" in value.schema:
        return {}
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string")):
        if isinstance(value.default, kind):
            return {"type": name}
    return {"type": "array" if isinstance(value.default, list) else "object"}


def _filled(said: Any) -> Any:
    """What a comment says, with the parts that it refers to."""
    if isinstance(said, dict):
        name = str(said.get("$ref", "")).rpartition("/")[2]
        if name:
            return PARTS.get(name, {"$ref": f"#/definitions/{name}"})
        return {key: _filled(inner) for key, inner in said.items()}
    return [_filled(one) for one in said] if isinstance(said, list) else said


def _settings() -> Mapping[str, Schema]:
    return {
        "settings.processes": {"type": "integer", "minimum": 1, "maximum": MAX_PROCESSES},
        "settings.log_level": {"enum": list(LOG_LEVELS)},
        "options.drain_timeout": {
            "type": "integer", "minimum": 1, "maximum": int(_most(ProcessorOptions, "drain_timeout")),
        },
    }  # fmt: skip


def _most(model: type[BaseModel], name: str) -> float:
    return next(float(one.le) for one in model.model_fields[name].metadata if hasattr(one, "le"))


# Connections


def connections_schema() -> Schema:
    """`connections`: by type, the fields of its model. Where a text may stand a reference may, too."""
    rules = []
    for kind, model in MODELS.items():
        fields = {name: one for name, one in _fields(model).items() if name not in ("type", "name")}
        if kind == "AWSLambda":
            fields["aws"] = _object(fields, description="Atlas's form: the same fields in here.")
        rules.append(
            {
                "if": {"properties": {"type": {"const": kind}}, "required": ["type"]},
                "then": _object({"type": {"const": kind}, **fields}, *_required(model)),
            }
        )
    one = {
        "type": "object",
        "properties": {"type": {"enum": list(MODELS), "description": "What kind of connection it is."}},
        "required": ["type"],
        "allOf": rules,
    }
    return {
        "type": "object",
        "description": "connections.yaml: docs/connections.md, docs/kafka.md.",
        "additionalProperties": one,
    }


def secret_fields() -> set[str]:
    """The names of fields that hold secrets, in any connection."""
    found: set[str] = set()
    for model in MODELS.values():
        whole = model.model_json_schema(by_alias=True)
        for part in (whole, *whole.get("$defs", {}).values()):
            found |= {name for name, one in part.get("properties", {}).items() if _is_secret(one)}
    return found


def _is_secret(field: Any) -> bool:
    return any(one.get("writeOnly") for one in (field, *field.get("anyOf", [])))


def _required(model: type[BaseModel]) -> list[str]:
    return [name for name in model.model_json_schema(by_alias=True).get("required", []) if name != "name"]


def _fields(model: type[BaseModel]) -> dict[str, Schema]:
    whole = model.model_json_schema(by_alias=True)
    parts = whole.get("$defs", {})
    return {name: _field(one, parts) for name, one in whole["properties"].items()}


def _field(field: Schema, parts: Schema) -> Schema:
    """A field of a model, loosened to what may stand for its value: `${NAME}` and references."""
    about = {name: field[name] for name in ("description",) if name in field}
    kinds = [one for one in field.get("anyOf", [field]) if one.get("type") != "null"]
    for one in kinds:
        inner = parts.get(str(one.get("$ref", "")).rpartition("/")[2])
        if inner is not None:
            made = _object({name: _field(each, parts) for name, each in inner["properties"].items()})
            return {**made, **about}
    types: list[str] = []
    for one in kinds:
        said = one.get("type", "string")
        types += said if isinstance(said, list) else [said]
    if types == ["object"] and not any(_is_secret(one) for one in kinds):
        return {"type": "object", **about}
    # A reference is a mapping, `${NAME}` a text: what the text must be is judged once it is put in.
    found: Schema = {"type": sorted({*types, "string", "object"}), **about}
    found |= {name: _REFERENCES[name] for name in ("properties", "additionalProperties", "minProperties")}
    words = [word for one in kinds for word in one.get("enum", [one["const"]] if "const" in one else [])]
    if words:
        found |= {"if": {"type": "string", "pattern": r"^[^$]*$"}, "then": {"enum": _spellings(words)}}
    return found


def _spellings(words: list[Any]) -> list[Any]:
    """Mechanisms have two spellings; the model knows the long one."""
    return [
        *words,
        *(word.replace("-SHA", "") for word in words if isinstance(word, str) and "-SHA-" in word),
    ]


# Accounts of the function host


def accounts_schema() -> Schema:
    """`functions.authentication.accounts`: docs/functions-api.md."""
    reference: Schema = {
        "type": ["string", "object"], "pattern": r"^\$\{.+\}$",
        "properties": _SECRET_REF["properties"], "required": ["existingSecret", "key"],
        "additionalProperties": False, "description": "A secret, by reference.",
    }  # fmt: skip
    who: Schema = {"user": {**_NAME, "description": "context.user.id"}, "data": _OBJECT}
    algorithms = get_args(Algorithm)
    token = _object(
        {
            "audience": {"type": ["string", "array"], "items": _NAME, "description": "For whom they are."},
            "jwksUrl": {**_TEXT, "description": "Where the issuer's keys are."},
            "jwksFile": {
                "type": ["string", "object"], "properties": _REFERENCES["properties"],
                "additionalProperties": False, "description": "A file of them.",
            },
            "secret": reference,
            "algorithms": {"type": "array", "items": {"enum": list(algorithms)}},
            "user": {**_NAME, "description": "The claim that is context.user.id."},
            "data": _TEXTS,
            "leeway": {"type": ["string", "number"]},
        },
        "audience",
    )  # fmt: skip
    keys = {"^[A-Za-z0-9_]{4,128}$": _object({"secret": reference, **who}, "secret")}
    return _object(
        {
            "accessKeys": {
                "type": "object", "patternProperties": keys, "additionalProperties": False,
                "description": "Signed requests (boto3, the aws command, workers), by access key id.",
            },
            "apiKeys": {
                "type": "object",
                "additionalProperties": _object(
                    {"key": reference, "sha256": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"}, **who}
                ),
                "description": "The header api-key, by name.",
            },
            "tokens": {
                "type": "object", "additionalProperties": token, "description": "Bearer tokens, by issuer.",
            },
        },
        description="Who may call functions.",
    )  # fmt: skip


Algorithm = Literal[
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "HS256",
    "HS384",
    "HS512",
]
