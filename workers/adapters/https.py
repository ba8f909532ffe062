"""Requests of `$https` over libcurl. Keeps the port `Requester`.

Where a request goes is the connection's to say and nobody else's: a document fills in the path behind its
URL, redirects are not followed, proxies of the environment are not asked, and each address is looked at
before a connection to it is opened, so that no name leads to a metadata service either.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import pycurl

from workers.adapters.curl_exchange import Exchange, HandleOptions, answer_of
from workers.adapters.curl_loop import CurlLoop
from workers.adapters.exchange_pool import ExchangePool
from workers.calls.addresses import forbidden
from workers.errors import ProcessorFailed
from workers.ports import HttpRequest, InvokeAnswer
from workers.settings import MAX_HTTPS_ANSWER_BYTES, MAX_HTTPS_CONNECTIONS

# A shorter secret may be any part of a text.
MIN_HIDDEN_CHARACTERS: Final = 6
_HIDDEN: Final = b"(hidden)"


@dataclass(frozen=True, slots=True)
class HttpsEndpoint:
    """Where to send, as whom, and within which bounds.

    `connection` names it in errors. `headers` go with every request unless it has its own of that name, and
    `secrets` are their values: an answer that repeats one has it taken out. `certificate_file` and `key_file`
    say who we are where the other side asks.
    """

    connection: str
    url: str
    headers: tuple[tuple[str, str], ...]
    ca_bundle: str
    secrets: tuple[str, ...] = ()
    certificate_file: str | None = None
    key_file: str | None = None
    max_connections: int = MAX_HTTPS_CONNECTIONS
    max_answer_bytes: int = MAX_HTTPS_ANSWER_BYTES
    idle_seconds: int = 50
    user_agent: str = "penstock"


class HttpsExchange(Exchange):
    """One pooled libcurl handle for requests of any method."""

    __slots__ = ("_certificate", "_connect_ms", "_kept_from")

    def __init__(
        self,
        options: HandleOptions,
        curl: CurlLoop,
        free: Callable[[Exchange], None],
        certificate: tuple[str | None, str | None],
    ) -> None:
        self._certificate = certificate
        self._connect_ms = -1
        self._kept_from = ""
        super().__init__(options, curl, free)

    def _configured(self, options: HandleOptions) -> Any:
        easy = super()._configured(options)
        easy.setopt(pycurl.FOLLOWLOCATION, 0)
        easy.setopt(pycurl.PATH_AS_IS, 1)
        easy.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
        easy.setopt(pycurl.PROXY, "")
        easy.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        certificate_file, key_file = self._certificate
        if certificate_file is not None:
            easy.setopt(pycurl.SSLCERT, certificate_file)
        if key_file is not None:
            easy.setopt(pycurl.SSLKEY, key_file)
        return easy

    def ask(
        self, what: str, url: str, headers: list[bytes], request: HttpRequest,
        answer: asyncio.Future[InvokeAnswer],
    ) -> None:  # fmt: skip
        """Load the next request."""
        self._kept_from = ""
        easy, body = self.easy, request.body
        if body is None:
            easy.setopt(pycurl.HTTPGET, 1)
        else:
            easy.setopt(pycurl.POST, 1)
        easy.setopt(pycurl.CUSTOMREQUEST, request.method)
        connect_ms = max(1, int(min(request.connect_timeout_seconds, request.timeout_seconds) * 1000))
        if connect_ms != self._connect_ms:
            easy.setopt(pycurl.CONNECTTIMEOUT_MS, connect_ms)
            self._connect_ms = connect_ms
        self.prepare(what, url, headers, body, request.timeout_seconds, answer)

    def _open_socket(self, _purpose: int, address: Any) -> Any:
        """Called by libcurl for each address that it is about to connect to."""
        family, kind, protocol, place = address
        if family not in (socket.AF_INET, socket.AF_INET6):
            self._kept_from = "an address that is none of the internet"
            return pycurl.SOCKET_BAD
        host = place[0].decode() if isinstance(place[0], bytes) else str(place[0])
        why = forbidden(host)
        if why is not None:
            self._kept_from = f"{host}, {why}"
            return pycurl.SOCKET_BAD
        opened = socket.socket(family, kind, protocol)
        asyncio.get_running_loop().call_soon(opened.close)  # pycurl duplicates it when this returns
        return opened

    def failed(self, code: int, message: str) -> Exception:
        """See `Exchange.failed`; ProcessorFailed where no address was left that may be called."""
        if self._kept_from and not self._attempts:
            return ProcessorFailed(f"{self._what} leads to {self._kept_from}: nothing is sent there")
        return super().failed(code, message)

    def _whole(self) -> InvokeAnswer:
        chunks, kind = self._chunks, None
        for line in self._head:
            if line.startswith(b"HTTP/"):
                kind = None
            elif line[:13].lower() == b"content-type:":
                kind = line[13:].strip().decode("latin-1")
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        found = answer_of(self.easy.getinfo(pycurl.RESPONSE_CODE), self._head, body)
        return found._replace(content_type=kind or None)


class HttpsClient:
    """Sends the requests of one connection. Bound to the event loop of its first request."""

    def __init__(self, endpoint: HttpsEndpoint) -> None:
        parts = urlsplit(endpoint.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise ValueError(f"connection {endpoint.connection}: no http(s) URL with nothing behind its path")
        self._url = endpoint.url.rstrip("/")
        self.shown_url = f"{parts.scheme}://{parts.netloc}{'/…' if parts.path.strip('/') else ''}"
        self._endpoint = endpoint
        self._own: dict[str, bytes] = {}
        self._secrets: list[bytes] = []
        self._current: list[bytes] = []
        self.rotated(endpoint)
        self._options = HandleOptions(
            endpoint.url, endpoint.ca_bundle, endpoint.user_agent, 30.0,
            endpoint.idle_seconds, endpoint.max_answer_bytes, _as_any_other,
        )  # fmt: skip
        self._pool = ExchangePool(endpoint.connection, endpoint.max_connections, self._exchange)

    def rotated(self, endpoint: HttpsEndpoint) -> None:
        """Send these headers from the next request on. What they were is still taken out of answers, for as
        long as requests with them may be open: until the next time."""
        found = [one.encode() for one in endpoint.secrets if len(one) >= MIN_HIDDEN_CHARACTERS]
        before = [one for one in self._current if one not in found]
        self._own = {name.lower(): _line(name, value) for name, value in endpoint.headers}
        self._secrets, self._current = [*found, *before], found

    async def send(self, request: HttpRequest) -> InvokeAnswer:
        """See `ports.Requester`."""
        what, headers = f"{request.method} by connection {self._endpoint.connection}", self._headers(request)
        exchange, answer = self._pool.take()
        exchange.ask(what, self._url + request.target, headers, request, answer)
        found = await self._pool.send(exchange)
        return found if 200 <= found.status < 300 else self._without_secrets(found)

    async def close(self) -> None:
        """See `ports.Requester`. Open requests end with NotSent or UnknownOutcome."""
        self._pool.close()

    def _exchange(self, curl: CurlLoop, free: Callable[[Exchange], None]) -> HttpsExchange:
        endpoint = self._endpoint
        return HttpsExchange(self._options, curl, free, (endpoint.certificate_file, endpoint.key_file))

    def _headers(self, request: HttpRequest) -> list[bytes]:
        headers = self._own | {name.lower(): _line(name, value) for name, value in request.headers}
        if request.body is not None:
            headers.setdefault("content-type", b"Content-Type: application/json")
        # Without it libcurl asks for leave from 1 MiB on: a round trip more.
        return [*headers.values(), b"Expect:"]

    def _without_secrets(self, answer: InvokeAnswer) -> InvokeAnswer:
        """Services repeat what they were sent in their errors, and those become part of dead letters."""
        body = answer.body
        for secret in self._secrets:
            body = body.replace(secret, _HIDDEN)
        return answer if body is answer.body else answer._replace(body=body)


def _as_any_other(_head: list[bytes]) -> None:
    """A status 403 is an answer like others: there are no keys to renew."""


def _line(name: str, value: str) -> bytes:
    """A header as libcurl takes it: one without a value ends in a semicolon, with a colon it would be left
    out."""
    return f"{name}: {value}".encode("latin-1") if value else f"{name};".encode("latin-1")
