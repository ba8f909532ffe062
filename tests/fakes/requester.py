"""A requester in memory: keeps the port `Requester`, answers at once as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from workers.errors import NotSent
from workers.ports import HttpRequest, InvokeAnswer

Answer = InvokeAnswer | Exception
Script = Callable[[HttpRequest], Answer]


def said(
    status: int = 200, body: bytes = b"{}", content_type: str | None = "application/json"
) -> InvokeAnswer:
    """An answer of a service."""
    return InvokeAnswer(status, body, content_type=content_type)


class FakeRequester:
    """`script` answers every request, or raises what it returns as an error."""

    def __init__(self, script: Script | None = None, shown_url: str = "https://api.example.com/…") -> None:
        self.shown_url = shown_url
        self.script: Script = script or (lambda _request: said())
        self.requests: list[HttpRequest] = []
        self.closed = False

    async def send(self, request: HttpRequest) -> InvokeAnswer:
        if self.closed:
            raise NotSent("closed")
        self.requests.append(request)
        await asyncio.sleep(0)
        answer = self.script(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed = True
