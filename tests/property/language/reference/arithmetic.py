"""Arithmetic: sums and products with promotion, rounding, powers, logarithms."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Any

from bson import Decimal128, Int64

from tests.property.language.reference.interpreter import positional, register, variadic
from tests.property.language.reference.tower import (
    decimal,
    fits_long,
    int_or_long,
    need_integral,
    of_kind,
    to_decimal,
    to_double,
    whole,
    widest,
)
from tests.property.language.reference.values import (
    DECIMAL,
    LONG_MIN,
    DataError,
    Unsure,
    date_of,
    is_number,
    kind,
    milliseconds,
    nullish,
)


def need_number(value: Any, what: str) -> None:
    """DataError for what is no number."""
    if not is_number(value):
        raise DataError(f"{what} takes numbers, not {kind(value)}")


def sum_numbers(numbers: list[Any]) -> Any:
    """The sum in the widest kind; an integer sum beyond 64 bits is a double."""
    name = widest(*numbers)
    if name == "decimal":
        total = Decimal(0)
        for number in numbers:
            total = DECIMAL.add(total, to_decimal(number))
        return decimal(total)
    if name == "double":
        if all(math.isfinite(number) for number in numbers):
            try:
                return math.fsum(numbers)
            except OverflowError:
                raise Unsure("the sum overflows on the way") from None
        return float(sum(float(number) for number in numbers))
    exact = sum(int(number) for number in numbers)
    if not fits_long(exact):
        return float(exact)
    return of_kind(name, exact)


def add(values: Iterable[Any]) -> Any:
    """`$add`: numbers, and at most one date."""
    numbers: list[Any] = []
    is_date = has_left = False
    for value in values:
        if nullish(value):
            return None
        if kind(value) == "date":
            if is_date:
                raise DataError("$add takes one date")
            is_date = True
            numbers.append(Int64(milliseconds(value)))
        else:
            need_number(value, "$add")
            numbers.append(value)
        integers = [int(one) for one in numbers if kind(one) in ("int", "long")]
        if not fits_long(sum(integers)):
            has_left = True
    if has_left and fits_long(sum(int(one) for one in numbers if kind(one) in ("int", "long"))):
        raise Unsure("whether a sum that left 64 bits may come back")
    if not is_date:
        return sum_numbers(numbers)
    total = (
        to_decimal(sum_numbers(numbers)) if widest(*numbers) == "decimal" else Decimal(sum_numbers(numbers))
    )
    if not total.is_finite() or not fits_long(int(total)):
        raise DataError("the date overflows")
    if total != total.to_integral_value():
        raise Unsure("how a fraction of a millisecond rounds")
    return date_of(int(total))


def subtract(left: Any, right: Any) -> Any:
    """`$subtract`: numbers, two dates, or a number from a date."""
    if is_number(left) and is_number(right):
        name = widest(left, right)
        if name == "decimal":
            return decimal(DECIMAL.subtract(to_decimal(left), to_decimal(right)))
        if name == "double":
            return to_double(left) - to_double(right)
        exact = int(left) - int(right)
        return of_kind(name, exact) if fits_long(exact) else float(left) - float(right)
    if nullish(left) or nullish(right):
        return None
    if kind(left) != "date":
        raise DataError("$subtract takes numbers or dates")
    if kind(right) == "date":
        exact = milliseconds(left) - milliseconds(right)
        if not fits_long(exact):
            raise Unsure("how the difference of far dates overflows")
        return Int64(exact)
    need_number(right, "$subtract")
    plain = to_decimal(right)
    if not plain.is_finite() or plain != plain.to_integral_value() or not fits_long(int(plain)):
        raise Unsure("how a number that is no integer is taken from a date")
    return date_of(milliseconds(left) - int(plain))


def multiply(values: Iterable[Any]) -> Any:
    """`$multiply`: an integer product beyond 64 bits is a double."""
    numbers = []
    for value in values:
        if nullish(value):
            return None
        need_number(value, "$multiply")
        numbers.append(value)
    name = widest(*numbers)
    if name == "decimal":
        product = Decimal(1)
        for number in numbers:
            product = DECIMAL.multiply(product, to_decimal(number))
        return decimal(product)
    product_double, product_exact, is_exact = 1.0, 1, True
    for number in numbers:
        product_double *= to_double(number)
        if name != "double":
            product_exact *= int(number)
            is_exact = is_exact and fits_long(product_exact)
    if name == "double" or not is_exact:
        return product_double
    return of_kind(name, product_exact)


def divide(left: Any, right: Any) -> Any:
    """`$divide`: never an integer."""
    if is_number(left) and is_number(right):
        if to_decimal(right).is_zero():
            raise DataError("divided by zero")
        if "decimal" in (kind(left), kind(right)):
            return decimal(DECIMAL.divide(to_decimal(left), to_decimal(right)))
        return to_double(left) / to_double(right)
    if nullish(left) or nullish(right):
        return None
    raise DataError("$divide takes numbers")


def modulo(left: Any, right: Any) -> Any:
    """`$mod`: the remainder has the sign of the dividend."""
    if not (is_number(left) and is_number(right)):
        if nullish(left) or nullish(right):
            return None
        raise DataError("$mod takes numbers")
    if to_decimal(right).is_zero():
        raise DataError("$mod by zero")
    if "decimal" in (kind(left), kind(right)):
        dividend, divisor = to_decimal(left), to_decimal(right)
        if not dividend.is_finite() or divisor.is_nan():
            return Decimal128("NaN")
        if divisor.is_infinite():
            return decimal(dividend)
        with_room = DECIMAL.copy()
        with_room.prec = 13_000
        return decimal(with_room.remainder(dividend, divisor))
    if isinstance(left, float) or (isinstance(right, float) and not -(2**31) <= right < 2**31):
        return _fmod(to_double(left), to_double(right))
    if isinstance(right, float) and right != int(right):
        return _fmod(to_double(left), right)
    if isinstance(right, float):
        raise Unsure("whether an integer modulo a whole double is an integer")
    exact = abs(int(left)) % abs(int(right)) * (-1 if left < 0 else 1)
    is_long = "long" in (kind(left), kind(right))
    return Int64(exact) if is_long else exact


def _fmod(left: float, right: float) -> float:
    return math.nan if not math.isfinite(left) or math.isnan(right) else math.fmod(left, right)


def absolute(value: Any) -> Any:
    """`$abs`."""
    if nullish(value):
        return None
    need_number(value, "$abs")
    name = kind(value)
    if name == "decimal":
        return decimal(value.to_decimal().copy_abs())
    if name == "double":
        return abs(value)
    if value == LONG_MIN:
        raise DataError("no $abs of the least long")
    return of_kind(name, abs(int(value)))


def _to_whole(of_double: Callable[[float], Any], rounding: str) -> Callable[[Any], Any]:
    def function(value: Any) -> Any:
        if nullish(value):
            return None
        need_number(value, "rounding")
        if isinstance(value, float):
            return value if not math.isfinite(value) else math.copysign(float(of_double(value)), value)
        if isinstance(value, Decimal128):
            exact = value.to_decimal()
            if exact.is_infinite():
                raise Unsure("the whole number near a decimal infinity")
            return value if exact.is_nan() else decimal(exact.to_integral_value(rounding))
        return value

    return function


def _to_place(rounding: str) -> Callable[..., Any]:
    def function(value: Any, *place_given: Any) -> Any:
        place = place_given[0] if place_given else 0
        if nullish(place) and not nullish(value) and not is_number(value):
            raise Unsure("null beside an error")
        if nullish(value) or nullish(place):
            return None
        need_number(value, "rounding")
        digits = need_integral(place, "the place")
        if not -20 <= digits <= 100:
            raise DataError("the place must be from -20 to 100")
        name = kind(value)
        if name in ("int", "long"):
            if digits >= 0:
                return value
            rounded = int(Decimal(int(value)).quantize(Decimal(1).scaleb(-digits), rounding, DECIMAL))
            if not fits_long(rounded):
                raise DataError("the rounded number does not fit")
            return of_kind(name, rounded)
        plain = value.to_decimal() if name == "decimal" else Decimal(value)
        if name == "decimal" and plain.is_infinite():
            raise Unsure("the whole number near a decimal infinity")
        if not plain.is_finite():
            return value
        exact = DECIMAL.create_decimal(plain)
        if exact.adjusted() + digits > 33:
            raise Unsure("rounding to more than 34 digits")
        result = exact.quantize(Decimal(1).scaleb(-digits), rounding, DECIMAL)
        return decimal(result) if name == "decimal" else float(result)

    return function


def power(base: Any, exponent: Any) -> Any:
    """`$pow`: an integer power is exact while 64 bits hold it."""
    if nullish(base) or nullish(exponent):
        return None
    need_number(base, "$pow")
    need_number(exponent, "$pow")
    name = widest(base, exponent)
    if to_decimal(base).is_zero() and to_double(exponent) < 0:
        raise DataError("zero to a negative power")
    if name == "decimal":
        if (
            to_decimal(base).is_signed()
            and not to_decimal(base).is_zero()
            and abs(to_double(exponent)) > 2**53
        ):
            raise Unsure("parity of a huge exponent")
        if to_decimal(exponent).is_zero() or to_decimal(base) == 1:
            return Decimal128("1")
        return decimal(DECIMAL.power(to_decimal(base), to_decimal(exponent)))
    if name == "double":
        return _float_power(to_double(base), to_double(exponent))
    left, right = int(base), int(exponent)
    if right < 0 and left not in (1, -1):
        return _float_power(float(left), float(right))
    if left not in (0, 1, -1) and right > 64:
        return _float_power(float(left), float(right))
    exact = (
        (-1 if left < 0 and right % 2 else 1) if abs(left) == 1 else left**right if left else int(right == 0)
    )
    return of_kind(name, exact) if fits_long(exact) else _float_power(float(left), float(right))


def _float_power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        is_negative = base < 0 and exponent == int(exponent) and int(exponent) % 2 == 1
        return -math.inf if is_negative else math.inf
    except ValueError:
        return math.nan


def _positive(
    of_double: Callable[[float], float], of_decimal: Callable[[Decimal], Decimal], least: str
) -> Callable[[Any], Any]:
    """Functions of one number that refuse the negative ("zero" may stay) or what is not positive."""

    def function(value: Any) -> Any:
        if nullish(value):
            return None
        need_number(value, "the function")
        number = to_double(value)
        exact = to_decimal(value) if not isinstance(value, float) else Decimal(value)
        if not exact.is_nan() and (exact < 0 or (least == "positive" and exact == 0)):
            raise DataError(f"the argument must be {least}")
        if isinstance(value, Decimal128):
            if exact.is_nan():
                raise Unsure("the kind of NaN that comes of a decimal NaN")
            return decimal(of_decimal(exact))
        return number if math.isnan(number) else of_double(number)

    return function


def _exp(value: Any) -> Any:
    if nullish(value):
        return None
    need_number(value, "$exp")
    if isinstance(value, Decimal128):
        return decimal(DECIMAL.exp(value.to_decimal()))
    try:
        return math.exp(to_double(value))
    except OverflowError:
        return math.inf


def logarithm(value: Any, base: Any) -> Any:
    """`$log` of a positive number to a positive base other than 1."""
    if nullish(value) or nullish(base):
        return None
    need_number(value, "$log")
    need_number(base, "$log")
    left, right = to_double(value), to_double(base)
    if not (math.isnan(left) or left > 0) or not (math.isnan(right) or (right > 0 and right != 1)):
        raise DataError("$log takes a positive number and a positive base other than 1")
    if "decimal" in (kind(value), kind(base)):
        if math.isnan(left) or math.isnan(right):
            raise Unsure("the kind of NaN that comes of a decimal NaN")
        return decimal(DECIMAL.divide(DECIMAL.ln(to_decimal(value)), DECIMAL.ln(to_decimal(base))))
    if math.isinf(left) and math.isinf(right):
        return math.nan
    return math.log(left) / math.log(right)


register("$add", variadic(add))
register("$subtract", positional(subtract, 2, 2))
register("$multiply", variadic(multiply))
register("$divide", positional(divide, 2, 2))
register("$mod", positional(modulo, 2, 2))
register("$abs", positional(absolute, 1, 1))
register("$ceil", positional(_to_whole(math.ceil, "ROUND_CEILING"), 1, 1))
register("$floor", positional(_to_whole(math.floor, "ROUND_FLOOR"), 1, 1))
register("$round", positional(_to_place(ROUND_HALF_EVEN), 1, 2))
register("$trunc", positional(_to_place(ROUND_DOWN), 1, 2))
register("$pow", positional(power, 2, 2))
register("$sqrt", positional(_positive(math.sqrt, DECIMAL.sqrt, "zero or positive"), 1, 1))
register("$ln", positional(_positive(math.log, DECIMAL.ln, "positive"), 1, 1))
register("$log10", positional(_positive(math.log10, DECIMAL.log10, "positive"), 1, 1))
register("$log", positional(logarithm, 2, 2))
register("$exp", positional(_exp, 1, 1))

__all__ = ["add", "int_or_long", "need_number", "sum_numbers", "whole"]
