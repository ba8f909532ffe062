"""From one BSON type to another, as `$convert` and `$toInt ...` do it. Null and missing are the callers'."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, DecimalException
from typing import Any, Final

from bson import Binary, Decimal128, Int64, ObjectId
from bson.binary import VECTOR_SUBTYPE
from bson.datetime_ms import DatetimeMS

from workers.pipeline.binary import (
    LENGTHS,
    double_of_bytes,
    number_of_bytes,
    numbers_of_vector,
    text_of_bytes,
)
from workers.pipeline.dates import free_text
from workers.pipeline.dates.arguments import date_of, to_moment
from workers.pipeline.dates.reading import Unreadable
from workers.pipeline.dates.zones import UTC_ZONE
from workers.pipeline.inconvertible import failed, unsupported
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

# Longer than any number of 64 bits; `int` itself takes time that grows with the square of a text's length.
_MAX_DIGITS: Final = 20
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}")
_DOUBLE: Final = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE
)


def _whole(value: Any, to: str, low: int, high: int) -> int:
    """A number, boolean, date (long only) or text as a whole number within the bounds."""
    kind = type_name(value)
    if kind == "bool":
        return int(value)
    if kind == "string":
        if not _INTEGER.fullmatch(value):
            raise failed(value, to, "the text is no whole number")
        found = int(value)
    elif kind == "binData" and to in LENGTHS:
        found = number_of_bytes(value, to)
    elif kind == "date" and to == "long":
        found = date_ms(value)
    elif is_number(value):
        number = to_decimal(value) if kind == "decimal" else value
        if (isinstance(number, Decimal) and not number.is_finite()) or (
            isinstance(number, float) and not math.isfinite(number)
        ):
            raise failed(value, to, "NaN or infinite")
        if isinstance(number, Decimal) and number.adjusted() > 20:
            raise failed(value, to, "the number does not fit")
        found = int(number)
    else:
        raise unsupported(value, to)
    if not low <= found <= high:
        raise failed(value, to, "the number does not fit")
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
            raise failed(value, "double", "the text is no number, or out of range")
        return found
    if kind == "binData":
        return double_of_bytes(value)
    if kind == "decimal":
        number = value.to_decimal()
        doubled = float(number)
        if math.isinf(doubled) and not number.is_infinite():
            raise failed(value, "double", "the number is out of range")
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
        return _decimal_of_text(value)
    if kind == "decimal":
        return value  # type: ignore[no-any-return]
    if kind == "bool" or is_number(value):
        return from_decimal(to_decimal(int(value) if kind == "bool" else value))
    raise unsupported(value, "decimal")


def _decimal_of_text(text: str) -> Decimal128:
    """Rounded to 34 digits; what is beyond a decimal's range fails."""
    if _DOUBLE.fullmatch(text):
        try:
            exact = Decimal(text)
            rounded = from_decimal(exact)
        except (DecimalException, ValueError):
            pass  # an exponent beyond what even Python counts
        else:
            found = rounded.to_decimal()
            if found.is_infinite() == exact.is_infinite() and found.is_zero() == exact.is_zero():
                return rounded
    raise failed(text, "decimal", "the text is no number, or out of range")


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
    if kind == "binData":
        return text_of_bytes(value, "auto")
    raise unsupported(value, "string")


def to_object_id(value: Any) -> ObjectId:
    """An id out of its 24 hexadecimal digits."""
    if isinstance(value, ObjectId):
        return value
    if type_name(value) != "string":
        raise unsupported(value, "objectId")
    if not re.fullmatch("[0-9a-fA-F]{24}", value):
        raise failed(value, "objectId", "the text is not 24 hexadecimal digits")
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
        raise failed(
            text, "date", f"the text is no date and time as 2024-01-31T12:30:00Z ({error.reason})"
        ) from None
    return date_of(ms, "$convert")


def _json(value: Any, to: str, kind: type) -> Any:
    """What a text of JSON holds; type wrappers of Extended JSON stay documents."""
    if value.__class__ is not str:
        raise unsupported(value, to)
    try:
        found = json.loads(value, parse_int=_json_integer, parse_constant=_no_constant)
        if found.__class__ is not kind:
            raise ValueError(f"the text holds no {to}")
        _check_names(found)
    except ValueError as error:
        raise failed(value, to, f"no JSON {to}: {error}") from None
    return found


def _json_integer(digits: str) -> int | float:
    """Whole numbers beyond 64 bits are doubles."""
    if len(digits) > _MAX_DIGITS:
        return float(digits)
    found = int(digits)
    return found if INT64_MIN <= found <= INT64_MAX else float(found)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _check_names(found: Any) -> None:
    waiting = [found]
    while waiting:
        one = waiting.pop()
        if one.__class__ is dict:
            if any("\0" in name for name in one):
                raise ValueError("a name holds a zero character")
            waiting += one.values()
        elif one.__class__ is list:
            waiting += one


def to_object(value: Any) -> Any:
    """The document that a text of JSON holds."""
    return _json(value, "object", dict)


def to_array(value: Any) -> Any:
    """The array that a text of JSON holds, or the numbers of a vector."""
    if isinstance(value, Binary) and value.subtype == VECTOR_SUBTYPE:
        try:
            return numbers_of_vector(value)
        except ValueError as error:
            raise failed(value, "array", str(error)) from None
    return _json(value, "array", list)


CONVERSIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "int": to_int,
    "long": to_long,
    "double": to_double,
    "decimal": to_decimal128,
    "bool": to_bool,
    "string": to_text,
    "objectId": to_object_id,
    "date": to_date,
    "object": to_object,
    "array": to_array,
}
"""By the type's name; those to binData have options (`binary.py`)."""
