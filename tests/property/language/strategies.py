"""Random documents, expressions, queries and stages: few names, small numbers, edges, so that they meet."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final

from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from hypothesis import strategies as st

from tests.property.language.judging import UNORDERED
from tests.property.language.signatures import FORMS, Form

SMALL: Final = st.integers(-3, 5)
EDGES: Final = st.sampled_from(
    [2**31 - 1, -(2**31), 2**31, 2**53, 2**53 + 1, Int64(2**63 - 1), Int64(-(2**63))]
)
DOUBLES: Final = st.sampled_from(
    [
        0.0,
        -0.0,
        0.5,
        1.0,
        1.5,
        -1.5,
        2.5,
        2.0,
        0.1,
        1e10,
        1e300,
        -1e-9,
        float("nan"),
        float("inf"),
        float("-inf"),
    ]
)
DECIMALS: Final = st.sampled_from(
    ["0", "-0", "1", "1.5", "2.50", "-3", "0.1", "1E+3", "NaN", "Infinity"]
).map(Decimal128)
NUMBERS: Final = st.one_of(SMALL, SMALL, SMALL.map(Int64), DOUBLES, DECIMALS, EDGES)
TEXTS: Final = st.sampled_from(
    [
        "",
        "a",
        "b",
        "ab",
        "Abc",
        "a,b",
        " a b ",
        "éa",
        "1",
        "-12",
        "1.5",
        "abcabc",
        "x.y",
        "ÀB",
        "🙂z",
        "2024-02-29",
        "2020-01-05T10:20:30Z",
        "507f1f77bcf86cd799439011",
    ]
)
DATES: Final = st.one_of(
    st.datetimes(datetime(1970, 1, 2), datetime(2037, 12, 1)).map(  # noqa: DTZ001 - hypothesis wants naive bounds
        lambda at: at.replace(tzinfo=UTC, microsecond=at.microsecond // 1000 * 1000)
    ),
    st.sampled_from(
        [
            datetime(2024, 2, 29, 12, tzinfo=UTC),
            datetime(2024, 12, 30, tzinfo=UTC),
            datetime(2024, 3, 10, 7, 30, tzinfo=UTC),
            datetime(2023, 11, 5, 5, 30, tzinfo=UTC),
            datetime(2024, 1, 31, tzinfo=UTC),
            datetime(1999, 12, 31, 23, 59, 59, 999000, UTC),
        ]
    ),
)
ODD: Final = st.one_of(
    st.sampled_from(
        [
            ObjectId("507f1f77bcf86cd799439011"),
            ObjectId("507f1f77bcf86cd799439012"),
            MinKey(),
            MaxKey(),
            Timestamp(1, 2),
            Timestamp(1_700_000_000, 1),
            Regex("a", "i"),
            Regex("a"),
            Code("x"),
            Code("x", {"a": 1}),
            b"",
            b"\x01",
            b"\x03\xff",
            Binary(b"\x01", 5),
        ]
    ),
    DATES,
)
SCALARS: Final = st.one_of(NUMBERS, TEXTS, st.booleans(), st.none(), NUMBERS, ODD)
NAMES: Final = st.sampled_from(["a", "b", "c", "n", "s"])


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(NAMES, inner, max_size=3),
        st.lists(st.dictionaries(NAMES, inner, max_size=2), max_size=3),
        st.lists(SMALL, max_size=4),
    )


VALUES: Final = st.recursive(SCALARS, _nested, max_leaves=6)
ARRAYS: Final = st.one_of(
    st.lists(NUMBERS, max_size=5),
    st.lists(SMALL, max_size=5),
    st.lists(VALUES, max_size=4),
    st.lists(st.fixed_dictionaries({}, optional={"n": SMALL, "s": TEXTS, "a": VALUES}), max_size=4),
    st.lists(TEXTS, max_size=4),
)
OBJECTS: Final = st.dictionaries(NAMES, VALUES, max_size=4)
# What each field usually holds; `a`, `b` and `c` may hold anything.
BY_TYPE: Final[dict[str, st.SearchStrategy[Any]]] = {
    "num": NUMBERS,
    "str": TEXTS,
    "arr": ARRAYS,
    "obj": OBJECTS,
    "date": DATES,
    "bool": st.booleans(),
    "any": VALUES,
    "int": SMALL,
}
FIELDS: Final = {"n": "num", "s": "str", "l": "arr", "o": "obj", "t": "date", "i": "int", "f": "bool"}


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A document whose fields mostly hold what their names say, sometimes anything, sometimes nothing."""
    doc: dict[str, Any] = {}
    for name in draw(st.permutations([*FIELDS, "a", "b"])):
        fate = draw(st.integers(0, 9))
        if fate == 0:
            continue
        kind = FIELDS.get(name, "any")
        doc[name] = draw(VALUES if fate == 1 else BY_TYPE[kind])
    return doc


