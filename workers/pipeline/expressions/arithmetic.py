"""`$add $subtract $multiply $divide $mod $abs`: null or missing in, null out."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
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
        return from_decimal(DECIMAL.remainder(to_decimal(left), under))
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


def _is_small_int(node: Node) -> bool:
    return isinstance(node, Const) and node.value.__class__ is int and INT32_MIN <= node.value <= INT32_MAX


def _guard(node: Node, local: str, *, as_int: bool) -> str:
    """Text that asks whether a value is a plain int (or float) that Python calculates as BSON does."""
    if isinstance(node, Const):
        kind = node.value.__class__
        if as_int:
            return "" if _is_small_int(node) else "False"
        return "" if kind is float or _is_small_int(node) else "False"
    if as_int:
        return f"{local}.__class__ is int and {INT_RANGE.format(local)}"
    return f"{local}.__class__ is float"


def _emit_plain(symbol: str, function: Callable[..., Any]) -> Callable[[Emitting, Call], str]:
    def emit(em: Emitting, call: Call) -> str:
        nodes = call.given
        locals_ = [em.value(node) for node in nodes]
        slow = f"{em.function(function)}({', '.join(locals_)})"
        if len(nodes) != 2:
            return em.assign(slow)
        quick = [
            " and ".join(
                filter(None, (_guard(node, v, as_int=as_int) for node, v in zip(nodes, locals_, strict=True)))
            )
            for as_int in (True, False)
        ]
        tests = " or ".join(test for test in quick if "False" not in test)
        fast = f"{locals_[0]} {symbol} {locals_[1]}"
        return em.assign(f"{fast} if {tests} else {slow}" if tests else slow)

    return emit


def _emit_divide(em: Emitting, call: Call) -> str:
    left, right = call.given
    one, two = em.value(left), em.value(right)
    slow = f"{em.function(divide)}({one}, {two})"
    tests = " and ".join(filter(None, (_guard(left, one, as_int=False), _guard(right, two, as_int=False))))
    ints = " and ".join(filter(None, (_guard(left, one, as_int=True), _guard(right, two, as_int=True))))
    known = isinstance(right, Const) and bool(right.value)
    either = " or ".join(test for test in (ints, tests) if "False" not in test)
    if not either:
        return em.assign(slow)
    test = either if known else f"{two} and ({either})"
    return em.assign(f"{one} / {two} if {test} else {slow}")


_TWO: Final = Positional(2, 2)


def _operator(
    name: str, signature: Positional, function: Callable[..., Any], meaning: str, example: Example
) -> Operator:
    emits = {"$add": "+", "$multiply": "*", "$subtract": "-"}
    emit = (
        _emit_plain(emits[name], function) if name in emits else _emit_divide if name == "$divide" else None
    )
    return Operator(
        name=name,
        signature=signature,
        meaning=meaning,
        example=example,
        function=function,
        emit=emit,
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
