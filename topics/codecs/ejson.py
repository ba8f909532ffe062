"""Extended JSON v2 type wrappers to values and back. Pure, and strict: a malformed wrapper is refused.

`bson.json_util` reads the same format without the strictness: it takes `"!!!"` as base64, integers beyond
their width and dates that are booleans, and its messages hold the record's values. What it writes, this
module reads alike (a property test says so). Kept from the legacy format, each only in its exact form:
`{"$binary": text, "$type": hex}`, `{"$regex": text, "$options": text}`, `{"$date": integer}`,
`{"$numberLong": integer}`, `{"$uuid": text}`, `{"$symbol": text}` (a string), `{"$undefined": true}` (null).
`{"$regex": text}` alone, `{"$ref", "$id"}`, `$dbPointer` and unknown `$` names are plain fields.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import DecimalException
from typing import Any, Final
from uuid import UUID

from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
# datetime holds the years 1 to 9999; what is outside becomes DatetimeMS (DATETIME_AUTO, as pymongo names it).
_FIRST_MS: Final = -62_135_596_800_000
_LAST_MS: Final = 253_402_300_799_999

_OID = re.compile(r"[0-9a-fA-F]{24}")
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_DOUBLE = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DECIMAL = re.compile(rf"{_DOUBLE.pattern}|[+-]?(?:Infinity|Inf|NaN)", re.IGNORECASE)
_DATE = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d(?::?\d\d)?)?", re.IGNORECASE | re.ASCII
)
_SUBTYPE = re.compile(r"[0-9a-fA-F]{1,2}")
_REGEX_OPTIONS = re.compile(r"[ilmsux]*")
_NON_FINITE: Final = {"Infinity": float("inf"), "-Infinity": float("-inf"), "NaN": float("nan")}


class Malformed(ValueError):
    """A type wrapper that does not hold what its type needs. `path` grows from the inside out."""

    def __init__(self, wrapper: str, expected: str) -> None:
        super().__init__(wrapper)
        self.wrapper, self.expected = wrapper, expected
        self.path: list[str] = []

    def reason(self) -> str:
        """One line: where, which wrapper, what would be right. Field names, no values."""
        where = ".".join(reversed(self.path))
        return (
            f"malformed Extended JSON{' at ' + where if where else ''}: {self.wrapper} needs {self.expected}"
        )


def resolve(node: Any) -> Any:
    """Replace every type wrapper within `node` (a tree fresh from the JSON parser, changed in place).

    The caller bounds the depth. Raises Malformed.
    """
    if node.__class__ is dict:
        for key, value in node.items():
            if value.__class__ is dict or value.__class__ is list:
                try:
                    found = resolve(value)
                except Malformed as error:
                    error.path.append(key)
                    raise
                if found is not value:
                    node[key] = found
        return node if _NAMES.isdisjoint(node) else _unwrap(node)
    for index, value in enumerate(node):
        if value.__class__ is dict or value.__class__ is list:
            try:
                found = resolve(value)
            except Malformed as error:
                error.path.append(str(index))
                raise
            if found is not value:
                node[index] = found
    return node


def _unwrap(node: dict[str, Any]) -> Any:
    """The value of a document that has at least one wrapper's name among its keys."""
    if len(node) == 1:
        ((name, content),) = node.items()
        if name == "$regex":
            return node  # the query operator, or a field of that name
        return _READERS[name](content)
    if node.keys() == {"$code", "$scope"}:
        return _code_with_scope(node["$code"], node["$scope"])
    if node.keys() == {"$binary", "$type"}:
        return _legacy_binary(node["$binary"], node["$type"])
    if node.keys() == {"$regex", "$options"} and isinstance(node["$regex"], str):
        return _regex("$regex", node["$regex"], node["$options"])
    name = next(key for key in node if key in _NAMES)
    if name == "$regex":
        return node
    raise Malformed(name, "to be the only field of its document")


def _oid(content: Any) -> ObjectId:
    if content.__class__ is not str or not _OID.fullmatch(content):
        raise Malformed("$oid", "24 hexadecimal digits")
    return ObjectId(content)


def _int32(content: Any) -> int:
    if content.__class__ is str and _INTEGER.fullmatch(content) and -(2**31) <= int(content) < 2**31:
        return int(content)
    raise Malformed("$numberInt", "the text of an integer of 32 bits")


def _int64(content: Any) -> Int64:
    is_number = content.__class__ is int or (content.__class__ is str and _INTEGER.fullmatch(content))
    if is_number and INT64_MIN <= int(content) <= INT64_MAX:
        return Int64(content)
    raise Malformed("$numberLong", "the text of an integer of 64 bits")


def _double(content: Any) -> float:
    if content.__class__ is str:
        if content in _NON_FINITE:
            return _NON_FINITE[content]
        # 400 characters hold every double written out in full (309 digits before the point).
        if len(content) <= 400 and _DOUBLE.fullmatch(content) and abs(float(content)) != float("inf"):
            return float(content)
    raise Malformed("$numberDouble", 'the text of a number, "NaN", "Infinity" or "-Infinity"')


