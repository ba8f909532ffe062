"""Conversion between types."""

from __future__ import annotations

import math
import re
from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import UUID

from bson import Binary, Decimal128, Int64, ObjectId, Timestamp

from tests.property.language.reference.calendar import iso_text, ms_of
from tests.property.language.reference.datetext import parsed
from tests.property.language.reference.interpreter import (
    Environment,
    Operator,
    Scope,
    check,
    checked_names,
    positional,
    register,
    run,
    unread,
)
from tests.property.language.reference.strings import number_text
from tests.property.language.reference.tower import decimal, fits_long, integral, to_decimal, to_double, whole
from tests.property.language.reference.values import (
    DECIMAL,
    INT_MAX,
    INT_MIN,
    DataError,
    Unsure,
    date_of,
    is_finite,
    is_number,
    kind,
    milliseconds,
    nullish,
    truthy,
)

_CODES = {
    1: "double",
    2: "string",
    3: "object",
    4: "array",
    5: "binData",
    7: "objectId",
    8: "bool",
    9: "date",
    16: "int",
    18: "long",
    19: "decimal",
}
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def _none(value: Any, name: str) -> Exception:
    """DataError, but Unsure for numbers out of bytes, which newer servers alone make."""
    if kind(value) == "binData":
        return Unsure("binary data as a number")
    return DataError(f"no conversion of {kind(value)} to {name}")


def to_boolean(value: Any) -> bool:
    """Everything but false and zeros is true."""
    return truthy(value)


def _to_integer(name: str, low: int, high: int) -> Any:
    def function(value: Any) -> Any:
        if isinstance(value, bool):
            exact = int(value)
        elif is_number(value):
            plain = value.to_decimal() if isinstance(value, Decimal128) else value
            if not is_finite(value):
                raise DataError("neither NaN nor infinity is an integer")
            exact = int(plain.to_integral_value(ROUND_DOWN)) if isinstance(plain, Decimal) else int(plain)
        elif kind(value) == "string":
            if not _INTEGER.fullmatch(value):
                raise DataError("no integer in the text")
            exact = int(value)
        elif kind(value) == "date" and name == "long":
            exact = milliseconds(value)
        else:
            raise _none(value, name)
        if not low <= exact <= high:
            raise DataError("overflow")
        return exact if name == "int" else Int64(exact)

    return function


def _double(value: Any) -> float:
    if isinstance(value, bool):
        return float(value)
    if is_number(value):
        result = to_double(value)
        if isinstance(value, Decimal128) and value.to_decimal().is_finite():
            if math.isinf(result):
                raise DataError("overflow")
            if result == 0 and not value.to_decimal().is_zero():
                raise Unsure("a decimal too small for a double")
        return result
    if kind(value) == "string":
        if not _NUMBER.fullmatch(value):
            raise _unreadable(value)
        if math.isinf(float(value)):
            raise DataError("overflow")
        return float(value)
    if kind(value) == "date":
        return float(milliseconds(value))
    raise _none(value, "double")


def _unreadable(text: str) -> Exception:
    """DataError, but Unsure where C's reader of numbers may take more than ours."""
    if re.search(r"nan|inf|0x|[pP]", text, re.IGNORECASE):
        return Unsure("a number in words")
    return DataError("no number in the text")


def _decimal(value: Any) -> Decimal128:
    if isinstance(value, bool):
        return Decimal128(str(int(value)))
    if is_number(value):
        return decimal(to_decimal(value))
    if kind(value) == "string":
        if not _NUMBER.fullmatch(value):
            raise _unreadable(value)
        found = DECIMAL.create_decimal(value)
        if found.is_infinite():
            raise Unsure("a text beyond the decimals")
        return Decimal128(found)
    if kind(value) == "date":
        return Decimal128(str(milliseconds(value)))
    raise _none(value, "decimal")


