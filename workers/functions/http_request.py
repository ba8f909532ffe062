"""What a call knows of the HTTP request that caused it. Pure, but for reading aiohttp's request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final, TypeAlias

from aiohttp import web

from workers.functions.context import Request, User

Identify: TypeAlias = Callable[[web.BaseRequest, bytes], Awaitable[User | None]]
"""Who sends a request, given its body (a signature covers it); None when nobody has to say who they are.
Raises ApiError 403."""

MAX_QUERY_CHARACTERS: Final = 8_192

# What proves who the caller is must not reach a function, a rule or a log.
_PROOFS: Final = frozenset({"authorization", "proxy-authorization", "x-amz-security-token", "x-api-key"})


def request_of(request: web.BaseRequest) -> Request:
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


@lru_cache(1_024)
def _canonical(name: str) -> str | None:
    """`content-type` is shown as `Content-Type`; None for what is not shown."""
    if name.lower() in _PROOFS:
        return None
    return "-".join(part.capitalize() for part in name.split("-"))


def _without_secret(query: str) -> str:
    """The parameter `secret` is left out, as App Services leaves it out."""
    parts = query[:MAX_QUERY_CHARACTERS].split("&")
    return "&".join(part for part in parts if part.partition("=")[0] != "secret")
