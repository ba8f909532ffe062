"""The hash of a value that a hashed index has for it: 64 bits of MD5 over its type and bytes.

The manual's page on `_hashBSONElement` shows hashes of dates; the numbers of a test come from there.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Any, Final

import bson
from bson import Code, Int64

from workers.pipeline.numbers import to_decimal
from workers.pipeline.values import INT64_MAX, INT64_MIN, MISSING, bracket, is_nan, is_number

_SEED: Final = 0
# What a document around one field with an empty name adds: its length, the type, the name's end; and its end.
_BEFORE, _AFTER = 6, 1
_END: Final = 0


def hashed_key(value: Any) -> Int64:
    """The hash as a long; 1, 1.0 and 1.5 have the same. A missing value counts as null."""
    digest = hashlib.md5(struct.pack("<i", _SEED), usedforsecurity=False)
    _add(digest.update, None if value is MISSING else value, None)
    return Int64(struct.unpack("<q", digest.digest()[:8])[0])


def _add(update: Callable[[bytes], None], value: Any, name: str | None) -> None:
    update(struct.pack("<i", bracket(value)))
    if name is not None:
        update(name.encode("utf-8", "surrogatepass") + b"\0")
    if is_number(value):
        update(struct.pack("<q", _as_long(value)))
    elif isinstance(value, dict | list):
        _add_fields(update, value)
    elif isinstance(value, Code) and value.scope is not None:
        update(str(value).encode() + b"\0")
        _add_fields(update, dict(value.scope))
    elif value.__class__ is str:
        text = value.encode("utf-8", "surrogatepass") + b"\0"
        update(struct.pack("<i", len(text)) + text)
    else:
        update(bson.encode({"": value})[_BEFORE:-_AFTER])


def _add_fields(update: Callable[[bytes], None], value: dict[str, Any] | list[Any]) -> None:
    fields = value.items() if isinstance(value, dict) else ((str(i), item) for i, item in enumerate(value))
    for name, item in fields:
        _add(update, item, name)
    update(struct.pack("<i", _END) + b"\0")


def _as_long(value: Any) -> int:
    """A number cut to 64 bits, NaN as 0."""
    if is_nan(value):
        return 0
    number = to_decimal(value)
    if not number.is_finite() or number.adjusted() > len(str(INT64_MAX)):
        return INT64_MAX if number > 0 else INT64_MIN
    return max(INT64_MIN, min(INT64_MAX, int(value if not hasattr(value, "to_decimal") else number)))
