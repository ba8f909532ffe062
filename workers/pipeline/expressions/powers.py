"""`$exp $ln $log $log10 $pow $sqrt $sigmoid`: null or missing in, null out; decimals stay decimals."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

from workers.errors import Poison
from workers.pipeline.nodes import Example, Operator, Positional
from workers.pipeline.numbers import fits_long, from_decimal, kind_of, to_decimal, whole, widest
from workers.pipeline.values import is_nullish

# Six digits more than a decimal has, so that what is rounded to 34 at the end is rounded right.
_WORK: Final = Context(
    prec=40, rounding=ROUND_HALF_EVEN, Emin=-9999, Emax=9999, capitals=1, clamp=0, flags=[], traps=[]
)
_ONE: Final = Decimal(1)

# A whole power of anything but -1, 0 and 1 is beyond 64 bits from this exponent on.
_MAX_WHOLE_EXPONENT: Final = 63


def _double(value: Any) -> float:
    return float(to_decimal(value)) if kind_of(value, "") == "decimal" else float(value)


def _is_above(number: Decimal, limit: int = 0) -> bool:
    """NaN is not; Python raises an error where it is compared."""
    return not number.is_nan() and number > limit


def _exp_of_double(number: float) -> float:
    try:
        return math.exp(number)
    except OverflowError:
        return math.inf


def exp(value: Any) -> Any:
    """e to the power of the value."""
    if is_nullish(value):
        return None
    if kind_of(value, "$exp") == "decimal":
        return from_decimal(_exp_of_decimal(value.to_decimal()))
    return _exp_of_double(float(value))


def _exp_of_decimal(number: Decimal) -> Decimal:
    return _WORK.exp(number)


def sigmoid(value: Any) -> Any:
    """1 / (1 + e to the power of the value's opposite)."""
    if is_nullish(value):
        return None
    if kind_of(value, "$sigmoid") == "decimal":
        grown = _exp_of_decimal(value.to_decimal().copy_negate())
        return from_decimal(_WORK.divide(_ONE, _WORK.add(_ONE, grown)))
    return 1.0 / (1.0 + _exp_of_double(-float(value)))


def sqrt(value: Any) -> Any:
    """The square root."""
    if is_nullish(value):
        return None
    if kind_of(value, "$sqrt") == "decimal":
        exact = value.to_decimal()
        if exact.is_zero() or _is_above(exact):
            return from_decimal(_WORK.sqrt(exact))
    number = _double(value)
    if number < 0:
        raise Poison("$sqrt's argument must be greater than or equal to 0")
    return math.sqrt(number)


def _logarithm(
    operator: str, of_decimal: Callable[[Decimal], Decimal], of_double: Callable[[float], float]
) -> Callable[[Any], Any]:
    def logarithm(value: Any) -> Any:
        if is_nullish(value):
            return None
        if kind_of(value, operator) == "decimal" and _is_above(value.to_decimal()):
            return from_decimal(of_decimal(value.to_decimal()))
        return of_double(_positive(value, operator))

    logarithm.__name__ = operator.strip("$")
    return logarithm


def _positive(value: Any, operator: str) -> float:
    """The number above 0 as a double; NaN passes, as on the server. Raises Poison."""
    number = _double(value)
    if number <= 0:
        raise Poison(f"{operator}'s argument must be a positive number")
    return number


def log(value: Any, base: Any) -> Any:
    """The logarithm to a base."""
    if is_nullish(value) or is_nullish(base):
        return None
    kind = widest(kind_of(value, "$log"), kind_of(base, "$log"))
    if kind == "decimal":
        number, under = to_decimal(value), to_decimal(base)
        if _is_above(number) and _is_above(under) and under != 1:
            return from_decimal(_log_of_decimal(number, under))
    one, two = _positive(value, "$log"), _double(base)
    if two <= 0 or two == 1:
        raise Poison("$log's base must be a positive number not equal to 1")
    return _quotient(math.log(one), math.log(two))


def _log_of_decimal(number: Decimal, base: Decimal) -> Decimal:
    if base == 10:
        return _WORK.log10(number)
    return _WORK.divide(_WORK.ln(number), _WORK.ln(base))


def _quotient(above: float, under: float) -> float:
    """Of two logarithms; the base is never 1, but close to it the logarithm may round to 0."""
    return above / under if under else math.copysign(math.inf, above)


def power(base: Any, exponent: Any) -> Any:
    """The first to the power of the second: whole where both are and it fits, else a double or decimal."""
    if is_nullish(base) or is_nullish(exponent):
        return None
    kind = widest(kind_of(base, "$pow"), kind_of(exponent, "$pow"))
    if kind == "decimal":
        number, times = to_decimal(base), to_decimal(exponent)
        _refuse_zero(number.is_zero() and _is_above(times.copy_negate()))
        return from_decimal(_power_of_decimals(number, times))
    _refuse_zero(base == 0 and exponent < 0)
    if kind == "double":
        return _power_of_doubles(float(base), float(exponent))
    under, over = int(base), int(exponent)
    if under in (-1, 0, 1):
        return whole(under ** (abs(over) % 2 or (2 if over else 0)), kind)
    if not 0 <= over <= _MAX_WHOLE_EXPONENT:
        return _power_of_doubles(float(under), float(over))
    found = under**over
    return whole(found, kind) if fits_long(found) else _power_of_doubles(float(under), float(over))


def _refuse_zero(is_zero_below: bool) -> None:
    if is_zero_below:
        raise Poison("$pow cannot take a base of 0 and a negative exponent")


def _power_of_doubles(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:
        return math.nan  # a root of a negative number


def _power_of_decimals(base: Decimal, exponent: Decimal) -> Decimal:
    """As C's pow has it where Python's decimals differ: x^0 and 1^x are 1, whatever x is."""
    if exponent.is_zero() or base == 1 or (base == -1 and exponent.is_infinite()):
        return _ONE
    return _WORK.power(base, exponent)


def _operator(
    name: str, function: Callable[..., Any], count: int, meaning: str, example: Example
) -> Operator:
    return Operator(
        name=name, signature=Positional(count, count), meaning=meaning, example=example, function=function
    )


OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        _operator("$exp", exp, 1, "e to a power.", Example({"$exp": "$a"}, 1.0, {"a": 0})),
        _operator(
            "$ln",
            _logarithm("$ln", _WORK.ln, math.log),
            1,
            "The natural logarithm of a number above 0.",
            Example({"$ln": "$a"}, 0.0, {"a": 1}),
        ),
        _operator(
            "$log",
            log,
            2,
            "The logarithm of the first to the base of the second.",
            Example({"$log": ["$a", 2]}, 3.0, {"a": 8}),
        ),
        _operator(
            "$log10",
            _logarithm("$log10", _WORK.log10, math.log10),
            1,
            "The logarithm to the base 10 of a number above 0.",
            Example({"$log10": "$a"}, 2.0, {"a": 100}),
        ),
        _operator(
            "$pow",
            power,
            2,
            "The first to the power of the second.",
            Example({"$pow": ["$a", 2]}, 25, {"a": 5}),
        ),
        _operator(
            "$sigmoid",
            sigmoid,
            1,
            "1 / (1 + e to the power of the opposite): any number between 0 and 1.",
            Example({"$sigmoid": "$a"}, 0.5, {"a": 0}),
        ),
        _operator(
            "$sqrt",
            sqrt,
            1,
            "The square root of a number that is not below 0.",
            Example({"$sqrt": "$a"}, 5.0, {"a": 25}),
        ),
    )
}
