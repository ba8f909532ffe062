"""One engine process: what it is told, its life, its secrets. `graph` builds what it runs.

first line on stdin -> app folder -> processors with sources, producers and clients -> run until told to stop
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import uvloop

from workers import logs
from workers.adapters.allocation import raise_descriptor_limit, settle_memory
from workers.adapters.https import HttpsClient
from workers.adapters.kafka_poll import PollThread
from workers.adapters.limits_file import LimitsFile
from workers.adapters.supervisor_pipe import FirstLine, Frames, listen, read_first_line
from workers.appfolder import (
    App,
    Connection,
    HttpsConnection,
    KafkaConnection,
    LambdaConnection,
    ProcessorSpec,
    SchemaRegistryConnection,
    load_app,
)
from workers.appfolder.app import chosen
from workers.appfolder.preflight import functions_of, judged, lambda_connections, preflight_of, with_timeouts
from workers.appfolder.rotation import Rotation
from workers.assembly.clients import aws_clients, aws_connection, https_endpoint
from workers.assembly.graph import Graph
from workers.assembly.readiness import with_troubles
from workers.assembly.service import check_service, engine_settings, limits_name
from workers.engine.callees import Callees
from workers.engine.intake import Intake
from workers.engine.processor import Processor
from workers.engine.worker import Worker
from workers.errors import Fatal, Invalid
from workers.metrics import BUILD_INFO
from workers.settings import EngineSettings, ServiceSettings

log = logging.getLogger("workers.assembly")

BAD_INPUT: Final = 2
FAILED: Final = 1


def engine_main() -> int:
    """Run one engine process for a supervisor. Returns the exit code: 0 drained, 1 failed, 2 bad input."""
    frames = Frames()
    try:
        service = ServiceSettings.from_env(os.environ)
        logs.set_up(service.log_level)
        first = read_first_line()
        app = load_app(Path(first.app), os.environ)
        specs = chosen(app, first.processors)
        check_service(app, specs, service)
        raise_descriptor_limit()
        settle_memory()
        uvloop.run(Engine(app, specs, first, frames, service, engine_settings(service)).run())
    except Invalid as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return BAD_INPUT
    except Fatal as error:
        logs.log_event(log, logging.ERROR, "engine_failed", reason=str(error))
        return FAILED
    finally:
        frames.close()
    return 0


@dataclass(slots=True)
class Engine:
    """One engine process from start to end."""

    app: App
    specs: tuple[ProcessorSpec, ...]
    first: FirstLine
    frames: Frames
    service: ServiceSettings
    settings: EngineSettings = field(default_factory=EngineSettings)
    rotation: Rotation = field(init=False)
    graph: Graph = field(init=False)
    uses: dict[str, set[str]] = field(init=False)
    """By processor the connections that it goes through."""

    def __post_init__(self) -> None:
        self.uses = {spec.name: set(_connections(spec)) for spec in self.specs}

    async def run(self) -> None:
        """Build, run until told to stop, drain. Raises Invalid for connections that cannot be opened, Fatal
        after a crash."""
        loop = asyncio.get_running_loop()
        worker: Worker | None = None

        def crashed(error: BaseException) -> None:
            assert worker is not None
            worker.crashed(error)

        def poll_crashed(error: BaseException) -> None:
            loop.call_soon_threadsafe(crashed, error)

        self.rotation = Rotation(self.app.folder, os.environ, self.app.connections)
        aws = aws_clients(self.settings, self.rotation)
        limits = LimitsFile(self.service.state, limits_name(self.service, self.app, self.first.process))
        callees = Callees(limits.read)
        self.graph = graph = Graph(
            self.app, self.first.process, self.service, self.settings, aws, callees=callees
        )
        await aws.open(map(aws_connection, lambda_connections(self.app, self.specs)))
        refused = await self._preflight()
        poll = PollThread(poll_crashed)
        specs = {spec.name: spec for spec in self.specs}

        def begun(processor: Processor) -> Processor:
            events = Intake(loop, processor, processor.settings.revoke_drain_seconds)
            source = graph.source(specs[processor.settings.name], events, len(specs))
            processor.start(source)
            poll.add(source)
            return processor

        def built_again(name: str) -> Processor:
            return begun(graph.processor(specs[name], crashed))

        processors = [graph.processor(spec, crashed) for spec in self.specs]
        graph.metrics.gauge(BUILD_INFO, _version(), sys.version.split()[0]).set(1)
        worker = Worker(
            processors, graph.producers, tuple(graph.clients.values()), graph.metrics, self._publish,
            built_again,
        )  # fmt: skip
        listen(loop, worker.stop)
        poll.start()
        secrets = asyncio.create_task(self._watch_secrets())
        keeping = asyncio.create_task(limits.keep(callees.export, self.settings.limits_interval_seconds))
        for task in (secrets, keeping):
            task.add_done_callback(lambda ended: _raise_to(crashed, ended))
        try:
            for spec, processor in zip(self.specs, processors, strict=True):
                if spec.name in refused:
                    processor.error = refused[spec.name]
                    processor.halt()
                    continue
                begun(processor)
            logs.log_event(
                log, logging.INFO, "engine_started",
                process=self.first.process, processors=", ".join(spec.name for spec in self.specs),
            )  # fmt: skip
            await worker.run()
        finally:
            # Beside the loop: a revocation may be waiting for the engine's word.
            await asyncio.to_thread(poll.end)
            secrets.cancel()
            keeping.cancel()
            limits.write(callees.export())
            graph.close()

    async def _preflight(self) -> dict[str, str]:
        """Why processors cannot be started, by name. Other misfits are logged; call sites learn how long
        their functions may run."""
        learnt = await self.graph.aws.learn(functions_of(self.app, self.specs))
        refused: dict[str, str] = {}
        for spec in self.specs:
            for connection, misfit in judged(spec, learnt):
                is_refused = misfit.is_certain and preflight_of(self.app, connection) == "fail"
                if is_refused:
                    refused.setdefault(spec.name, str(misfit))
                level = logging.ERROR if is_refused else logging.WARNING
                logs.log_event(log, level, "preflight_misfit", processor=spec.name, reason=str(misfit))
        self.specs = tuple(with_timeouts(spec, learnt) for spec in self.specs)
        return refused

    def _publish(self, frame: Mapping[str, Any]) -> None:
        troubles = {**self.graph.aws.troubles(), **self.graph.token_troubles()}
        self.frames.publish(with_troubles(frame, troubles, self.uses))

    async def _watch_secrets(self) -> None:
        while True:
            await asyncio.sleep(self.settings.secrets_look_seconds)
            rotated = await asyncio.to_thread(self.rotation.look)
            for connection in rotated.connections:
                self._rotate(connection)
            for name in rotated.renewed:
                self.graph.registries.rotated(self.graph.connections[name])
                logs.log_event(log, logging.WARNING, "certificate_replaced", connection=name)

    def _rotate(self, connection: Connection) -> None:
        self.graph.connections[connection.name] = connection
        who = connection.authentication if isinstance(connection, KafkaConnection) else None
        if isinstance(connection, LambdaConnection):
            self.graph.aws.rotated(aws_connection(connection))
        elif isinstance(connection, HttpsConnection):
            requester = self.graph.clients.get(connection.name)
            if isinstance(requester, HttpsClient):
                requester.rotated(https_endpoint(connection))
        elif isinstance(connection, SchemaRegistryConnection):
            self.graph.registries.rotated(connection)
        elif who is not None and who.username is not None and who.password is not None:
            for client in self.graph.signed_in[connection.name].values():
                client.sign_in_as(who.username, who.password.get_secret_value())
        else:
            # Nothing of it can be changed in a client that runs.
            logs.log_event(log, logging.WARNING, "secrets_need_restart", connection=connection.name)
            return
        logs.log_event(log, logging.INFO, "secrets_renewed", connection=connection.name)


def _raise_to(crashed: Callable[[BaseException], None], ended: asyncio.Task[None]) -> None:
    """A task that runs for ever ended of a bug."""
    if not ended.cancelled() and (error := ended.exception()) is not None:
        crashed(error)


def _connections(spec: ProcessorSpec) -> Iterator[str]:
    program = spec.program
    yield from (site.connection for site in program.calls)
    yield from (end.connection for end in (program.source, program.sink) if end is not None)
    yield spec.dead_letters.connection


def _version() -> str:
    try:
        return version("penstock")
    except PackageNotFoundError:
        return "unknown"
