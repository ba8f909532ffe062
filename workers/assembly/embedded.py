"""One call site inside a program of somebody else's: the same processor, clients and worker, without a
consumer, a supervisor or an event loop of its own."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from workers.adapters.aws_clients import AwsClients
from workers.adapters.handed_results import HandedResults
from workers.adapters.handed_source import HandedSource
from workers.adapters.trust import ca_bundle
from workers.appfolder import App
from workers.appfolder.preflight import (
    functions_of,
    judged,
    lambda_connections,
    preflight_of,
    with_timeouts,
)
from workers.assembly.clients import aws_connection
from workers.assembly.graph import Graph
from workers.counting import Metrics
from workers.engine.processor import Processor
from workers.engine.worker import Worker
from workers.errors import ProcessorFailed
from workers.logs import log_event
from workers.settings import EngineSettings, ServiceSettings

log = logging.getLogger(__name__)


class Embedded:
    """One processor at work on the running loop, from `start` to `stop`."""

    def __init__(
        self, app: App, acknowledge: Callable[[Any], None], forget: Callable[[Any], None],
        failed: Callable[[BaseException], None], *, hands_over: bool,
    ) -> None:  # fmt: skip
        """`app` as `embedded_app` makes it. `acknowledge` and `forget` get what `HandedRecord.handle` holds.

        `failed` is told once why nothing goes on. `hands_over`: results come to `results`, not to a topic.
        """
        settings = EngineSettings()
        (self._spec,) = app.processors
        bounds = settings.with_options(self._spec.options)
        self.results = HandedResults()
        self.source = HandedSource(
            bounds.max_buffered_records, bounds.max_buffered_bytes, acknowledge, forget
        )
        self.metrics = Metrics()
        self._app, self._failed = app, failed
        self._hands_over = hands_over
        aws = AwsClients(settings, ca_bundle(os.environ), lambda _: None)
        self._graph = Graph(app, 0, ServiceSettings(), settings, aws, self.metrics)
        self._processor: Processor | None = None
        self._worker: Worker | None = None
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the connection, ask about the function, be ready to take records. Raises Invalid for a
        connection that cannot be opened, ProcessorFailed for a function that cannot be called."""
        aws = self._graph.aws
        await aws.open(map(aws_connection, lambda_connections(self._app, self._app.processors)))
        try:
            await self._preflight()
        except ProcessorFailed:
            await aws.close_all()
            raise
        graph = self._graph
        results = self.results if self._hands_over else None
        self._processor = processor = graph.processor(self._spec, self._crashed, results)
        clients = tuple(graph.clients.values())
        self._worker = Worker([processor], graph.producers, clients, self.metrics, self._look)
        self.source.feed(processor)
        processor.start(self.source)
        self._running = asyncio.create_task(self._worker.run(), name=f"external function {self._spec.name}")
        self._running.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Let what has begun end within the drain time, acknowledge it, close the clients. Idempotent."""
        if self._worker is not None and self._running is not None:
            self._worker.stop()
            await asyncio.gather(self._running, return_exceptions=True)
        self._graph.close()

    def metrics_text(self) -> str:
        """The metrics as of now, in Prometheus' text format."""
        if self._processor is not None:
            self._processor.status()
        return self.metrics.text()

    async def _preflight(self) -> None:
        learnt = await self._graph.aws.learn(functions_of(self._app, self._app.processors))
        for connection, misfit in judged(self._spec, learnt):
            if misfit.is_certain and preflight_of(self._app, connection) == "fail":
                raise ProcessorFailed(str(misfit))
            log_event(log, logging.WARNING, "preflight_misfit", processor=self._spec.name, reason=str(misfit))
        self._spec = with_timeouts(self._spec, learnt)

    def _crashed(self, error: BaseException) -> None:
        assert self._worker is not None
        self._worker.crashed(error)

    def _look(self, _frame: Mapping[str, Any]) -> None:
        """Once a second: a processor that FAILED takes nothing more, and nobody would be told."""
        processor = self._processor
        if processor is not None and processor.state == "FAILED":
            self._tell(ProcessorFailed(processor.error))

    def _ended(self, running: asyncio.Task[None]) -> None:
        if not running.cancelled() and (error := running.exception()) is not None:
            self._tell(error)

    def _tell(self, error: BaseException) -> None:
        told, self._failed = self._failed, lambda _: None
        told(error)
