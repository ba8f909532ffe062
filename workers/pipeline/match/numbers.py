"""Numbers as operands: cut to whole ones, and bounded to 64 bits."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Final

from bson import Decimal128

from workers.pipeline.values import is_number, whole_number

_LIMIT: Final = 2**63


def truncated(value: Any) -> int | None:
    """A number cut towards zero, or None where it is none or does not fit 64 bits."""
    if not is_number(value):
        return None
    number: int | float | Decimal = value.to_decimal() if isinstance(value, Decimal128) else value
    if isinstance(number, Decimal):
        # The adjusted exponent bounds the digits: 1E+6000 is never written out.
        if not number.is_finite() or number.adjusted() > 19:
            return None
    elif isinstance(number, float) and not math.isfinite(number):
        return None
    return _bounded(int(number))


def whole(value: Any) -> int | None:
    """The integer that a number stands for (5, 5.0), or None: a fraction, NaN, beyond 64 bits, no number."""
    number = whole_number(value)
    return None if number is None else _bounded(number)


def _bounded(number: int) -> int | None:
    return number if -_LIMIT <= number < _LIMIT else None
