"""`$eq $ne $gt $gte $lt $lte $in $nin`: comparison within one bracket of types, numbers across their kinds.

Null compares with missing and with itself; NaN only with itself; `$lt: MaxKey` and `$gt: MinKey` (and `$lte`,
`$gte`) take every other type, missing too.
"""

from __future__ import annotations

import math
import operator as operator_module
from collections.abc import Callable
from typing import Any, Final

from bson import Decimal128, Int64, MaxKey, MinKey, Regex

from workers.pipeline.match.nodes import NEVER, Condition, Place, Quick, Single, ValueTest, is_operators
from workers.pipeline.match.pattern import single_for
from workers.pipeline.values import MISSING, bracket, compare, is_nan, is_number, sort_key

_NUMBER_GUARD: Final = "{v}.__class__ is int or {v}.__class__ is float"
_SYMBOLS: Final = {"$eq": "==", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_RELATIONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "$eq": operator_module.eq,
    "$gt": operator_module.gt,
    "$gte": operator_module.ge,
    "$lt": operator_module.lt,
    "$lte": operator_module.le,
}
_HOLDS: Final[dict[str, Callable[[int], bool]]] = {
    "$eq": lambda order: order == 0,
    "$gt": lambda order: order > 0,
    "$gte": lambda order: order >= 0,
    "$lt": lambda order: order < 0,
    "$lte": lambda order: order <= 0,
}


def equal_to(operand: Any) -> ValueTest:
    """The test that `{field: operand}` and `$eq` make."""
    return comparison("$eq", operand)


def comparison(operator: str, operand: Any) -> ValueTest:
    """One of the five comparisons with a constant."""
    quick = _quick(operator, operand)
    if operand is None:
        takes = operator in ("$eq", "$gte", "$lte")
        return ValueTest(lambda value: takes and (value is None or value is MISSING), quick=quick)
    if isinstance(operand, (MinKey, MaxKey)):
        return ValueTest(_at_the_end(operator, operand))
    if is_nan(operand):
        takes = operator in ("$eq", "$gte", "$lte")
        return ValueTest(lambda value: takes and is_nan(value))
    plain = operand.__class__
    if plain is str or plain is bool:
        relation = _RELATIONS[operator]
        return ValueTest(lambda value: value.__class__ is plain and relation(value, operand), quick=quick)
    if is_number(operand):
        return ValueTest(_of_numbers(operator, operand), quick=quick)
    holds, own = _HOLDS[operator], bracket(operand)
    return ValueTest(lambda value: bracket(value) == own and holds(compare(value, operand)), quick=quick)


def _of_numbers(operator: str, operand: Any) -> Single:
    """Python compares int and float exactly and finds no order where NaN is; decimals are BSON's."""
    relation, holds = _RELATIONS[operator], _HOLDS[operator]
    is_decimal = operand.__class__ is Decimal128

    def single(value: Any) -> bool:
        kind = value.__class__
        if kind is int or kind is float or kind is Int64:
            if not is_decimal:
                return bool(relation(value, operand))
        elif kind is not Decimal128:
            return False
        return not is_nan(value) and holds(compare(value, operand))

    return single


def _at_the_end(operator: str, operand: Any) -> Single:
    """MinKey is below and MaxKey above all else; both equal only themselves."""
    own = operand.__class__
    takes_self = operator in ("$eq", "$gte", "$lte")
    takes_others = operator in (("$gt", "$gte") if own is MinKey else ("$lt", "$lte"))
    return lambda value: takes_self if value.__class__ is own else takes_others


def _quick(operator: str, operand: Any) -> Quick | None:
    """Source for the everyday operands: Python orders numbers and strings (by code point) as BSON does."""
    symbol = _SYMBOLS[operator]
    kind = operand.__class__
    if kind is str:
        return Quick("{v}.__class__ is str", f"{{v}} {symbol} {{k}}", {"k": operand})
    if (kind is int or kind is float or kind is Int64) and math.isfinite(operand):
        plain = int(operand) if kind is Int64 else operand
        return Quick(_NUMBER_GUARD, f"{{v}} {symbol} {{k}}", {"k": plain})
    if kind is bool:
        return Quick("{v}.__class__ is bool", f"{{v}} {symbol} {{k}}", {"k": operand})
    if operand is None and operator in ("$eq", "$gte", "$lte"):
        return Quick("{v} is None or {v} is {m}", "True", {"m": MISSING})
    return None


def _ordered(operator: str) -> Callable[[Any, Place], Condition]:
    def compile_operand(operand: Any, place: Place) -> Condition:
        if isinstance(operand, Regex) and operator != "$eq":
            return place.wrong("a regular expression", f"{operator} needs a value that has an order")
        return comparison(operator, operand)

    return compile_operand


def _not_equal(operand: Any, place: Place) -> Condition:
    if isinstance(operand, Regex):
        return place.wrong("a regular expression", "a value, or {$not: <regular expression>}")
    test = equal_to(operand)
    return ValueTest(test.single, negate=True, quick=test.quick)


def _in(operands: Any, place: Place) -> ValueTest | None:
    """One look into a set whatever the number of operands; regular expressions are tried one by one."""
    if not isinstance(operands, list):
        place.wrong("not an array", "an array of values")
        return None
    plain: set[Any] = set()
    keys: set[Any] = set()
    searches: list[Single] = []
    for number, operand in enumerate(operands):
        if is_operators(operand):
            place.at(number).wrong(f"the operator {next(iter(operand))}", "a value or a regular expression")
        elif isinstance(operand, Regex):
            searches.append(single_for(operand, place.at(number)))
        else:
            keys.add(sort_key(operand))
            if operand.__class__ is str or (_is_plain_number(operand) and math.isfinite(operand)):
                plain.add(operand)
    takes_missing = any(operand is None for operand in operands)
    brackets = frozenset(bracket(operand) for operand in operands)
    asks = tuple(searches)

    def single(value: Any) -> bool:
        kind = value.__class__
        if kind is str or kind is int or kind is float:
            if value in plain:
                return True
        if value is MISSING:
            return takes_missing
        if bracket(value) in brackets and sort_key(value) in keys:
            return True
        for ask in asks:
            if ask(value):
                return True
        return False

    return ValueTest(single, quick=None if asks else _quick_in(operands, frozenset(plain)))


def _is_plain_number(value: Any) -> bool:
    return value.__class__ is int or value.__class__ is float or value.__class__ is Int64


def _quick_in(operands: list[Any], plain: frozenset[Any]) -> Quick | None:
    """Source for a list of strings alone or of numbers alone."""
    if operands and all(operand.__class__ is str for operand in operands):
        return Quick("{v}.__class__ is str", "{v} in {k}", {"k": plain})
    if operands and all(_is_plain_number(operand) and math.isfinite(operand) for operand in operands):
        return Quick(_NUMBER_GUARD, "{v} in {k}", {"k": plain})
    return None


def _is_in(operands: Any, place: Place) -> Condition:
    return _in(operands, place) or NEVER


def _not_in(operands: Any, place: Place) -> Condition:
    test = _in(operands, place)
    return ValueTest(test.single, negate=True, quick=test.quick) if test else NEVER


OPERATORS: Final[dict[str, Callable[[Any, Place], Condition]]] = {
    "$eq": _ordered("$eq"),
    "$gt": _ordered("$gt"),
    "$gte": _ordered("$gte"),
    "$lt": _ordered("$lt"),
    "$lte": _ordered("$lte"),
    "$ne": _not_equal,
    "$in": _is_in,
    "$nin": _not_in,
}
