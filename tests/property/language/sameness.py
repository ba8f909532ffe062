"""Whether two answers are the same: in value, in kind of number, in order of fields."""

from __future__ import annotations

import math
from typing import Any, Final

from bson import Decimal128

from tests.property.language import reference
from tests.property.language.reference import kind
from tests.property.language.reference.values import flags_of

# Doubles and decimals that went through other roundings on the way count as equal this near.
NEAR: Final = 1e-11


def same(left: Any, right: Any) -> bool:
    """Equal in value, in kind of number, in order of fields."""
    if left is reference.MISSING or right is reference.MISSING:
        return left is right
    name = kind(left)
    if name != kind(right):
        return False
    if name == "object":
        return list(left) == list(right) and all(same(left[name], right[name]) for name in left)
    if name == "array":
        return len(left) == len(right) and all(
            same(one, other) for one, other in zip(left, right, strict=True)
        )
    if name == "double":
        return _near(left, right) and (left != 0 or math.copysign(1, left) == math.copysign(1, right))
    if name == "decimal":
        return _near(Decimal128.to_decimal(left), Decimal128.to_decimal(right))
    if name == "regex":
        return bool(left.pattern == right.pattern) and flags_of(left) == flags_of(right)
    return reference.compare(left, right) == 0


def _near(left: Any, right: Any) -> bool:
    if left != left or right != right:  # noqa: PLR0124 - NaN
        return bool(left != left and right != right)  # noqa: PLR0124 - NaN
    if left == right:
        return True
    if not (math.isfinite(left) and math.isfinite(right)):
        return False
    return bool(abs(left - right) <= type(left)(NEAR) * max(abs(left), abs(right)))
