"""The object graph of an engine process: processors, their sources, and the clients that they share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from workers.adapters.aws_clients import AwsClients
from workers.adapters.error_file import shipped_errors
from workers.adapters.https import HttpsClient
from workers.adapters.kafka_consumer import KafkaSource
from workers.adapters.kafka_msk import MskTokens
from workers.adapters.kafka_producer import KafkaProducer, producer_name, sink_config
from workers.adapters.kafka_requests import SignsIn
from workers.adapters.kafka_source_settings import SourceSettings
from workers.adapters.kafka_transactions import KafkaTransactions
from workers.adapters.lambda_http import LambdaInvoker
from workers.adapters.slot_claim import SlotClaim
from workers.appfolder import (
    App,
    Connection,
    HttpsConnection,
    KafkaConnection,
    ProcessorSpec,
)
from workers.appfolder.kafka_config import Role
from workers.assembly.clients import https_endpoint
from workers.assembly.kafka_settings import client_config, msk_tokens
from workers.assembly.registries import Registries
from workers.assembly.service import static_member
from workers.counting import Metrics
from workers.emit.dead_letter import DeadLetterPolicy
from workers.engine.callees import Callees
from workers.engine.intake import Intake
from workers.engine.letters import LetterSettings
from workers.engine.processor import Parts, Processor, ProcessorSettings
from workers.engine.transaction import TransactionSettings
from workers.pipeline.program import ProducerOptions
from workers.ports import Producer
from workers.progress.room import RoomLimits
from workers.progress.start import StartPolicy
from workers.settings import EngineSettings, ServiceSettings

_AS_CONNECTED: Final = ProducerOptions()


@dataclass(slots=True)
class Graph:
    """Builds each part once: what two processors can share, they share."""

    app: App
    process: int
    service: ServiceSettings
    settings: EngineSettings
    aws: AwsClients
    metrics: Metrics = field(default_factory=Metrics)
    callees: Callees = field(default_factory=Callees)
    producers: dict[str, KafkaProducer] = field(default_factory=dict)
    clients: dict[str, LambdaInvoker | HttpsClient] = field(default_factory=dict)
    connections: dict[str, Connection] = field(init=False)
    """As their files had them last."""
    signed_in: dict[str, dict[str, SignsIn]] = field(default_factory=lambda: defaultdict(dict))
    """By connection and what they are for: the clients of a processor take the place of those it had before
    it was started again."""
    tokens: dict[str, MskTokens | None] = field(default_factory=dict)
    """By Kafka connection what makes its tokens; None: it has a password, or nothing."""
    registries: Registries = field(default_factory=Registries)
    slot: SlotClaim | None = None

    def __post_init__(self) -> None:
        self.connections = dict(self.app.connections)

    def processor(
        self, spec: ProcessorSpec, crashed: Callable[[BaseException], None], results: Producer | None = None
    ) -> Processor:
        """A processor with everything but its source. `results` takes its results instead of Kafka."""
        settings = self.settings.with_options(spec.options)
        sink = spec.program.sink
        if results is None and sink is not None:
            results = self._producer(sink.connection, sink.producer)
        parts = Parts(
            results=results,
            dead_letters=self._producer(spec.dead_letters.connection),
            invokers=tuple(self._client(site.connection) for site in spec.program.calls),
            metrics=self.metrics,
            errors=shipped_errors(),
            transactions=self._transactions(spec),
            callees=self.callees,
            schemas=self.registries.parts(spec.program, self.connections),
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
                restart_window_seconds=spec.options.restart_window,
                transactions=_transaction_settings(spec, settings),
            ),
            parts,
            crashed,
        )

    def source(self, spec: ProcessorSpec, events: Intake, shared_by: int) -> KafkaSource:
        """`shared_by`: processors of this process, which share what may be fetched ahead."""
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
                client_config={
                    **static_member(self.service, self.process, spec.name),
                    **self._config(source.connection, "consumer"),
                },
                group_protocol="classic" if self.service.is_static_member else connection.group_protocol,
                start=StartPolicy(
                    source.auto_offset_reset, spec.options.on_data_loss, spec.options.unreadable_progress
                ),
                limits=limits,
                poll_batch_records=settings.poll_batch_records,
                queued_kilobytes=settings.fetch_ahead_each(shared_by),
                is_transactional=spec.options.delivery == "exactly-once",
            ),
            events,
        )
        self.signed_in[source.connection][f"source of {spec.name}"] = made
        return made

    def _transactions(self, spec: ProcessorSpec) -> KafkaTransactions | None:
        """A transactional client of a processor's own: its id is what a successor takes over."""
        if spec.options.delivery != "exactly-once":
            return None
        if self.slot is None:
            self.slot = SlotClaim(self.service.release, self.service.slot, self.process)
        assert spec.program.source is not None
        config = self._config(spec.program.source.connection, "producer")
        sink = spec.program.sink
        changes = sink_config(config, None, sink.producer.compression) if sink is not None else {}
        made = KafkaTransactions({**config, **changes}, self.slot.transactional_id(spec.name))
        self.signed_in[spec.program.source.connection][f"transactions of {spec.name}"] = made
        return made

    def _producer(self, connection: str, options: ProducerOptions = _AS_CONNECTED) -> KafkaProducer:
        """One client for each connection, shared: 100 processors would cost 100 threads and more
        descriptors. A sink that wants other acknowledgements or compression has one with whoever wants the
        same."""
        config = self._config(connection, "producer")
        changes = sink_config(config, options.acks, options.compression)
        name = producer_name(connection, changes) if changes else connection
        if name not in self.producers:
            self.producers[name] = KafkaProducer({**config, **changes}, f"penstock-{self.process}")
            self.signed_in[connection][f"producer {name}"] = self.producers[name]
        return self.producers[name]

    def _client(self, name: str) -> LambdaInvoker | HttpsClient:
        if name not in self.clients:
            connection = self.connections[name]
            if isinstance(connection, HttpsConnection):
                self.clients[name] = HttpsClient(https_endpoint(connection))
            else:
                self.clients[name] = self.aws.invoker(name)
        return self.clients[name]

    def token_troubles(self) -> dict[str, str]:
        """Why there are no tokens, by Kafka connection; those that have them are left out."""
        return {name: made.trouble for name, made in self.tokens.items() if made is not None and made.trouble}

    def _config(self, name: str, role: Role) -> dict[str, Any]:
        """Settings of a client; those of one connection share what makes their tokens."""
        connection = self._kafka(name)
        if name not in self.tokens:
            self.tokens[name] = msk_tokens(connection)
        return client_config(connection, role, self.tokens[name])

    def _kafka(self, name: str) -> KafkaConnection:
        connection = self.connections[name]
        assert isinstance(connection, KafkaConnection)
        return connection

    def close(self) -> None:
        """Give back what outlives the event loop."""
        self.aws.close()
        self.registries.close()
        if self.slot is not None:
            self.slot.release()


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
