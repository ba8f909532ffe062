"""Random values, documents, expressions and stages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from hypothesis import strategies as st

from workers.pipeline import OPERATORS
from workers.pipeline.nodes import Binding, Custom, Named, Positional

NAMES: Final = ("a", "b", "c")

scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**31 - 1, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, 2**63, -(2**63)]),
    st.integers(-3, 3).map(Int64),
    st.sampled_from([0.0, -0.0, 1.0, 0.5, -2.5, 1e300, float("inf"), float("-inf"), float("nan")]),
    st.sampled_from(["0", "1", "-2.50", "1E+6000", "NaN", "Infinity", "1E-6176"]).map(Decimal128),
    st.sampled_from(["", "a", "B", "ab", "-7", "1.5", "2024-01-31", "grün", "日本", "$a"]),
    st.sampled_from([b"", b"ab", Binary(b"ab", 4), ObjectId("0" * 24), Regex("a"), MinKey(), MaxKey()]),
    st.sampled_from(
        [datetime(1970, 1, 1, tzinfo=UTC), datetime(2024, 2, 29, 12, tzinfo=UTC), Timestamp(1, 2)]
    ),
)

values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)

documents: st.SearchStrategy[dict[str, Any]] = st.dictionaries(st.sampled_from(NAMES), values, max_size=3)

paths: st.SearchStrategy[str] = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(".".join)

_leaves: st.SearchStrategy[Any] = st.one_of(
    scalars.filter(lambda value: not (isinstance(value, str) and value.startswith("$"))),
    paths.map(lambda path: f"${path}"),
    st.sampled_from(["$$ROOT", "$$CURRENT.a", "$$REMOVE"]),
)


# Arguments that are hardly ever right by chance.
_WORDS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "to": st.sampled_from(
        ["int", "long", "double", "decimal", "bool", "string", "objectId", "date", "binData", 16, None]
    )
    | st.just({"type": "binData", "subtype": 4}),
    "format": st.sampled_from(["base64", "base64url", "hex", "utf8", "uuid", "auto", "%Y-%m-%d"]),
    "byteOrder": st.sampled_from(["little", "big"]),
    "base": st.sampled_from([2, 8, 10, 16]),
    "unit": st.sampled_from(["year", "month", "week", "day", "hour", "millisecond"]),
    "timezone": st.sampled_from(["UTC", "Europe/Berlin", "-03:30"]),
    "n": st.integers(1, 3),
}


@st.composite
def _calls(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> Any:
    """A call of any operator of the catalogue, with arguments of the right number and names."""
    name = draw(st.sampled_from(sorted(OPERATORS)))
    rule = OPERATORS[name].signature
    if isinstance(rule, Positional):
        count = draw(st.integers(rule.least, rule.most if rule.most is not None else rule.least + 2))
        return {name: [draw(inner) for _ in range(count)]}
    if isinstance(rule, Named | Binding):
        named = rule.named if isinstance(rule, Binding) else rule
        chosen = [*named.required, *(name for name in named.optional if draw(st.booleans()))]
        return {name: {field: draw(_WORDS.get(field, st.nothing()) | inner) for field in chosen}}
    assert isinstance(rule, Custom)
    return draw(_custom(name, inner))


@st.composite
def _custom(draw: st.DrawFn, name: str, inner: st.SearchStrategy[Any]) -> Any:
    """The operators that read their own argument."""
    if name == "$literal":
        return {name: draw(values)}
    if name == "$cond":
        return {name: [draw(inner), draw(inner), draw(inner)]}
    if name == "$let":
        body = draw(st.one_of(inner, st.sampled_from(["$$x", "$$x.a"])))
        return {name: {"vars": {"x": draw(inner)}, "in": body}}
    if name == "$switch":
        return {name: {"branches": [{"case": draw(inner), "then": draw(inner)}], "default": draw(inner)}}
    if name == "$meta":
        return {name: "stream.source.topic"}
    if name in ("$getField", "$unsetField"):
        return {name: {"field": draw(st.sampled_from(NAMES)), "input": draw(inner)}}
    if name == "$setField":
        field = draw(st.sampled_from([*NAMES, "a.b"]))
        return {name: {"field": field, "input": draw(inner), "value": draw(inner)}}
    if name == "$sortArray":
        by = st.sampled_from([1, -1, {"a": 1}, {"b.c": -1, "a": 1.0}])
        return {name: {"input": draw(inner), "sortBy": draw(by)}}
    if name == "$zip":
        arrays = draw(st.lists(inner, min_size=1, max_size=2))
        defaults = draw(st.just([]) | st.lists(inner, min_size=len(arrays), max_size=len(arrays)))
        longest = bool(defaults) or draw(st.booleans())
        return {name: {"inputs": arrays, "useLongestLength": longest, "defaults": defaults}}
    return OPERATORS[name].example.expression


expressions: st.SearchStrategy[Any] = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        _calls(inner),
        _calls(inner),
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
    ),
    max_leaves=8,
)

_fields = st.dictionaries(paths, expressions, min_size=1, max_size=2)

stages: st.SearchStrategy[dict[str, Any]] = st.one_of(
    _fields.map(lambda fields: {"$addFields": fields}),
    _fields.map(lambda fields: {"$project": fields}),
    st.dictionaries(paths, st.just(1), min_size=1, max_size=2).map(lambda fields: {"$project": fields}),
    st.dictionaries(paths, st.just(0), min_size=1, max_size=2).map(lambda fields: {"$project": fields}),
    paths.map(lambda path: {"$unset": path}),
    expressions.map(lambda root: {"$replaceWith": root}),
    expressions.map(lambda test: {"$match": {"$expr": test}}),
    st.dictionaries(paths, values, max_size=2).map(lambda query: {"$match": query}),
)
