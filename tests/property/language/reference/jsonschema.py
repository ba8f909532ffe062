"""`$jsonSchema`: draft 4 as the server reads it, with `bsonType`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bson import Decimal128

from tests.property.language.reference.regexes import compiled
from tests.property.language.reference.tower import integral, whole
from tests.property.language.reference.values import (
    NUMBERS,
    DataError,
    Refusal,
    Unsure,
    compare,
    contains,
    distinct,
    is_nan,
    is_number,
    kind,
)

_JSON_TYPES = {
    "object": {"object"},
    "array": {"array"},
    "number": set(NUMBERS),
    "boolean": {"bool"},
    "string": {"string"},
    "null": {"null"},
}
_BSON_TYPES = {
    "double",
    "string",
    "object",
    "array",
    "binData",
    "undefined",
    "objectId",
    "bool",
    "date",
    "null",
    "regex",
    "dbPointer",
    "javascript",
    "symbol",
    "javascriptWithScope",
    "int",
    "timestamp",
    "long",
    "decimal",
    "minKey",
    "maxKey",
}
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_MANY = ("allOf", "anyOf", "oneOf")
_TABLES = ("properties", "patternProperties")
_KEYWORDS = {
    "type",
    "bsonType",
    "enum",
    "required",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "pattern",
    "items",
    "additionalItems",
    "uniqueItems",
    "additionalProperties",
    "not",
    "title",
    "description",
    "dependencies",
    *_COUNTS,
    *_MANY,
    *_TABLES,
}


def _types(name: str, wanted: Any) -> set[str]:
    names = wanted if isinstance(wanted, list) else [wanted]
    found: set[str] = set()
    for one in names:
        if not isinstance(one, str):
            raise Refusal("a type is a string")
        if name == "type":
            if one not in _JSON_TYPES:
                raise Refusal("unknown type")
            found |= _JSON_TYPES[one]
        elif one == "number":
            found |= set(NUMBERS)
        elif one in _BSON_TYPES:
            found.add(one)
        else:
            raise Refusal("unknown type")
    if not found or len(distinct(names)) != len(names):
        raise Refusal("types are named once, and at least one")
    return found


def _need(condition: bool, what: str) -> None:
    if not condition:
        raise Refusal(what)


def _check_keyword(name: str, wanted: Any, schema: dict[str, Any]) -> None:
    if name in ("type", "bsonType"):
        _types(name, wanted)
        _need(not ("type" in schema and "bsonType" in schema), "one of type and bsonType")
    elif name in _COUNTS:
        _need(is_number(wanted) and integral(wanted) and whole(wanted) >= 0, f"{name} is a count")
    elif name in ("minimum", "maximum"):
        _need(is_number(wanted), f"{name} is a number")
    elif name == "multipleOf":
        _need(is_number(wanted) and compare(wanted, 0) > 0, "multipleOf is a positive number")
    elif name in ("exclusiveMinimum", "exclusiveMaximum"):
        _need(isinstance(wanted, bool), f"{name} is a boolean")
        _need(name.replace("exclusiveM", "m") in schema, f"{name} needs its bound")
    elif name == "uniqueItems":
        _need(isinstance(wanted, bool), "uniqueItems is a boolean")
    elif name == "enum":
        _need(isinstance(wanted, list) and bool(wanted), "enum lists values")
        _need(len(distinct(wanted)) == len(wanted), "enum lists each value once")
    elif name == "required":
        _need(isinstance(wanted, list) and bool(wanted), "required lists names")
        _need(all(isinstance(one, str) for one in wanted), "required lists names")
        _need(len(set(wanted)) == len(wanted), "required lists each name once")
    elif name == "pattern":
        _need(isinstance(wanted, str), "pattern is a string")
        _compiled(wanted)
    elif name in ("title", "description"):
        _need(isinstance(wanted, str), f"{name} is a string")
    elif name == "dependencies":
        raise Unsure("dependencies")
    else:
        _check_nested(name, wanted)


def _check_nested(name: str, wanted: Any) -> None:
    if name in _MANY:
        _need(isinstance(wanted, list) and bool(wanted), f"{name} lists schemas")
        for one in wanted:
            check_schema(one)
    elif name in _TABLES:
        _need(isinstance(wanted, dict), f"{name} is an object")
        for key, one in wanted.items():
            if name == "patternProperties":
                _compiled(key)
            check_schema(one)
    elif name == "items" and isinstance(wanted, list):
        for one in wanted:
            check_schema(one)
    elif name in ("additionalItems", "additionalProperties") and isinstance(wanted, bool):
        return
    else:
        check_schema(wanted)


def _compiled(pattern: str) -> Any:
    try:
        return compiled(pattern)
    except DataError:
        raise Refusal("a bad pattern") from None


def check_schema(schema: Any) -> None:
    """Refusal for what is no schema."""
    if not isinstance(schema, dict):
        raise Refusal("a schema is an object")
    for name, wanted in schema.items():
        if name not in _KEYWORDS:
            raise Refusal(f"unknown keyword {name}")
        _check_keyword(name, wanted, schema)


def _number_holds(schema: dict[str, Any], value: Any) -> bool:
    if "minimum" in schema:
        order = compare(value, schema["minimum"])
        if is_nan(value):
            raise Unsure("NaN against a bound")
        if order < 0 or (order == 0 and schema.get("exclusiveMinimum")):
            return False
    if "maximum" in schema:
        order = compare(value, schema["maximum"])
        if is_nan(value):
            raise Unsure("NaN against a bound")
        if order > 0 or (order == 0 and schema.get("exclusiveMaximum")):
            return False
    if "multipleOf" in schema:
        number, step = _plain(value), _plain(schema["multipleOf"])
        if not number.is_finite() or not step.is_finite() or abs(number) > 10**15:
            raise Unsure("multiples at the ends")
        return number % step == 0
    return True


def _plain(value: Any) -> Decimal:
    return value.to_decimal() if isinstance(value, Decimal128) else Decimal(value)


def _within(schema: dict[str, Any], size: int, what: str) -> bool:
    low, high = schema.get(f"min{what}"), schema.get(f"max{what}")
    return (low is None or size >= whole(low)) and (high is None or size <= whole(high))


def _array_holds(schema: dict[str, Any], value: Any) -> bool:
    if not _within(schema, len(value), "Items"):
        return False
    if schema.get("uniqueItems") and len(distinct(value)) != len(value):
        return False
    items = schema.get("items")
    if isinstance(items, dict):
        return all(validates(items, one) for one in value)
    if isinstance(items, list):
        rest = schema.get("additionalItems", True)
        more = value[len(items) :]
        if not all(validates(one, found) for one, found in zip(items, value, strict=False)):
            return False
        return all(validates(rest, one) for one in more) if isinstance(rest, dict) else bool(rest) or not more
    return True


def _object_holds(schema: dict[str, Any], value: dict[str, Any]) -> bool:
    if not _within(schema, len(value), "Properties") or not set(schema.get("required", ())) <= set(value):
        return False
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    rest = schema.get("additionalProperties", True)
    for key, inner in value.items():
        found = [one for pattern, one in patterns.items() if _compiled(pattern).search(key)]
        found += [named[key]] if key in named else []
        if not found and rest is False:
            return False
        found += [rest] if not found and isinstance(rest, dict) else []
        if not all(validates(one, inner) for one in found):
            return False
    return True


def validates(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value keeps a checked schema; a keyword says nothing of values it is not made for."""
    for name in ("type", "bsonType"):
        if name in schema and kind(value) not in _types(name, schema[name]):
            return False
    if "enum" in schema and not contains(schema["enum"], value):
        return False
    if not all(validates(one, value) for one in schema.get("allOf", ())):
        return False
    if "anyOf" in schema and not any(validates(one, value) for one in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(validates(one, value) for one in schema["oneOf"]) != 1:
        return False
    if "not" in schema and validates(schema["not"], value):
        return False
    if is_number(value):
        return _number_holds(schema, value)
    if kind(value) == "string":
        if "pattern" in schema and not _compiled(schema["pattern"]).search(value):
            return False
        return _within(schema, len(value), "Length")
    if kind(value) == "array":
        return _array_holds(schema, value)
    return _object_holds(schema, value) if kind(value) == "object" else True
