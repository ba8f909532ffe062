"""`$arrayToObject $getField $mergeObjects $objectToArray $setField $unsetField`: documents as values."""

from __future__ import annotations

from collections.abc import Callable
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
    if isinstance(field, Const) and field.value.__class__ is not str:
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


def from_array(array: Any) -> Any:
    """A document of `[name, value]` pairs or of `{k, v}` documents; of two with one name the last counts."""
    if is_nullish(array):
        return None
    if array.__class__ is not list:
        raise Poison(f"$arrayToObject requires an array input, found: {type_name(array)}")
    found: dict[str, Any] = {}
    kind = array[0].__class__ if array else list
    read = _KEYED.get(kind)
    if read is None:
        raise Poison(
            f"$arrayToObject needs elements that are pairs or {{k, v}}, found: {type_name(array[0])}"
        )
    for item in array:
        if item.__class__ is not kind:
            raise Poison(f"$arrayToObject needs elements of one form, found {type_name(item)} among others")
        name, value = read(item)
        if name.__class__ is not str:
            raise Poison(f"$arrayToObject needs keys that are strings, found: {type_name(name)}")
        if "\0" in name:
            raise Poison("$arrayToObject: a key holds a null byte")
        found[name] = value
    return found


def _pair(item: list[Any]) -> tuple[Any, Any]:
    if len(item) != _PAIR:
        raise Poison(f"$arrayToObject requires an array of size 2 arrays, found one of {len(item)}")
    return item[0], item[1]


def _key_and_value(item: dict[str, Any]) -> tuple[Any, Any]:
    if item.keys() != {"k", "v"}:
        raise Poison("$arrayToObject requires documents with the fields 'k' and 'v', and no other")
    return item["k"], item["v"]


_KEYED: Final[dict[type, Callable[[Any], tuple[Any, Any]]]] = {list: _pair, dict: _key_and_value}
_PAIR: Final = 2


def with_field(field: Any, document: Any, value: Any) -> Any:
    """The document with a field of that whole name; without it where the value is missing."""
    if is_nullish(document):
        return None
    if document.__class__ is not dict:
        raise Poison(f"$setField requires 'input' to evaluate to type Object, but got {type_name(document)}")
    if value is not MISSING:
        return {**document, field: value}
    return {name: inner for name, inner in document.items() if name != field}


def _parse_change(parsing: Parsing, spec: Any, path: str, scope: Scope) -> Node:
    """Both: `$unsetField` is `$setField` with a value that is missing."""
    name = path.rpartition(".")[2]
    syntax = _SET_SYNTAX if name == "$setField" else _UNSET_SYNTAX
    fields = ("field", "input", "value") if name == "$setField" else ("field", "input")
    if not isinstance(spec, dict):
        return parsing.wrong(path, "no document", syntax)
    for given in spec:
        if given not in fields:
            return parsing.wrong(f"{path}.{given}", f"{name} has no field {given!r}", syntax)
    for needed in fields:
        if needed not in spec:
            return parsing.wrong(path, f"the field {needed!r} is missing", syntax)
    place = f"{path}.field"
    field = parsing.expression(spec["field"], place, scope)
    if not isinstance(field, Const):
        return parsing.wrong(
            place, "a name that depends on the document", "a text; {$literal: '$...'} for '$'"
        )
    if field.value.__class__ is not str or "\0" in field.value:
        return parsing.wrong(
            place, f"a value of the type {type_name(field.value)}", "a text without null bytes"
        )
    document = parsing.expression(spec["input"], f"{path}.input", scope)
    if name == "$unsetField":
        return Call(UNSET_FIELD, (field, document, Const(MISSING, path)), path)
    return Call(SET_FIELD, (field, document, parsing.expression(spec["value"], f"{path}.value", scope)), path)


_SET_SYNTAX: Final = "{$setField: {field: <text>, input: <expression>, value: <expression>}}"
_UNSET_SYNTAX: Final = "{$unsetField: {field: <text>, input: <expression>}}"

SET_FIELD: Final = Operator(
    name="$setField",
    signature=Custom(_parse_change, _SET_SYNTAX),
    meaning="A document with a field of that whole name, dots and dollars too; $$REMOVE removes it.",
    example=Example(
        {"$setField": {"field": "a.b", "input": "$o", "value": 2}}, {"x": 1, "a.b": 2}, {"o": {"x": 1}}
    ),
    function=with_field,
)
UNSET_FIELD: Final = Operator(
    name="$unsetField",
    signature=Custom(_parse_change, _UNSET_SYNTAX),
    meaning="A document without the field of that whole name.",
    example=Example({"$unsetField": {"field": "a.b", "input": "$o"}}, {"x": 1}, {"o": {"x": 1, "a.b": 2}}),
    function=with_field,
)
GET_FIELD: Final = Operator(
    name="$getField",
    signature=Custom(_parse_get, _GET_SYNTAX),
    meaning="A field by its whole name, even one with dots or dollars in it.",
    example=Example({"$getField": "a.b"}, 1, {"a.b": 1}),
    function=get_field,
    gives_missing=True,
)

OPERATORS: Final[dict[str, Operator]] = {
    "$arrayToObject": Operator(
        name="$arrayToObject",
        signature=Positional(1, 1),
        meaning="A document of an array of [name, value] or of {k, v}.",
        example=Example({"$arrayToObject": "$a"}, {"x": 1, "y": 2}, {"a": [["x", 1], ["y", 2]]}),
        function=from_array,
    ),
    "$getField": GET_FIELD,
    "$setField": SET_FIELD,
    "$unsetField": UNSET_FIELD,
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
