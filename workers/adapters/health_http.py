"""A small HTTP server for metrics and health: each path is answered by a function that does not wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from workers.errors import Fatal

# Probes and scrapes send no body and take milliseconds; whoever is slower is cut off.
KEEP_ALIVE_SECONDS: Final = 75.0
CLOSE_SECONDS: Final = 1.0
MAX_BODY_BYTES: Final = 1_024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path answers: status, text and its content type."""

    status: int
    text: str
    content_type: str = "text/plain; charset=utf-8"


class HealthServer:
    """Answers GET and HEAD on the paths of `routes`, 404 on the others. One start and one close."""

    def __init__(self, routes: Mapping[str, Callable[[], Answer]]) -> None:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        for path, answer in routes.items():
            app.router.add_get(path, _handler(answer))
        self._runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=KEEP_ALIVE_SECONDS, shutdown_timeout=CLOSE_SECONDS
        )

    async def start(self, host: str, port: int) -> str:
        """Listen; 0 takes a free port. Returns the address, `http://host:port`.

        Raises `Fatal` when the address cannot be had, with what to change.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            await self._runner.cleanup()
            reason = error.strerror or str(error)
            raise Fatal(
                f"serving metrics on {host}:{port}: {reason}; name another port, or 0 for a free one"
            ) from error
        taken = self._runner.addresses[0][1]
        return f"http://[{host}]:{taken}" if ":" in host else f"http://{host}:{taken}"

    async def close(self) -> None:
        """Stop listening; requests that are being answered get 1 s. Idempotent."""
        await self._runner.cleanup()


def _handler(answer: Callable[[], Answer]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(_: web.Request) -> web.StreamResponse:
        made = answer()
        return web.Response(
            status=made.status, body=made.text.encode(), headers={"Content-Type": made.content_type}
        )

    return handle
