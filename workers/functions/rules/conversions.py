"""`%stringToOid`, `%oidToString`, `%stringToUuid`, `%uuidToString`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from bson import Binary, ObjectId
from bson.binary import UUID_SUBTYPE

_HEX: Final = re.compile(r"[0-9a-fA-F]{24}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class NotConvertible(ValueError):
    """The value is none that the conversion takes; the text says which it takes."""


def _string_to_oid(value: Any) -> ObjectId:
    """24 hexadecimal digits are the id's text, 12 bytes are the id itself."""
    if isinstance(value, str):
        if _HEX.fullmatch(value):
            return ObjectId(value)
        try:
            raw = value.encode("utf-8")
        except UnicodeEncodeError:
            raw = b""
        if len(raw) == 12:
            return ObjectId(raw)
    raise NotConvertible("a string of 24 hexadecimal digits or of 12 bytes")


def _oid_to_string(value: Any) -> str:
    if isinstance(value, ObjectId):
        return str(value)
    raise NotConvertible("an ObjectId")


def _string_to_uuid(value: Any) -> Binary:
    if isinstance(value, str) and _UUID.fullmatch(value):
        return Binary(UUID(value).bytes, UUID_SUBTYPE)
    raise NotConvertible("a string of 36 characters in the form of a UUID")


def _uuid_to_string(value: Any) -> str:
    if isinstance(value, Binary) and value.subtype == UUID_SUBTYPE and len(value) == 16:
        return str(UUID(bytes=bytes(value)))
    raise NotConvertible("a UUID")


CONVERSIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "stringToOid": _string_to_oid,
    "oidToString": _oid_to_string,
    "stringToUuid": _string_to_uuid,
    "uuidToString": _uuid_to_string,
}
