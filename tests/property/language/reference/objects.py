"""Documents, their fields, sizes and types."""

from __future__ import annotations

from typing import Any

import bson
from bson.errors import InvalidDocument

from tests.property.language.reference.interpreter import (
    ABSENT,
    Environment,
    Operator,
    Scope,
    check,
    checked_names,
    is_path,
    positional,
    register,
    run,
    variadic,
)
from tests.property.language.reference.values import MISSING, DataError, Refusal, Unsure, kind, nullish


def _merge(values: Any) -> Any:
    found: dict[str, Any] = {}
    for value in values:
        if nullish(value):
            continue
        if kind(value) != "object":
            raise DataError("$mergeObjects takes documents")
        found.update(value)
    return found


def _to_array(value: Any) -> Any:
    if nullish(value):
        return None
    if kind(value) != "object":
        raise DataError("$objectToArray takes a document")
    return [{"k": name, "v": inner} for name, inner in value.items()]


def _has_form(argument: Any) -> bool:
    return isinstance(argument, dict) and not (argument and next(iter(argument)).startswith("$"))


def _check_get(argument: Any, scope: Scope) -> None:
    if _has_form(argument):
        for value in checked_names(argument, ("field", "input"), ()).values():
            check(value, scope)
        return
    check(argument, scope)


def _get(argument: Any, env: Environment) -> Any:
    field, source = (argument["field"], argument["input"]) if _has_form(argument) else (argument, "$$CURRENT")
    name = run(field, env)
    if kind(name) != "string":
        raise DataError("the field's name must be a string")
    value = run(source, env)
    if nullish(value):
        return value
    return value.get(name, MISSING) if kind(value) == "object" else MISSING


def _constant_name(field: Any) -> str:
    """The name in `field`: a text, or a `$literal` of one."""
    if isinstance(field, dict) and set(field) == {"$literal"}:
        field = field["$literal"]
    elif is_path(field):
        raise Refusal("the field's name is a constant")
    elif not isinstance(field, str):
        raise Unsure("a field's name that is computed") if isinstance(field, dict) else Refusal("no name")
    if kind(field) != "string":
        raise Refusal("the field's name is a string")
    return str(field)


def _check_set(*required: str) -> Any:
    def checked(argument: Any, scope: Scope) -> None:
        checked_names(argument, required, ())
        _constant_name(argument["field"])
        for name in required[1:]:
            check(argument[name], scope)

    return checked


def _set(argument: Any, env: Environment) -> Any:
    source = run(argument["input"], env)
    value = run(argument["value"], env) if "value" in argument else MISSING
    if nullish(source):
        return None
    if kind(source) != "object":
        raise DataError("the input must be a document")
    name = _constant_name(argument["field"])
    if value is MISSING:
        return {key: inner for key, inner in source.items() if key != name}
    return {**source, name: value}


def _bson_size(value: Any) -> Any:
    if nullish(value):
        return None
    if kind(value) != "object":
        raise DataError("$bsonSize takes a document")
    try:
        return len(bson.encode(value))
    except (InvalidDocument, OverflowError) as error:
        raise Unsure(str(error)) from None


def _binary_size(value: Any) -> Any:
    if nullish(value):
        return None
    if kind(value) == "string":
        return len(value.encode())
    if kind(value) != "binData":
        raise DataError("$binarySize takes a string or binary data")
    return len(value)


register("$mergeObjects", variadic(_merge))
register("$objectToArray", positional(_to_array, 1, 1))
register("$getField", Operator(_check_get, _get))
register("$setField", Operator(_check_set("field", "input", "value"), _set))
register("$unsetField", Operator(_check_set("field", "input"), _set))
register("$bsonSize", positional(_bson_size, 1, 1))
register("$binarySize", positional(_binary_size, 1, 1))
__all__ = ["ABSENT"]
