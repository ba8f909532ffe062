"""One option of a stage as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

TEXT: Final[Schema] = {"type": "string", "minLength": 1}
EXPRESSION: Final[Schema] = {"$ref": "#/$defs/expression"}
DURATION: Final[Schema] = {"$ref": "#/$defs/duration"}


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `schema` is a JSON Schema (`inner` makes it an object of further options), `kind` says the
    same in words, `default` in the language's own spelling."""

    name: str
    kind: str
    meaning: str
    schema: Schema
    is_required: bool = False
    default: str = ""
    inner: Sequence[Option] = ()


def words_of(*words: str) -> tuple[str, Schema]:
    """Some words, for people and as a JSON Schema."""
    return " / ".join(words), {"enum": list(words)}


def choice(name: str, words: Sequence[str], meaning: str, default: str) -> Option:
    """One of several words."""
    kind, schema = words_of(*words)
    return Option(name, kind, meaning, schema, default=default)


def duration(name: str, meaning: str, default: str) -> Option:
    """A duration."""
    return Option(name, "duration", meaning, DURATION, default=default)


def schema_of(options: Sequence[Option]) -> dict[str, Any]:
    """A JSON Schema of an object with these options and no others."""
    found: dict[str, Any] = {
        "type": "object",
        "properties": {option.name: _property(option) for option in options},
        "additionalProperties": False,
    }
    required = [option.name for option in options if option.is_required]
    return {**found, "required": required} if required else found


def _property(option: Option) -> dict[str, Any]:
    schema = schema_of(option.inner) if option.inner else option.schema
    default = f" Default: {option.default}." if option.default else ""
    if "$ref" in schema:  # editors of draft 7 ignore what stands beside a reference
        return {"allOf": [dict(schema)], "description": option.meaning + default}
    return {**schema, "description": option.meaning + default}
