"""Paths, query strings and headers of a request, as text that can do no more than it says. Pure.

What a document puts into them stays where it was put: no text begins a query, a fragment, another header or
another host, or climbs out of the connection's path.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from bson import Decimal128

from workers.errors import Poison
from workers.pipeline.values import is_number, type_name

# RFC 3986: what may stand in a segment as it is, and the slash between segments.
_IN_PATH: Final = frozenset(b"-._~!$&'()*+,;=:@/") | frozenset(
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
_IN_QUERY: Final = _IN_PATH - frozenset(b"!$&'()*+,;=:@/")
_PATH: Final = [chr(byte) if byte in _IN_PATH else f"%{byte:02X}" for byte in range(256)]
_QUERY: Final = [chr(byte) if byte in _IN_QUERY else f"%{byte:02X}" for byte in range(256)]
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")
# Servers that decode a path before they cut it see a slash in %2F, some one in a backslash; what stands after
# a semicolon is no part of a segment to others.
_CUT: Final = re.compile(r"/|\\|%2[fF]|%5[cC]")
_DOTS: Final = re.compile(r"(?:\.|%2[eE]){1,2}(?:(?:;|%3[bB]).*)?", re.DOTALL)

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
OWN_HEADERS: Final = frozenset({
    "connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
"""Headers that are the client's own: another value would reach another host, or end the request elsewhere."""


def path_text(value: Any) -> str:
    """A path behind a URL: empty, or one that begins with a slash; Poison where it is no string or leads
    upwards. Percent escapes stay as they are."""
    if value.__class__ is not str:
        raise Poison(f"the path must be a string, not {type_name(value)}")
    path = value.lstrip("/")
    for segment in _CUT.split(path):
        if _DOTS.fullmatch(segment):
            raise Poison("the path holds '.' or '..' as a segment")
    if not path:
        return ""
    encoded: list[str] = ["/"]
    end = 0
    for escape in _ESCAPE.finditer(path):
        encoded += [_encoded(path[end : escape.start()], _PATH), escape[0]]
        end = escape.end()
    encoded.append(_encoded(path[end:], _PATH))
    return "".join(encoded)


def parameter_text(name: str, value: Any) -> str:
    """`name=value` of a query string; Poison where the value is no number, string or boolean."""
    if value.__class__ is str:
        text: str = value
    elif value.__class__ is bool:
        text = "true" if value else "false"
    elif is_number(value):
        text = _number(name, value)
    else:
        raise Poison(f"the parameter {name!r} must be a number, string or boolean, not {type_name(value)}")
    return f"{_encoded(name, _QUERY)}={_encoded(text, _QUERY)}"


def target_of(path: str, *parameters: str) -> str:
    """Path and query together."""
    return f"{path}?{'&'.join(parameters)}" if parameters else path


def header_text(name: str, value: Any) -> tuple[str, str] | None:
    """A header; None for a value that HTTP does not have, which is left out. Poison where it is no string."""
    if value.__class__ is not str:
        raise Poison(f"the header {name!r} must be a string, not {type_name(value)}")
    return (name, value.strip(" \t")) if _HEADER_VALUE.fullmatch(value) else None


def headers_of(*found: tuple[str, str] | None) -> tuple[tuple[str, str], ...]:
    """Those that can be sent."""
    return tuple(header for header in found if header is not None)


def is_header_name(name: str) -> bool:
    """Whether HTTP has such a name."""
    return _HEADER_NAME.fullmatch(name) is not None


def is_header_value(value: str) -> bool:
    """Whether HTTP has such a value: no line ends and no characters beyond Latin-1."""
    return _HEADER_VALUE.fullmatch(value) is not None


def _number(name: str, value: Any) -> str:
    finite = math.isfinite(value) if value.__class__ is not Decimal128 else value.to_decimal().is_finite()
    if not finite:
        raise Poison(f"the parameter {name!r} is {value}, which is no number to send")
    return str(value)


def _encoded(text: str, table: list[str]) -> str:
    try:
        return "".join([table[byte] for byte in text.encode()])
    except UnicodeEncodeError:
        raise Poison("a lone surrogate cannot be sent") from None