# Words that an argument must be, mostly.
WORDS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "unit": st.sampled_from(
        ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond"]
    ),
    "zone": st.sampled_from(
        ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "+05:30", "-0300", "+09"]
    ),
    "day": st.sampled_from(["monday", "Sun", "wednesday", "SATURDAY"]),
    "format": st.sampled_from(["%Y-%m-%d", "%H:%M:%S.%L", "%j %U %w", "%G-W%V-%u", "%d/%m/%Y %z", "%%Y", ""]),
    "parse": st.sampled_from(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    "to": st.sampled_from(
        ["int", "long", "double", "decimal", "string", "bool", "date", "objectId", 16, 18, 1, 2]
    ),
    "regex": st.sampled_from(["a", "^a", "b$", "(a)(b)?", "[a-c]+", "A", ".", Regex("ab", "i"), Regex("b")]),
    "options": st.sampled_from(["", "i", "s", "m"]),
    "order": st.sampled_from([1, -1, {"n": 1}, {"s": -1, "n": 1}]),
    "name": st.sampled_from(["a", "n", "z", "x.y"]),
    "shares": st.sampled_from([[0.5], [0, 1], [0.25, 0.9]]),
    "method": st.just("approximate"),
    "flag": st.booleans(),
    "count": st.integers(1, 3),
    "place": st.integers(-2, 3),
    "index": st.integers(0, 3),
    "part": st.integers(-2, 40),
    "years": st.integers(1990, 2030),
}
LITERAL_ONLY: Final = {"order", "name", "shares", "method", "flag"}
PATHS: Final = {
    "num": ["$n", "$i", "$o.n"],
    "int": ["$i", "$i", "$n"],
    "str": ["$s", "$s", "$o.s"],
    "obj": ["$o", "$$ROOT"],
    "arr": ["$l", "$l", "$a", "$l.n"],
    "date": ["$t"],
    "bool": ["$f"],
    "any": ["$a", "$b", "$a.b", "$l.n", "$l.a", "$$ROOT", "$$REMOVE", "$n", "$s", "$$CURRENT.a", "$nope"],
}


@st.composite
def expressions(
    draw: st.DrawFn, known: Collection[str], wanted: str = "any", depth: int = 3, names: tuple[str, ...] = ()
) -> Any:
    """A well-formed expression that mostly gives what is wanted; `known` are the operators it may use."""
    if wanted in WORDS and draw(st.integers(0, 12 if wanted not in LITERAL_ONLY else 40)):
        return draw(WORDS[wanted])
    if wanted in WORDS:
        return draw(st.sampled_from(["$a", None, "nonsense", 0]))
    stray = draw(st.integers(0, 19))
    if stray == 0:
        wanted = "any"
    choice = draw(st.integers(0, 9))
    if choice < (2 if depth else 6):
        return draw(st.sampled_from(PATHS[wanted] + [f"$${name}" for name in names] * 3))
    if depth == 0 or choice == 9:
        return draw(literals(wanted))
    fitting = [form for form in FORMS if form.name in known and (wanted in ("any", form.result))]
    if wanted != "any" and draw(st.integers(0, 6)) == 0:
        fitting += [form for form in FORMS if form.name in known and form.result == "any"]
    if not fitting:
        return draw(literals(wanted))
    return draw(calls(draw(st.sampled_from(fitting)), known, depth - 1, names))


