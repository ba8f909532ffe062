"""Values that name their schema, in one processor: what is not known of the registry is asked for beside the
loop, and only what needs it waits.

In: a slice that names an unknown id stands aside (see backlog.py), and its partition with it. Out: a document
whose schema has no id yet waits in its slot, and its partition's order sees to the rest.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from topics.codecs.errors import NotADocument
from topics.codecs.registered import (
    NotRegistered,
    Registry,
    RegistryAway,
    RegistryDenied,
    RegistryRefused,
    SchemaReader,
    SchemaWriter,
    Subject,
)
from workers.counting import Metrics
from workers.engine.backlog import Gate
from workers.engine.partition import PartitionRun
from workers.engine.report import ProcessorStatus
from workers.logs import log_event
from workers.metrics import SCHEMA_REQUESTS
from workers.model import Emission, Meta, Refused
from workers.pipeline.program import Program
from workers.ports import Produced, SourceRecord
from workers.settings import (
    MAX_SCHEMA_REQUESTS,
    SCHEMA_DENIED_SECONDS,
    SCHEMA_RETRY_CAP_SECONDS,
    SCHEMA_RETRY_FIRST_SECONDS,
    SCHEMA_SLICE_RECORDS,
)

log = logging.getLogger(__name__)

_KEY_FORMAT: Final = "schemaRegistry"


@dataclass(frozen=True, slots=True)
class SchemaParts:
    """The outside of a processor with a schema registry: what is known, and who asks. None: that end has
    none."""

    reader: SchemaReader | None = None
    source: Registry | None = None
    writer: SchemaWriter | None = None
    sink: Registry | None = None


@dataclass(slots=True)
class _Asked:
    """One question that is open, and who waits for its answer."""

    task: asyncio.Task[None]
    waiting: list[tuple[PartitionRun, Callable[[], None]]] = field(default_factory=list)


class Registered:
    """Without a registry nothing of it is ever called but `run` and `shown`."""

    def __init__(
        self, name: str, program: Program, parts: SchemaParts, metrics: Metrics, fail: Callable[[str], None]
    ) -> None:
        self._name, self._metrics, self._fail = name, metrics, fail
        self._program = program
        self._parts = parts
        self.reader, self._writer = parts.reader, parts.writer
        source = program.source
        self.reads_keys = self.reader is not None and source is not None and source.key_format == _KEY_FORMAT
        self.writes = self._writer is not None
        self._asked: dict[object, _Asked] = {}
        self._requests = asyncio.Semaphore(MAX_SCHEMA_REQUESTS)
        self._trouble = ""
        self._bug: asyncio.Future[BaseException] | None = None
        self.release: Callable[[PartitionRun], None] = lambda _partition: None

    @property
    def gate(self) -> Gate | None:
        """Whether a slice must stand aside; None where none ever does."""
        return None if self.reader is None else self._lacks

    def slice_of(self, records: int) -> int:
        """How many records to take up at once, where nothing else asks for fewer."""
        return min(records, SCHEMA_SLICE_RECORDS) if self.reader is not None or self.writes else records

    async def run(self) -> None:
        """Ask for what is needed in any case; what is open ends with this task. Raises what is a bug."""
        sink, writer = self._program.sink, self._writer
        self._bug = asyncio.get_running_loop().create_future()
        try:
            if writer is not None and sink is not None and sink.topic is not None:
                for subject in writer.subjects(sink.topic):
                    await self._ask_subject(subject).task
                    reason = writer.refusal(subject)
                    if reason:
                        self._fail(self._refused(sink.topic, reason).reason)
            raise await self._bug
        finally:
            self.stop()

    def stop(self) -> None:
        """Ask for nothing any more."""
        for asked in self._asked.values():
            asked.task.cancel()

    def shown(self, status: ProcessorStatus) -> ProcessorStatus:
        """The status with what the registry does not do just now."""
        if not self._trouble or status.state != "STARTED":
            return status
        return replace(status, ready=False, trouble="; ".join(filter(None, (status.trouble, self._trouble))))

    # In

    def _lacks(self, records: Sequence[SourceRecord]) -> bool:
        reader, registry = self.reader, self._parts.source
        assert reader is not None
        assert registry is not None
        missing = set(reader.lacks(record.value() for record in records))
        if self.reads_keys:
            missing |= set(reader.lacks(record.key() for record in records))
        for number in missing:
            self._ask(number, "schema", partial(registry.fetch, number))
        return bool(missing)

    def read_keys(self, docs: list[Any], metas: Sequence[Meta] | None) -> list[Any]:
        """The same documents; each meta's key as its schema says. A key that cannot be read dead-letters its
        record, or stays bytes."""
        if not self.reads_keys or metas is None:
            return docs
        source, reader = self._program.source, self.reader
        assert source is not None
        assert reader is not None
        found: list[Any] = []
        for doc, meta in zip(docs, metas, strict=True):
            raw, outcome = meta.source["key"], doc
            if raw is not None:
                try:
                    meta.source = {**meta.source, "key": reader.decode_key(raw)}
                except NotADocument as error:
                    if source.key_format_error == "dlq" and not isinstance(doc, NotADocument):
                        path = "pipeline[0].$source.config.keyFormat"
                        reason = f"the key cannot be read: {error.reason}"
                        outcome = Refused(reason, "$source", path, doc, error_class="KeyFormat")
            found.append(outcome)
        return found

    # Out

    def produced(
        self, emission: Emission, timestamp_ms: int, partition: PartitionRun, again: Callable[[], None]
    ) -> Produced | Refused | None:
        """The record to produce. None: its schema has no id yet; `again` is called when that has changed.
        Raises NotEncodable."""
        assert self._writer is not None
        try:
            value, key = self._writer.write(emission.topic, emission.value, emission.key)
        except NotRegistered as missing:
            self._ask_subject(missing.subject).waiting.append((partition, again))
            return None
        except RegistryRefused as error:
            return self._refused(emission.topic, error.reason)
        return (emission.topic, value, key, emission.headers, timestamp_ms)

    def _refused(self, topic: str, reason: str) -> Refused:
        """A topic that a document named is that document's; a schema for the pipeline's own topic is for all
        of them, so that nothing is dead-lettered for it."""
        sink = self._program.sink
        assert sink is not None
        place = f"{sink.path}.schemaRegistry"
        why = f"the schema registry refuses the schema for {topic}: {reason}"
        if sink.topic is not None:
            return Refused(why, sink.operator, place, error_class="SchemaRefused", scope="processor")
        return Refused(why, sink.operator, place, error_class="SchemaRefused", scope="configuration")

    # Asking

    def _ask_subject(self, subject: Subject) -> _Asked:
        registry = self._parts.sink
        assert registry is not None
        return self._ask(subject, "subject", partial(registry.register, subject))

    def _ask(self, what: object, operation: str, request: Callable[[], Awaitable[None]]) -> _Asked:
        """One question at a time for each thing, until there is an answer."""
        if what not in self._asked:
            task = asyncio.create_task(self._until_answered(what, operation, request))
            task.add_done_callback(self._ended)
            self._asked[what] = _Asked(task)
        return self._asked[what]

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            assert self._bug is not None
            if not self._bug.done():
                self._bug.set_result(error)

    async def _until_answered(
        self, what: object, operation: str, request: Callable[[], Awaitable[None]]
    ) -> None:
        denied_since: float | None = None
        tries = 0
        while True:
            async with self._requests:
                try:
                    await request()
                    break
                except RegistryAway as error:
                    denied = isinstance(error, RegistryDenied)
                    self._count(operation, "denied" if denied else "away")
                    self._set_trouble(f"schema registry: {error.reason}")
            now = time.monotonic()
            denied_since = (denied_since or now) if denied else None
            if denied_since is not None and now - denied_since >= SCHEMA_DENIED_SECONDS:
                self._fail(self._trouble)
                return
            wait = min(SCHEMA_RETRY_CAP_SECONDS, SCHEMA_RETRY_FIRST_SECONDS * 2.0 ** min(tries, 16))
            tries += 1
            jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
            await asyncio.sleep(wait * (1 + jitter) / 2)
        self._count(operation, "answered")
        self._set_trouble("")
        asked = self._asked.pop(what)
        for partition, again in asked.waiting:
            # What waited of a partition that moved is its next owner's.
            if partition.alive:
                again()
                self.release(partition)

    def _count(self, operation: str, result: str) -> None:
        self._metrics.counter(SCHEMA_REQUESTS, self._name, operation, result).inc()

    def _set_trouble(self, trouble: str) -> None:
        if trouble and not self._trouble:
            log_event(log, logging.WARNING, "schema_registry_trouble", processor=self._name, reason=trouble)
        elif self._trouble and not trouble:
            log_event(log, logging.INFO, "schema_registry_back", processor=self._name)
        self._trouble = trouble
