"""`$jsonSchema`: JSON Schema draft 4 with `bsonType`, as the server takes it.

A keyword only judges values of its own type: `{minimum: 5}` says nothing of strings. Arrays are values here,
never looked into on the way. `$ref`, `default`, `definitions`, `format`, `id` are refused, by the server too.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Final

from workers.pipeline.match.nodes import Place, Single
from workers.pipeline.match.schema_keywords import ARRAY_KEYWORDS, KEYWORDS, Check, non_negative
from workers.pipeline.patterns import PatternError, compile_pattern

_NOTES: Final = frozenset({"title", "description"})
_REFUSED: Final = frozenset({"$ref", "$schema", "default", "definitions", "format", "id"})
_ENCRYPTION: Final = frozenset({"encrypt", "encryptMetadata", "keyId", "algorithm"})


def compile_schema(schema: Any, place: Place) -> Single:
    """A test of any value by a schema; problems are noted at `place`."""
    if not isinstance(schema, dict):
        place.wrong("not a document", "a JSON Schema")
        return lambda value: False
    checks: list[Check] = []
    for keyword, operand in schema.items():
        inside = place.at(keyword)
        if keyword in _NOTES:
            if operand.__class__ is not str:
                inside.wrong("not a string", "a string")
        elif keyword in _STRUCTURE:
            checks.append(_STRUCTURE[keyword](operand, schema, inside))
        elif keyword in KEYWORDS:
            checks.append(KEYWORDS[keyword](operand, schema, inside))
        else:
            _unknown(keyword, inside)
    if "type" in schema and "bsonType" in schema:
        place.wrong("both type and bsonType", "one of the two")
    if len(checks) == 1:
        return checks[0]
    tests = tuple(checks)
    return lambda value: all(test(value) for test in tests)


def _unknown(keyword: str, place: Place) -> None:
    if keyword in _REFUSED or keyword in _ENCRYPTION:
        place.wrong(f"the keyword {keyword} is not supported")
        return
    near = get_close_matches(keyword, [*KEYWORDS, *_STRUCTURE, *_NOTES], 1)
    place.wrong(f"unknown keyword {keyword!r}", f"did you mean {near[0]!r}?" if near else "")


def _schemas(operand: Any, place: Place) -> tuple[Single, ...]:
    """A non-empty array of schemas."""
    if not isinstance(operand, list) or not operand:
        place.wrong("not an array, or an empty one", "an array of one schema or more")
        return ()
    return tuple(compile_schema(item, place.at(number)) for number, item in enumerate(operand))


def _all_of(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
    tests = _schemas(operand, place)
    return lambda value: all(test(value) for test in tests)


def _any_of(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
    tests = _schemas(operand, place)
    return lambda value: any(test(value) for test in tests)


def _one_of(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
    tests = _schemas(operand, place)
    return lambda value: sum(test(value) for test in tests) == 1


def _not(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
    test = compile_schema(operand, place)
    return lambda value: not test(value)


def _by_name(operand: Any, place: Place) -> dict[str, Single]:
    if not isinstance(operand, dict):
        place.wrong("not a document", "a schema for each field")
        return {}
    return {name: compile_schema(inner, place.at(name)) for name, inner in operand.items()}


def _properties(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
    tests = tuple(_by_name(operand, place).items())

    def check(value: Any) -> bool:
        if value.__class__ is not dict:
            return True
        return all(test(value[name]) for name, test in tests if name in value)

    return check


def _searches(operand: Any, place: Place) -> list[tuple[Callable[[str], object], str]]:
    """The patterns of `patternProperties`, each with its text."""
    found: list[tuple[Callable[[str], object], str]] = []
    for pattern in operand if isinstance(operand, dict) else ():
        try:
            found.append((compile_pattern(pattern).search, pattern))
        except PatternError as error:
            place.at(pattern).wrong(str(error), "a regular expression")
    return found


def _pattern_properties(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
    tests = _by_name(operand, place)
    pairs = tuple(
        (search, tests[pattern]) for search, pattern in _searches(operand, place) if pattern in tests
    )

    def check(value: Any) -> bool:
        if value.__class__ is not dict:
            return True
        return all(
            test(item) for name, item in value.items() for search, test in pairs if search(name) is not None
        )

    return check


def _additional_properties(operand: Any, schema: dict[str, Any], place: Place) -> Check:
    """Of the fields that neither `properties` nor `patternProperties` name."""
    named = frozenset(schema["properties"]) if isinstance(schema.get("properties"), dict) else frozenset()
    silent = Place(
        place.path, _quiet(place), place.depth
    )  # bad patterns are noted by patternProperties itself
    searches = [search for search, _ in _searches(schema.get("patternProperties"), silent)]
    test = _allowed(operand, place)

    def check(value: Any) -> bool:
        if value.__class__ is not dict:
            return True
        for name, item in value.items():
            if name in named or any(search(name) is not None for search in searches):
                continue
            if not test(item):
                return False
        return True

    return check


def _quiet(place: Place) -> Any:
    compiler = place.compiler
    return type(compiler)([], compiler.query, compiler.operators, compiler.expression)


def _allowed(operand: Any, place: Place) -> Single:
    """`additionalProperties` and `additionalItems`: true, false or a schema."""
    if isinstance(operand, bool):
        return lambda value: operand
    return compile_schema(operand, place)


def _items(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
    if isinstance(operand, list):
        tests = tuple(compile_schema(item, place.at(number)) for number, item in enumerate(operand))
        return lambda value: (
            value.__class__ is not list or all(test(item) for test, item in zip(tests, value, strict=False))
        )
    each = compile_schema(operand, place)
    return lambda value: value.__class__ is not list or all(map(each, value))


def _additional_items(operand: Any, schema: dict[str, Any], place: Place) -> Check:
    """Only beside `items` that names positions."""
    test = _allowed(operand, place)
    items = schema.get("items")
    if not isinstance(items, list):
        return lambda value: True
    start = len(items)
    return lambda value: value.__class__ is not list or all(map(test, value[start:]))


def _dependencies(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
    """Where a field is there, others must be too (an array), or the document must fit a schema."""
    if not isinstance(operand, dict):
        place.wrong("not a document", "an array of names or a schema for each field")
        return lambda value: False
    tests: list[tuple[str, Single]] = []
    for name, inner in operand.items():
        if isinstance(inner, list):
            tests.append((name, ARRAY_KEYWORDS["required"](inner, {}, place.at(name))))
        else:
            tests.append((name, compile_schema(inner, place.at(name))))
    pairs = tuple(tests)

    def check(value: Any) -> bool:
        if value.__class__ is not dict:
            return True
        return all(test(value) for name, test in pairs if name in value)

    return check


def _properties_bound(is_minimum: bool) -> Callable[[Any, dict[str, Any], Place], Check]:
    def compile_bound(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
        bound = non_negative(operand, place)
        if is_minimum:
            return lambda value: value.__class__ is not dict or len(value) >= bound
        return lambda value: value.__class__ is not dict or len(value) <= bound

    return compile_bound


_STRUCTURE: Final[dict[str, Callable[[Any, dict[str, Any], Place], Check]]] = {
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "items": _items,
    "additionalItems": _additional_items,
    "dependencies": _dependencies,
    "minProperties": _properties_bound(is_minimum=True),
    "maxProperties": _properties_bound(is_minimum=False),
}
