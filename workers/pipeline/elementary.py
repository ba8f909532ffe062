"""Angles, hyperbolas and their inverses of decimals, to the 34 digits of a Decimal128. Pure.

The `decimal` module has exp, ln and square roots; the rest is made of those and of series. Work is done with
`_DIGITS` digits: what cancels on the way (at most 40 digits: arguments below `_TINY` are answered apart)
leaves more than 34. Never with Python's operators: those round to the 28 digits of the thread's context.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from typing import Final

_DIGITS: Final = 100
_WORK: Final = Context(
    prec=_DIGITS, rounding=ROUND_HALF_EVEN, Emin=-9_000_000, Emax=9_000_000, flags=[], traps=[]
)
# Below this, x and the function of x (whose next term is x cubed) are the same in 34 digits.
_TINY: Final = Decimal("1E-20")
_ONE, _TWO, _HALF = Decimal(1), Decimal(2), Decimal("0.5")
_INFINITY: Final = Decimal("Infinity")


@lru_cache(maxsize=8)
def pi(digits: int = _DIGITS) -> Decimal:
    """Pi with that many digits, by Machin's formula in whole numbers."""
    one: int = 10 ** (digits + 10)

    def inverse_tangent(of: int) -> int:
        term = total = one // of
        divisor, sign = 3, -1
        while term:
            term //= of * of
            total += sign * (term // divisor)
            divisor, sign = divisor + 2, -sign
        return total

    value = 4 * (4 * inverse_tangent(5) - inverse_tangent(239))
    return Decimal(value).scaleb(-(digits + 10), Context(prec=digits + 20))


def _half_pi() -> Decimal:
    return _WORK.multiply(pi(), _HALF)


def _reduced(x: Decimal) -> tuple[Decimal, int]:
    """x less a multiple of half pi, within a quarter pi of zero, and the multiple modulo 4.

    Pi is taken with as many digits as the argument has before its point, 6,145 at most.
    """
    digits = _DIGITS + max(x.adjusted(), 0) + 10
    wide = Context(prec=digits, Emin=-9_000_000, Emax=9_000_000, flags=[], traps=[])
    quarter_turn = wide.divide(pi(digits + 10), _TWO)
    turns = wide.divide(x, quarter_turn).to_integral_value(ROUND_HALF_EVEN)
    rest = wide.subtract(x, wide.multiply(turns, quarter_turn))
    return _WORK.plus(rest), int(turns) % 4


def _series(x: Decimal, first: Decimal, start: int) -> Decimal:
    """first - first x^2/((s+1)(s+2)) + ...: sine from x (s = 1), cosine from 1 (s = 0)."""
    square, term, total, step = _WORK.multiply(x, x).copy_negate(), first, first, start
    while term and term.adjusted() > total.adjusted() - _DIGITS:
        term = _WORK.divide(_WORK.multiply(term, square), Decimal((step + 1) * (step + 2)))
        total = _WORK.add(total, term)
        step += 2
    return total


def _sin_cos(x: Decimal) -> tuple[Decimal, Decimal]:
    rest, turns = _reduced(x)
    sine, cosine = _series(rest, rest, 1), _series(rest, _ONE, 0)
    less_sine, less_cosine = sine.copy_negate(), cosine.copy_negate()
    return ((sine, cosine), (cosine, less_sine), (less_sine, less_cosine), (less_cosine, sine))[turns]


def sin(x: Decimal) -> Decimal:
    """Of a finite number of radians."""
    return x if x.copy_abs() < _TINY else _sin_cos(x)[0]


def cos(x: Decimal) -> Decimal:
    """Of a finite number of radians."""
    return _ONE if x.copy_abs() < _TINY else _sin_cos(x)[1]


def tan(x: Decimal) -> Decimal:
    """Of a finite number of radians."""
    if x.copy_abs() < _TINY:
        return x
    sine, cosine = _sin_cos(x)
    return _WORK.divide(sine, cosine)


def atan(x: Decimal) -> Decimal:
    """In radians; of an infinity half pi."""
    if x.is_infinite():
        return _half_pi().copy_sign(x)
    if x.copy_abs() < _TINY:
        return x
    if x.copy_abs() > 1:
        return _WORK.subtract(_half_pi().copy_sign(x), atan(_WORK.divide(_ONE, x)))
    halvings = 0
    # atan(x) = 2 atan(x / (1 + sqrt(1 + x^2))): the argument becomes small, and the series short.
    while x.copy_abs() > Decimal("0.05"):
        x = _WORK.divide(x, _WORK.add(_ONE, _WORK.sqrt(_WORK.add(_ONE, _WORK.multiply(x, x)))))
        halvings += 1
    square, power, total, divisor = _WORK.multiply(x, x).copy_negate(), x, x, 1
    while power and power.adjusted() > total.adjusted() - _DIGITS:
        power, divisor = _WORK.multiply(power, square), divisor + 2
        total = _WORK.add(total, _WORK.divide(power, Decimal(divisor)))
    return _WORK.multiply(total, Decimal(2**halvings))


def asin(x: Decimal) -> Decimal:
    """In radians, of -1 to 1."""
    if x.copy_abs() < _TINY:
        return x
    if x.copy_abs() == 1:
        return _half_pi().copy_sign(x)
    cosine = _WORK.sqrt(_WORK.multiply(_WORK.subtract(_ONE, x), _WORK.add(_ONE, x)))
    return atan(_WORK.divide(x, cosine))


def acos(x: Decimal) -> Decimal:
    """In radians, of -1 to 1."""
    if x == -1:
        return pi()
    half = atan(_WORK.sqrt(_WORK.divide(_WORK.subtract(_ONE, x), _WORK.add(_ONE, x))))
    return _WORK.multiply(_TWO, half)


def atan2(y: Decimal, x: Decimal) -> Decimal:
    """The angle of a point, in radians."""
    if x.is_infinite() and y.is_infinite():
        angle = _WORK.multiply(pi(), Decimal("0.25"))
    elif x.is_infinite() or y.is_zero():
        angle = Decimal(0)
    elif y.is_infinite() or x.is_zero():
        angle = _half_pi()
    else:
        angle = atan(_WORK.divide(y.copy_abs(), x.copy_abs()))
    if x.is_signed():
        angle = _WORK.subtract(pi(), angle)
    return angle.copy_sign(y)


def sinh(x: Decimal) -> Decimal:
    """Of any number."""
    if x.is_infinite() or x.copy_abs() < _TINY:
        return x
    grown = _exp(x.copy_abs())
    return _WORK.multiply(_HALF, _WORK.subtract(grown, _WORK.divide(_ONE, grown))).copy_sign(x)


def cosh(x: Decimal) -> Decimal:
    """Of any number."""
    grown = _exp(x.copy_abs())
    return (
        grown if grown.is_infinite() else _WORK.multiply(_HALF, _WORK.add(grown, _WORK.divide(_ONE, grown)))
    )


def _exp(x: Decimal) -> Decimal:
    """e to the x, for 0 and more. Beyond 20,000 it is no decimal any more, whatever it is exactly."""
    return _INFINITY if x > 20_000 else _WORK.exp(x)


def tanh(x: Decimal) -> Decimal:
    """Of any number."""
    if x.copy_abs() < _TINY:
        return x
    if x.copy_abs() > 200:
        return _ONE.copy_sign(x)
    grown = _WORK.exp(_WORK.multiply(_TWO, x))
    return _WORK.divide(_WORK.subtract(grown, _ONE), _WORK.add(grown, _ONE))


def asinh(x: Decimal) -> Decimal:
    """Of any number."""
    if x.is_infinite() or x.copy_abs() < _TINY:
        return x
    size = x.copy_abs()
    return _WORK.ln(_WORK.add(size, _WORK.sqrt(_WORK.add(_WORK.multiply(size, size), _ONE)))).copy_sign(x)


def acosh(x: Decimal) -> Decimal:
    """Of 1 and more."""
    if x.is_infinite():
        return x
    root = _WORK.sqrt(_WORK.multiply(_WORK.subtract(x, _ONE), _WORK.add(x, _ONE)))
    return _WORK.ln(_WORK.add(x, root))


def atanh(x: Decimal) -> Decimal:
    """Of -1 to 1; of the ends an infinity."""
    if x.copy_abs() < _TINY:
        return x
    if x.copy_abs() == 1:
        return _INFINITY.copy_sign(x)
    return _WORK.multiply(_HALF, _WORK.ln(_WORK.divide(_WORK.add(_ONE, x), _WORK.subtract(_ONE, x))))


def degrees(x: Decimal) -> Decimal:
    """Radians as degrees."""
    return _WORK.divide(_WORK.multiply(x, Decimal(180)), pi())


def radians(x: Decimal) -> Decimal:
    """Degrees as radians."""
    return _WORK.divide(_WORK.multiply(x, pi()), Decimal(180))
