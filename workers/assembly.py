"""From an app folder to a running engine process: the only module that names both engine and adapters.

first line on stdin -> app folder -> processors with sources, producers and invokers -> run until told to
stop
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import uvloop
from pydantic import SecretStr

from workers import logs
from workers.adapters.allocation import raise_descriptor_limit, settle_memory
from workers.adapters.aws_clients import AwsClients
from workers.adapters.aws_connection import AwsConnection
from workers.adapters.error_file import shipped_errors
from workers.adapters.https import HttpsClient, HttpsEndpoint
from workers.adapters.kafka_consumer import KafkaSource
from workers.adapters.kafka_poll import PollThread
from workers.adapters.kafka_producer import KafkaProducer, producer_name, sink_config
from workers.adapters.kafka_requests import SignsIn
from workers.adapters.kafka_source_settings import SourceSettings
from workers.adapters.kafka_transactions import KafkaTransactions
from workers.adapters.lambda_http import LambdaInvoker
from workers.adapters.slot_claim import SlotClaim
from workers.adapters.supervisor_pipe import FirstLine, Frames, listen, read_first_line
from workers.adapters.trust import ca_bundle
from workers.appfolder import (
    App,
    Connection,
    HttpsConnection,
    KafkaConnection,
    LambdaConnection,
    ProcessorSpec,
    kafka_client_config,
    load_app,
)
from workers.appfolder.app import chosen
from workers.appfolder.preflight import (
    functions_of,
    judged,
    lambda_connections,
    preflight_of,
    with_timeouts,
)
from workers.appfolder.rotation import Rotation
from workers.calls.preflight import Misfit
from workers.counting import Metrics
from workers.emit.dead_letter import DeadLetterPolicy
from workers.engine.intake import Intake
from workers.engine.letters import LetterSettings
from workers.engine.processor import Parts, Processor, ProcessorSettings
from workers.engine.transaction import TransactionSettings
from workers.engine.worker import Worker
from workers.errors import Fatal, Invalid
from workers.metrics import BUILD_INFO
from workers.pipeline.program import ProducerOptions
from workers.progress.room import RoomLimits
from workers.progress.start import StartPolicy
from workers.settings import EngineSettings, ServiceSettings

log = logging.getLogger(__name__)

BAD_INPUT: Final = 2
FAILED: Final = 1
_AS_CONNECTED: Final = ProducerOptions()


def engine_main() -> int:
    """Run one engine process for a supervisor. Returns the exit code: 0 drained, 1 failed, 2 bad input."""
    frames = Frames()
    try:
        service = ServiceSettings.from_env(os.environ)
        logs.set_up(service.log_level)
        first = read_first_line()
        app = load_app(Path(first.app), os.environ)
        specs = chosen(app, first.processors)
        raise_descriptor_limit()
        settle_memory()
        uvloop.run(Engine(app, specs, first, frames, service).run())
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
    """The object graph of one engine process."""

    app: App
    specs: tuple[ProcessorSpec, ...]
    first: FirstLine
    frames: Frames
    rotation: Rotation = field(init=False)
    aws: AwsClients = field(init=False)
    service: ServiceSettings = field(default_factory=ServiceSettings)
    settings: EngineSettings = field(default_factory=EngineSettings)
    metrics: Metrics = field(default_factory=Metrics)
    producers: dict[str, KafkaProducer] = field(default_factory=dict)
    clients: dict[str, LambdaInvoker | HttpsClient] = field(default_factory=dict)
    signed_in: dict[str, list[SignsIn]] = field(default_factory=lambda: defaultdict(list))
    slot: SlotClaim | None = None

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
        self.aws = aws_clients(self.settings, self.rotation)
        await self.aws.open(map(_aws, lambda_connections(self.app, self.specs)))
        refused = await self._preflight()
        poll = PollThread(poll_crashed)
        processors = [self._processor(spec, crashed) for spec in self.specs]
        self.metrics.gauge(BUILD_INFO, _version(), sys.version.split()[0]).set(1)
        worker = Worker(processors, self.producers, tuple(self.clients.values()), self.metrics, self._publish)
        listen(loop, worker.stop)
        poll.start()
        secrets = asyncio.create_task(self._watch_secrets())
        secrets.add_done_callback(lambda ended: _raise_to(crashed, ended))
        try:
            for spec, processor in zip(self.specs, processors, strict=True):
                if spec.name in refused:
                    processor.error = refused[spec.name]
                    processor.halt()
                    continue
                source = self._source(spec, Intake(loop, processor, processor.settings.revoke_drain_seconds))
                processor.start(source)
                poll.add(source)
            logs.log_event(
                log, logging.INFO, "engine_started",
                process=self.first.process, processors=", ".join(spec.name for spec in self.specs),
            )  # fmt: skip
            await worker.run()
        finally:
            # Beside the loop: a revocation may be waiting for the engine's word.
            await asyncio.to_thread(poll.end)
            secrets.cancel()
            self.aws.close()
            if self.slot is not None:
                self.slot.release()

    async def _preflight(self) -> dict[str, str]:
        """Why processors cannot be started, by name. Other misfits are logged; call sites learn how long
        their functions may run."""
        learnt = await self.aws.learn(functions_of(self.app, self.specs))
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
        self.frames.publish({**frame, "ready": False} if self.aws.trouble() else frame)

    async def _watch_secrets(self) -> None:
        while True:
            await asyncio.sleep(self.settings.secrets_look_seconds)
            rotated = await asyncio.to_thread(self.rotation.look)
            for connection in rotated.connections:
                self._rotate(connection)
            for name in rotated.renewed:
                logs.log_event(log, logging.WARNING, "certificate_replaced", connection=name)

    def _rotate(self, connection: Connection) -> None:
        who = connection.authentication if isinstance(connection, KafkaConnection) else None
        if isinstance(connection, LambdaConnection):
            self.aws.rotated(_aws(connection))
        elif isinstance(connection, HttpsConnection):
            requester = self.clients.get(connection.name)
            if isinstance(requester, HttpsClient):
                requester.rotated(_https(connection))
        elif who is not None and who.username is not None and who.password is not None:
            for client in self.signed_in[connection.name]:
                client.sign_in_as(who.username, who.password.get_secret_value())
        else:
            # Nothing of it can be changed in a client that runs.
            logs.log_event(log, logging.WARNING, "secrets_need_restart", connection=connection.name)
            return
        logs.log_event(log, logging.INFO, "secrets_renewed", connection=connection.name)

    def _processor(self, spec: ProcessorSpec, crashed: Callable[[BaseException], None]) -> Processor:
        settings = self.settings.with_options(spec.options)
        sink = spec.program.sink
        parts = Parts(
            results=self._producer(sink.connection, sink.producer) if sink is not None else None,
            dead_letters=self._producer(spec.dead_letters.connection),
            invokers=tuple(self._client(site.connection) for site in spec.program.calls),
            metrics=self.metrics,
            errors=shipped_errors(),
            transactions=self._transactions(spec),
        )
        target = spec.dead_letters
        return Processor(
            spec.program,
            ProcessorSettings(
                name=spec.name,
                dead_letters=LetterSettings(target.topic, DeadLetterPolicy(spec.name, target.format)),
                tombstones=spec.options.tombstones,
                max_record_bytes=settings.max_record_bytes,
                slice_records=settings.slice_records,
                commit_interval_seconds=settings.commit_interval_seconds,
                drain_timeout_seconds=settings.drain_timeout_seconds,
                revoke_drain_seconds=settings.revoke_drain_seconds,
                max_dynamic_topics=settings.max_dynamic_topics,
                bootstrap_servers=",".join(self._kafka(spec.program.source.connection).bootstrap_servers)
                if spec.program.source is not None
                else "",
                ordering=spec.options.ordering,
                transactions=_transaction_settings(spec, settings),
            ),
            parts,
            crashed,
        )

    def _source(self, spec: ProcessorSpec, events: Intake) -> KafkaSource:
        settings = self.settings.with_options(spec.options)
        source = spec.program.source
        assert source is not None
        connection = self._kafka(source.connection)
        limits = RoomLimits(
            settings.max_buffered_records, settings.max_buffered_bytes, settings.hold_before_pause_seconds
        )
        made = KafkaSource(
            SourceSettings(
                processor=spec.name,
                group_id=source.group_id or default_group(spec.name),
                topics=source.topics,
                client_config=kafka_client_config(connection, "consumer"),
                group_protocol=connection.group_protocol,
                start=StartPolicy(
                    source.auto_offset_reset, spec.options.on_data_loss, spec.options.unreadable_progress
                ),
                limits=limits,
                poll_batch_records=settings.poll_batch_records,
                queued_kilobytes=settings.fetch_ahead_each(len(self.specs)),
                is_transactional=spec.options.delivery == "exactly-once",
            ),
            events,
        )
        self.signed_in[source.connection].append(made)
        return made

    def _transactions(self, spec: ProcessorSpec) -> KafkaTransactions | None:
        """A transactional client of a processor's own: its id is what a successor takes over."""
        if spec.options.delivery != "exactly-once":
            return None
        if self.slot is None:
            self.slot = SlotClaim(self.service.release, self.service.slot, self.first.process)
        assert spec.program.source is not None
        config = kafka_client_config(self._kafka(spec.program.source.connection), "producer")
        sink = spec.program.sink
        changes = sink_config(config, None, sink.producer.compression) if sink is not None else {}
        made = KafkaTransactions({**config, **changes}, self.slot.transactional_id(spec.name))
        self.signed_in[spec.program.source.connection].append(made)
        return made

    def _producer(self, connection: str, options: ProducerOptions = _AS_CONNECTED) -> KafkaProducer:
        """One client for each connection, shared: 100 processors would cost 100 threads and more
        descriptors. A sink that wants other acknowledgements or compression has one with whoever wants the
        same."""
        config = kafka_client_config(self._kafka(connection), "producer")
        changes = sink_config(config, options.acks, options.compression)
        name = producer_name(connection, changes) if changes else connection
        if name not in self.producers:
            self.producers[name] = KafkaProducer({**config, **changes}, f"penstock-{self.first.process}")
            self.signed_in[connection].append(self.producers[name])
        return self.producers[name]

    def _client(self, name: str) -> LambdaInvoker | HttpsClient:
        if name not in self.clients:
            connection = self.app.connections[name]
            if isinstance(connection, HttpsConnection):
                self.clients[name] = HttpsClient(_https(connection))
            else:
                self.clients[name] = self.aws.invoker(name)
        return self.clients[name]

    def _kafka(self, name: str) -> KafkaConnection:
        connection = self.app.connections[name]
        assert isinstance(connection, KafkaConnection)
        return connection


