"""`$getField $mergeObjects $objectToArray`: documents as values."""

from __future__ import annotations

from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.nodes import (
    Call,
    Const,
    Custom,
    Example,
    FieldPath,
    Node,
    Operator,
    Parsing,
    Positional,
    Scope,
)
from workers.pipeline.values import MISSING, is_nullish, type_name

_GET_SYNTAX: Final = "{$getField: {field: <text>, input?: <expression>}} or {$getField: <text>}"


def get_field(field: Any, document: Any) -> Any:
    """A field by its whole name, dots and dollars too."""
    if field.__class__ is not str:
        raise Poison(f"$getField requires 'field' to evaluate to type String, but got {type_name(field)}")
    if document.__class__ is dict:
        return document.get(field, MISSING)
    return None if document is None else MISSING


def _parse_get(parsing: Parsing, spec: Any, path: str, scope: Scope) -> Node:
    current: Node = FieldPath(scope["CURRENT"], (), path)
    place = path
    if isinstance(spec, dict) and not any(str(name).startswith("$") for name in spec):
        for name in spec:
            if name not in ("field", "input"):
                return parsing.wrong(f"{path}.{name}", f"$getField has no field {name!r}", _GET_SYNTAX)
        if "field" not in spec:
            return parsing.wrong(path, "the field 'field' is missing", _GET_SYNTAX)
        if "input" in spec:
            current = parsing.expression(spec["input"], f"{path}.input", scope)
        spec, place = spec["field"], f"{path}.field"
    field = parsing.expression(spec, place, scope)
    if isinstance(field, Const) and not isinstance(field.value, str):
        return parsing.wrong(place, f"a value of the type {type_name(field.value)}", "a text")
    return Call(GET_FIELD, (field, current), path)


def merged(*documents: Any) -> dict[str, Any]:
    """The documents' fields together, later ones first in case of doubt; null and missing add nothing."""
    found: dict[str, Any] = {}
    for document in documents:
        if document.__class__ is dict:
            found.update(document)
        elif not is_nullish(document):
            raise Poison(f"$mergeObjects requires object inputs, but input is of type {type_name(document)}")
    return found


def to_array(document: Any) -> Any:
    """The fields as an array of `{k, v}`."""
    if is_nullish(document):
        return None
    if document.__class__ is not dict:
        raise Poison(f"$objectToArray requires a document input, found {type_name(document)}")
    return [{"k": name, "v": value} for name, value in document.items()]


GET_FIELD: Final = Operator(
    name="$getField",
    signature=Custom(_parse_get, _GET_SYNTAX),
    meaning="A field by its whole name, even one with dots or dollars in it.",
    example=Example({"$getField": "a.b"}, 1, {"a.b": 1}),
    function=get_field,
    gives_missing=True,
)

OPERATORS: Final[dict[str, Operator]] = {
    "$getField": GET_FIELD,
    "$mergeObjects": Operator(
        name="$mergeObjects",
        signature=Positional(0, None),
        meaning="The fields of several documents together; of two with one name the last counts.",
        example=Example({"$mergeObjects": [{"a": 1, "b": 1}, "$o"]}, {"a": 1, "b": 2}, {"o": {"b": 2}}),
        function=merged,
    ),
    "$objectToArray": Operator(
        name="$objectToArray",
        signature=Positional(1, 1),
        meaning="The fields of a document as an array of {k, v}.",
        example=Example({"$objectToArray": "$o"}, [{"k": "a", "v": 1}], {"o": {"a": 1}}),
        function=to_array,
    ),
}
