"""`$externalFunction` for Faust: an agent's records through the same calls as in a pipeline.

    from penstock.faust import external_function

    orders = app.topic("orders", key_serializer="raw", value_serializer="raw")
    enrich = external_function(
        app, "enrich", connection={"region": "eu-central-1"}, function_name="enrich:live", as_="resp"
    )

    @app.agent(orders)
    async def process(stream):
        async for order in enrich(stream):
            yield order

The stage's fields are those of `$externalFunction`, and so are limits, retries, batches, order, dead letters
and metrics: it is the same code. docs/faust.md tells what is promised.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from faust import App as FaustApp
from faust import Event, Stream
from faust.sensors import Sensor
from faust.types import AppT
from faust.types.enums import ProcessingGuarantee
from pydantic.alias_generators import to_camel

from workers.adapters.handed_results import HandedResult
from workers.adapters.handed_source import HandedRecord
from workers.appfolder import App
from workers.appfolder.embedded import FUNCTIONS, KAFKA, embedded_app
from workers.assembly.embedded import Embedded
from workers.errors import Invalid, Problem
from workers.model import Headers, TopicPartition
from workers.settings import ProcessorOptions

__all__ = ["ExternalFunction", "Result", "Results", "external_function"]

_OPTIONS: Final = frozenset(map(to_camel, ProcessorOptions.model_fields))
# Until the app is configured, for the checks at definition.
_NO_BROKER: Final = {"bootstrapServers": "localhost:9092"}


def external_function(
    app: FaustApp, name: str, *, connection: Mapping[str, Any], kafka: Mapping[str, Any] | None = None,
    sink: str | Mapping[str, Any] | None = None, **fields: Any,
) -> ExternalFunction:  # fmt: skip
    """A call site for one agent of `app`; `name` is the processor's in metrics, logs and dead letters.

    `connection` holds the fields of an `AWSLambda` connection, `kafka` those of a `Kafka` connection (without
    it: the app's broker), `sink` a topic for the results, or the fields of `$emit`; without it they come back
    to the agent. `fields` are those of `$externalFunction` and the options of a processor, in snake case with
    `as_` for `as`, and `dead_letters`: a topic (default `<name>.dlq`) or the fields of `options.dlq`. What is
    inside of a field is written as in a file: `batch={"maxRecords": 100}`.

    Raises Invalid with every problem.
    """
    letters = fields.pop("dead_letters", None)
    given = {to_camel(key.rstrip("_")): value for key, value in fields.items()}
    options = {key: value for key, value in given.items() if key in _OPTIONS}
    call = {key: value for key, value in given.items() if key not in _OPTIONS}
    if letters is not None:
        options["dlq"] = {"topic": letters} if isinstance(letters, str) else letters
    emit = {"topic": sink} if isinstance(sink, str) else sink

    def define(broker: Mapping[str, Any]) -> App:
        return embedded_app(name, call, options, {FUNCTIONS: connection, KAFKA: kafka or broker}, emit)

    define(_NO_BROKER)
    return ExternalFunction(app, name, define, hands_over=emit is None, takes_broker=kafka is None)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one record: its document, and key and headers as they came; `event` is Faust's, with
    topic, partition and offset in its `message`. The document of a tombstone is None."""

    document: Any
    key: bytes | None
    headers: Headers
    event: Event


class ExternalFunction:
    """One call site of one agent. Made by `external_function`; runs from the agent's first record until the
    app stops."""

    def __init__(
        self, app: FaustApp, name: str, define: Callable[[Mapping[str, Any]], App], *, hands_over: bool,
        takes_broker: bool,
    ) -> None:  # fmt: skip
        """`define` makes the app out of the fields of the Faust app's broker, which `takes_broker` says that
        it needs; `hands_over`: results come to the agent."""
        self._app, self._name, self._define, self._hands_over = app, name, define, hands_over
        self._takes_broker = takes_broker
        self._stream: Stream[Any] | None = None
        self._embedded: Embedded | None = None
        self._at_work: HandedResult | None = None
        self._crash: asyncio.Task[None] | None = None

    def __call__(self, stream: Stream[Any]) -> Results:
        """The results of the stream's records. A record is acknowledged when the next result is asked for,
        as Faust itself does it, and everything before it in its partition has settled. A result that the
        agent failed with comes again when Faust starts the agent again."""
        return Results(self._results(stream))

    def metrics_text(self) -> str:
        """The metrics of docs/metrics.md as of now, in Prometheus' text format."""
        return self._embedded.metrics_text() if self._embedded is not None else ""

    async def _results(self, stream: Stream[Any]) -> AsyncIterator[Result]:
        line = (await self._begun(stream)).results
        while True:
            result = self._at_work or await line.next()
            if not result.is_gone:
                self._at_work = result
                yield Result(result.document, result.key, result.headers, result.record.handle)
                result.settle()
            self._at_work = None

    async def _begun(self, stream: Stream[Any]) -> Embedded:
        if self._embedded is not None and stream is self._stream:
            return self._embedded
        try:
            return await self._begin(stream)
        except Exception as error:
            # The agent alone would be started again and again, and fail again and again.
            await self._app.crash(error)
            raise
        finally:
            if self._embedded is None:
                self._stream = None

    async def _begin(self, stream: Stream[Any]) -> Embedded:
        problems = [] if self._stream is None else [
            self._problem("a second stream", "an external_function of its own for each agent")
        ]  # fmt: skip
        problems += self._problems_of(stream)
        if problems:
            raise Invalid(problems)
        self._stream, app = stream, self._app
        embedded = Embedded(
            self._define(self._broker()), self._acknowledge, self._forget, self._failed,
            hands_over=self._hands_over,
        )  # fmt: skip
        await embedded.start()
        self._stream, self._embedded = stream, embedded
        app.sensors.add(_Rebalances(asyncio.get_running_loop(), embedded))
        app.on_partitions_revoked.connect(self._on_revoked, sender=app)
        app.on_before_shutdown.connect(self._on_shutdown, sender=app)
        app.add_future(self._pump(stream, embedded))
        app.add_future(self._leave_at_stop(embedded))
        return embedded

    async def _pump(self, stream: Stream[Any], embedded: Embedded) -> None:
        """Runs on when the agent is started again: a record on its way between Faust's queue and here would
        be lost with the task."""
        source = embedded.source
        async for event in stream.noack().events():
            source.take(_record(event))
            await source.room()

    async def _leave_at_stop(self, embedded: Embedded) -> None:
        await self._app.wait_until_stopped()
        await embedded.source.leave()

    def _acknowledge(self, event: Event) -> None:
        # What `Stream.ack` does, which is a coroutine that awaits nothing.
        message, sensors = event.message, self._app.sensors
        is_last = event.ack()
        assert self._stream is not None
        sensors.on_stream_event_out(message.tp, message.offset, self._stream, event)
        if is_last:
            sensors.on_message_out(message.tp, message.offset, message)

    def _forget(self, event: Event) -> None:
        """Faust waits for every record that it handed out, before a rebalance and at a stop."""
        self._app.consumer.unacked.discard(event.message)

    async def _on_revoked(self, _app: Any, /, *_: Any, signal: Any, **_more: Any) -> None:
        """What Faust did not wait for is read again by whoever gets the partition."""
        assert self._embedded is not None
        self._embedded.source.lose()

    async def _on_shutdown(self, _app: Any, /, *_: Any, signal: Any, **_more: Any) -> None:
        assert self._embedded is not None
        await self._embedded.stop()

    def _failed(self, error: BaseException) -> None:
        self._crash = asyncio.get_running_loop().create_task(self._app.crash(error))

    def _broker(self) -> Mapping[str, Any]:
        conf = self._app.conf
        return {"bootstrapServers": [f"{url.host}:{url.port or 9092}" for url in conf.broker]}

    def _problem(self, found: str, expected: str) -> Problem:
        return Problem(f"external_function {self._name}", "stream", found, expected)

    def _problems_of(self, stream: Stream[Any]) -> list[Problem]:
        problems: list[Problem] = []
        if stream.concurrency_index is not None:
            problems.append(self._problem("an agent with concurrency", "parallelism=... of the call instead"))
        if stream.active_partitions is not None:
            problems.append(
                self._problem("an agent with isolated_partitions", "ordering='partition' is the default")
            )
        schema = getattr(stream.channel, "schema", None)
        conf: Any = self._app.conf
        if conf.processing_guarantee == ProcessingGuarantee.EXACTLY_ONCE:
            problems.append(self._problem("processing_guarantee='exactly_once'", "'at_least_once'"))
        if self._takes_broker and conf.broker_credentials is not None:
            found = "the app's broker asks for credentials, and its dead letters go there"
            problems.append(replace(self._problem(found, "kafka={...}, a Kafka connection"), path="kafka"))
        if schema is None:
            problems.append(self._problem("a stream of no topic", "a stream of app.topic(...)"))
            return problems
        for part in ("key", "value"):
            codec = getattr(schema, f"{part}_serializer") or getattr(conf, f"{part}_serializer")
            kind = getattr(schema, f"{part}_type")
            if codec != "raw" or kind not in (None, bytes):
                found = f"{part}s that Faust decodes, and commits past those that it cannot"
                problems.append(self._problem(found, f"app.topic(..., {part}_serializer='raw')"))
        return problems


class Results:
    """What an agent iterates over: documents, or more of each."""

    def __init__(self, results: AsyncIterator[Result]) -> None:
        self._results = results

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for result in self._results:
            yield result.document

    async def items(self) -> AsyncIterator[tuple[bytes | None, Any]]:
        """(key, document) of each."""
        async for result in self._results:
            yield result.key, result.document

    def results(self) -> AsyncIterator[Result]:
        """Everything of each."""
        return self._results


class _Rebalances(Sensor):
    """Hears of a rebalance before Faust waits for open records. Called on the consumer's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, embedded: Embedded) -> None:
        super().__init__()
        self._main_loop, self._embedded = loop, embedded
        self._leaving: asyncio.Task[None] | None = None

    def on_rebalance_start(self, app: AppT) -> dict[str, Any]:
        self._main_loop.call_soon_threadsafe(self._leave)
        return {}

    def _leave(self) -> None:
        self._leaving = self._main_loop.create_task(self._embedded.source.leave())


def _record(event: Event) -> HandedRecord:
    message = event.message
    headers = message.headers.items() if isinstance(message.headers, Mapping) else message.headers or ()
    return HandedRecord(
        TopicPartition(message.topic, message.partition), message.offset,
        (message.key, message.value, list(headers)), round(message.timestamp * 1000),
        message.generation_id, event,
    )  # fmt: skip