def aws_clients(settings: EngineSettings, rotation: Rotation) -> AwsClients:
    def reread(name: str) -> AwsConnection | None:
        found = rotation.reread(name)
        return _aws(found) if isinstance(found, LambdaConnection) else None

    return AwsClients(settings, ca_bundle(os.environ), reread)


async def check_live(app: App) -> list[Misfit]:
    """What AWS says against the call sites of an app folder, whatever its connections say of `preflight`.
    Raises Invalid for connections that cannot be opened."""
    clients = aws_clients(EngineSettings(), Rotation(app.folder, os.environ, app.connections))
    await clients.open(map(_aws, lambda_connections(app, app.processors)))
    try:
        learnt = await clients.learn(functions_of(app, app.processors, all_of_them=True))
        return [misfit for spec in app.processors for _, misfit in judged(spec, learnt)]
    finally:
        await clients.close_all()


def _raise_to(crashed: Callable[[BaseException], None], ended: asyncio.Task[None]) -> None:
    """A task that runs for ever ended of a bug."""
    if not ended.cancelled() and (error := ended.exception()) is not None:
        crashed(error)


def _transaction_settings(spec: ProcessorSpec, settings: EngineSettings) -> TransactionSettings | None:
    if spec.options.delivery != "exactly-once":
        return None
    return TransactionSettings(
        processor=spec.name,
        interval_seconds=settings.commit_interval_seconds,
        # A small room must not stand full until the interval is over.
        early_records=max(1, settings.max_buffered_records // 4),
        max_records=settings.max_transaction_records,
        max_bytes=settings.max_transaction_bytes,
    )


def default_group(processor: str) -> str:
    """The consumer group of a processor whose `$source` names none."""
    return f"penstock-{processor}"


def _aws(connection: LambdaConnection) -> AwsConnection:
    def revealed(secret: SecretStr | None) -> str | None:
        return None if secret is None else secret.get_secret_value()

    return AwsConnection(
        name=connection.name,
        region=connection.region,
        endpoint_url=connection.endpoint_url,
        role_arn=connection.role_arn,
        external_id=connection.external_id,
        access_key_id=revealed(connection.access_key_id),
        secret_access_key=revealed(connection.secret_access_key),
        session_token=revealed(connection.session_token),
    )


def _https(connection: HttpsConnection) -> HttpsEndpoint:
    headers = {name: secret.get_secret_value() for name, secret in connection.headers.items()}
    security = connection.security
    return HttpsEndpoint(
        connection=connection.name,
        url=connection.url,
        headers=tuple(headers.items()),
        ca_bundle=security.ca_file or ca_bundle(os.environ),
        secrets=tuple(part for value in headers.values() for part in (value, value.rpartition(" ")[2])),
        certificate_file=security.certificate_file,
        key_file=security.key_file,
    )


def _version() -> str:
    try:
        return version("penstock")
    except PackageNotFoundError:
        return "unknown"
