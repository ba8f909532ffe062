"""`$add $subtract $multiply $divide $mod $abs`: null or missing in, null out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Context, Decimal
from typing import Any, Final

from bson.datetime_ms import DatetimeMS

from workers.errors import Poison
from workers.pipeline.nodes import Call, Const, Emitting, Example, Node, Operator, Positional
from workers.pipeline.numbers import (
    DECIMAL,
    INT_RANGE,
    fits_long,
    from_decimal,
    kind_of,
    to_decimal,
    whole,
    widest,
)
from workers.pipeline.values import (
    INT32_MAX,
    INT32_MIN,
    INT64_MIN,
    MISSING,
    NumberKind,
    date_from_ms,
    date_ms,
    is_nullish,
    number_kind,
    type_name,
)

# The whole part of any quotient of two decimals: 1E+6144 divided by 1E-6176 has 12,320 digits.
_EXACT: Final = Context(prec=12_400, Emin=-9999, Emax=9999, flags=[], traps=[])


def add(*values: Any) -> Any:
    """The sum; with a date the date moved by milliseconds."""
    total: Any = 0
    kind: NumberKind = "int"
    date: int | None = None
    for value in values:
        if value is None or value is MISSING:
            return None
        if isinstance(value, (datetime, DatetimeMS)):
            if date is not None:
                raise Poison("$add only supports one date")
            date = date_ms(value)
            continue
        own = kind_of(value, "$add", " or date")
        total, kind = _plus(total, kind, value, own)
    if date is None:
        return _finished(total, kind)
    return _moved(date, total, kind, "$add")


def _plus(total: Any, kind: NumberKind, value: Any, own: NumberKind) -> tuple[Any, NumberKind]:
    """A running sum (int, float or Decimal) and its kind; long sums that overflow go on as doubles."""
    result = widest(kind, own)
    if result == "decimal":
        if kind != "decimal":
            total = to_decimal(total)
        return DECIMAL.add(total, to_decimal(value)), result
    if result == "double":
        return float(total) + float(value), result
    total += int(value)
    return (total, result) if fits_long(total) else (float(total), "double")


def _finished(total: Any, kind: NumberKind) -> Any:
    if kind == "decimal":
        return from_decimal(total)
    return total if kind == "double" else whole(total, kind)


def _moved(date: int, by: Any, kind: NumberKind, operator: str) -> Any:
    if kind in ("double", "decimal"):
        number = Decimal(by)
        if not number.is_finite() or abs(number) > -INT64_MIN:
            raise Poison(f"{operator} moves a date out of range")
        # Half away from zero, as C's llround.
        by = int(number.to_integral_value("ROUND_HALF_UP"))
    moved = date + by
    if not fits_long(moved):
        raise Poison(f"{operator} moves a date out of range")
    return date_from_ms(moved)


def subtract(left: Any, right: Any) -> Any:
    """The difference; of two dates in milliseconds."""
    if is_nullish(left) or is_nullish(right):
        return None
    if isinstance(left, (datetime, DatetimeMS)):
        if isinstance(right, (datetime, DatetimeMS)):
            return whole(date_ms(left) - date_ms(right), "long")
        kind = number_kind(right)
        if kind is not None:
            amount = to_decimal(right) if kind == "decimal" else right
            return _moved(date_ms(left), -amount, kind, "$subtract")
    kinds = number_kind(left), number_kind(right)
    if kinds[0] is None or kinds[1] is None:
        raise Poison(f"can't $subtract {type_name(right)} from {type_name(left)}")
    kind = widest(kinds[0], kinds[1])
    if kind == "decimal":
        return from_decimal(DECIMAL.subtract(to_decimal(left), to_decimal(right)))
    if kind == "double":
        return float(left) - float(right)
    return whole(int(left) - int(right), kind)


def multiply(*values: Any) -> Any:
    """The product."""
    total: Any = 1
    kind: NumberKind = "int"
    for value in values:
        if value is None or value is MISSING:
            return None
        own = kind_of(value, "$multiply")
        result = widest(kind, own)
        if result == "decimal":
            total = DECIMAL.multiply(total if kind == "decimal" else to_decimal(total), to_decimal(value))
        elif result == "double":
            total = float(total) * float(value)
        else:
            total *= int(value)
            if not fits_long(total):
                total, result = float(total), "double"
        kind = result
    return _finished(total, kind)


def divide(left: Any, right: Any) -> Any:
    """The quotient: a double, or a decimal where one operand is."""
    if is_nullish(left) or is_nullish(right):
        return None
    kinds = number_kind(left), number_kind(right)
    if kinds[0] is None or kinds[1] is None:
        raise Poison(f"$divide only supports numeric types, not {type_name(left)} and {type_name(right)}")
    if widest(kinds[0], kinds[1]) == "decimal":
        under = to_decimal(right)
        if under.is_zero():
            raise Poison("can't $divide by zero")
        return from_decimal(DECIMAL.divide(to_decimal(left), under))
    if right == 0:
        raise Poison("can't $divide by zero")
    return float(left) / float(right)


def mod(left: Any, right: Any) -> Any:
    """The remainder, with the sign of the first."""
    if is_nullish(left) or is_nullish(right):
        return None
    kinds = number_kind(left), number_kind(right)
    if kinds[0] is None or kinds[1] is None:
        raise Poison(f"$mod only supports numeric types, not {type_name(left)} and {type_name(right)}")
    kind = widest(kinds[0], kinds[1])
    if kind == "decimal":
        under = to_decimal(right)
        if under.is_zero():
            raise Poison("can't $mod by zero")
        return from_decimal(_EXACT.remainder(to_decimal(left), under))
    if right == 0:
        raise Poison("can't $mod by zero")
    if kind == "double":
        return math.nan if math.isinf(left) else math.fmod(left, right)
    rest = abs(int(left)) % abs(int(right))
    return whole(-rest if left < 0 else rest, kind)


def _abs(value: Any) -> Any:
    if is_nullish(value):
        return None
    kind = kind_of(value, "$abs")
    if kind == "decimal":
        return from_decimal(value.to_decimal().copy_abs())
    if kind == "double":
        return abs(float(value))
    if value == INT64_MIN:
        raise Poison("can't take $abs of the lowest long")
    return whole(abs(int(value)), kind)


# How they are emitted: plain ints and floats in line, the rest by the functions above.


# A sum or product of more is seldom, and its guard would be longer than what it guards.
_MAX_IN_LINE: Final = 6


def _plain(node: Node, local: str) -> str | None:
    """Text that asks whether a value is a float or an int that Python calculates with as BSON does: ints of
    32 bits, of which two give an int or a long and never a double, and which every double holds exactly.
    Empty where it certainly is one, None where it certainly is none."""
    if isinstance(node, Const):
        kind = node.value.__class__
        is_plain = kind is float or (kind is int and INT32_MIN <= node.value <= INT32_MAX)
        return "" if is_plain else None
    return f"({local}.__class__ is float or {local}.__class__ is int and {INT_RANGE.format(local)})"


def _all_plain(nodes: Sequence[Node], locals_: Sequence[str]) -> str | None:
    """The same of all values."""
    tests: dict[str, None] = {}
    for node, local in zip(nodes, locals_, strict=True):
        test = _plain(node, local)
        if test is None:
            return None
        if test:
            tests[test] = None
    return " and ".join(tests)


def _emit_plain(symbol: str, function: Callable[..., Any]) -> Callable[[Emitting, Call], str]:
    def emit(em: Emitting, call: Call) -> str:
        nodes = call.given
        locals_ = [em.value(node) for node in nodes]
        slow = f"{em.function(function)}({', '.join(locals_)})"
        # The product of three ints may be beyond 64 bits, the sum of a few is not.
        most = _MAX_IN_LINE if symbol == "+" else 2
        test = _all_plain(nodes, locals_) if 2 <= len(nodes) <= most else None
        if not test:
            return em.assign(slow)
        quick = f" {symbol} ".join(locals_)
        if symbol == "+" and not any(isinstance(node, Const) and node.value for node in nodes):
            quick += " + 0"  # the server begins at 0: -0.0 and -0.0 make 0.0
        return em.assign(f"{quick} if {test} else {slow}")

    return emit


def _emit_divide(em: Emitting, call: Call) -> str:
    left, right = call.given
    one, two = em.value(left), em.value(right)
    slow = f"{em.function(divide)}({one}, {two})"
    test = _all_plain((left, right), (one, two))
    if not test:
        return em.assign(slow)
    known = isinstance(right, Const) and bool(right.value)
    return em.assign(f"{one} / {two} if {test if known else f'{test} and {two}'} else {slow}")


def _emit_mod(em: Emitting, call: Call) -> str:
    """In line for ints that are not below zero: there both signs of a remainder are the same."""
    left, right = call.given
    one, two = em.value(left), em.value(right)
    slow = f"{em.function(mod)}({one}, {two})"
    tests = []
    for node, local, least in ((left, one, 0), (right, two, 1)):
        if not isinstance(node, Const):
            tests.append(f"{local}.__class__ is int and {least} <= {local} <= {INT32_MAX}")
        elif node.value.__class__ is not int or not least <= node.value <= INT32_MAX:
            return em.assign(slow)
    return em.assign(f"{one} % {two} if {' and '.join(tests)} else {slow}" if tests else slow)


_EMITS: Final[dict[str, Callable[[Emitting, Call], str]]] = {
    "$add": _emit_plain("+", add),
    "$subtract": _emit_plain("-", subtract),
    "$multiply": _emit_plain("*", multiply),
    "$divide": _emit_divide,
    "$mod": _emit_mod,
}
_TWO: Final = Positional(2, 2)


def _operator(
    name: str, signature: Positional, function: Callable[..., Any], meaning: str, example: Example
) -> Operator:
    return Operator(
        name=name,
        signature=signature,
        meaning=meaning,
        example=example,
        function=function,
        emit=_EMITS.get(name),
    )


OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        _operator(
            "$add",
            Positional(0, None),
            add,
            "The sum; one argument may be a date, the others then are milliseconds.",
            Example({"$add": ["$a", 2]}, 5, {"a": 3}),
        ),
        _operator(
            "$subtract",
            _TWO,
            subtract,
            "The first less the second; two dates give milliseconds.",
            Example({"$subtract": ["$a", 2]}, 1, {"a": 3}),
        ),
        _operator(
            "$multiply",
            Positional(0, None),
            multiply,
            "The product.",
            Example({"$multiply": ["$a", 2]}, 6, {"a": 3}),
        ),
        _operator(
            "$divide",
            _TWO,
            divide,
            "The first divided by the second, a double.",
            Example({"$divide": ["$a", 2]}, 1.5, {"a": 3}),
        ),
        _operator(
            "$mod",
            _TWO,
            mod,
            "What is left after division, with the sign of the first.",
            Example({"$mod": ["$a", 3]}, -1, {"a": -7}),
        ),
        _operator(
            "$abs", Positional(1, 1), _abs, "The absolute value.", Example({"$abs": "$a"}, 3, {"a": -3})
        ),
    )
}
