"""Reading the body of a request within its bound and that of all bodies, and whether it is JSON."""

from __future__ import annotations

import json

import orjson
from aiohttp import HttpVersion11, web

from workers.functions import answers


class Bodies:
    """The bytes of all bodies that the host holds for calls without an answer."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.held_bytes = 0


class Room:
    """What one request holds of them."""

    __slots__ = ("_bodies", "_bytes")

    def __init__(self, bodies: Bodies) -> None:
        self._bodies, self._bytes = bodies, 0

    def take(self, count: int) -> None:
        """Room for so many bytes more. Raises ApiError 503."""
        bodies = self._bodies
        if bodies.held_bytes + count > bodies.most_bytes:
            raise answers.too_many(f"its open calls have bodies of {bodies.most_bytes} bytes")
        bodies.held_bytes += count
        self._bytes += count

    def let_go(self) -> None:
        """All of it. Idempotent."""
        self._bodies.held_bytes -= self._bytes
        self._bytes = 0


async def read_body(request: web.BaseRequest, limit_bytes: int, invocation_type: str, room: Room) -> bytes:
    """The whole body. Raises ApiError: 413 before it holds more than `limit_bytes` and one read, 503 where
    `room` ends.

    The announced length is not trusted alone: chunked bodies announce none.
    """
    if not request.can_read_body:
        return b""
    if (request.content_length or 0) > limit_bytes:
        raise answers.too_large(limit_bytes, invocation_type)
    announced = request.content_length
    room.take(announced or 0)
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    content = request.content
    pieces = bytearray()
    while not content.at_eof():
        piece = await content.readany()
        if announced is None:
            room.take(len(piece))
        pieces += piece
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
