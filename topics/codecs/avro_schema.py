"""An Avro schema as a tree of types, names resolved and defaults made ready. Pure; what is wrong is refused.

fastavro reads any schema that this module takes. What this one refuses beside malformed ones: arrays whose
items take no bytes, of which a record of 12 bytes may claim 2**60.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Kind = Literal[
    "null", "boolean", "int", "long", "float", "double", "bytes", "string",
    "fixed", "enum", "array", "map", "union", "record",
]  # fmt: skip

PRIMITIVES: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_LEAST_BYTES: Final[Mapping[str, int]] = {"null": 0, "float": 4, "double": 8}
# What each logical type may stand on; elsewhere it is ignored, as the specification asks.
_LOGICAL: Final[Mapping[str, frozenset[str]]] = {
    "decimal": frozenset({"bytes", "fixed"}),
    "uuid": frozenset({"string", "fixed"}),
    "date": frozenset({"int"}),
    "time-millis": frozenset({"int"}),
    "time-micros": frozenset({"long"}),
    "timestamp-millis": frozenset({"long"}),
    "timestamp-micros": frozenset({"long"}),
    "local-timestamp-millis": frozenset({"long"}),
    "local-timestamp-micros": frozenset({"long"}),
}


class BadSchema(ValueError):
    """This is no schema that can be used. `path` is the place within it, such as `fields[2].type`."""

    def __init__(self, path: str, found: str, expected: str = "") -> None:
        super().__init__(f"{path}: {found}" if path else found)
        self.path, self.found, self.expected = path, found, expected


@dataclass(slots=True)
class Field:
    """A field of a record. `default` is what the writer takes; it is there when `has_default`."""

    name: str
    type: AvroType
    has_default: bool = False
    default: Any = None


@dataclass(slots=True, eq=False)
class AvroType:
    """One type. `branch` is its name in a union, `parts` what it is made of (items, values or branches)."""

    kind: Kind
    branch: str
    logical: str = ""
    parts: list[AvroType] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)
    size: int = 0
    symbols: tuple[str, ...] = ()
    precision: int = 0
    scale: int = 0
    is_recursive: bool = False
    """Of a record: it may hold itself, so that its depth is the data's to say."""


def parse_avro(schema: Any, references: list[Any] | None = None) -> AvroType:
    """The type that a schema (as parsed JSON) names. `references` are the schemas it refers to, those that
    others need first. Raises BadSchema."""
    reader = _Reader()
    for one in references or []:
        reader.read(one, "", "")
    found = reader.read(schema, "", "")
    for place, array in reader.arrays:
        if not _least_bytes(array.parts[0], set()):
            raise BadSchema(place, "an array whose items take no bytes", "items that have a content")
    return found


def record_name(schema: Any) -> str | None:
    """The full name of a schema's record, which names its subject; None where it has none."""
    if not isinstance(schema, Mapping) or not isinstance(schema.get("name"), str):
        return None
    name, namespace = schema["name"], schema.get("namespace")
    return name if "." in name or not namespace else f"{namespace}.{name}"


@dataclass(slots=True)
class _Reader:
    names: dict[str, AvroType] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    arrays: list[tuple[str, AvroType]] = field(default_factory=list)

    def read(self, schema: Any, namespace: str, path: str) -> AvroType:
        if isinstance(schema, str):
            return self._named(schema, namespace, path)
        if isinstance(schema, list):
            return self._union(schema, namespace, path)
        if not isinstance(schema, Mapping):
            raise BadSchema(path, "no schema", "a type's name, an array of types, or a document with type")
        kind = schema.get("type")
        if isinstance(kind, Mapping | list):
            return self.read(kind, namespace, _below(path, "type"))
        if kind in ("record", "error"):
            return self._record(schema, namespace, path)
        if kind in ("enum", "fixed"):
            return self._leaf(schema, namespace, path)
        if kind in ("array", "map"):
            key = "items" if kind == "array" else "values"
            if key not in schema:
                raise BadSchema(path, f"{kind} without {key}", f"the type of its {key}")
            found = AvroType(kind, kind, parts=[self.read(schema[key], namespace, _below(path, key))])
            if kind == "array":
                self.arrays.append((path, found))
            return found
        if isinstance(kind, str):
            found = self._named(kind, namespace, _below(path, "type"))
            return _logical(found, schema, path) if kind in PRIMITIVES else found
        raise BadSchema(_below(path, "type"), "is missing", "the name of a type")

    def _named(self, name: str, namespace: str, path: str) -> AvroType:
        if name in PRIMITIVES:
            return AvroType(name, name)  # type: ignore[arg-type]
        for full in (name, f"{namespace}.{name}") if "." in name else (f"{namespace}.{name}", name):
            found = self.names.get(full.lstrip("."))
            if found is not None:
                if full.lstrip(".") in self.open:
                    found.is_recursive = True
                return found
        raise BadSchema(path, f"the unknown type {name!r}", "a type of Avro, or one that was defined before")

    def _union(self, schema: list[Any], namespace: str, path: str) -> AvroType:
        if not schema:
            raise BadSchema(path, "an empty union", "at least one type")
        parts: list[AvroType] = []
        for at, one in enumerate(schema):
            part = self.read(one, namespace, f"{path}[{at}]")
            if part.kind == "union":
                raise BadSchema(f"{path}[{at}]", "a union within a union", "its types here")
            if any(part.branch == other.branch for other in parts):
                raise BadSchema(f"{path}[{at}]", f"{part.branch} a second time", "each type once")
            parts.append(part)
        return AvroType("union", "union", parts=parts)

    def _define(self, found: AvroType, path: str) -> None:
        if not _NAME.fullmatch(found.branch):
            raise BadSchema(_below(path, "name"), f"the name {found.branch!r}", "letters, digits, _ and .")
        if found.branch in self.names:
            raise BadSchema(path, f"{found.branch} a second time", "each name once")
        self.names[found.branch] = found

    def _record(self, schema: Mapping[str, Any], namespace: str, path: str) -> AvroType:
        name, inner = _full_name(schema, namespace, path)
        found = AvroType("record", name)
        self._define(found, path)
        self.open.add(name)
        fields = schema.get("fields")
        if not isinstance(fields, list):
            raise BadSchema(path, f"the record {name} without fields", "an array of fields")
        seen: set[str] = set()
        for at, one in enumerate(fields):
            place = _below(path, f"fields[{at}]")
            if not isinstance(one, Mapping) or not isinstance(one.get("name"), str) or "type" not in one:
                raise BadSchema(place, "no field", "a document with name and type")
            if one["name"] in seen:
                raise BadSchema(place, f"the field {one['name']} a second time", "each field once")
            seen.add(one["name"])
            made = Field(one["name"], self.read(one["type"], inner, _below(place, "type")))
            if "default" in one:
                made.has_default = True
                made.default = _default(made.type, one["default"], _below(place, "default"))
            found.fields.append(made)
        self.open.discard(name)
        return found

    def _leaf(self, schema: Mapping[str, Any], namespace: str, path: str) -> AvroType:
        """An enum, or bytes of a fixed size."""
        name, _ = _full_name(schema, namespace, path)
        if schema["type"] == "enum":
            symbols = schema.get("symbols")
            if not isinstance(symbols, list) or not symbols or not all(isinstance(s, str) for s in symbols):
                raise BadSchema(path, f"the enum {name} without symbols", "an array of names")
            found = AvroType("enum", name, symbols=tuple(symbols))
        else:
            size = schema.get("size")
            if not isinstance(size, int) or isinstance(size, bool) or size < 0:
                raise BadSchema(path, f"the fixed {name} without a size", "size, a number of bytes")
            found = _logical(AvroType("fixed", name, size=size), schema, path)
        self._define(found, path)
        return found


