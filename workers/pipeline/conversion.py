"""From one BSON type to another, as `$convert` and `$toInt ...` do it. Null and missing are the callers'."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, DecimalException
from typing import Any, Final

from bson import Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from workers.errors import Poison
from workers.pipeline.dates import free_text
from workers.pipeline.dates.arguments import date_of, to_moment
from workers.pipeline.dates.reading import Unreadable
from workers.pipeline.dates.zones import UTC_ZONE
from workers.pipeline.numbers import from_decimal, to_decimal
from workers.pipeline.text import date_text, number_text
from workers.pipeline.values import (
    INT32_MAX,
    INT32_MIN,
    INT64_MAX,
    INT64_MIN,
    date_from_ms,
    date_ms,
    is_number,
    truthy,
    type_name,
)

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}")
_DOUBLE: Final = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE
)


def unsupported(value: Any, to: str) -> Poison:
    """The error of a pair of types that has no conversion."""
    return Poison(f"unsupported conversion from {type_name(value)} to {to} in $convert")


def _failed(value: Any, to: str, why: str) -> Poison:
    return Poison(f"failed to convert {type_name(value)} to {to} in $convert: {why}")


def _whole(value: Any, to: str, low: int, high: int) -> int:
    """A number, boolean, date (long only) or text as a whole number within the bounds."""
    kind = type_name(value)
    if kind == "bool":
        return int(value)
    if kind == "string":
        if not _INTEGER.fullmatch(value):
            raise _failed(value, to, "the text is no whole number")
        found = int(value)
    elif kind == "date" and to == "long":
        found = date_ms(value)
    elif is_number(value):
        number = to_decimal(value) if kind == "decimal" else value
        if (isinstance(number, Decimal) and not number.is_finite()) or (
            isinstance(number, float) and not math.isfinite(number)
        ):
            raise _failed(value, to, "NaN or infinite")
        if isinstance(number, Decimal) and number.adjusted() > 20:
            raise _failed(value, to, "the number does not fit")
        found = int(number)
    else:
        raise unsupported(value, to)
    if not low <= found <= high:
        raise _failed(value, to, "the number does not fit")
    return found


def to_int(value: Any) -> int:
    """An int; fractions are cut off."""
    return _whole(value, "int", INT32_MIN, INT32_MAX)


def to_long(value: Any) -> Int64:
    """A long; fractions are cut off, a date gives milliseconds."""
    return Int64(_whole(value, "long", INT64_MIN, INT64_MAX))


def to_double(value: Any) -> float:
    """A double."""
    kind = type_name(value)
    if kind == "date":
        return float(date_ms(value))
    if kind == "string":
        found = float(value) if _DOUBLE.fullmatch(value) else None
        if found is None or (math.isinf(found) and value[-1:].isdigit()):
            raise _failed(value, "double", "the text is no number, or out of range")
        return found
    if kind == "decimal":
        number = value.to_decimal()
        doubled = float(number)
        if math.isinf(doubled) and not number.is_infinite():
            raise _failed(value, "double", "the number is out of range")
        return doubled
    if kind == "bool" or is_number(value):
        return float(value)
    raise unsupported(value, "double")


def to_decimal128(value: Any) -> Decimal128:
    """A decimal."""
    kind = type_name(value)
    if kind == "date":
        return Decimal128(Decimal(date_ms(value)))
    if kind == "string":
        if _DOUBLE.fullmatch(value):
            try:
                return Decimal128(value)
            except (DecimalException, ValueError):
                pass  # more digits or a larger exponent than a decimal has
        raise _failed(value, "decimal", "the text is no number")
    if kind == "decimal":
        return value  # type: ignore[no-any-return]
    if kind == "bool" or is_number(value):
        return from_decimal(to_decimal(int(value) if kind == "bool" else value))
    raise unsupported(value, "decimal")


def to_bool(value: Any) -> bool:
    """The truth of a value; text is always true."""
    return truthy(value)


def to_text(value: Any) -> str:
    """A boolean, number, id, date or text as text."""
    kind = type_name(value)
    if kind == "string":
        return value  # type: ignore[no-any-return]
    if kind == "bool":
        return "true" if value else "false"
    if is_number(value):
        return number_text(value)
    if kind == "objectId":
        return str(value)
    if kind == "date":
        return date_text(value)
    raise unsupported(value, "string")


def to_object_id(value: Any) -> ObjectId:
    """An id out of its 24 hexadecimal digits."""
    if isinstance(value, ObjectId):
        return value
    if type_name(value) != "string":
        raise unsupported(value, "objectId")
    if not re.fullmatch("[0-9a-fA-F]{24}", value):
        raise _failed(value, "objectId", "the text is not 24 hexadecimal digits")
    return ObjectId(value)


def to_date(value: Any) -> Any:
    """A date out of milliseconds (not an int), an ISO-8601 text, an id or a timestamp."""
    kind = type_name(value)
    if kind == "date":
        return value
    if kind in ("long", "double", "decimal"):
        return date_from_ms(_whole(value, "date", INT64_MIN, INT64_MAX))
    if kind == "string":
        return _date_of_text(value)
    if kind in ("objectId", "timestamp"):
        return date_of(to_moment(value), "$convert")
    raise unsupported(value, "date")


def _date_of_text(text: str) -> datetime | DatetimeMS:
    try:
        ms = free_text.read(text, UTC_ZONE)
    except Unreadable as error:
        raise _failed(
            text, "date", f"the text is no date and time as 2024-01-31T12:30:00Z ({error.reason})"
        ) from None
    return date_of(ms, "$convert")


CONVERSIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "int": to_int,
    "long": to_long,
    "double": to_double,
    "decimal": to_decimal128,
    "bool": to_bool,
    "string": to_text,
    "objectId": to_object_id,
    "date": to_date,
}

TYPE_NUMBERS: Final[Mapping[int, str]] = {
    1: "double",
    2: "string",
    7: "objectId",
    8: "bool",
    9: "date",
    16: "int",
    18: "long",
    19: "decimal",
}
