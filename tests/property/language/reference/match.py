"""The query language of `$match`, read naively."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bson import Decimal128

from tests.property.language.reference.interpreter import check, environment, run
from tests.property.language.reference.jsonschema import check_schema, validates
from tests.property.language.reference.leads import lead
from tests.property.language.reference.regexes import compiled
from tests.property.language.reference.tower import fits_long, integral, integral_long, whole
from tests.property.language.reference.values import (
    LONG_MAX,
    LONG_MIN,
    MISSING,
    NUMBERS,
    DataError,
    Refusal,
    Unsure,
    compare,
    equal,
    flags_of,
    is_finite,
    is_nan,
    is_number,
    kind,
    nullish,
    rank,
    truthy,
)

_CODES = {
    1: "double",
    2: "string",
    3: "object",
    4: "array",
    5: "binData",
    6: "undefined",
    7: "objectId",
    8: "bool",
    9: "date",
    10: "null",
    11: "regex",
    12: "dbPointer",
    13: "javascript",
    14: "symbol",
    15: "javascriptWithScope",
    16: "int",
    17: "timestamp",
    18: "long",
    19: "decimal",
    -1: "minKey",
    127: "maxKey",
}
TYPE_NAMES = frozenset(_CODES.values())
Test = Callable[[Any], bool]


def _is_nan(value: Any) -> bool:
    return is_number(value) and is_nan(value)


def equals(wanted: Any) -> Test:
    """Equality of a query: null is missing too."""
    return lambda value: nullish(value) if wanted is None else equal(value, wanted)


def _ordered(wanted: Any, accepts: Callable[[int], bool], takes_equal: bool) -> Test:
    if kind(wanted) == "regex":
        raise Refusal("no order with a regular expression")

    def test(value: Any) -> bool:
        if wanted is None:
            return nullish(value) and takes_equal
        if kind(wanted) in ("minKey", "maxKey") and rank(value) != rank(wanted):
            raise Unsure("an order with the keys at the ends")
        if rank(value) != rank(wanted):
            return False
        if _is_nan(value) or _is_nan(wanted):
            return takes_equal and _is_nan(value) and _is_nan(wanted)
        return accepts(compare(value, wanted))

    return test


def _regex(pattern: Any, options: str = "") -> Test:
    try:
        found = compiled(pattern, options)
    except DataError as error:
        raise Refusal(str(error)) from None
    source = pattern.pattern if kind(pattern) == "regex" else pattern
    flags = options or (flags_of(pattern) if kind(pattern) == "regex" else "")

    def test(value: Any) -> bool:
        if kind(value) == "regex":
            return bool(value.pattern == source) and flags_of(value) == "".join(sorted(flags))
        return kind(value) == "string" and bool(found.search(value))

    return test


def _like(wanted: Any) -> Test:
    """What `{field: wanted}` means for one value."""
    return _regex(wanted) if kind(wanted) == "regex" else equals(wanted)


def _is_operators(node: Any) -> bool:
    return isinstance(node, dict) and bool(node) and next(iter(node)).startswith("$")


def _list_of(wanted: Any) -> list[Test]:
    if not isinstance(wanted, list):
        raise Refusal("an array is needed")
    if any(_is_operators(one) for one in wanted):
        raise Refusal("no operators within $in")
    return [_like(one) for one in wanted]


def _type(wanted: Any) -> Test:
    names: set[str] = set()
    for one in wanted if isinstance(wanted, list) else [wanted]:
        if isinstance(one, str):
            if one not in TYPE_NAMES and one != "number":
                raise Refusal("unknown type")
            names |= set(NUMBERS) if one == "number" else {one}
        elif is_number(one) and integral(one) and whole(one) in _CODES:
            names.add(_CODES[whole(one)])
        else:
            raise Refusal("unknown type")
    if not names:
        raise Refusal("no types")
    return lambda value: kind(value) in names


def _truncated(value: Any) -> int | None:
    """A number as `$mod` reads it, None for what is not finite."""
    if not is_number(value):
        return None
    plain = value.to_decimal() if isinstance(value, Decimal128) else value
    if not is_finite(value):
        return None
    exact = int(plain)
    if not fits_long(exact):
        raise Unsure("$mod of a number beyond 64 bits")
    return exact


def _mod(wanted: Any) -> Test:
    if not isinstance(wanted, list) or len(wanted) != 2:
        raise Refusal("$mod takes a divisor and a remainder")
    if any(isinstance(one, float | Decimal128) and Decimal(str(one)) % 1 for one in wanted if not _odd(one)):
        raise Unsure("fractions in $mod")
    divisor, remainder = (_truncated(one) for one in wanted)
    if not divisor or remainder is None:
        raise Refusal("$mod takes two finite numbers, the divisor not zero")

    def test(value: Any) -> bool:
        number = _truncated(value)
        return number is not None and math.copysign(abs(number) % abs(divisor), number) == remainder

    return test


def _odd(value: Any) -> bool:
    return not is_number(value) or _truncated_quietly(value) is None


def _truncated_quietly(value: Any) -> int | None:
    try:
        return _truncated(value)
    except Unsure:
        return None


def _size(wanted: Any) -> Test:
    if is_number(wanted) and integral_long(wanted) and not integral(wanted):
        raise Unsure("a huge size")
    if not is_number(wanted) or not integral(wanted) or whole(wanted) < 0:
        raise Refusal("$size takes an integer, not negative")
    return lambda value: kind(value) == "array" and len(value) == whole(wanted)


def _mask(wanted: Any) -> set[int]:
    if isinstance(wanted, list):
        if not all(is_number(one) and integral(one) and whole(one) >= 0 for one in wanted):
            raise Refusal("positions of bits are integers, not negative")
        return {whole(one) for one in wanted}
    if kind(wanted) == "binData":
        return {at for at in range(8 * len(wanted)) if wanted[at // 8] >> at % 8 & 1}
    if is_number(wanted) and integral_long(wanted) and whole(wanted) >= 0:
        return {at for at in range(64) if whole(wanted) >> at & 1}
    raise Refusal("bits are a number, positions or binary data")


def _bits(judge: Callable[[list[bool]], bool]) -> Callable[[Any], Test]:
    def made(wanted: Any) -> Test:
        places = sorted(_mask(wanted))

        def test(value: Any) -> bool:
            if kind(value) == "binData":
                return judge([at < 8 * len(value) and bool(value[at // 8] >> at % 8 & 1) for at in places])
            if not is_number(value) or not integral_long(value):
                return False
            if isinstance(value, Decimal128):
                raise Unsure("bits of a decimal")
            return judge([bool(whole(value) >> min(at, 63) & 1) for at in places])

        return test

    return made


def _some(tests: list[Test]) -> Test:
    return lambda value: any(test(value) for test in tests)


# Tests of one value. True in the second place: the elements of an array at the end of the path count too.
_VALUE_TESTS: dict[str, tuple[Callable[[Any], Test], bool]] = {
    "$eq": (equals, True),
    "$lt": (lambda wanted: _ordered(wanted, lambda order: order < 0, False), True),
    "$lte": (lambda wanted: _ordered(wanted, lambda order: order <= 0, True), True),
    "$gt": (lambda wanted: _ordered(wanted, lambda order: order > 0, False), True),
    "$gte": (lambda wanted: _ordered(wanted, lambda order: order >= 0, True), True),
    "$in": (lambda wanted: _some(_list_of(wanted)), True),
    "$type": (_type, True),
    "$mod": (_mod, True),
    "$bitsAllSet": (_bits(all), True),
    "$bitsAnySet": (_bits(any), True),
    "$bitsAllClear": (_bits(lambda bits: not any(bits)), True),
    "$bitsAnyClear": (_bits(lambda bits: not all(bits)), True),
    "$size": (_size, False),
}


def _elem_match(wanted: Any) -> Test:
    if not isinstance(wanted, dict):
        raise Refusal("$elemMatch takes an object")
    if _is_operators(wanted) and next(iter(wanted)) not in ("$and", "$or", "$nor", "$expr"):
        tests = _field_tests([], wanted)
        return lambda value: kind(value) == "array" and any(all(t(item) for t in tests) for item in value)
    if "$expr" in wanted or "$jsonSchema" in wanted:
        raise Unsure("which document $expr reads within $elemMatch")
    query = _query(wanted)

    def test(value: Any) -> bool:
        if kind(value) != "array":
            return False
        if any(kind(item) == "array" for item in value):
            raise Unsure("arrays of arrays as documents")
        return any(kind(item) == "object" and query(item) for item in value)

    return test


_VALUE_TESTS["$elemMatch"] = (_elem_match, False)


def _all(parts: list[str], wanted: Any) -> Test:
    if not isinstance(wanted, list):
        raise Refusal("$all takes an array")
    tests: list[Test] = []
    for one in wanted:
        if _is_operators(one):
            if set(one) != {"$elemMatch"} or any(not _is_operators(other) for other in wanted):
                raise Refusal("no operators within $all, or $elemMatch alone")
            tests.append(_at(parts, "$elemMatch", one["$elemMatch"]))
        else:
            inner = _like(one)
            tests.append(lambda doc, test=inner: any(test(v) for v in lead(doc, parts, True)))  # type: ignore[misc]
    return lambda doc: bool(tests) and all(test(doc) for test in tests)


def _negated(test: Test) -> Test:
    return lambda doc: not test(doc)


def _at(parts: list[str], name: str, wanted: Any) -> Test:
    """The test of a document that one operator on one field is."""
    if name == "$ne":
        if kind(wanted) == "regex":
            raise Refusal("$ne takes no regular expression")
        return _negated(_at(parts, "$eq", wanted))
    if name == "$nin":
        return _negated(_at(parts, "$in", wanted))
    if name == "$exists":
        is_there = lambda doc: any(v is not MISSING for v in lead(doc, parts, True))  # noqa: E731
        return is_there if truthy(wanted) else _negated(is_there)
    if name == "$not":
        if kind(wanted) == "regex":
            test = _regex(wanted)
            return lambda doc: not any(test(v) for v in lead(doc, parts, True))
        if not _is_operators(wanted):
            raise Refusal("$not takes operators or a regular expression")
        tests = _field_tests(parts, wanted)
        return lambda doc: not all(test(doc) for test in tests)
    if name == "$all":
        return _all(parts, wanted)
    if name not in _VALUE_TESTS:
        raise Refusal(f"unknown operator {name}")
    make, opens_last = _VALUE_TESTS[name]
    one = make(wanted)
    return lambda doc: any(one(value) for value in lead(doc, parts, opens_last))


def _field_tests(parts: list[str], operators: dict[str, Any]) -> list[Test]:
    tests: list[Test] = []
    for name, wanted in operators.items():
        if name == "$options":
            if "$regex" not in operators:
                raise Refusal("$options needs $regex")
        elif name == "$regex":
            options = operators.get("$options", "")
            if kind(wanted) not in ("string", "regex") or not isinstance(options, str):
                raise Refusal("$regex takes a pattern")
            if kind(wanted) == "regex" and flags_of(wanted) and "$options" in operators:
                raise Refusal("options in two places")
            test = _regex(wanted, options)
            tests.append(lambda doc, t=test: any(t(v) for v in lead(doc, parts, True)))  # type: ignore[misc]
        elif name == "$comment":
            raise Unsure("a comment on a field")
        else:
            tests.append(_at(parts, name, wanted))
    return tests


def _every(tests: list[Test], doc: Any) -> bool:
    """Whether all hold; an error beside a test that fails is unsettled: which of them is asked first?"""
    answers = []
    failure: DataError | None = None
    for test in tests:
        try:
            answers.append(test(doc))
        except DataError as error:
            failure = error
    if failure and not all(answers):
        raise Unsure("an error beside a test that fails")
    if failure:
        raise failure
    return all(answers)


def _branches(wanted: Any) -> list[Test]:
    if not isinstance(wanted, list) or not wanted:
        raise Refusal("an array of queries is needed")
    return [_query(one) for one in wanted]


def _logical(name: str, wanted: Any) -> Test:
    tests = _branches(wanted)
    if name == "$and":
        return lambda doc: _every(tests, doc)
    if name == "$or":
        return lambda doc: any(test(doc) for test in tests)
    return lambda doc: not any(test(doc) for test in tests)


def _top(name: str, wanted: Any) -> Test:
    if name in ("$and", "$or", "$nor"):
        return _logical(name, wanted)
    if name == "$expr":
        check(wanted)
        return lambda doc: truthy(run(wanted, environment(doc)))
    if name == "$jsonSchema":
        check_schema(wanted)
        return lambda doc: validates(wanted, doc)
    if name == "$comment":
        return lambda doc: True
    raise Refusal(f"unknown operator {name}")


def _query(query: Any) -> Test:
    if not isinstance(query, dict):
        raise Refusal("a query is an object")
    tests: list[Test] = []
    for name, wanted in query.items():
        if name.startswith("$"):
            tests.append(_top(name, wanted))
            continue
        parts = name.split(".")
        if "" in parts:
            raise Unsure("empty names in a path")
        if _is_operators(wanted):
            tests += _field_tests(parts, wanted)
        else:
            like = _like(wanted)
            tests.append(lambda doc, t=like, p=parts: any(t(v) for v in lead(doc, p, True)))  # type: ignore[misc]
    return lambda doc: _every(tests, doc)


def matches(query: Any, doc: dict[str, Any]) -> bool:
    """Whether the document matches. Raises Refusal for a query that is none, DataError from `$expr`."""
    return _query(query)(doc)


__all__ = ["LONG_MAX", "LONG_MIN", "matches"]
