"""`context.http` of functions: requests that the host sends for them, through its allow list.

A function's process has no socket. The host knows where a request may go: names it was told, and never an
address by which clouds hand out credentials, whatever name leads there.
"""

from __future__ import annotations

import asyncio
import base64
import fnmatch
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from workers.calls.addresses import forbidden, meant
from workers.functions.host_calls import Asker, HostFunction
from workers.functions.settings import HostSettings

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_MOST_REDIRECTS: Final = 10
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_READ_BYTES: Final = 65_536
# Headers that say for whom a request is: not carried to another origin by a redirect.
_OF_ONE_ORIGIN: Final = ("authorization", "cookie", "proxy-authorization")
_PARTS: Final = ("scheme", "host", "path", "query", "fragment", "username", "password")
_OPTIONS: Final = frozenset(
    {"url", "method", "headers", "cookies", "body", "base64", "json", "form", "followRedirects", *_PARTS}
)


class HttpRefused(Exception):
    """The request was not sent: its text says why and reaches the function."""


class HttpFailed(Exception):
    """The request was sent, or tried, and there is no whole answer."""


def is_allowed(host: str, port: int | None, allow: Sequence[str]) -> bool:
    """Whether a host stands in the allow list: `api.example.com`, `*.example.com`, `127.0.0.1:8080`, `*`.

    Without a port an entry allows every port."""
    plain = host.lower().rstrip(".")
    return any(
        fnmatch.fnmatchcase(f"{plain}:{port}" if _names_port(entry) else plain, entry.lower())
        for entry in allow
    )


def _names_port(entry: str) -> bool:
    return entry.rpartition(":")[2].isdigit() and entry.count(":") == 1


def refused_address(address: str, named: bool) -> str | None:
    """Why a request must not go to an address, or None. `named`: the allow list holds the host itself and not
    only a pattern that fits it; inner addresses need that, metadata addresses are never allowed."""
    what = forbidden(address)
    if what is not None:
        return f"is {what}: no request goes there"
    found = ipaddress.ip_address(address.partition("%")[0])
    reached = list(meant(getattr(found, "ipv4_mapped", None) or found))
    if any(one.is_multicast for one in reached):
        return "is no host's address"
    if not named and not all(one.is_global for one in reached):
        return "is an inner address: only a host that the allow list names itself may be there"
    return None


class _Resolver(AbstractResolver):
    """Looks names up and refuses what must not be reached: the address that was checked is the one that is
    connected to, so a name cannot change in between."""

    def __init__(self, allow: Sequence[str]) -> None:
        self._allow = frozenset(
            (entry.rpartition(":")[0] if _names_port(entry) else entry).lower() for entry in allow
        )
        self._inner = aiohttp.ThreadedResolver()

    def check(self, host: str, address: str) -> None:
        """Raises HttpRefused."""
        why = refused_address(address, host.lower() in self._allow)
        if why:
            raise HttpRefused(f"context.http: {host} leads to {address}, which {why}")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for one in found:
            self.check(host, one["host"])
        return found

    async def close(self) -> None:
        await self._inner.close()


