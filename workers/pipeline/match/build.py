"""A query as written, checked whole and compiled: the only module that knows every family of operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from bson import Regex

from workers.errors import Invalid
from workers.pipeline.match import array, bitwise, comparison, element, evaluation
from workers.pipeline.match.nodes import (
    NEVER,
    Compiler,
    Condition,
    DocumentTest,
    Evaluate,
    Every,
    Place,
    ValueTest,
    is_operators,
)
from workers.pipeline.match.pattern import single_for
from workers.pipeline.match.schema import compile_schema
from workers.pipeline.match.source import Always, Field, Logic, Node, Source, Whole
from workers.pipeline.values import truthy

# As many levels of $and as a query may have, and more; deeper ones are refused with the query itself.
MAX_AND_PATH: Final = 2_000

# Every level of a query is a level of Python's stack here; documents themselves are limited to 100.
MAX_QUERY_DEPTH: Final = 100

OPERATORS: Final[Mapping[str, Callable[[Any, Place], Condition]]] = {
    **comparison.OPERATORS,
    **element.OPERATORS,
    **array.OPERATORS,
    **evaluation.OPERATORS,
    **bitwise.OPERATORS,
}
_FIELD_NAMES: Final = (*OPERATORS, "$not", "$regex", "$options")
_LOGIC: Final = {"$and": ("and", False), "$or": ("or", False), "$nor": ("or", True)}
_TOP_NAMES: Final = (*_LOGIC, "$expr", "$jsonSchema", "$comment", "$alwaysTrue", "$alwaysFalse")

UNSUPPORTED: Final[Mapping[str, str]] = {
    "$where": "JavaScript in a query is not in Penstock; write it as $expr, or call a function",
    "$text": "text search needs an index, which a stream does not have; $regex may do",
    "$near": "geospatial queries are not in Penstock",
    "$nearSphere": "geospatial queries are not in Penstock",
    "$geoWithin": "geospatial queries are not in Penstock",
    "$geoIntersects": "geospatial queries are not in Penstock",
    "$within": "geospatial queries are not in Penstock",
    "$sampleRate": "a random sample differs when a record is read again; $mod of one of its numbers does not",
}
"""Operators of the query language that are refused by name, each with what to do instead."""


@dataclass(frozen=True, slots=True)
class Match:
    """A compiled query. `source` is the Python expression over `doc` that `test` evaluates, for `explain` and
    for inlining; `names` are the constants it uses (its own temporaries are v1, v2, ...).
    """

    test: DocumentTest
    source: str
    names: Mapping[str, Any]


def compile_match(
    query: Any, path: str, expr_compiler: Callable[[Any, str], Evaluate] | None = None
) -> Match:
    """Compile the query of `$match`, `path` being its place (`pipeline[0].$match`).

    `expr_compiler(expression, path)` compiles what `$expr` holds and raises Invalid; without it `$expr` is
    refused. Raises Invalid with every problem. `test` raises what compiled expressions raise, nothing else.
    """
    compiler = Compiler([], _document_test, _operators, expr_compiler)
    place = Place(path, compiler)
    node = _query(_plain(query, place), place)
    if compiler.problems:
        raise Invalid(compiler.problems)
    source = Source()
    text = source.node(node)
    return Match(Source().function(node), text, source.names)


def top_expressions(query: Any, path: str) -> tuple[Any, list[tuple[Any, str]]]:
    """The query without what stands under $expr at its top or within $and, and that: (expression, place).

    All of them must hold beside the rest, which is always a query where the query was one.
    """
    if not isinstance(query, Mapping):
        return query, []
    found: list[tuple[Any, str]] = []
    rest: dict[Any, Any] = {}
    for name, operand in query.items():
        if name == "$expr":
            found.append((operand, f"{path}.$expr"))
        elif name == "$and" and isinstance(operand, list) and len(path) < MAX_AND_PATH:
            parts = [top_expressions(item, f"{path}.$and[{i}]") for i, item in enumerate(operand)]
            rest[name] = [left for left, _ in parts]
            found += [one for _, inner in parts for one in inner]
        else:
            rest[name] = operand
    return rest, found


def _plain(value: Any, place: Place) -> Any:
    """A copy in plain dicts and lists, with what no operator could judge refused: field names, depth."""
    if not isinstance(value, (dict, list)):
        return value
    if place.depth > MAX_QUERY_DEPTH:
        place.wrong("the query is nested too deep", f"at most {MAX_QUERY_DEPTH} levels")
        return None
    if isinstance(value, list):
        return [_plain(item, place.at(number)) for number, item in enumerate(value)]
    for name in value:
        if not isinstance(name, str):
            place.wrong(f"the field name {name!r}", "a field name that is text (in quotes)")
    return {str(name): _plain(item, place.at(str(name))) for name, item in value.items()}


def _document_test(query: Any, place: Place) -> DocumentTest:
    """A query inside another (`$elemMatch`)."""
    return Source().function(_query(query, place))


def _refuse(place: Place, found: str, expected: str = "") -> Node:
    place.wrong(found, expected)
    return Always(False)


def _unknown(name: str, place: Place, known: tuple[str, ...]) -> Condition:
    if name in UNSUPPORTED:
        return place.wrong(f"{name} is not supported", UNSUPPORTED[name])
    near = get_close_matches(name, known, 1)
    return place.wrong(f"unknown operator {name}", f"did you mean {near[0]}?" if near else "")


def _query(query: Any, place: Place) -> Node:
    """A document of fields and logical operators: all must hold."""
    if not isinstance(query, dict):
        return _refuse(place, "not a document", "fields and conditions")
    members: list[Node] = []
    for name, operand in query.items():
        inside = place.at(name)
        if name in _LOGIC:
            members.append(_logic(name, operand, inside))
        elif name in ("$alwaysTrue", "$alwaysFalse"):
            if operand != 1 or isinstance(operand, bool):
                members.append(_refuse(inside, "not 1", "1"))
            members.append(Always(name == "$alwaysTrue"))
        elif name == "$expr":
            members.append(_expression(operand, inside))
        elif name == "$jsonSchema":
            members.append(Whole(compile_schema(operand, inside)))
        elif name == "$comment":
            continue
        elif name.startswith("$") and name not in ("$ref", "$id", "$db"):
            hint = name in _FIELD_NAMES
            if hint:
                inside.wrong(f"{name} stands where a field must", "{field: {" + name + ": ...}}")
            else:
                _unknown(name, inside, _TOP_NAMES)
        else:
            members.append(Field(tuple(name.split(".")), _under_field(operand, inside)))
    return Logic("and", tuple(members))


def _logic(name: str, operand: Any, place: Place) -> Node:
    if not isinstance(operand, list) or not operand:
        return _refuse(place, "not an array, or an empty one", "an array of one query or more")
    word, negate = _LOGIC[name]
    return Logic(word, tuple(_query(item, place.at(i)) for i, item in enumerate(operand)), negate)


def _expression(operand: Any, place: Place) -> Node:
    compile_expression = place.compiler.expression
    if compile_expression is None:
        return _refuse(place, "$expr is not possible here", "a query without expressions")
    try:
        evaluate = compile_expression(operand, place.path)
    except Invalid as error:
        place.compiler.problems.extend(error.problems)
        return Always(False)
    return Whole(lambda doc: truthy(evaluate(doc)))


def _under_field(operand: Any, place: Place) -> Condition:
    """A value (equality), a regular expression, or operators."""
    if isinstance(operand, Regex):
        return ValueTest(single_for(operand, place))
    return _operators(operand, place) if is_operators(operand) else comparison.equal_to(operand)


def _operators(operand: dict[str, Any], place: Place) -> Condition:
    """A document of operators on one field: all must hold."""
    members: list[Condition] = []
    for name, value in operand.items():
        inside = place.at(name)
        if name == "$regex":
            members.append(evaluation.regex(value, operand.get("$options"), inside))
        elif name == "$options":
            if "$regex" not in operand:
                members.append(inside.wrong("$options without $regex", "$regex beside it"))
        elif name == "$not":
            members.append(_not(value, inside))
        elif name in OPERATORS:
            members.append(OPERATORS[name](value, inside))
        elif name == "$comment":
            continue
        else:
            members.append(_misplaced(name, inside))
    return members[0] if len(members) == 1 else Every(tuple(members))


def _misplaced(name: str, place: Place) -> Condition:
    if name in _TOP_NAMES:
        return place.wrong(f"{name} stands under a field", "at the top of a query")
    if not name.startswith("$"):
        return place.wrong(f"the field {name!r} among operators", "operators only, or a document without any")
    return _unknown(name, place, _FIELD_NAMES)


def _not(operand: Any, place: Place) -> Condition:
    if isinstance(operand, Regex):
        test = ValueTest(single_for(operand, place))
        return ValueTest(test.single, negate=True)
    if not is_operators(operand):
        return place.wrong("not a document of operators", "operators or a regular expression")
    inner = _operators(operand, place)
    return Every((inner,), negate=True) if inner is not NEVER else NEVER
