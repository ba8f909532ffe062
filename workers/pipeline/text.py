"""Values as text, the way `$toString` and the string operators write them."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final

from bson import Decimal128
from bson.datetime_ms import DatetimeMS

from workers.errors import Poison
from workers.pipeline.dates.formatting import DEFAULT, writer
from workers.pipeline.dates.zones import UTC_ZONE
from workers.pipeline.values import is_nullish, type_name


def double_text(value: float) -> str:
    """A double with up to 16 digits: `2.5`, `3`, `1e+16`, `Infinity`."""
    if math.isfinite(value):
        return f"{value:.16g}"
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def number_text(value: Any) -> str:
    """Any number as text."""
    if isinstance(value, float):
        return double_text(value)
    return str(value) if isinstance(value, Decimal128) else str(int(value))


_ISO: Final = writer(f"{DEFAULT}Z", UTC_ZONE)


def date_text(value: datetime | DatetimeMS) -> str:
    """`2024-01-15T12:30:45.123Z`. Raises Poison outside the years 0 to 9999."""
    return _ISO(value)


def coerced(value: Any, operator: str) -> str:
    """Text out of text, a number or a date; empty for null. Poison for the rest."""
    if value.__class__ is str:
        return value
    if is_nullish(value):
        return ""
    kind = type_name(value)
    if kind in ("int", "long", "double", "decimal"):
        return number_text(value)
    if kind == "date":
        return date_text(value)
    if kind == "javascript":
        return str(value)
    if kind == "timestamp":
        return f"Timestamp({value.time}, {value.inc})"
    raise Poison(f"{operator} can't convert from BSON type {kind} to String")
