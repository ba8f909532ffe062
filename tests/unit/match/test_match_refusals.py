"""What `$match` refuses at start, where it says it is, and what it says."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId, Regex

from workers.errors import Invalid, Problem
from workers.pipeline.match import UNSUPPORTED, compile_match

PATH = "pipeline[0].$match"

REFUSED: list[tuple[Any, str, str]] = [
    (5, "", "not a document"),
    ({"a": {"$gtt": 5}}, ".a.$gtt", "unknown operator $gtt; did you mean $gt?"),
    ({"$adn": []}, ".$adn", "unknown operator $adn; did you mean $and?"),
    ({"$zzzz": []}, ".$zzzz", "unknown operator $zzzz"),
    ({"$gt": 5}, ".$gt", "$gt stands where a field must; {field: {$gt: ...}}"),
    ({"a": {"$and": []}}, ".a.$and", "$and stands under a field"),
    ({"a": {"$gt": 1, "b": 2}}, ".a.b", "the field 'b' among operators"),
    ({"$and": []}, ".$and", "an array of one query or more"),
    ({"$or": {"a": 1}}, ".$or", "an array of one query or more"),
    ({"$nor": [5]}, ".$nor[0]", "not a document"),
    ({"a": {"$in": 5}}, ".a.$in", "an array of values"),
    ({"a": {"$in": [{"$gt": 5}]}}, ".a.$in[0]", "the operator $gt"),
    ({"a": {"$nin": [Regex("(")]}}, ".a.$nin[0]", "not valid"),
    ({"a": {"$gt": Regex("x")}}, ".a.$gt", "a regular expression"),
    ({"a": {"$ne": Regex("x")}}, ".a.$ne", "{$not: <regular expression>}"),
    ({"a": {"$not": 5}}, ".a.$not", "operators or a regular expression"),
    ({"a": {"$not": {}}}, ".a.$not", "operators or a regular expression"),
    ({"a": {"$not": {"$bad": 1}}}, ".a.$not.$bad", "unknown operator"),
    ({"a": {"$size": 1.5}}, ".a.$size", "the number of elements"),
    ({"a": {"$size": -1}}, ".a.$size", "0 or more"),
    ({"a": {"$size": "1"}}, ".a.$size", "not an integer"),
    ({"a": {"$all": ObjectId()}}, ".a.$all", "an array of values"),
    ({"a": {"$all": [1, {"$gt": 1}]}}, ".a.$all[1]", "the operator $gt"),
    ({"a": {"$all": [{"$elemMatch": {}}, 1]}}, ".a.$all[1]", "$elemMatch throughout"),
    ({"a": {"$elemMatch": 1}}, ".a.$elemMatch", "not a document"),
    ({"a": {"$elemMatch": {"b": {"$gtt": 1}}}}, ".a.$elemMatch.b.$gtt", "unknown operator"),
    ({"a": {"$type": "strnig"}}, ".a.$type", "did you mean 'string'?"),
    ({"a": {"$type": []}}, ".a.$type", "at least one type"),
    ({"a": {"$type": [2, 99]}}, ".a.$type[1]", "unknown type number 99"),
    ({"a": {"$type": 1.5}}, ".a.$type", "unknown type number 1.5"),
    ({"a": {"$type": float("nan")}}, ".a.$type", "unknown type number nan"),
    ({"a": {"$type": float("inf")}}, ".a.$type", "unknown type number inf"),
    ({"a": {"$type": {"x": 1}}}, ".a.$type", "not the name of a type"),
    ({"a": {"$mod": [0, 1]}}, ".a.$mod[0]", "the divisor is 0"),
    ({"a": {"$mod": [0.5, 1]}}, ".a.$mod[0]", "the divisor is 0"),
    ({"a": {"$mod": [2]}}, ".a.$mod", "[divisor, remainder]"),
    ({"a": {"$mod": ["2", 1]}}, ".a.$mod[0]", "not a number"),
    ({"a": {"$mod": [2, float("inf")]}}, ".a.$mod[1]", "not finite"),
    ({"a": {"$regex": 5}}, ".a.$regex", "a regular expression"),
    ({"a": {"$regex": "("}}, ".a.$regex", "not valid"),
    ({"a": {"$regex": "a", "$options": "g"}}, ".a.$regex", "unknown option 'g'"),
    ({"a": {"$regex": "a", "$options": 5}}, ".a.$regex", "$options is not a string"),
    ({"a": {"$regex": Regex("a", "i"), "$options": "m"}}, ".a.$regex", "one of the two"),
    ({"a": {"$options": "i"}}, ".a.$options", "$regex beside it"),
    ({"a": {"$bitsAllSet": [-1]}}, ".a.$bitsAllSet[0]", "from 0 to 2147483647"),
    ({"a": {"$bitsAnySet": [1.5]}}, ".a.$bitsAnySet[0]", "not a bit position"),
    ({"a": {"$bitsAllClear": -1}}, ".a.$bitsAllClear", "not a bit mask"),
    ({"a": {"$bitsAnyClear": "1"}}, ".a.$bitsAnyClear", "not a bit mask"),
    ({"$alwaysTrue": 2}, ".$alwaysTrue", "not 1"),
    ({"$expr": 1}, ".$expr", "$expr is not possible here"),
    ({"a": {"b": {5: 1}}}, ".a.b", "the field name 5"),
]


@pytest.mark.parametrize(("query", "path", "words"), REFUSED)
def test_a_mistake_is_refused_with_its_place(query: Any, path: str, words: str) -> None:
    """The problem names the exact operator or element and what would be right."""
    with pytest.raises(Invalid) as caught:
        compile_match(query, PATH)
    (problem,) = caught.value.problems
    assert problem.path == PATH + path
    assert words in f"{problem.found}; {problem.expected}"


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_operators_that_a_stream_cannot_have_are_refused_by_name(name: str) -> None:
    """At the top and under a field, with what to do instead."""
    for query in ({name: 1}, {"a": {name: 1}}):
        with pytest.raises(Invalid, match=rf"\{name} is not supported"):
            compile_match(query, PATH)


def test_all_problems_come_at_once() -> None:
    """Also those that `$expr`'s own compiler found."""

    def compile_expression(expression: Any, path: str) -> Any:
        raise Invalid([Problem("", f"{path}.$bad", "unknown operator $bad")])

    query = {"a": {"$size": -1, "$gtt": 1}, "$or": [{"b": {"$in": 1}}, {"$expr": {"$bad": 1}}], "$where": "1"}
    with pytest.raises(Invalid) as caught:
        compile_match(query, PATH, compile_expression)
    assert [problem.path.removeprefix(PATH) for problem in caught.value.problems] == [
        ".a.$size", ".a.$gtt", ".$or[0].b.$in", ".$or[1].$expr.$bad", ".$where",
    ]  # fmt: skip


def test_a_query_without_end_is_refused() -> None:
    """Nesting has a bound, for queries and for schemas."""
    query: dict[str, Any] = {"a": 1}
    schema: dict[str, Any] = {}
    for _ in range(300):
        query, schema = {"$and": [query]}, {"not": schema}
    for deep in (query, {"$jsonSchema": schema}, {"a": {"$not": query}}, {"a": query}):
        with pytest.raises(Invalid, match="nested too deep; at most 100 levels"):
            compile_match(deep, PATH)
