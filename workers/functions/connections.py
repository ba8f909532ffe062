"""The connections of the function host, and the short way of plain calls.

A call with a body of known length is cut from the stream, run and answered here, without a task, a stream or
a response object. Everything else, such as other pages, chunked bodies, `Expect`, HTTP/1.0, a body over its
limit or a malformed head, is handed to aiohttp's server as it arrived, and the connection stays there. Heads
are read by aiohttp's parser (llhttp) here too, so both ways understand the same.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser
from multidict import CIMultiDictProxy

from workers.functions import answers, http_answer
from workers.functions.admission import Admission
from workers.functions.answers import ApiError
from workers.functions.call import Outcome
from workers.functions.http_answer import Answer
from workers.functions.http_body import Bodies, Room
from workers.functions.http_request import authenticates
from workers.functions.invocations import LIMITS, PREFIX, Functions, Invocations, Known, wishes_of
from workers.functions.settings import (
    CONNECTION_IDLE_SECONDS,
    MAX_HEAD_BYTES,
    PIPELINED_BYTES,
    REFUSED_SECONDS,
    REMEMBERED_HEADS,
    REQUEST_PAUSE_SECONDS,
)

log = logging.getLogger("penstock.functions")

_FIRST: Final = b"POST " + PREFIX.encode()
_SWEEP_SECONDS: Final = 5.0
_UNUSUAL: Final = (hdrs.TRANSFER_ENCODING, hdrs.EXPECT, hdrs.UPGRADE)


class Head(NamedTuple):
    """A plain call's head. It serves as the `RequestHead` of its call."""

    method: str
    raw_path: str
    headers: CIMultiDictProxy[str]
    remote: str
    length: int
    """Bytes of the body that follows."""
    known: Known | None


class Connections:
    """Every connection that has sent nothing but plain calls so far; makes new ones for the listener."""

    def __init__(
        self, functions: Functions, invocations: Invocations, others: web.Server, bodies: Bodies, most: int
    ) -> None:
        """At most `most` connections are open at once, those that became `others`' with them."""
        self.invocations, self.dispatch, self.bodies = invocations, functions.dispatch, bodies
        self.admission = Admission(most)
        self.others: Callable[[], asyncio.BaseProtocol] = others
        self.loop = asyncio.get_running_loop()
        self._functions = functions
        self._parses = BaseProtocol(self.loop)
        self._heads: dict[bytes, Head] = {}
        self._open: set[Connection] = set()
        self._all_left: asyncio.Future[None] | None = None
        self._sweeper = self.loop.call_later(_SWEEP_SECONDS, self._sweep)

    def __call__(self) -> Connection:
        """The protocol of a new connection."""
        return Connection(self)

    def opened(self, connection: Connection) -> None:
        """A connection is here to be swept and closed."""
        self._open.add(connection)

    def left(self, connection: Connection) -> None:
        """It is closed, or aiohttp's. Idempotent."""
        self._open.discard(connection)
        if self._all_left is not None and not self._open and not self._all_left.done():
            self._all_left.set_result(None)

    def head(self, remote: str, raw: bytes) -> Head | None:
        """The head of a plain call; None for whatever else these bytes are."""
        key = remote.encode() + raw
        found = self._heads.get(key)
        if found is not None:
            return found
        made = self._parse(remote, raw)
        if made is not None and made.known is not None and _comes_again(made, made.known):
            if len(self._heads) >= REMEMBERED_HEADS:
                self._heads.clear()
            self._heads[key] = made
        return made

    def _parse(self, remote: str, raw: bytes) -> Head | None:
        if not raw.startswith(_FIRST):
            return None
        parser = HttpRequestParser(
            self._parses,
            self.loop,
            PIPELINED_BYTES,
            max_line_size=MAX_HEAD_BYTES,
            max_field_size=MAX_HEAD_BYTES,
            max_headers=128,
        )
        try:
            messages, upgraded, _ = parser.feed_data(raw)
        except HttpProcessingError:  # aiohttp's server says it to the caller
            return None
        if len(messages) != 1:
            return None
        message = messages[0][0]
        headers = message.headers
        lengths = headers.getall(hdrs.CONTENT_LENGTH, ())
        if (
            upgraded
            or message.should_close
            or message.version != HttpVersion11
            or len(lengths) != 1
            or any(name in headers for name in _UNUSUAL)
        ):
            return None
        head = Head(message.method, message.path, headers, remote, int(lengths[0]), None)
        try:
            wishes = wishes_of(head)
        except ApiError:
            return None
        if head.length > LIMITS[wishes.invocation_type]:
            return None
        return head._replace(known=self.invocations.known(head, wishes))

    async def close(self, seconds: float) -> None:
        """Close all of them; who reads its last answer slowly gets `seconds` for it."""
        self._sweeper.cancel()
        for connection in list(self._open):
            connection.close()
        if self._open:
            self._all_left = self.loop.create_future()
            await asyncio.wait({self._all_left}, timeout=seconds)
        for connection in list(self._open):
            connection.abort()

    def _sweep(self) -> None:
        now = self.loop.time()
        for connection in list(self._open):
            connection.close_when_silent(now)
        self._sweeper = self.loop.call_later(_SWEEP_SECONDS, self._sweep)


