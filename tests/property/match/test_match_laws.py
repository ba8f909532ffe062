"""Laws of queries: a plain reading of the language agrees with what is compiled."""

from __future__ import annotations

from typing import Any

from bson import Decimal128, Int64, ObjectId
from hypothesis import given
from hypothesis import strategies as st

from workers.errors import Invalid
from workers.pipeline.match import compile_match
from workers.pipeline.values import MISSING, bracket, compare, is_nan

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(-3, 3).map(Int64),
    st.sampled_from([0.0, -0.0, 1.0, 1.5, float("nan"), float("inf"), Decimal128("1"), Decimal128("NaN")]),
    st.sampled_from(["", "a", "b", "ab", b"a", ObjectId("5f0000000000000000000001")]),
)
NAMES = st.sampled_from(["a", "b", "0", "1"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=3)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(".".join)
COMPARISONS = st.sampled_from(["$eq", "$gt", "$gte", "$lt", "$lte"])


def values_at(holder: Any, path: list[str]) -> list[Any]:
    """The values a query asks, by the rules alone: one list, no shortcuts."""
    name, rest = path[0], path[1:]
    if isinstance(holder, list):  # entered by position: only positions lead on
        inside = holder[int(name)] if name.isdigit() and int(name) < len(holder) else MISSING
    else:
        inside = holder.get(name, MISSING)
    if not rest:
        return [*inside, inside] if isinstance(inside, list) else [inside]
    if isinstance(inside, dict):
        return values_at(inside, rest)
    if not isinstance(inside, list):
        return [MISSING]
    found: list[Any] = []
    for number, element in enumerate(inside):
        if isinstance(element, dict):
            found += values_at(element, rest)
        if rest[0] == str(number):
            if len(rest) == 1:
                found.append(element)
            elif isinstance(element, (dict, list)):
                found += values_at(element, rest[1:])
    return found


def holds(operator: str, value: Any, operand: Any) -> bool:
    """One comparison with one value."""
    if operand is None:
        return operator in ("$eq", "$gte", "$lte") and (value is None or value is MISSING)
    if bracket(value) != bracket(operand):
        return False
    if is_nan(value) or is_nan(operand):
        return operator in ("$eq", "$gte", "$lte") and is_nan(value) and is_nan(operand)
    order = compare(value, operand)
    return {"$eq": order == 0, "$gt": order > 0, "$gte": order >= 0, "$lt": order < 0, "$lte": order <= 0}[
        operator
    ]


@given(doc=DOCUMENTS, path=PATHS, operator=COMPARISONS, operand=VALUES)
def test_a_comparison_asks_every_value_at_its_path(
    doc: dict[str, Any], path: str, operator: str, operand: Any
) -> None:
    """Shortcuts, paths through arrays and brackets of types change nothing of the plain reading."""
    expected = any(holds(operator, value, operand) for value in values_at(doc, path.split(".")))
    assert compile_match({path: {operator: operand}}, "p").test(doc) is expected


@given(doc=DOCUMENTS, path=PATHS, operands=st.lists(VALUES, max_size=4))
def test_in_is_any_equality_and_nin_its_opposite(doc: dict[str, Any], path: str, operands: list[Any]) -> None:
    """Sets and keys find what comparing one by one finds."""
    expected = any(compile_match({path: {"$eq": operand}}, "p").test(doc) for operand in operands)
    assert compile_match({path: {"$in": operands}}, "p").test(doc) is expected
    assert compile_match({path: {"$nin": operands}}, "p").test(doc) is not expected


@given(doc=DOCUMENTS, path=PATHS, operator=COMPARISONS, operand=VALUES)
def test_not_and_nor_are_opposites(doc: dict[str, Any], path: str, operator: str, operand: Any) -> None:
    """Of one condition under a field and at the top."""
    condition = {operator: operand}
    positive = compile_match({path: condition}, "p").test(doc)
    assert compile_match({path: {"$not": condition}}, "p").test(doc) is not positive
    assert compile_match({"$nor": [{path: condition}]}, "p").test(doc) is not positive
    assert compile_match({path: {"$ne": operand}}, "p").test(doc) is not compile_match(
        {path: {"$eq": operand}}, "p"
    ).test(doc)


OPERATORS = st.sampled_from(
    "$eq $ne $gt $lte $in $nin $not $exists $type $size $all $elemMatch $mod $regex $options $bitsAllSet "
    "$and $or $nor $jsonSchema $comment $expr properties items required minimum bsonType a b".split()
)
QUERIES = st.recursive(
    SCALARS | st.sampled_from(["int", "^a", "(", "i"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(OPERATORS, inner, max_size=3),
    max_leaves=8,
)


@given(query=QUERIES, doc=DOCUMENTS)
def test_any_query_is_compiled_or_refused(query: Any, doc: dict[str, Any]) -> None:
    """Whatever is written: a boolean for every document, or problems with places within the query."""
    before = repr(doc)
    try:
        match = compile_match(query, "p", lambda expression, path: lambda doc: expression)
    except Invalid as error:
        assert all(problem.path.startswith("p") and problem.found for problem in error.problems)  # noqa: PT017
        return
    assert match.test(doc) in (True, False)
    assert repr(doc) == before
