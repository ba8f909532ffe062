"""The keywords of `$jsonSchema` that hold no schema inside."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any, Final

from bson import Decimal128

from workers.pipeline.match.comparison import comparison, equal_to
from workers.pipeline.match.nodes import Place, Single
from workers.pipeline.match.numbers import whole
from workers.pipeline.match.types import NUMBERS, alias
from workers.pipeline.patterns import PatternError, compile_pattern
from workers.pipeline.values import is_nan, is_number, sort_key, type_name

Check = Single
Keyword = Callable[[Any, dict[str, Any], Place], Check]

_JSON_TYPES: Final[dict[str, frozenset[str]]] = {
    "object": frozenset({"object"}),
    "array": frozenset({"array"}),
    "string": frozenset({"string"}),
    "number": NUMBERS,
    "boolean": frozenset({"bool"}),
    "null": frozenset({"null"}),
}

# Decimals reach from 1E-6176 to 1E+6144: a quotient has at most 12,354 digits, and the remainder is exact.
_EXACT: Final = Context(prec=13_000, Emax=20_000, Emin=-20_000)


def _never(value: Any) -> bool:
    return False


def non_negative(operand: Any, place: Place) -> int:
    """A bound on a size; a problem is noted when it is none."""
    bound = whole(operand)
    if bound is None or bound < 0:
        place.wrong("not a size", "a whole number of 0 or more")
        return 0
    return bound


def _names(operand: Any, place: Place) -> list[str]:
    if not isinstance(operand, list) or not operand or not all(item.__class__ is str for item in operand):
        place.wrong("not an array of strings, or an empty one", "an array of one string or more")
        return []
    if len(set(operand)) != len(operand):
        place.wrong("a name twice", "each name once")
    return operand


def _required(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
    names = frozenset(_names(operand, place))
    return lambda value: value.__class__ is not dict or names <= value.keys()


def _json_type(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
    kinds: frozenset[str] = frozenset()
    for name in [operand] if operand.__class__ is str else _names(operand, place):
        if name not in _JSON_TYPES:
            place.wrong(f"unknown type {name!r}", "one of " + ", ".join(_JSON_TYPES) + ", or bsonType")
        kinds |= _JSON_TYPES.get(name, frozenset())
    return lambda value: type_name(value) in kinds


def _bson_type(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
    kinds: frozenset[str] = frozenset()
    for name in [operand] if operand.__class__ is str else _names(operand, place):
        kinds |= alias(name, place)
    return lambda value: type_name(value) in kinds


def _enum(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
    if not isinstance(operand, list) or not operand:
        place.wrong("not an array, or an empty one", "an array of one value or more")
        return _never
    if not _all_differ(operand):
        place.wrong("a value twice", "each value once")
    tests = tuple(equal_to(item).single for item in operand)
    return lambda value: any(test(value) for test in tests)


def _limit(plain: str, exclusive: str) -> Callable[[str], Keyword]:
    """`minimum` or `maximum`, together with its `exclusive...` flag."""

    def keyword(flag: str) -> Keyword:
        def compile_limit(operand: Any, schema: dict[str, Any], place: Place) -> Check:
            if not is_number(operand):
                place.wrong("not a number", "a number")
                return _never
            test = comparison(exclusive if schema.get(flag) is True else plain, operand).single
            return lambda value: not is_number(value) or test(value)

        return compile_limit

    return keyword


def _exclusive(limit: str) -> Keyword:
    def compile_flag(operand: Any, schema: dict[str, Any], place: Place) -> Check:
        if not isinstance(operand, bool):
            place.wrong("not a boolean", "true or false: draft 4 gives the limit in " + limit)
        elif limit not in schema:
            place.wrong(f"without {limit}", f"{limit} beside it")
        return lambda value: True

    return compile_flag


def _exact(value: Any) -> Decimal:
    """A number as the decimal it is written as: a double by its 15 digits, as the server converts it."""
    if isinstance(value, Decimal128):
        return value.to_decimal()
    return Decimal(f"{value:.15g}") if isinstance(value, float) else Decimal(int(value))


def _multiple_of(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
    if (
        not is_number(operand)
        or is_nan(operand)
        or not _exact(operand) > 0
        or not _exact(operand).is_finite()
    ):
        place.wrong("not a number above 0", "a number above 0")
        return _never
    divisor = _exact(operand)

    def check(value: Any) -> bool:
        if not is_number(value):
            return True
        dividend = _exact(value)
        return dividend.is_finite() and _EXACT.remainder(dividend, divisor) == 0

    return check


def _length(is_minimum: bool, kind: type[str] | type[list[Any]]) -> Keyword:
    """Characters of strings, elements of arrays."""

    def compile_bound(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
        bound = non_negative(operand, place)
        if is_minimum:
            return lambda value: not isinstance(value, kind) or len(value) >= bound
        return lambda value: not isinstance(value, kind) or len(value) <= bound

    return compile_bound


def _pattern(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
    if operand.__class__ is not str:
        place.wrong("not a string", "a regular expression")
        return _never
    try:
        search = compile_pattern(operand).search
    except PatternError as error:
        place.wrong(str(error), "a regular expression")
        return _never
    return lambda value: value.__class__ is not str or search(value) is not None


def _unique_items(operand: Any, _schema: dict[str, Any], place: Place) -> Check:
    if not isinstance(operand, bool):
        place.wrong("not a boolean", "true or false")
    if operand is not True:
        return lambda value: True
    return lambda value: value.__class__ is not list or _all_differ(value)


def _all_differ(values: list[Any]) -> bool:
    """By keys in a set: 10,000 elements take 10,000 looks and not 50 million comparisons."""
    return len({sort_key(value) for value in values}) == len(values)


ARRAY_KEYWORDS: Final[dict[str, Keyword]] = {"required": _required}

KEYWORDS: Final[dict[str, Keyword]] = {
    **ARRAY_KEYWORDS,
    "type": _json_type,
    "bsonType": _bson_type,
    "enum": _enum,
    "minimum": _limit("$gte", "$gt")("exclusiveMinimum"),
    "maximum": _limit("$lte", "$lt")("exclusiveMaximum"),
    "exclusiveMinimum": _exclusive("minimum"),
    "exclusiveMaximum": _exclusive("maximum"),
    "multipleOf": _multiple_of,
    "minLength": _length(True, str),
    "maxLength": _length(False, str),
    "minItems": _length(True, list),
    "maxItems": _length(False, list),
    "pattern": _pattern,
    "uniqueItems": _unique_items,
}