class Connection(asyncio.Protocol):
    """One connection: its calls one after the other, answered in their order."""

    __slots__ = (
        "_all",
        "_blocked",
        "_busy",
        "_closes",
        "_heard",
        "_held",
        "_inner",
        "_is_served",
        "_known",
        "_paused",
        "_refused",
        "_remote",
        "_room",
        "_task",
        "_transport",
        "_waits_for",
    )

    def __init__(self, connections: Connections) -> None:
        self._all = connections
        self._inner: Any = None  # aiohttp's protocol, once the connection is its
        self._held: bytes | bytearray = b""  # what has come of the next call
        self._waits_for: tuple[Head, int] | None = None  # a call whose body is not whole, and its start
        self._known: Known  # of the call that runs
        self._room = Room(connections.bodies)
        self._busy = self._blocked = self._paused = self._closes = self._refused = False
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to listen."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        peer = transport.get_extra_info("peername")
        self._remote = str(peer[0]) if isinstance(peer, (list, tuple)) and peer else str(peer or "")
        line = transport.get_extra_info("socket")
        if line is not None and line.family != socket.AF_UNIX:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._heard = self._all.loop.time()
        self._all.opened(self)
        self._is_served = self._all.admission.enter()
        if not self._is_served:
            self._all.loop.call_later(0 if self._all.admission.is_overrun else REFUSED_SECONDS, self.abort)

    def connection_lost(self, problem: Exception | None) -> None:
        """A call that runs goes on; nobody gets its answer."""
        self._all.left(self)
        self._all.admission.leave(is_served=self._is_served)
        self._held = b""
        if not self._busy:
            self._room.let_go()
        if self._inner is not None:
            self._inner.connection_lost(problem)

    def eof_received(self) -> bool | None:
        """The caller closes."""
        return None if self._inner is None else self._inner.eof_received()

    def pause_writing(self) -> None:
        """The caller does not read its answers: none of its further calls is run until it does."""
        self._blocked = True
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """It reads again."""
        self._blocked = False
        if self._inner is not None:
            self._inner.resume_writing()
        elif not self._busy and self._held:
            self._all.loop.call_soon(self._go_on)

    def data_received(self, data: bytes) -> None:
        """Take a call when it is whole; hold what comes while one runs, within a bound."""
        if self._inner is not None:
            self._inner.data_received(data)
            return
        if not self._is_served or self._refused:
            if not self._refused:
                self._refuse(self._all.admission.refusal())
            return
        held: bytes | bytearray = self._hold(data) if self._held else data
        if not self._busy and not self._blocked:
            self._heard = self._all.loop.time()
            self._next(held)
            return
        if held is data:
            held = self._hold(data)
        if len(held) > PIPELINED_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def close(self) -> None:
        """After the answer to the call that runs."""
        self._closes = True
        if not self._busy:
            self._transport.close()

    def abort(self) -> None:
        """At once."""
        self._transport.abort()

    def close_when_silent(self, now: float) -> None:
        """Close a connection whose caller has been silent for too long, within a call or between two."""
        most = REQUEST_PAUSE_SECONDS if self._held else CONNECTION_IDLE_SECONDS
        if not self._busy and not self._blocked and now - self._heard > most:
            self._transport.close()

    def _hold(self, data: bytes) -> bytearray:
        held = self._held
        if not isinstance(held, bytearray):
            self._held = held = bytearray(held)
        held += data
        return held

    def _go_on(self) -> None:
        """Look at what came while a call ran."""
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        if self._held and not self._busy and not self._blocked and self._inner is None:
            self._next(self._held)

    def _next(self, held: bytes | bytearray) -> None:
        """Run the call that `held` begins with, when it is whole."""
        if self._waits_for is not None:
            head, start = self._waits_for
        else:
            start = held.find(b"\r\n\r\n") + 4
            if start < 4:
                if len(held) > MAX_HEAD_BYTES or not _may_become_call(held):
                    self._hand_over(held)
                elif held is not self._held:
                    self._hold(bytes(held))
                return
            found = self._all.head(self._remote, bytes(held[:start]))
            if found is None:
                self._hand_over(held)
                return
            head = found
            if head.length > PIPELINED_BYTES:
                try:
                    self._room.take(head.length)
                except ApiError as error:
                    self._refuse(error)
                    return
        end = start + head.length
        if len(held) < end:
            self._waits_for = head, start
            if held is not self._held:
                self._hold(bytes(held))
            return
        self._waits_for = None
        body = bytes(held[start:end])
        self._held = b"" if len(held) == end else bytearray(held[end:])
        self._serve(head, body)

    def _refuse(self, error: ApiError) -> None:
        """Say so and take no more; what still comes is dropped for a moment, so that the answer is read."""
        self._refused = True
        self._held = b""
        answer = http_answer.refused(error, self._all.dispatch.new_id())
        closing = answer._replace(headers={**answer.headers, hdrs.CONNECTION: "close"})
        self._transport.write(http_answer.as_bytes(closing))
        if self._transport.can_write_eof():  # TLS cannot
            self._transport.write_eof()
        self._all.loop.call_later(REFUSED_SECONDS, self.abort)

    def _hand_over(self, held: bytes | bytearray) -> None:
        self._all.left(self)
        self._held = b""
        self._inner = self._all.others()
        self._inner.connection_made(self._transport)
        self._inner.data_received(bytes(held))

    def _serve(self, head: Head, body: bytes) -> None:
        self._busy = True
        request_id = self._all.dispatch.new_id()
        known = head.known
        if known is not None:
            try:
                self._known = known
                if self._all.invocations.begin(known, body, request_id, self._ended):
                    return
            except Exception as problem:
                self._write(_refusal(problem, request_id))
                return
        self._task = self._all.loop.create_task(self._invoke(head, body, request_id))

    def _ended(self, request_id: str, outcome: asyncio.Future[Outcome]) -> None:
        try:
            answer = self._all.invocations.finished(self._known, outcome.result(), request_id)
        except Exception as problem:
            answer = _refusal(problem, request_id)
        self._write(answer)

    async def _invoke(self, head: Head, body: bytes, request_id: str) -> None:
        try:
            answer = await self._all.invocations.invoke(head, wishes_of(head), body, request_id)
        except Exception as problem:
            answer = _refusal(problem, request_id)
        self._task = None
        self._write(answer)

    def _write(self, answer: Answer) -> None:
        self._busy = False
        self._room.let_go()
        transport = self._transport
        if transport.is_closing():
            return
        transport.write(http_answer.as_bytes(answer))
        self._heard = self._all.loop.time()
        if self._closes:
            transport.close()
        elif self._held:
            self._all.loop.call_soon(self._go_on)


def _refusal(problem: Exception, request_id: str) -> Answer:
    if isinstance(problem, ApiError):
        return http_answer.refused(problem, request_id)
    log.error("call failed in the host", extra={"request_id": request_id}, exc_info=problem)
    return http_answer.refused(answers.broken("The function host failed."), request_id)


def _may_become_call(held: bytes | bytearray) -> bool:
    """Whether a head that is not whole yet could be a plain call's: what cannot is refused without delay."""
    begins = held.startswith(_FIRST) if len(held) >= len(_FIRST) else _FIRST.startswith(held)
    return begins and held.count(b"\n") == held.count(b"\r\n")


def _comes_again(head: Head, known: Known) -> bool:
    """Heads that differ from call to call are not worth the room, and what proves who calls is kept
    nowhere."""
    return not known.wishes.client_context and not any(map(authenticates, head.headers))
