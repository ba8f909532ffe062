"""`context.http`: the host sends requests for functions, within its allow list and its bounds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.fakes.function_host import embedded_host, write_functions
from workers.functions import HostSettings


async def _answer(request: web.BaseRequest) -> web.StreamResponse:
    path = request.path
    if path.startswith("/to/"):
        return web.Response(status=302, headers={"Location": request.query["place"]})
    if path == "/large":
        return web.Response(body=b"x" * 2000)
    if path == "/slow":
        await asyncio.sleep(1)
    shown = {
        "method": request.method,
        "url": str(request.rel_url),
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "body": await request.text(),
    }
    answer = web.json_response(shown, headers={"X-Two": "a"})
    answer.headers.add("X-Two", "b")
    answer.set_cookie("seen", "yes")
    return answer


@asynccontextmanager
async def _site() -> AsyncIterator[str]:
    """A server that tells what it was asked: `127.0.0.1:port`."""
    runner = web.ServerRunner(web.Server(_answer), shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _ask(
    tmp_path: Path, source: str, *, seconds: float = 20.0, allow: tuple[str, ...] | None = None
) -> Any:
    """Run `source` with the site's address as its event; its result, or its error's text."""
    write_functions(tmp_path, {"f.js": f"exports = async (site) => {{ {source} }}"})
    async with _site() as site:
        settings = HostSettings(
            http_allow=(site,) if allow is None else allow, http_seconds=seconds, http_response_bytes=1500
        )
        async with embedded_host(tmp_path, settings) as host:
            answer = await host.call("f", site)
    return answer.json()["errorMessage"] if answer.function_error else answer.json()


async def test_an_answer_has_its_status_headers_cookies_and_body(tmp_path: Path) -> None:
    """As App Services' documentation shapes it; the body is BSON.Binary."""
    found = await _ask(
        tmp_path,
        """const got = await context.http.post({ url: `http://${site}/a?b=1`, body: { c: [1] },
           encodeBodyAsJSON: true, headers: { "X-One": ["1", "2"] }, cookies: { d: "4" } });
           return { ...got, body: EJSON.parse(got.body.text()), type: got.body._bsontype };""",
    )
    assert (found["statusCode"], found["status"], found["type"]) == (200, "200 OK", "Binary")
    assert found["headers"]["X-Two"] == ["a", "b"]
    assert found["cookies"] == {"seen": "yes"}
    asked = found["body"]
    assert (asked["method"], asked["url"], asked["body"]) == ("POST", "/a?b=1", '{"c":[1]}')
    assert asked["headers"]["x-one"] == "1, 2"
    assert asked["headers"]["cookie"] == "d=4"
    assert asked["headers"]["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            "get({ scheme: 'http', host: site, path: 'p', query: { q: ['1', '2'] } })",
            ("GET", "/p?q=1&q=2", ""),
        ),
        ("put({ url: `http://${site}/`, body: BSON.Binary.fromHex('616263') })", ("PUT", "/", "abc")),
        ("patch({ url: `http://${site}/`, form: { a: 'b c' } })", ("PATCH", "/", "a=b+c")),
        ("delete({ url: `http://${site}/x` })", ("DELETE", "/x", "")),
        ("send({ method: 'post', url: `http://${site}/`, body: 'text' })", ("POST", "/", "text")),
        ("get({ url: `http://${site}/to/?place=/end`, followRedirects: true })", ("GET", "/end", "")),
    ],
)
async def test_every_method_and_body(tmp_path: Path, call: str, expected: tuple[str, str, str]) -> None:
    """What the site was asked."""
    found = await _ask(tmp_path, f"return JSON.parse((await context.http.{call}).body.text())")
    assert (found["method"], found["url"], found["body"]) == expected


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("get({ url: 'http://example.com/' })", "example.com:80 is not in the function host's allow list"),
        ("get({ url: `http://${site}/to/?place=http://example.com/`, followRedirects: true })",
         "example.com:80 is not in the function host's allow list"),
        ("get({ url: 'file:///etc/passwd' })", "only http:// and https://"),
        ("get({ url: `http://${site}/large` })", "the answer is over 1500 bytes"),
        ("get({ url: `http://${site}/`, digestAuth: true })", "digestAuth: not in Penstock"),
        ("get({ url: `http://${site}/`, headers: { a: ['b\\r\\nc: d'] } })", "the end of a line"),
        ("post({ url: `http://${site}/`, body: {} })", "set encodeBodyAsJSON"),
        ("send({ method: 'TRACE', url: `http://${site}/` })", "'TRACE' is none of"),
        ("get({ url: 'http://127.0.0.1:1/' })", "127.0.0.1:1 is not in"),
    ],
)  # fmt: skip
async def test_what_is_refused_says_so(tmp_path: Path, call: str, text: str) -> None:
    """A host that is not allowed, also behind a redirect; a scheme, an option, a header, a size."""
    assert text in await _ask(tmp_path, f"return await context.http.{call}")


async def test_a_slow_answer_is_given_up(tmp_path: Path) -> None:
    """The function learns of it within the host's bound."""
    text = await _ask(tmp_path, "return await context.http.get({ url: `http://${site}/slow` })", seconds=0.3)
    assert text.endswith("no whole answer from 127.0.0.1 within 0.3 seconds")


async def test_metadata_addresses_are_out_of_reach_whatever_the_list_says(tmp_path: Path) -> None:
    """By address and mapped address; a pattern does not open inner addresses either."""
    places = ["169.254.169.254", "[::ffff:a9fe:a9fe]", "[fe80::1]", "127.0.0.1"]
    source = f"""const said = [];
      for (const place of {json.dumps(places)})
        await context.http.get({{ url: `http://${{place}}/` }}).catch((error) => said.push(error.message));
      return said;"""
    said = await _ask(tmp_path, source, allow=("*", "169.254.169.254"))
    assert ["no request goes there" in text for text in said] == [True] * 3 + [False]
    assert "an inner address" in said[-1]