def _decimal(content: Any) -> Decimal128:
    if content.__class__ is str and len(content) <= 400 and _DECIMAL.fullmatch(content):
        try:
            return Decimal128(content)
        except (DecimalException, ValueError):
            pass  # too many digits or too large an exponent: the same answer as for no number
    raise Malformed("$numberDecimal", "the text of a decimal of at most 34 digits")


def from_milliseconds(milliseconds: int) -> datetime | DatetimeMS:
    """The date `milliseconds` after the epoch; DatetimeMS outside the years 1 to 9999."""
    if _FIRST_MS <= milliseconds <= _LAST_MS:
        return EPOCH + timedelta(milliseconds=milliseconds)
    return DatetimeMS(milliseconds)


def _date(content: Any) -> datetime | DatetimeMS:
    if (content.__class__ is int or content.__class__ is Int64) and INT64_MIN <= content <= INT64_MAX:
        return from_milliseconds(content)
    found = _DATE.fullmatch(content) if content.__class__ is str else None
    if found:
        text, fraction, zone = found.groups()
        try:
            if zone is None or zone == "Z":
                moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
            else:
                moment = datetime.fromisoformat(text + zone.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass  # a month 13, or a zone that moves it out of the years 1 to 9999
        else:
            return moment.replace(microsecond=int(fraction[:3].ljust(3, "0")) * 1000) if fraction else moment
    raise Malformed("$date", "an ISO-8601 date and time, or milliseconds as $numberLong")


def _base64(wrapper: str, content: Any, subtype: Any) -> bytes:
    if content.__class__ is str and subtype.__class__ is str and _SUBTYPE.fullmatch(subtype):
        try:
            data = b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            pass  # no base64, or characters outside ASCII
        else:
            number = int(subtype, 16)
            return Binary(data, number) if number else data
    raise Malformed(wrapper, "base64 text and a subtype of two hexadecimal digits")


def _binary(content: Any) -> bytes:
    if content.__class__ is dict and content.keys() == {"base64", "subType"}:
        return _base64("$binary", content["base64"], content["subType"])
    raise Malformed("$binary", "base64 and subType")


def _legacy_binary(content: Any, subtype: Any) -> bytes:
    if subtype.__class__ is int and 0 <= subtype <= 255:
        subtype = f"{subtype:02x}"
    return _base64("$binary", content, subtype)


def _uuid(content: Any) -> Binary:
    if content.__class__ is str:
        try:
            return Binary(UUID(content).bytes, 4)
        except ValueError:
            pass
    raise Malformed("$uuid", "the text of a UUID")


def _timestamp(content: Any) -> Timestamp:
    if content.__class__ is dict and content.keys() == {"t", "i"}:
        seconds, order = content["t"], content["i"]
        if seconds.__class__ is int and order.__class__ is int:
            if 0 <= seconds < 2**32 and 0 <= order < 2**32:
                return Timestamp(seconds, order)
    raise Malformed("$timestamp", "t and i, integers of 32 bits without a sign")


def _regex(wrapper: str, pattern: Any, options: Any) -> Regex[str]:
    if pattern.__class__ is str and options.__class__ is str and _REGEX_OPTIONS.fullmatch(options):
        return Regex(pattern, options)
    raise Malformed(wrapper, "a pattern and options of the letters i l m s u x, both text")


def _regular_expression(content: Any) -> Regex[str]:
    if content.__class__ is dict and content.keys() == {"pattern", "options"}:
        return _regex("$regularExpression", content["pattern"], content["options"])
    raise Malformed("$regularExpression", "pattern and options")


def _code(content: Any) -> Code:
    if content.__class__ is not str:
        raise Malformed("$code", "text")
    return Code(content)


def _code_with_scope(content: Any, scope: Any) -> Code:
    if content.__class__ is not str or scope.__class__ is not dict:
        raise Malformed("$code", "text, and a document as $scope")
    return Code(content, scope)


def _symbol(content: Any) -> str:
    if content.__class__ is not str:
        raise Malformed("$symbol", "text")
    return str(content)


def _undefined(content: Any) -> None:
    if content is not True:
        raise Malformed("$undefined", "true")


def _min_key(content: Any) -> MinKey:
    if content.__class__ is not int or content != 1:
        raise Malformed("$minKey", "the number 1")
    return MinKey()


def _max_key(content: Any) -> MaxKey:
    if content.__class__ is not int or content != 1:
        raise Malformed("$maxKey", "the number 1")
    return MaxKey()


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "$oid": _oid,
    "$numberInt": _int32,
    "$numberLong": _int64,
    "$numberDouble": _double,
    "$numberDecimal": _decimal,
    "$date": _date,
    "$binary": _binary,
    "$uuid": _uuid,
    "$timestamp": _timestamp,
    "$regularExpression": _regular_expression,
    "$code": _code,
    "$symbol": _symbol,
    "$undefined": _undefined,
    "$minKey": _min_key,
    "$maxKey": _max_key,
}
_NAMES: Final = frozenset(_READERS) | {"$regex"}
