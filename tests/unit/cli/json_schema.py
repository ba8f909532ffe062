"""As much of JSON Schema (draft 7) as `penstock schema` prints. An unknown keyword is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int,),
    "number": (int, float),
}
_SILENT: Final = frozenset({"description", "default", "title", "$schema", "$defs", "then"})


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any], place: str = "") -> Iterator[str]:
    """What is wrong with a value, each with its place."""
    for keyword, rule in schema.items():
        if keyword in _SILENT:
            continue
        yield from _KEYWORDS[keyword](value, rule, schema, root, place)


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])


def _fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    return next(faults(value, schema, root), None) is None


def _type(value: Any, rule: Any, _schema: Any, _root: Any, place: str) -> Iterator[str]:
    names = rule if isinstance(rule, list) else [rule]
    if not any(_is(value, name) for name in names):
        yield f"{place}: not {' or '.join(names)}"


def _reference(value: Any, rule: str, _schema: Any, root: Any, place: str) -> Iterator[str]:
    yield from faults(value, root["$defs"][rule.removeprefix("#/$defs/")], root, place)


def _any_of(value: Any, rule: Any, _schema: Any, root: Any, place: str) -> Iterator[str]:
    found = [list(faults(value, one, root, place)) for one in rule]
    if all(found):
        # The branch that fits furthest is the one that was meant.
        yield from max(found, key=lambda texts: max(len(text.partition(":")[0]) for text in texts))


def _all_of(value: Any, rule: Any, _schema: Any, root: Any, place: str) -> Iterator[str]:
    for one in rule:
        yield from faults(value, one, root, place)


def _if(value: Any, rule: Any, schema: Any, root: Any, place: str) -> Iterator[str]:
    if _fits(value, rule, root):
        yield from faults(value, schema.get("then", {}), root, place)


def _properties(value: Any, rule: Any, _schema: Any, root: Any, place: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name in rule.keys() & value.keys():
            yield from faults(value[name], rule[name], root, f"{place}.{name}")


def _pattern_properties(value: Any, rule: Any, _schema: Any, root: Any, place: str) -> Iterator[str]:
    if isinstance(value, dict):
        for pattern, one in rule.items():
            for name in value:
                if re.search(pattern, name):
                    yield from faults(value[name], one, root, f"{place}.{name}")


def _additional(value: Any, rule: Any, schema: Any, root: Any, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    for name in value.keys() - schema.get("properties", {}).keys():
        if any(re.search(pattern, name) for pattern in schema.get("patternProperties", ())):
            continue
        if rule is False:
            yield f"{place}.{name}: not allowed"
        else:
            yield from faults(value[name], rule, root, f"{place}.{name}")


def _required(value: Any, rule: Any, _schema: Any, _root: Any, place: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{place}: without {name}" for name in rule if name not in value)


def _items(value: Any, rule: Any, _schema: Any, root: Any, place: str) -> Iterator[str]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from faults(item, rule, root, f"{place}[{number}]")


def _enum(value: Any, rule: Any, _schema: Any, _root: Any, place: str) -> Iterator[str]:
    if not any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in rule):
        yield f"{place}: not one of {rule}"


def _const(value: Any, rule: Any, schema: Any, root: Any, place: str) -> Iterator[str]:
    return _enum(value, [rule], schema, root, place)


def _pattern(value: Any, rule: Any, _schema: Any, _root: Any, place: str) -> Iterator[str]:
    if isinstance(value, str) and not re.search(rule, value):
        yield f"{place}: does not match {rule}"


def _bound(keyword: str) -> Any:
    kinds: dict[str, type | tuple[type, ...]] = {
        "Length": str, "Items": list, "Properties": dict, "imum": (int, float),
    }  # fmt: skip
    kind = next(one for ending, one in kinds.items() if keyword.endswith(ending))

    def check(value: Any, rule: Any, _schema: Any, _root: Any, place: str) -> Iterator[str]:
        if isinstance(value, kind) and not isinstance(value, bool):
            size = value if keyword.endswith("imum") else len(value)  # type: ignore[arg-type]
            if (size < rule) if keyword.startswith("min") else (size > rule):
                yield f"{place}: {keyword} {rule}"

    return check


_KEYWORDS: Final[dict[str, Any]] = {
    "type": _type,
    "$ref": _reference,
    "anyOf": _any_of,
    "allOf": _all_of,
    "if": _if,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional,
    "required": _required,
    "items": _items,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    **{
        name: _bound(name)
        for name in (
            "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
            "minimum", "maximum",
        )
    },
}  # fmt: skip
