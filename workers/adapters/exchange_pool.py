"""The libcurl handles of one connection: taken for a request, given back after it, taken back by who is
cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from workers.adapters.curl_exchange import Exchange
from workers.adapters.curl_loop import CurlLoop
from workers.adapters.curl_outcome import CLOSED
from workers.errors import NotSent
from workers.ports import InvokeAnswer

ExchangeT = TypeVar("ExchangeT", bound=Exchange)


class ExchangePool(Generic[ExchangeT]):
    """Bound to the event loop of its first request. `make` builds a handle of a loop that says there when it
    is free again; of those that are free `max_connections` are kept."""

    def __init__(
        self,
        connection: str,
        max_connections: int,
        make: Callable[[CurlLoop, Callable[[Exchange], None]], ExchangeT],
    ) -> None:
        self._connection = connection
        self._max_connections = max_connections
        self._make = make
        self._idle: list[ExchangeT] = []
        self._curl: CurlLoop | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def take(self) -> tuple[ExchangeT, asyncio.Future[InvokeAnswer]]:
        """A free handle and the future of its next answer. Raises NotSent once closed."""
        if self._closed:
            raise NotSent(f"connection {self._connection}: closed")
        if self._curl is None:
            self._loop = asyncio.get_running_loop()
            self._curl = CurlLoop(self._loop, self._max_connections)
        assert self._loop is not None
        exchange = self._idle.pop() if self._idle else self._make(self._curl, self._free)
        return exchange, self._loop.create_future()

    async def send(self, exchange: ExchangeT) -> InvokeAnswer:
        """Send what the handle was loaded with. Who is cancelled takes the request back."""
        curl, answer = self._curl, exchange.answer
        assert curl is not None
        curl.start(exchange)
        try:
            return await answer
        except asyncio.CancelledError:
            # Between the cancelling and this line the request may have ended and its handle be used again.
            if exchange.answer is answer and self._curl is not None and curl.abandon(exchange):
                exchange.release()
            raise

    def close(self) -> None:
        """Open requests end with NotSent or UnknownOutcome, later ones with NotSent."""
        self._closed = True
        curl, self._curl = self._curl, None
        if curl is None:
            return
        for transferring in curl.open_transfers():
            assert isinstance(transferring, Exchange)
            error = transferring.failed(CLOSED, "")
            curl.abandon(transferring)
            if not transferring.answer.done():
                transferring.answer.set_exception(error)
            transferring.release()
        curl.close()
        for exchange in self._idle:
            exchange.easy.close()
        self._idle.clear()

    def _free(self, exchange: Exchange) -> None:
        if self._closed or len(self._idle) >= self._max_connections:
            exchange.easy.close()
        else:
            self._idle.append(exchange)  # type: ignore[arg-type]  # of those that `make` made