def _full_name(schema: Mapping[str, Any], namespace: str, path: str) -> tuple[str, str]:
    """The full name of a named type, and the namespace of what is within it."""
    name, said = schema.get("name"), schema.get("namespace", namespace)
    if not isinstance(name, str) or not name:
        raise BadSchema(path, f"{schema['type']} without a name", "name")
    if not isinstance(said, str):
        raise BadSchema(_below(path, "namespace"), "no text", "a namespace")
    if "." in name:
        return name, name.rpartition(".")[0]
    return (f"{said}.{name}" if said else name), said


def _logical(found: AvroType, schema: Mapping[str, Any], path: str) -> AvroType:
    logical = schema.get("logicalType")
    if not isinstance(logical, str) or found.kind not in _LOGICAL.get(logical, ()):
        return found
    if logical == "uuid" and found.kind == "fixed" and found.size != 16:
        return found
    if logical == "decimal":
        precision, scale = schema.get("precision"), schema.get("scale", 0)
        if not isinstance(precision, int) or not isinstance(scale, int) or not 0 <= scale <= precision:
            raise BadSchema(path, "a decimal without its digits", "precision >= scale >= 0")
        found.precision, found.scale = precision, scale
    found.logical = logical
    return found


def _default(kind: AvroType, value: Any, path: str) -> Any:
    """A default as the writer takes it. One of a union is of its first type that takes it."""
    match kind.kind:
        case "null" if value is None:
            return None
        case "boolean" if isinstance(value, bool):
            return value
        case "int" | "long" if isinstance(value, int) and not isinstance(value, bool):
            return value
        case "float" | "double" if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        case "string" if isinstance(value, str):
            return value
        case "enum" if value in kind.symbols:
            return value
        case "bytes" | "fixed" if isinstance(value, str) and all(ord(one) < 256 for one in value):
            return value.encode("latin-1")
        case "array" if isinstance(value, list):
            return [_default(kind.parts[0], one, path) for one in value]
        case "map" if isinstance(value, Mapping):
            return {name: _default(kind.parts[0], one, path) for name, one in value.items()}
        case "record" if isinstance(value, Mapping):
            return _record_default(kind, value, path)
        case "union":
            for part in kind.parts:
                try:
                    return (part.branch, _default(part, value, path))
                except BadSchema:
                    continue
    raise BadSchema(path, f"a default that is no {kind.branch}", "a value of the field's type")


def _record_default(kind: AvroType, value: Mapping[str, Any], path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in kind.fields:
        if one.name in value:
            found[one.name] = _default(one.type, value[one.name], f"{path}.{one.name}")
        elif one.has_default:
            found[one.name] = one.default
        else:
            raise BadSchema(path, f"a default without {one.name}", "all fields that have no default")
    return found


def _least_bytes(kind: AvroType, above: set[int]) -> int:
    """The fewest bytes a value can take; of a type within itself nothing is known, so 0."""
    if id(kind) in above:
        return 0
    within = above | {id(kind)}
    if kind.kind == "record":
        return sum(_least_bytes(one.type, within) for one in kind.fields)
    return kind.size if kind.kind == "fixed" else _LEAST_BYTES.get(kind.kind, 1)


def _below(path: str, part: str) -> str:
    return f"{path}.{part}" if path else part