@st.composite
def calls(
    draw: st.DrawFn, form: Form, known: Collection[str], depth: int, names: tuple[str, ...] = ()
) -> Any:
    """A call of one operator in one of its forms."""
    positions: list[Any] = []
    named: dict[str, Any] = {}
    for part in form.parts:
        within = (*names, *part.binds)
        one = expressions(known, part.kind, depth, within)
        if part.is_optional and draw(st.booleans()):
            if not part.name:
                break
            continue
        if part.is_repeated:
            positions += draw(st.lists(one, min_size=1, max_size=3))
        elif part.name:
            named[part.name] = draw(one)
        else:
            positions.append(draw(one))
    if form.name == "$zip":
        named = {"inputs": positions}
    elif form.name == "$switch":
        named["branches"] = [{"case": case, "then": then} for case, then in _pairs(positions)]
    elif form.name == "$let":
        named = {"vars": {"v": named["v"]}, "in": named["in"]}
    call = {form.name: named or (positions[0] if form.is_bare and draw(st.booleans()) else positions)}
    if form.name in UNORDERED:
        return {"$sortArray": {"input": call, "sortBy": 1}}
    return call


def _pairs(items: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(items[::2], items[1::2], strict=False)) or [(True, 1)]


def literals(wanted: str) -> st.SearchStrategy[Any]:
    """A constant; documents and arrays as `$literal`, so that nothing in them is read as an expression."""
    if wanted in ("obj", "any", "arr"):
        return BY_TYPE[wanted].map(
            lambda value: {"$literal": value} if isinstance(value, dict | list) else value
        )
    return BY_TYPE[wanted]


# --- anything at all ----------------------------------------------------------------------------------------


def arbitrary(known: Collection[str]) -> st.SearchStrategy[Any]:
    """Any JSON with operators' names among its keys: mostly ill-formed."""
    keys = st.one_of(
        NAMES,
        st.sampled_from(sorted(known)),
        st.sampled_from(["$nope", "$", "", "a.b", "input", "in", "as", "vars", "cond", "$$x"]),
    )
    leaves = st.one_of(
        SCALARS, st.sampled_from(["$a", "$$ROOT", "$$this", "$", "$a.", "$$", "$.a", "$$nope.a"])
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(keys, inner, max_size=3),
            st.builds(lambda name, value: {name: value}, st.sampled_from(sorted(known)), inner),
        ),
        max_leaves=8,
    )


# --- queries ------------------------------------------------------------------------------------------------

QUERY_OPERATORS: Final = (
    "$eq $ne $gt $gte $lt $lte $in $nin $exists $type $size $mod $all $regex $options $not $elemMatch "
    "$and $or $nor $expr $jsonSchema $comment $bitsAllSet $bitsAnySet $bitsAllClear $bitsAnyClear"
).split()
FIELD_PATHS: Final = st.sampled_from(
    ["a", "b", "n", "s", "l", "o", "t", "a.b", "l.n", "l.0", "o.a", "a.0.b", "o.n", "z"]
)
TYPES: Final = st.sampled_from(
    ["int", "long", "double", "number", "string", "array", "object", "null", "bool", 2, 16]
)