class HttpCalls:
    """Sends the requests of all functions of a host. Made and closed on the event loop."""

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings
        self._resolver = _Resolver(settings.http_allow)
        connector = aiohttp.TCPConnector(
            resolver=self._resolver, limit=settings.http_connections, use_dns_cache=False
        )
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=True
        )

    def table(self) -> Mapping[str, HostFunction]:
        """What functions may ask for."""
        return {"http.send": self.send}

    async def close(self) -> None:
        """Close all connections; open requests fail."""
        await self._session.close()

    async def send(self, asker: Asker, args: list[Any]) -> dict[str, Any]:
        """One request: `{url | scheme, host, ..., method, headers, cookies, body | base64 | json, form,
        followRedirects}` to `{status, statusCode, contentLength, headers, cookies, body}`.

        Raises HttpRefused for what is not sent and HttpFailed for what has no answer; both reach the
        function."""
        options = args[0] if args and isinstance(args[0], dict) else {}
        unknown = sorted(options.keys() - _OPTIONS)
        if unknown:
            text = (
                f"context.http: {', '.join(unknown)}: not in Penstock; known: {', '.join(sorted(_OPTIONS))}"
            )
            raise HttpRefused(text)
        method = str(options.get("method") or "GET").upper()
        if method not in _METHODS:
            raise HttpRefused(f"context.http: the method {method[:20]!r} is none of {', '.join(_METHODS)}")
        url = _url(options)
        try:
            async with asyncio.timeout(self._settings.http_seconds):
                return await self._follow(method, url, options)
        except TimeoutError:
            text = f"no whole answer from {url.host} within {self._settings.http_seconds:g} seconds"
            raise HttpFailed(f"context.http: {text}") from None
        except (aiohttp.ClientError, OSError) as problem:
            for cause in (problem, problem.__cause__, getattr(problem, "os_error", None)):
                if isinstance(cause, HttpRefused):
                    raise cause from None
            raise HttpFailed(f"context.http: {url.host}: {type(problem).__name__}: {problem}"[:500]) from None

    async def _follow(self, method: str, url: URL, options: Mapping[str, Any]) -> dict[str, Any]:
        headers = _headers(options)
        body = _body(options, headers)
        for _ in range(_MOST_REDIRECTS + 1):
            self._check(url)
            async with self._session.request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                place = response.headers.get("Location")
                if not (options.get("followRedirects") and response.status in _REDIRECTS and place):
                    return await self._answer(response, method)
            target = url.join(URL(place))
            if target.origin() != url.origin():
                for name in [name for name in headers if name.lower() in _OF_ONE_ORIGIN]:
                    del headers[name]
            if response.status == 303 or (response.status in (301, 302) and method == "POST"):
                method, body = "GET", None
            url = target
        raise HttpFailed(f"context.http: more than {_MOST_REDIRECTS} redirects")

    def _check(self, url: URL) -> None:
        if url.scheme not in ("http", "https") or not url.host:
            raise HttpRefused("context.http: only http:// and https:// addresses can be called")
        if not is_allowed(url.host, url.port, self._settings.http_allow):
            text = f"{url.host}:{url.port} is not in the function host's allow list"
            raise HttpRefused(f"context.http: {text} (penstock functions serve --allow-http {url.host})")
        try:
            address = ipaddress.ip_address(url.host)
        except ValueError:
            return  # a name: the resolver looks at its addresses
        self._resolver.check(url.host, str(address))

    async def _answer(self, response: aiohttp.ClientResponse, method: str) -> dict[str, Any]:
        body = bytearray()
        async for piece in response.content.iter_chunked(_READ_BYTES):
            body += piece
            if len(body) > self._settings.http_response_bytes:
                text = f"the answer is over {self._settings.http_response_bytes} bytes"
                raise HttpFailed(f"context.http: {text}")
        found: dict[str, Any] = {
            "status": f"{response.status} {response.reason or ''}".strip(),
            "statusCode": response.status,
            "contentLength": response.content_length if response.content_length is not None else len(body),
            "headers": {str(name): response.headers.getall(name) for name in dict.fromkeys(response.headers)},
            "cookies": {name: morsel.value for name, morsel in response.cookies.items()},
        }
        if method != "HEAD":
            found["body"] = {"$binary": {"base64": base64.b64encode(body).decode("ascii"), "subType": "00"}}
        return found


def _url(options: Mapping[str, Any]) -> URL:
    """`url`, or its parts. Raises HttpRefused."""
    try:
        if "url" in options:
            return URL(str(options["url"]))
        query = {
            str(name): [str(one) for one in (value if isinstance(value, list) else [value])]
            for name, value in (options.get("query") or {}).items()
        }
        host, _, port = str(options.get("host") or "").partition(":")
        return URL.build(
            scheme=str(options.get("scheme") or "https"),
            host=host,
            port=int(port) if port else None,
            path="/" + str(options.get("path") or "").lstrip("/"),
            query=query,
            fragment=str(options.get("fragment") or ""),
            user=options.get("username"),
            password=options.get("password"),
        )
    except (ValueError, TypeError, AttributeError) as problem:
        raise HttpRefused(f"context.http: no address: {problem}"[:300]) from problem


def _headers(options: Mapping[str, Any]) -> dict[str, str]:
    """`headers: {name: [value, ...]}`, several values joined as HTTP allows, and `cookies: {name: value}`."""
    headers: dict[str, str] = {}
    for name, value in (options.get("headers") or {}).items():
        headers[str(name)] = ", ".join(str(one) for one in (value if isinstance(value, list) else [value]))
    if cookies := options.get("cookies"):
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    if any(letter in text for pair in headers.items() for text in pair for letter in "\r\n\0"):
        raise HttpRefused("context.http: a header holds the end of a line")
    return headers


def _body(options: Mapping[str, Any], headers: dict[str, str]) -> bytes | None:
    """The body's bytes; its content type is added unless the function named one."""
    named = any(name.lower() == "content-type" for name in headers)
    if "form" in options:
        if not named:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        return urlencode(options["form"], doseq=True).encode()
    if "json" in options:
        if not named:
            headers["Content-Type"] = "application/json"
        return str(options["json"]).encode()
    if "base64" in options:
        return base64.b64decode(options["base64"])
    return None if options.get("body") is None else str(options["body"]).encode()