def _date(value: Any) -> Any:
    if kind(value) == "int" or isinstance(value, bool):
        raise _none(value, "date")
    if is_number(value):
        plain = value.to_decimal() if isinstance(value, Decimal128) else value
        if not is_finite(value) or not fits_long(int(plain)):
            raise DataError("overflow")
        return date_of(int(plain))
    if kind(value) == "string":
        return parsed(value, None, None)
    if isinstance(value, Timestamp | ObjectId) or kind(value) == "date":
        return date_of(ms_of(value))
    raise _none(value, "date")


def _object_id(value: Any) -> ObjectId:
    if isinstance(value, ObjectId):
        return value
    if kind(value) == "string" and re.fullmatch(r"[0-9a-fA-F]{24}", value):
        return ObjectId(value)
    raise _none(value, "objectId")


def _text(value: Any) -> str:
    name = kind(value)
    if name == "bool":
        return "true" if value else "false"
    if is_number(value):
        return number_text(value)
    if name in ("string", "objectId"):
        return str(value)
    if name == "date":
        return iso_text(milliseconds(value))
    if name in ("object", "array", "binData", "regex", "timestamp", "javascript"):
        raise Unsure("text of what newer servers alone write")
    raise _none(value, "string")


def _uuid(value: Any) -> Any:
    if kind(value) == "binData":
        raise Unsure("binary data to a UUID")
    if kind(value) != "string":
        raise Unsure("other types to binary data")
    try:
        if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value):
            raise DataError("no UUID")
        return Binary(UUID(value).bytes, 4)
    except ValueError:
        raise DataError("no UUID") from None


_TARGETS: dict[str, Any] = {
    "bool": to_boolean,
    "int": _to_integer("int", INT_MIN, INT_MAX),
    "long": _to_integer("long", -(2**63), 2**63 - 1),
    "double": _double,
    "decimal": _decimal,
    "date": _date,
    "objectId": _object_id,
    "string": _text,
}


def _target(value: Any) -> str | None:
    if nullish(value):
        return None
    if kind(value) == "object":
        raise Unsure("a target with a subtype")
    if is_number(value):
        if not integral(value):
            raise DataError("a type's code is an integer")
        name = _CODES.get(whole(value))
        if name is None:
            raise DataError("no type to convert to")
    elif kind(value) == "string":
        name = value
    else:
        raise DataError("a type is named by a string or a number")
    if name in ("binData", "object", "array"):
        raise Unsure("conversion to what newer servers alone make")
    if name not in _TARGETS:
        raise DataError("no type to convert to")
    return name


def _check_convert(argument: Any, scope: Scope) -> None:
    for value in checked_names(argument, ("input", "to"), ("onError", "onNull", "format", "base")).values():
        check(value, scope)


def _convert(argument: Any, env: Environment) -> Any:
    if "format" in argument or "base" in argument:
        raise Unsure("conversion by a format")
    value = run(argument["input"], env)
    to = run(argument["to"], env)
    if nullish(value):
        unread(lambda: _target(to))
        return run(argument["onNull"], env) if "onNull" in argument else None
    target = _target(to)
    if target is None:
        return None
    try:
        return _TARGETS[target](value)
    except DataError:
        if "onError" in argument:
            return run(argument["onError"], env)
        raise


def _short(target: Any) -> Any:
    return positional(lambda value: None if nullish(value) else target(value), 1, 1)


register("$convert", Operator(_check_convert, _convert))
for _name, _key in (
    ("$toBool", "bool"),
    ("$toInt", "int"),
    ("$toLong", "long"),
    ("$toDouble", "double"),
    ("$toDecimal", "decimal"),
    ("$toDate", "date"),
    ("$toObjectId", "objectId"),
    ("$toString", "string"),
):
    register(_name, _short(_TARGETS[_key]))
register("$toUUID", _short(_uuid))
register("$isNumber", positional(is_number, 1, 1))
register("$type", positional(kind, 1, 1))
