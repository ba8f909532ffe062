"""Binary data as text and as numbers, as `$convert` has it."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from bson import Binary
from bson.binary import BinaryVectorDtype

from workers.errors import Poison
from workers.pipeline.inconvertible import failed, unsupported
from workers.pipeline.values import as_long, type_name

FORMATS: Final = ("base64", "base64url", "hex", "utf8", "uuid", "auto")
"""How bytes are written as text. auto: a UUID as uuid, all else as base64."""

UUID_SUBTYPE: Final = 4
_UUID_BYTES: Final = 16

LENGTHS: Final[Mapping[str, tuple[int, ...]]] = {"int": (1, 2, 4), "long": (1, 2, 4, 8), "double": (4, 8)}
"""How many bytes may stand for a number of the type."""


def subtype_of(value: Any) -> int:
    """Of bytes or a Binary."""
    return value.subtype if isinstance(value, Binary) else 0


def binary(content: bytes, subtype: int) -> Any:
    """Bytes as documents hold them: plain for the subtype 0."""
    return Binary(content, subtype) if subtype else content


def text_of_bytes(value: Any, how: str) -> str:
    """Binary data as text. Raises Inconvertible."""
    content, is_uuid = bytes(value), subtype_of(value) == UUID_SUBTYPE
    if how == "auto":
        how = "uuid" if is_uuid else "base64"
    if how == "uuid":
        if not is_uuid or len(content) != _UUID_BYTES:
            raise failed(value, "string", "it is no UUID")
        return str(UUID(bytes=content))
    if how == "utf8":
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            raise failed(value, "string", "the bytes are no UTF-8") from None
    return _ENCODERS[how](content)


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


_ENCODERS: Final[Mapping[str, Callable[[bytes], str]]] = {
    "base64": lambda content: base64.b64encode(content).decode(),
    "base64url": _base64url,
    "hex": lambda content: content.hex().upper(),
}


def bytes_of_text(text: str, how: str, subtype: int) -> Any:
    """Binary data out of text. Raises Inconvertible."""
    is_uuid = subtype == UUID_SUBTYPE
    if how == "auto":
        how = "uuid" if is_uuid else "base64"
    if is_uuid != (how == "uuid"):
        raise failed(text, "binData", "the format 'uuid' and the subtype 4 belong together")
    try:
        return binary(_decoded(text, how), subtype)
    except (ValueError, binascii.Error):
        raise failed(text, "binData", f"the text is not {how}") from None


def _decoded(text: str, how: str) -> bytes:
    if how == "utf8":
        return text.encode("utf-8")
    if how == "hex":
        return binascii.unhexlify(text)
    if how == "base64":
        return base64.b64decode(text, validate=True)
    if how == "base64url":
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    found = UUID(text)
    if str(found) != text.lower():
        raise ValueError("UUID() takes braces and other spellings, too")
    return found.bytes


def number_of_bytes(value: Any, to: str, order: str = "little") -> int:
    """Binary data as a signed number of the type. Raises Inconvertible."""
    content = bytes(value)
    _check_length(value, content, to)
    return int.from_bytes(content, "big" if order == "big" else "little", signed=True)


def double_of_bytes(value: Any, order: str = "little") -> float:
    """Binary data as IEEE 754, of single or double precision. Raises Inconvertible."""
    content = bytes(value)
    _check_length(value, content, "double")
    letter = "d" if len(content) == struct.calcsize("d") else "f"
    return float(struct.unpack(f"{'>' if order == 'big' else '<'}{letter}", content)[0])


def _check_length(value: Any, content: bytes, to: str) -> None:
    if len(content) not in LENGTHS[to]:
        lengths = ", ".join(map(str, LENGTHS[to]))
        raise failed(value, to, f"it has {len(content)} bytes, which should be one of {lengths}")


def bytes_of(value: Any, subtype: int, how: str | None, order: str) -> Any:
    """Text, a number or binary data as binary data. Raises Inconvertible, or Poison without a format."""
    kind = type_name(value)
    if kind == "string":
        if how is None:
            raise Poison("$convert: format must be specified when converting from 'string' to 'binData'")
        return bytes_of_text(value, how, subtype)
    if kind == "binData":
        if subtype_of(value) != subtype:
            raise failed(value, "binData", "its subtype cannot be changed")
        return value
    sign = ">" if order == "big" else "<"
    letter = {"int": "i", "long": "q", "double": "d"}.get(kind)
    if letter is None:
        raise unsupported(value, "binData")
    return binary(struct.pack(f"{sign}{letter}", value), subtype)


def number_from_binary(value: Any, to: str, order: str) -> Any:
    """Binary data as an int, long or double, in an order of bytes. Raises Inconvertible."""
    if to == "double":
        return double_of_bytes(value, order)
    found = number_of_bytes(value, to, order)
    return as_long(found) if to == "long" else found


def numbers_of_vector(vector: Binary) -> list[int | float]:
    """The numbers of binary data of the subtype 9. Raises ValueError where it holds none."""
    try:
        found = vector.as_vector()
    except (struct.error, IndexError) as error:
        raise ValueError(str(error)) from None
    if found.dtype is BinaryVectorDtype.PACKED_BIT:
        raise ValueError("a vector of bits")
    return list(found.data)
