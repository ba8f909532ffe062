"""Reading the body of a request within its bound, and whether it is JSON."""

from __future__ import annotations

import json

import orjson
from aiohttp import HttpVersion11, web

from workers.functions import answers


async def read_body(request: web.BaseRequest, limit_bytes: int, invocation_type: str) -> bytes:
    """The whole body. Raises ApiError 413 before it holds more than `limit_bytes` and one read.

    The announced length is not trusted alone: chunked bodies announce none.
    """
    if not request.can_read_body:
        return b""
    if (request.content_length or 0) > limit_bytes:
        raise answers.too_large(limit_bytes, invocation_type)
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    content = request.content
    body = await content.readany()
    if content.at_eof():
        if len(body) > limit_bytes:
            raise answers.too_large(limit_bytes, invocation_type)
        return body
    pieces = bytearray(body)
    while not content.at_eof():
        pieces += await content.readany()
        if len(pieces) > limit_bytes:
            raise answers.too_large(limit_bytes, invocation_type)
    return bytes(pieces)


def check_json(body: bytes) -> None:
    """Raises ApiError 400. Half of a surrogate pair is refused by orjson and legal JSON text: asked again."""
    if not body:
        return
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        try:
            json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise answers.bad_content(f"Could not parse request body into json: {problem}") from problem


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
