"""Requests as they arrive on a connection: in pieces, ahead of time, malformed; whichever way they take."""

from __future__ import annotations

import asyncio
import itertools
import re
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.function_host import EmbeddedHost, embedded_host, start_host_process, write_functions
from tests.fakes.waiting import until
from workers.functions import HostSettings, admission, connections
from workers.functions.host_calls import Asker

ECHO = "exports = (event) => event"
HEADERS = "exports = () => [context.request.requestHeaders, context.request.remoteIPAddress]"
SLOW = "exports = (event) => new Promise((settle) => setTimeout(() => settle(event), 50))"
SECONDS = 40.0


class _Line:
    """One connection, by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *pieces: bytes) -> None:
        """Each piece arrives alone."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def answer(self) -> tuple[int, bytes]:
        """The next answer: status and body."""
        async with asyncio.timeout(SECONDS):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            body = await self.reader.readexactly(int(length[1]) if length else 0)
        return int(head.split()[1]), body

    async def is_closed(self) -> bool:
        """Whether the host closes it and says nothing more."""
        async with asyncio.timeout(SECONDS):
            return await self.reader.read() == b""


@asynccontextmanager
async def _line(tmp_path: Path, settings: HostSettings | None = None) -> AsyncIterator[_Line]:
    write_functions(tmp_path, {"echo.js": ECHO, "slow.js": SLOW, "headers.js": HEADERS})
    async with embedded_host(tmp_path, settings) as host:
        port = int(host.host.endpoint.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield _Line(reader, writer)
        finally:
            writer.close()


def _call(body: bytes, name: str = "echo", *headers: str) -> bytes:
    lines = [f"POST /2015-03-31/functions/{name}/invocations HTTP/1.1", "Host: localhost", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


async def test_calls_sent_ahead_are_answered_in_their_order(tmp_path: Path) -> None:
    """Slow and fast ones, errors between them, other pages and chunked bodies at the end."""
    chunked = (
        b"POST /2015-03-31/functions/echo/invocations HTTP/1.1\r\nHost: localhost\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n1\r\n9\r\n0\r\n\r\n"
    )
    sent = [
        _call(b"1", "slow"),
        _call(b"2"),
        _call(b"{"),
        _call(b"3", "nope"),
        _call(b"4", "echo", "X-Amz-Invocation-Type: DryRun"),
        _call(b"5"),
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        chunked,
        _call(b"6"),
    ]
    async with _line(tmp_path) as line:
        await line.send(b"".join(sent))
        got = [await line.answer() for _ in sent]
    assert [status for status, _ in got] == [200, 200, 400, 404, 204, 200, 200, 200, 200]
    assert [got[at][1] for at in (0, 1, 5, 7, 8)] == [b"1", b"2", b"5", b"9", b"6"]


async def test_many_calls_sent_ahead_are_held_within_a_bound(tmp_path: Path) -> None:
    """Far more than the host takes at once: it stops reading, and every call is answered."""
    bodies = [b'"%d%s"' % (number, b"x" * 1000) for number in range(400)]
    async with _line(tmp_path) as line:
        line.writer.write(b"".join(map(_call, bodies)))
        got = [await line.answer() for _ in bodies]
    assert got == [(200, body) for body in bodies]


@pytest.mark.parametrize("size", [0, 1, 300, 200_000])
async def test_a_call_in_pieces_is_one_call(tmp_path: Path, size: int) -> None:
    """Cut within the first line, the head, its end and the body; then the next one, whole."""
    body = b'"%s"' % (b"x" * size)
    whole = _call(body)
    end = whole.index(b"\r\n\r\n")
    cuts = [0, 3, 30, end + 1, end + 3, end + 4, end + 5, len(whole) - 1, len(whole)]
    async with _line(tmp_path) as line:
        await line.send(*(whole[start:stop] for start, stop in itertools.pairwise(cuts)))
        assert await line.answer() == (200, body)
        await line.send(_call(b"1"))
        assert await line.answer() == (200, b"1")


@pytest.mark.parametrize(
    "head",
    [
        "Transfer-Encoding: chunked",
        "Content-Length: 1",
        "Content-Length: 3",
        "Content-Length : 1",
        "Transfer-Encoding: identity",
        "X-A: 1\nX-B: 2",
        "X-A\x00: 1",
        " folded: 1",
    ],
)
async def test_a_head_that_could_be_read_in_two_ways_is_refused(tmp_path: Path, head: str) -> None:
    """400 and the end of the connection: what follows is nobody's request."""
    async with _line(tmp_path) as line:
        await line.send(_call(b"1") + _call(b"1", "echo", head) + _call(b"2"))
        assert await line.answer() == (200, b"1")
        assert (await line.answer())[0] == 400
        assert await line.is_closed()


@pytest.mark.parametrize("length", ["-1", "+1", "1x", "0x1", "", "1 1"])
async def test_a_length_that_is_no_number_is_refused(tmp_path: Path, length: str) -> None:
    """400, whatever Python's int would make of it."""
    async with _line(tmp_path) as line:
        await line.send(_call(b"1").replace(b"Content-Length: 1", b"Content-Length: " + length.encode()))
        assert (await line.answer())[0] == 400


async def test_a_head_without_end_is_refused(tmp_path: Path) -> None:
    """Header lines are bounded, and so is what is held of them."""
    async with _line(tmp_path) as line:
        await line.send(_call(b"1")[:-5] + b"\r\nX-A: " + b"a" * 9_000)
        assert (await line.answer())[0] == 400


async def test_who_says_so_gets_its_connection_closed(tmp_path: Path) -> None:
    """`Connection: close`, after the answer."""
    async with _line(tmp_path) as line:
        await line.send(_call(b"1", "echo", "Connection: close"))
        assert await line.answer() == (200, b"1")
        assert await line.is_closed()


async def test_what_is_remembered_of_a_head_is_its_own(tmp_path: Path) -> None:
    """Two callers that differ in one header see their own, again and again."""
    async with _line(tmp_path) as line:
        for who in ("a", "b", "a", "b"):
            await line.send(_call(b"1", "headers", f"X-Who: {who}"))
            status, body = await line.answer()
            assert (status, f'"X-Who":["{who}"]'.encode() in body, b'"127.0.0.1"' in body) == (
                200,
                True,
                True,
            )


async def test_a_caller_that_leaves_takes_nobody_with_it(tmp_path: Path) -> None:
    """Within its call, in the middle of a body, in the middle of a head."""
    write_functions(tmp_path, {"echo.js": ECHO, "slow.js": SLOW})
    async with embedded_host(tmp_path) as host:
        port = int(host.host.endpoint.rpartition(":")[2])
        for piece in (_call(b"1", "slow"), _call(b"12345")[:-2], b"POST /2015-03-31/fun"):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(piece)
            await writer.drain()
            writer.transport.abort()
        assert (await host.call("slow", 7)).json() == 7


async def test_a_caller_that_stops_within_a_request_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the head or in the body. One that is idle between two calls stays, and so does one that waits."""
    monkeypatch.setattr(connections, "REQUEST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(connections, "_SWEEP_SECONDS", 0.005)
    write_functions(tmp_path, {"echo.js": ECHO, "slow.js": SLOW})
    async with embedded_host(tmp_path) as host:
        port = int(host.host.endpoint.rpartition(":")[2])
        idle, busy, in_head, in_body = [
            _Line(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(4)
        ]
        await idle.send(_call(b"1"))
        assert await idle.answer() == (200, b"1")
        await busy.send(_call(b"2", "slow"))
        await in_head.send(_call(b"3")[:30])
        await in_body.send(_call(b"33")[:-1])
        assert await in_head.is_closed()
        assert await in_body.is_closed()
        assert await busy.answer() == (200, b"2")
        await idle.send(_call(b"4"))
        assert await idle.answer() == (200, b"4")
        for line in (idle, busy, in_head, in_body):
            line.writer.close()


async def test_a_stop_answers_the_call_that_runs(tmp_path: Path) -> None:
    """And closes its connection, and the one that is idle."""
    ends = asyncio.Event()

    async def wait(asker: Asker, args: list[Any]) -> Any:
        return await ends.wait()

    source = "exports = async (event) => { if (event === 2) await context.wait(); return event }"
    write_functions(tmp_path, {"slow.js": source})
    async with embedded_host(tmp_path, host_functions={"wait": wait}) as host:
        port = int(host.host.endpoint.rpartition(":")[2])
        idle = _Line(*await asyncio.open_connection("127.0.0.1", port))
        await idle.send(_call(b"1", "slow"))
        assert await idle.answer() == (200, b"1")
        busy = _Line(*await asyncio.open_connection("127.0.0.1", port))
        await busy.send(_call(b"2", "slow"))
        await until(lambda: host.host.pool("slow").status()["running"] == 1)
        stopping = asyncio.create_task(host.host.stop(drain_seconds=40))
        await until(lambda: host.host.is_draining)
        ends.set()
        await stopping
        assert await busy.answer() == (200, b"2")
        assert await busy.is_closed()
        assert await idle.is_closed()
        idle.writer.close()
        busy.writer.close()


async def _lines(host: EmbeddedHost, count: int) -> list[_Line]:
    port = int(host.host.endpoint.rpartition(":")[2])
    return [_Line(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(count)]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is refused has the time of a busy machine to read why."""
    monkeypatch.setattr(connections, "REFUSED_SECONDS", SECONDS)


@pytest.mark.usefixtures("patient")
async def test_one_connection_too_many_is_told_so(tmp_path: Path) -> None:
    """503 and the end of it, whatever way the others went; once one is closed there is room."""
    write_functions(tmp_path, {"echo.js": ECHO})
    async with embedded_host(tmp_path, HostSettings(connections=2)) as host:
        plain, page, late = await _lines(host, 3)
        await page.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await page.answer())[0] == 200
        await late.send(_call(b"1"))
        status, body = await late.answer()
        assert (status, b"2 connections are open" in body) == (503, True)
        assert await late.is_closed()
        await plain.send(_call(b"2"))
        assert await plain.answer() == (200, b"2")
        page.writer.close()
        async with asyncio.timeout(SECONDS):
            while True:
                (again,) = await _lines(host, 1)
                await again.send(_call(b"3"))
                answer = await again.answer()
                again.writer.close()
                if answer == (200, b"3"):
                    break
        for line in (plain, late):
            line.writer.close()


async def test_who_is_refused_and_says_nothing_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a moment; and at once where so many are refused that their number is a burden."""
    monkeypatch.setattr(connections, "REFUSED_SECONDS", 0.02)
    monkeypatch.setattr(admission, "REFUSED_CONNECTIONS", 0)
    write_functions(tmp_path, {"echo.js": ECHO})
    async with embedded_host(tmp_path, HostSettings(connections=1)) as host:
        (served,) = await _lines(host, 1)
        await served.send(_call(b"1"))
        assert await served.answer() == (200, b"1")
        for most in (0, 1):
            monkeypatch.setattr(admission, "REFUSED_CONNECTIONS", most)
            (silent,) = await _lines(host, 1)
            assert await _is_cut_off(silent)
        await served.send(_call(b"2"))
        assert await served.answer() == (200, b"2")
        served.writer.close()


async def _is_cut_off(line: _Line) -> bool:
    try:
        return await line.is_closed()
    except ConnectionResetError:
        return True
    finally:
        line.writer.close()


@pytest.mark.usefixtures("patient")
async def test_bodies_of_all_calls_together_are_bounded(tmp_path: Path) -> None:
    """Neither way takes a body that there is no room for: 503 before it is read. What is announced counts; it
    is free again with the answer, and when its caller leaves."""
    write_functions(tmp_path, {"echo.js": ECHO})
    large = b'"%s"' % (b"x" * 100_000)
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(large), large)
    path = b"POST /2015-03-31/functions/echo/invocations HTTP/1.1\r\nHost: localhost\r\n"
    chunked = path + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    async with embedded_host(tmp_path, HostSettings(body_bytes=150_000)) as host:
        slow, plain, other, small = await _lines(host, 4)
        await slow.send(_call(large)[:-1])
        await small.send(_call(b"1"))  # the host has read what was sent before
        assert await small.answer() == (200, b"1")
        for line, call in ((plain, _call(large)), (other, chunked)):
            await line.send(call)
            status, body = await line.answer()
            assert (status, b"have bodies of 150000 bytes" in body) == (503, True)
        await slow.send(large[-1:])
        assert await slow.answer() == (200, large)
        await slow.send(_call(large)[:-1])
        slow.writer.transport.abort()
        async with asyncio.timeout(SECONDS):
            while True:
                (again,) = await _lines(host, 1)
                await again.send(chunked)
                answer = await again.answer()
                again.writer.close()
                if answer == (200, large):
                    break
        for line in (plain, other, small):
            line.writer.close()


def test_a_host_may_open_as_many_connections_as_the_system_lets_it(tmp_path: Path) -> None:
    """A soft limit of 1,024 descriptors, which is usual, would end before 1,024 connections."""
    write_functions(tmp_path, {"echo.js": ECHO})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
    try:
        host = start_host_process(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        assert resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        host.stop()
