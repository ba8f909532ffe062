"""What a request to the host is answered with, and its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time

from workers.functions.answers import ApiError

_REASONS = {200: "OK", 202: "Accepted", 204: "No Content"}
_JSON = "application/json"


class Answer(NamedTuple):
    """A whole answer. The headers' values are the host's own texts, without line ends; 202 and 204 have no
    body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


def refused(error: ApiError, request_id: str) -> Answer:
    """The API's error in AWS's shape."""
    headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": error.code}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    return Answer(error.status, headers, error.body())


def as_bytes(answer: Answer) -> bytes:
    """HTTP/1.1, for a connection that stays open."""
    status, headers, body = answer
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    date = rfc822_formatted_time()
    if status == 200:  # the everyday case
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {_JSON}\r\nContent-Length: {len(body)}\r\n"
            f"Date: {date}\r\n{lines}\r\n"
        )
        return head.encode("latin-1") + body
    reason = _REASONS.get(status) or web.Response(status=status).reason
    kind = f"Content-Type: {_JSON}\r\n" if body else ""
    length = "" if status == 204 else f"Content-Length: {len(body)}\r\n"
    head = f"HTTP/1.1 {status} {reason}\r\n{kind}{length}Date: {date}\r\n{lines}\r\n"
    return head.encode("latin-1") + body


def as_response(answer: Answer) -> web.Response:
    """For aiohttp's server."""
    if not answer.body:
        return web.Response(status=answer.status, headers=answer.headers)
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body, content_type=_JSON)
