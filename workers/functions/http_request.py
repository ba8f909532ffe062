"""What a call knows of the HTTP request that caused it. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, Protocol, TypeAlias
from urllib.parse import urlsplit

from aiohttp import hdrs
from multidict import CIMultiDictProxy

from workers.functions.answers import ApiError
from workers.functions.context import Request, User


class RequestHead(Protocol):
    """A request without its body; aiohttp's requests are such."""

    @property
    def method(self) -> str:
        """In capitals."""
        ...

    @property
    def raw_path(self) -> str:
        """Path and query as they were sent."""
        ...

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """All of them, in their order."""
        ...

    @property
    def remote(self) -> str | None:
        """The caller's address."""
        ...


Identify: TypeAlias = Callable[[RequestHead, bytes], Awaitable[User | None]]
"""Who sends a request, given its body (a signature covers it); None when nobody has to say who they are.
Raises ApiError 403."""

MAX_QUERY_CHARACTERS: Final = 8_192
_FETCH_SITE: Final = "Sec-Fetch-Site"
_OWN_NAMES: Final = ("localhost", "host.docker.internal")  # the second leads here from a container's side

# What proves who the caller is must not reach a function, a rule or a log.
_PROOFS: Final = frozenset(
    (
        "authorization", "proxy-authorization", "x-amz-security-token", "apikey", "api-key", "x-api-key",
        "jwttokenstring",
    )
)  # fmt: skip


def request_of(request: RequestHead) -> Request:
    """The request without its body and without what authenticates it."""
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        shown = _canonical(name)
        if shown is not None:
            headers.setdefault(shown, []).append(value)
    _, _, query = request.raw_path.partition("?")
    return Request(
        method=request.method,
        headers=headers,
        remote_address=request.remote or "",
        query=_without_secret(query) if query else "",
    )


def comes_from_page(head: RequestHead) -> bool:
    """Whether a browser sends it for a web page; `check_page` says whether that page may."""
    return hdrs.ORIGIN in head.headers or _FETCH_SITE in head.headers


def is_meant(head: RequestHead, address: str) -> bool:
    """Whether every `Host` names this machine, or `address`, which the host was told to listen on. A name
    that its owner lets lead here (DNS rebinding) makes a stranger's page one of this origin to a browser."""
    return all(_is_own(_host_of(f"//{host}"), address) for host in head.headers.getall(hdrs.HOST, ()))


def check_host(head: RequestHead, address: str) -> None:
    """Where nobody has to say who they are, only names of this machine are answered. Raises ApiError 403."""
    if not is_meant(head, address):
        own = ", ".join(dict.fromkeys((*_OWN_NAMES, "127.0.0.1", "[::1]", address)))
        text = f"A function host without authentication answers to {own}"
        found = head.headers.getall(hdrs.HOST)[-1][:80]
        raise ApiError(403, "AccessDeniedException", f"{text}; the Host header says {found!r}.")


def _is_own(host: str, address: str) -> bool:
    name = host.removesuffix(".")
    if name in _OWN_NAMES or name == address.lower():
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def check_page(head: RequestHead) -> None:
    """Where nobody has to say who they are, a web page that a developer happens to look at must not call the
    functions on their machine. Pages of this machine may. A picture's GET has no `Origin`: then it is what
    the browser says of the page that counts. Raises ApiError 403."""
    origin = head.headers.get(hdrs.ORIGIN)
    if origin is None:
        may = head.headers.get(_FETCH_SITE) != "cross-site"
    else:
        may = _host_of(origin) in ("localhost", "127.0.0.1", "::1")
    if not may:
        text = "Web pages of other machines may not call a function host without authentication."
        raise ApiError(403, "AccessDeniedException", text)


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def authenticates(name: str) -> bool:
    """Whether a header proves who the caller is."""
    return name.lower() in _PROOFS


@lru_cache(1_024)
def _canonical(name: str) -> str | None:
    """`content-type` is shown as `Content-Type`; None for what is not shown."""
    if authenticates(name):
        return None
    return "-".join(part.capitalize() for part in name.split("-"))


def _without_secret(query: str) -> str:
    """The parameter `secret` is left out, as App Services leaves it out."""
    parts = query[:MAX_QUERY_CHARACTERS].split("&")
    return "&".join(part for part in parts if part.partition("=")[0] != "secret")
