"""The constructors of the MongoDB shell: ISODate, ObjectId, NumberLong and the like, as BSON values. Pure.

Each takes the arguments as values and raises ValueError with what would be right. What would be another value
at each start (new Date(), ObjectId(), UUID()) is refused.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import DecimalException
from typing import Any, Final
from uuid import UUID

from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

from topics.codecs.ejson import from_milliseconds

_HEX_24: Final = re.compile(r"[0-9a-fA-F]{24}")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,20}")
_DATE: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_DATE_RULE: Final = '"2024-05-01T12:00:00Z" or milliseconds since 1970'
_NOW_RULE: Final = "the current time, at each record, is { $currentDate: {} }"
# Milliseconds that JavaScript's Date can hold, both ways.
_LAST_DATE_MS: Final = 8_640_000_000_000_000

# JavaScript's letter -> BSON's. `u` is how every pattern works here; `d`, `g`, `y` mean nothing to a match.
_FLAGS: Final = {"i": "i", "m": "m", "s": "s", "u": "u"}


def regex(pattern: str, flags: str) -> Regex[str]:
    """`/pattern/flags`."""
    unknown = [flag for flag in flags if flag not in _FLAGS]
    if unknown or len(set(flags)) < len(flags):
        raise ValueError("the flags i, m, s and u, each once")
    return Regex(pattern, "".join(sorted(_FLAGS[flag] for flag in flags)))


def _regexp(*given: Any) -> Regex[str]:
    if not 1 <= len(given) <= 2 or not all(isinstance(one, str) for one in given):
        raise ValueError('a pattern and flags, both texts: RegExp("^a", "i")')
    return regex(given[0], given[1] if len(given) == 2 else "")


def _moment(given: tuple[Any, ...], *, needs_zone: bool) -> Any:
    if not given:
        raise ValueError(f"{_DATE_RULE}; {_NOW_RULE}")
    if len(given) > 1:
        raise ValueError(f"one argument, {_DATE_RULE}")
    value = given[0]
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value != int(value) or abs(value) > _LAST_DATE_MS:
            raise ValueError("whole milliseconds that a date can hold")
        return from_milliseconds(int(value))
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(_DATE_RULE)
    day, minute, second, fraction, zone = found.groups()
    if minute and not zone and needs_zone:
        raise ValueError("a Z or an offset at the end: without one it is the local time of each machine")
    try:
        moment = datetime.fromisoformat(
            f"{day}T{minute or '00:00'}{second or ':00'}{zone or 'Z'}"
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("a date that exists, in the years 1 to 9999") from None
    # BSON dates hold milliseconds.
    return moment.replace(microsecond=int(fraction[:3].ljust(3, "0")) * 1000) if fraction else moment


def _iso_date(*given: Any) -> Any:
    return _moment(given, needs_zone=False)


def _new_date(*given: Any) -> Any:
    return _moment(given, needs_zone=True)


def _object_id(*given: Any) -> ObjectId:
    if len(given) == 1 and isinstance(given[0], str) and _HEX_24.fullmatch(given[0]):
        return ObjectId(given[0])
    raise ValueError("24 hexadecimal digits as a text")


def _uuid(*given: Any) -> Binary:
    if len(given) == 1 and isinstance(given[0], str):
        try:
            return Binary(UUID(given[0]).bytes, 4)
        except ValueError:
            pass  # the same answer as for no text
    raise ValueError("the text of a UUID")


def _whole(given: tuple[Any, ...], bits: int) -> int:
    rule = f"a whole number of {bits} bits, as a text when it has more than 15 digits"
    value = given[0] if len(given) == 1 else None
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)
    ):
        raise ValueError(rule)
    return int(value)


def _long(*given: Any) -> Int64:
    return Int64(_whole(given or (0,), 64))


def _int(*given: Any) -> int:
    return _whole(given or (0,), 32)


def _double(*given: Any) -> float:
    value = given[0] if len(given) == 1 else None
    if isinstance(value, int | float | str) and not isinstance(value, bool) and len(str(value)) <= 400:
        try:
            return float(value)
        except ValueError:
            pass  # the same answer as for no number
    raise ValueError("a number")


def _decimal(*given: Any) -> Decimal128:
    value = given[0] if len(given) == 1 else None
    if isinstance(value, str | int | float) and not isinstance(value, bool) and len(str(value)) <= 400:
        try:
            return Decimal128(str(value))
        except (DecimalException, ValueError):
            pass  # no number, too many digits, too large an exponent
    raise ValueError('a decimal of at most 34 digits, as a text: NumberDecimal("9.99")')


def _binary(subtype: Any, data: bytes) -> bytes:
    if isinstance(subtype, bool) or not isinstance(subtype, int) or not 0 <= subtype <= 255:
        raise ValueError("a subtype from 0 to 255, then the data as a text")
    return Binary(data, subtype) if subtype else data


def _bin_data(*given: Any) -> bytes:
    if len(given) == 2 and isinstance(given[1], str):
        try:
            return _binary(given[0], b64decode(given[1], validate=True))
        except binascii.Error:
            pass  # the same answer as for no text
    raise ValueError('a subtype and base64: BinData(0, "aGVsbG8=")')


def _hex_data(*given: Any) -> bytes:
    if len(given) == 2 and isinstance(given[1], str) and re.fullmatch(r"(?:[0-9a-fA-F]{2})*", given[1]):
        return _binary(given[0], bytes.fromhex(given[1]))
    raise ValueError('a subtype and hexadecimal digits: HexData(0, "68656c6c6f")')


def _timestamp(*given: Any) -> Timestamp:
    if len(given) == 1 and isinstance(given[0], dict) and given[0].keys() == {"t", "i"}:
        given = (given[0]["t"], given[0]["i"])
    if len(given) == 2:
        seconds, order = (int(one) if isinstance(one, float) and one.is_integer() else one for one in given)
        if type(seconds) is int and type(order) is int and 0 <= seconds < 2**32 and 0 <= order < 2**32:
            return Timestamp(seconds, order)
    raise ValueError("seconds and an ordinal: Timestamp(1700000000, 1)")


def _min_key(*given: Any) -> MinKey:
    if given:
        raise ValueError("no argument")
    return MinKey()


def _max_key(*given: Any) -> MaxKey:
    if given:
        raise ValueError("no argument")
    return MaxKey()


CONSTRUCTORS: Final[Mapping[str, Callable[..., Any]]] = {
    "ISODate": _iso_date, "Date": _new_date,
    "ObjectId": _object_id, "ObjectID": _object_id,
    "UUID": _uuid, "BinData": _bin_data, "HexData": _hex_data,
    "NumberLong": _long, "Long": _long, "NumberInt": _int, "Int32": _int,
    "NumberDecimal": _decimal, "Decimal128": _decimal, "Double": _double,
    "Timestamp": _timestamp, "RegExp": _regexp, "MinKey": _min_key, "MaxKey": _max_key,
}  # fmt: skip
"""What may be called in a pasted pipeline, with or without `new` (Date only with it)."""