def _operators(known: Collection[str], depth: int) -> st.SearchStrategy[dict[str, Any]]:
    some = {
        "$eq": VALUES,
        "$ne": VALUES,
        "$gt": SCALARS,
        "$gte": VALUES,
        "$lt": SCALARS,
        "$lte": VALUES,
        "$in": st.lists(SCALARS, max_size=3),
        "$nin": st.lists(VALUES, max_size=3),
        "$exists": st.booleans(),
        "$type": st.one_of(TYPES, st.lists(TYPES, min_size=1, max_size=2)),
        "$size": st.integers(-1, 3),
        "$mod": st.lists(SMALL, min_size=2, max_size=2),
        "$all": st.lists(SCALARS, max_size=2),
        "$bitsAllSet": st.one_of(
            st.integers(0, 7), st.lists(st.integers(0, 70), max_size=2), st.just(b"\x03")
        ),
        "$bitsAnyClear": st.integers(0, 7),
        "$bitsAnySet": st.integers(0, 7),
        "$bitsAllClear": st.integers(-1, 7),
        "$regex": st.sampled_from(["a", "^A", "b$", "[a-c]"]),
    }
    if depth:
        some["$not"] = _operators(known, depth - 1)
        some["$elemMatch"] = st.one_of(_operators(known, depth - 1), queries(known, depth - 1))
    options = [strategy.map(lambda value, name=name: {name: value}) for name, strategy in some.items()]  # type: ignore[misc]
    one = st.one_of(options)
    return st.one_of(one, one, st.builds(lambda left, right: {**left, **right}, one, one))


def queries(known: Collection[str], depth: int = 2) -> st.SearchStrategy[dict[str, Any]]:
    """A query of fields, logical operators and `$expr`."""
    field = st.builds(
        lambda path, wanted: {path: wanted},
        FIELD_PATHS,
        st.one_of(VALUES, _operators(known, depth), _operators(known, depth)),
    )
    if not depth:
        return field
    below = queries(known, depth - 1)
    logical = st.builds(
        lambda name, parts: {name: parts},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(below, min_size=1, max_size=3),
    )
    computed = st.builds(lambda expression: {"$expr": expression}, expressions(known, "bool", 2))
    both = st.builds(lambda left, right: {**left, **right}, field, field)
    return st.one_of(field, field, both, logical, computed)


# --- stages -------------------------------------------------------------------------------------------------

TARGETS: Final = st.sampled_from(["a", "b", "n", "x", "a.b", "o.n", "o.x", "l.n", "l.x", "o.a.b"])


def stages(known: Collection[str], names: Collection[str]) -> st.SearchStrategy[dict[str, Any]]:
    """A stage of one of the names given."""
    values = expressions(known, "any", 2)
    computed = st.dictionaries(TARGETS, values, min_size=1, max_size=3)
    flags = st.sampled_from([1, True, 1, True, 2.5])
    unflags = st.sampled_from([0, False, 0.0])
    tree = st.one_of(flags, st.dictionaries(NAMES, flags, min_size=1, max_size=2))
    included = st.dictionaries(TARGETS, st.one_of(tree, values), min_size=1, max_size=4)
    excluded = st.dictionaries(TARGETS, unflags, min_size=1, max_size=3)
    mixed = st.dictionaries(TARGETS, st.one_of(flags, unflags, values), min_size=1, max_size=3)
    paths = st.sampled_from(["$a", "$l", "$o.a", "$o", "$n", "$z"])
    table: dict[str, st.SearchStrategy[Any]] = {
        "$match": queries(known),
        "$project": st.one_of(included, excluded, mixed),
        "$addFields": computed,
        "$set": computed,
        "$unset": st.one_of(TARGETS, st.lists(TARGETS, min_size=1, max_size=3)),
        "$replaceWith": expressions(known, "obj", 2),
        "$replaceRoot": st.builds(lambda root: {"newRoot": root}, expressions(known, "obj", 2)),
        "$unwind": st.one_of(
            paths,
            st.fixed_dictionaries(
                {"path": paths},
                optional={
                    "includeArrayIndex": st.sampled_from(["x", "o.x"]),
                    "preserveNullAndEmptyArrays": st.booleans(),
                },
            ),
        ),
        "$redact": st.one_of(
            st.sampled_from(["$$DESCEND", "$$PRUNE", "$$KEEP"]),
            st.builds(
                lambda test, left, right: {"$cond": [test, left, right]},
                expressions(known, "bool", 1),
                st.sampled_from(["$$DESCEND", "$$KEEP"]),
                st.sampled_from(["$$PRUNE", "$$DESCEND"]),
            ),
        ),
    }
    return st.one_of(
        [table[name].map(lambda spec, name=name: {name: spec}) for name in table if name in names]  # type: ignore[misc]
    )
