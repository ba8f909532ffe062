"""The HTTP server for metrics and health: known paths, other paths, a busy port, the end."""

from __future__ import annotations

import aiohttp
import pytest

from workers.adapters.health_http import Answer, HealthServer
from workers.errors import Fatal


async def test_paths_are_answered_with_status_text_and_type() -> None:
    """GET and HEAD on what is known, 404 on the rest, 405 on what would change something."""
    server = HealthServer({"/livez": lambda: Answer(503, "no\n", "application/json")})
    address = await server.start("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession(address) as client:
            async with client.get("/livez") as answer:
                assert (answer.status, await answer.text()) == (503, "no\n")
                assert answer.headers["Content-Type"] == "application/json"
            async with client.head("/livez") as answer:
                assert answer.status == 503
            async with client.get("/other") as answer:
                assert answer.status == 404
            async with client.post("/livez", data=b"x") as answer:
                assert answer.status == 405
    finally:
        await server.close()
        await server.close()


async def test_an_answer_that_fails_is_a_500_and_the_next_one_is_served() -> None:
    """A bug in one page does not take the probes with it."""

    def broken() -> Answer:
        raise RuntimeError("planted")

    server = HealthServer({"/status": broken, "/livez": lambda: Answer(200, "yes\n")})
    address = await server.start("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession(address) as client:
            async with client.get("/status") as answer:
                assert answer.status == 500
                assert "planted" not in await answer.text()
            async with client.get("/livez") as answer:
                assert answer.status == 200
    finally:
        await server.close()


async def test_a_busy_port_is_fatal_and_says_what_to_do() -> None:
    """No traceback of a library: the address, the reason, the way out."""
    first, second = HealthServer({}), HealthServer({})
    address = await first.start("127.0.0.1", 0)
    try:
        with pytest.raises(Fatal, match=r"serving metrics on 127\.0\.0\.1:\d+: .*; name another port"):
            await second.start("127.0.0.1", int(address.rpartition(":")[2]))
    finally:
        await first.close()
        await second.close()


async def test_a_host_that_is_none_is_fatal_too() -> None:
    """A name that does not resolve, or an address of another machine."""
    server = HealthServer({})
    with pytest.raises(Fatal, match=r"serving metrics on 192\.0\.2\.1:0: "):
        await server.start("192.0.2.1", 0)
    await server.close()
