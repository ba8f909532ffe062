"""What a function behind API Gateway returns, as an HTTP answer. Pure.

`{statusCode, headers, multiValueHeaders, cookies, body, isBase64Encoded}`: anything else in these fields is a
malformed answer, which API Gateway and this module answer with one error of their own.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from workers.functions.events.http_call import HttpAnswer

# Of the connection, not of the answer: the host's server sets them itself.
_OF_THE_CONNECTION: Final = frozenset(
    "connection content-length keep-alive proxy-authenticate te trailer transfer-encoding upgrade".split()
)
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


class Malformed(ValueError):
    """The function returned no answer that can be sent."""


def proxy_answer(found: Mapping[str, Any], default_type: str) -> HttpAnswer:
    """The answer that `found` describes; without a type of its own it is `default_type`. Raises Malformed."""
    headers = list(_headers(found))
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", default_type))
    return HttpAnswer(_status(found.get("statusCode")), headers, _body(found))


def _status(found: Any) -> int:
    if isinstance(found, str) and found.isascii() and found.isdigit():
        found = int(found)
    if not isinstance(found, int) or isinstance(found, bool) or not 200 <= found <= 599:
        raise Malformed("statusCode")
    return found


def _body(found: Mapping[str, Any]) -> bytes:
    body = found.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise Malformed("body")
    try:
        if found.get("isBase64Encoded") is True:
            return base64.b64decode(body, validate=True)
        return body.encode()
    except ValueError:
        raise Malformed("body") from None


def _headers(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Single and multiple values; of a header that stands in both, the multiple ones."""
    single, multiple = found.get("headers") or {}, found.get("multiValueHeaders") or {}
    cookies = found.get("cookies") or []
    if not isinstance(single, dict) or not isinstance(multiple, dict) or not isinstance(cookies, list):
        raise Malformed("headers")
    several = {name.lower() for name in multiple}
    for name, value in single.items():
        if name.lower() not in several:
            yield from _header(name, value)
    for name, values in multiple.items():
        if not isinstance(values, list):
            raise Malformed("multiValueHeaders")
        for value in values:
            yield from _header(name, value)
    for cookie in cookies:
        yield from _header("Set-Cookie", cookie)


def _header(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, bool):
        value = "true" if value else "false"
    if not isinstance(value, str | int | float) or not _NAME.fullmatch(name):
        raise Malformed("headers")
    text = str(value)
    if not _VALUE.fullmatch(text):
        raise Malformed("headers")
    if name.lower() not in _OF_THE_CONNECTION:
        yield name, text
