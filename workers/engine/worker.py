"""All processors of one engine process, from start to drain."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from workers.counting import Metrics
from workers.engine.processor import Processor
from workers.engine.restarts import Build, Restarts
from workers.errors import Fatal
from workers.logs import log_event
from workers.metrics import PRODUCER_OUTSTANDING
from workers.ports import Client, Producer

log = logging.getLogger(__name__)

# Acks are looked for this often: while something is outstanding they free room, else there is nothing to look
# for.
BUSY_POLL_SECONDS: Final = 0.002
IDLE_POLL_SECONDS: Final = 0.05
STATUS_SECONDS: Final = 1.0


class Worker:
    """Runs processors until it is asked to stop or something cannot go on."""

    def __init__(
        self,
        processors: Sequence[Processor],
        producers: Mapping[str, Producer],
        invokers: Sequence[Client],
        metrics: Metrics,
        publish: Callable[[Mapping[str, Any]], None],
        build: Build | None = None,
    ) -> None:
        """`producers` by connection; `publish` gets a status frame about once a second and at the end;
        without `build` a processor that failed is not started again."""
        self._processors = Restarts(processors, build, metrics, self.crashed)
        self._producers = producers
        self._invokers = invokers
        self._metrics = metrics
        self._publish = publish
        self._stopping = asyncio.Event()
        self._crash: BaseException | None = None
        self._crashed = asyncio.Event()

    def stop(self) -> None:
        """Ask `run` to drain and return. Safe to call more than once."""
        self._stopping.set()

    def crashed(self, error: BaseException) -> None:
        """A bug ended a part of the engine: nothing more may be committed. Called on the loop."""
        log_event(log, logging.ERROR, "engine_crashed", reason=repr(error))
        self._crash = self._crash or error
        self._processors.cease()
        for processor in self._processors:
            processor.halt()
        self._crashed.set()
        self._stopping.set()

    async def run(self) -> None:
        """Returns after a clean drain. Raises Fatal after a crash, without draining or committing."""
        tickers = [asyncio.create_task(self._poll_producers()), asyncio.create_task(self._publish_for_ever())]
        for ticker in tickers:
            ticker.add_done_callback(self._ended)
        try:
            await self._stopping.wait()
            if self._crash is None:
                await self._drain()
            if self._crash is not None:
                await self._processors.end()
                await asyncio.gather(*(processor.close() for processor in self._processors))
                raise Fatal(f"the engine crashed: {self._crash!r}") from self._crash
            self._publish(self.status())
        finally:
            for ticker in tickers:
                ticker.cancel()
            await asyncio.gather(*tickers, return_exceptions=True)
            for invoker in self._invokers:
                await invoker.close()
            for producer in self._producers.values():
                producer.close()

    async def _drain(self) -> None:
        """Stop every processor. Returns at once when something crashes meanwhile."""
        crash = asyncio.create_task(self._crashed.wait())
        await self._processors.end()
        stops = [asyncio.create_task(processor.stop()) for processor in self._processors]
        for stop in stops:
            stop.add_done_callback(self._ended)
        try:
            open_tasks: set[asyncio.Task[Any]] = {crash, *stops}
            while open_tasks != {crash} and not crash.done():
                _, open_tasks = await asyncio.wait(open_tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (crash, *stops):
                task.cancel()
            await asyncio.gather(crash, *stops, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.crashed(error)

    def status(self) -> dict[str, Any]:
        """The frame for the supervisor."""
        for connection, producer in self._producers.items():
            self._metrics.gauge(PRODUCER_OUTSTANDING, connection).set(producer.outstanding())
        statuses = self._processors.statuses()
        # A processor that FAILED, or waits for its next start, is an alert and no reason to take its
        # neighbours out of service.
        started = [one for one in statuses if one.state == "STARTED" and not self._processors.waits(one.name)]
        return {
            "type": "status",
            "ready": bool(started) and all(one.ready for one in started) and not self._stopping.is_set(),
            "processors": [asdict(one) for one in statuses],
            "metrics": self._metrics.text(),
        }

    async def _poll_producers(self) -> None:
        while True:
            outstanding = 0
            for producer in self._producers.values():
                producer.poll()
                outstanding += producer.outstanding()
            await asyncio.sleep(BUSY_POLL_SECONDS if outstanding else IDLE_POLL_SECONDS)

    async def _publish_for_ever(self) -> None:
        while True:
            self._publish(self.status())
            await asyncio.sleep(STATUS_SECONDS)
