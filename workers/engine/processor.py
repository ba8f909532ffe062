"""One processor at work on the event loop: partitions come and go, records go through, offsets are
committed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from workers.calls.error_table import ErrorTable
from workers.calls.order import Ordering
from workers.counting import Metrics
from workers.emit.topics import DistinctTopics
from workers.engine.after_call import AfterCall
from workers.engine.backlog import Backlog
from workers.engine.callees import Callees
from workers.engine.calling import Caller, Done, Job
from workers.engine.commits import Commits, PlainCommits
from workers.engine.execute import Executor, outcome_of
from workers.engine.holding import ProbePace
from workers.engine.letters import Letters, LetterSettings
from workers.engine.outcomes import Outcomes, SinkFacts
from workers.engine.output import Output
from workers.engine.partition import ORDERS, PartitionRun, Slot
from workers.engine.plain import Ends, Tombstones
from workers.engine.registered import Registered, SchemaParts
from workers.engine.report import ProcessorReport, ProcessorStatus
from workers.engine.sites import sites_of
from workers.engine.tally import Tally
from workers.engine.transaction import TransactionLoop, TransactionSettings
from workers.logs import log_event
from workers.metrics import DRAIN_SECONDS, LOOP_SLICE_SECONDS, PARTITIONS_HELD, REBALANCES
from workers.model import Document, Meta, Position, TopicPartition
from workers.pipeline.program import Program
from workers.ports import Batch, Client, Membership, Producer, Source, Transactions
from workers.settings import RESTART_WINDOW_SECONDS

log = logging.getLogger(__name__)

State = Literal["CREATED", "STARTED", "STOPPED", "FAILED"]
# After a drain, for the last transaction: one takes some 50 ms. Within the grace that a revocation has beyond
# its drain.
SETTLE_SECONDS: Final = 3.0
# Of the drain timeout, for the last commit and the word to the group; both take some 10 ms.
LEAVE_SECONDS: Final = 3.0
OnCrash = Callable[[BaseException], None]
"""Told of a bug: the process cannot go on."""
OnFailed = Callable[[str, PartitionRun], bool]
"""Told why a processor failed, and at which partition's place. True: it is started again, so it is not FAILED
yet."""


@dataclass(frozen=True, slots=True)
class ProcessorSettings:
    """What the engine needs of one processor beside its program."""

    name: str
    dead_letters: LetterSettings
    tombstones: Tombstones
    max_record_bytes: int
    slice_records: int
    commit_interval_seconds: float
    drain_timeout_seconds: float
    revoke_drain_seconds: float
    max_dynamic_topics: int = 1_000
    transactions: TransactionSettings | None = None
    """Under exactly-once."""
    bootstrap_servers: str = ""
    ordering: Ordering = "partition"
    restart_window_seconds: float = RESTART_WINDOW_SECONDS
    """How long it may fail at one place before it is FAILED; `restarts` goes by it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The outside of one processor, behind ports. `invokers` has one for each function call; `transactions`
    is there under exactly-once; `callees` is what it shares with the others of the process."""

    results: Producer | None
    dead_letters: Producer
    invokers: tuple[Client, ...]
    metrics: Metrics
    errors: ErrorTable
    transactions: Transactions | None = None
    pace: ProbePace = field(default_factory=ProbePace)
    callees: Callees = field(default_factory=Callees)
    schemas: SchemaParts = field(default_factory=SchemaParts)


class Processor:
    """Keeps `intake.Takes`. Everything runs on the loop."""

    def __init__(
        self, program: Program, settings: ProcessorSettings, parts: Parts, on_crash: OnCrash
    ) -> None:
        self.settings = settings
        self.state: State = "CREATED"
        self.error = ""
        self.tally = Tally()
        self.partitions: dict[TopicPartition, PartitionRun] = {}
        self._program = program
        self._metrics = parts.metrics
        self._on_crash = on_crash
        self._source: Source | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._highest: dict[TopicPartition, int] = {}
        self._is_halted = False
        self._failing: asyncio.Task[None] | None = None
        self.on_failed: OnFailed | None = None
        name = settings.name
        dead = Output(name, parts.dead_letters, self.tally)
        # A pipeline that ends with a call has no results; nothing is ever sent through this one then.
        results = Output(name, parts.results or parts.dead_letters, self.tally)
        self._outputs = (results, dead)
        self._producers = tuple({id(output.producer): output.producer for output in self._outputs}.values())
        letters = Letters(settings.dead_letters, dead, self.tally, self._fail_soon)
        outcomes = None
        self._commits: Commits = PlainCommits(settings.commit_interval_seconds, self.partitions)
        if parts.transactions is not None and settings.transactions is not None:
            outcomes = Outcomes(letters, self.tally, SinkFacts.of(program.sink), outcome_of)
            self._commits = TransactionLoop(
                settings.transactions, outcomes, parts.transactions, self.partitions, parts.metrics
            )
        ends = Ends(results, letters, self.tally, settings.tombstones, outcomes)
        topics = DistinctTopics(settings.max_dynamic_topics)
        self._schemas = Registered(name, program, parts.schemas, parts.metrics, self.fail)
        self.executor = Executor(program, ends, settings.max_record_bytes, topics, self._call, self._schemas)
        self._schemas.release = self.executor.release
        caller = Caller(
            name, parts.metrics, self._done, on_crash, parts.errors, self.fail, settings.bootstrap_servers,
            parts.pace, parts.callees,
        )  # fmt: skip
        self.fanouts = sites_of(program, parts.invokers, caller)
        self.report = ProcessorReport(name, self.tally, parts.metrics)
        slice_records = settings.slice_records
        if self.fanouts:
            slice_records = min(slice_records, max(self.fanouts[0].at_once, 16))
        self._backlog = Backlog(self._schemas.slice_of(slice_records), self._schemas.gate)

    def start(self, source: Source) -> None:
        """Begin to take records from `source`."""
        self._source = source
        self._set_state("STARTED")
        self._metrics.start_processor(self.settings.name)
        for work in (self._pump(), self._commits.run(source), self._schemas.run()):
            task = asyncio.create_task(work)
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    # Events of the source.

    def take_assigned(self, positions: Mapping[TopicPartition, Position]) -> None:
        if self.state != "STARTED":
            return
        assert self._source is not None
        for key, position in positions.items():
            order = ORDERS[self.settings.ordering]
            self.partitions[key] = PartitionRun(key, position, self._source.freed, order())
        self._metrics.counter(REBALANCES, self.settings.name, "assigned").inc()
        log_event(
            log, logging.INFO, "partitions_assigned", processor=self.settings.name,
            partitions=_text(positions),
        )  # fmt: skip

    def take_records(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            partition = self.partitions.get(batch.partition)
            if partition is None:
                continue  # a processor that failed or stops still owns partitions, and takes nothing of them
            topic = batch.partition.topic
            self.tally.consumed[topic] += len(batch.offsets)
            self.tally.consumed_bytes[topic] += batch.size_bytes
            self._count_repeats(batch)
            self.tally.skipped += self._backlog.take(partition, batch)

    def take_end(self, partition: TopicPartition, next_offset: int) -> None:
        run = self.partitions.get(partition)
        if run is not None:
            run.frontier.reached(next_offset)

    async def give_up(
        self, partitions: Sequence[TopicPartition], membership: Membership | None
    ) -> Mapping[TopicPartition, Position]:
        """The partitions move: what has begun may end within the revoke drain, the rest is the next
        owner's."""
        runs = [self.partitions[key] for key in partitions if key in self.partitions]
        self._commits.give(membership)
        try:
            await self._drain(runs, self.settings.revoke_drain_seconds, "revoked")
        finally:
            self._commits.give(None)
        return self._commits.last(runs) if not self._is_halted else {}

    def take_lost(self, partitions: Sequence[TopicPartition]) -> None:
        self._release([self.partitions[key] for key in partitions if key in self.partitions], "lost")
        self._metrics.counter(REBALANCES, self.settings.name, "lost").inc()
        log_event(
            log, logging.WARNING, "partitions_lost", processor=self.settings.name,
            partitions=_text(partitions),
        )  # fmt: skip

    def take_failure(self, reason: str) -> None:
        self.fail(reason)

    def take_crash(self, error: BaseException) -> None:
        self._on_crash(error)

    # Stopping.

    def fail(self, reason: str, at: PartitionRun | None = None) -> None:
        """The processor stops as FAILED. What settled before is committed, nothing past it; the others go on.

        `at`: of which partition a record cannot pass now, and may later. Without it no start would help."""
        if self.state != "STARTED":
            return
        self.error = reason
        if at is not None and self.on_failed is not None and self.on_failed(reason, at):
            self.state = "FAILED"  # what is shown is the successor's
        else:
            self._set_state("FAILED")
            log_event(log, logging.ERROR, "processor_failed", processor=self.settings.name, reason=reason)
        assert self._source is not None
        self._source.quiesce()
        self._schemas.stop()
        # Every frontier stops at the first record that did not settle, the failing one among them.
        runs = list(self.partitions.values())
        self._source.commit(self._commits.last(runs))
        if self.settings.transactions is None:
            self._source.stop()
            self._release(runs, "failed")
            return
        # What settled before may have no transaction yet.
        self._commits.stop_adding()
        for run in runs:
            run.draining = True
        self._backlog.drop_draining()
        self._failing = asyncio.create_task(self._leave(self._source, runs))
        self._tasks.append(self._failing)

    async def _leave(self, source: Source, runs: Sequence[PartitionRun]) -> None:
        """The end of a processor that failed under exactly-once."""
        await self._commits.settle(runs, SETTLE_SECONDS)
        source.stop()
        self._release(runs, "failed")

    def _fail_soon(self, reason: str) -> None:
        """After the slice at hand: partitions are not released under it."""
        asyncio.get_running_loop().call_soon(self.fail, reason)

    async def stop(self) -> None:
        """Take no more, let what has begun end within the drain timeout, commit, leave the group."""
        if self._source is None:
            return
        self._source.quiesce()
        runs, limit = list(self.partitions.values()), self.settings.drain_timeout_seconds
        ends = time.monotonic() + limit
        if self.state == "STARTED":
            await self._drain(runs, max(limit - LEAVE_SECONDS, limit / 2), "stopped")
            self._source.commit(self._commits.last(runs))
            if not self.error:  # a processor may fail while it drains
                self._set_state("STOPPED")
        if self._failing is not None:
            await self._failing
        # Without its broker the consumer waits up to 45 s for an answer to the last commit.
        left = asyncio.wrap_future(self._source.stop())
        await asyncio.wait({left}, timeout=max(ends - time.monotonic(), LEAVE_SECONDS))
        if not left.done():
            log_event(log, logging.WARNING, "source_did_not_stop", processor=self.settings.name)
        await self.close()
        log_event(log, logging.INFO, "processor_stopped", processor=self.settings.name, state=self.state)

    def halt(self) -> None:
        """A bug was found: from now on nothing is taken, produced or committed. `close` follows."""
        self._is_halted = True
        self.error = self.error or "the engine crashed"
        self._set_state("FAILED")
        for task in self._tasks:
            task.cancel()
        self._release(list(self.partitions.values()), "failed")

    async def close(self) -> None:
        """End what runs for this processor."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(
            *self._tasks, *(fanout.close() for fanout in self.fanouts), return_exceptions=True
        )
        for output in self._outputs:
            output.close()
        await self._commits.close()

    async def _drain(self, runs: Sequence[PartitionRun], limit_seconds: float, reason: str) -> None:
        began = time.monotonic()
        for run in runs:
            run.draining = True
        self._backlog.drop_draining()
        for fanout in self.fanouts:
            fanout.drop_waiting()
        self._commits.hurry()
        waits = [asyncio.create_task(run.drained()) for run in runs]
        if waits:
            _, late = await asyncio.wait(waits, timeout=limit_seconds)
            for wait in late:
                wait.cancel()
            await self._commits.settle(runs, SETTLE_SECONDS)
        seconds = time.monotonic() - began
        self._metrics.histogram(DRAIN_SECONDS, self.settings.name, reason).observe(seconds)
        self._release(runs, reason)
        log_event(
            log, logging.INFO, "partitions_released", processor=self.settings.name, reason=reason,
            partitions=_text(run.key for run in runs), drain_seconds=round(seconds, 3),
            open_records=sum(run.frontier.open_records() for run in runs),
        )  # fmt: skip

    def _release(self, runs: Sequence[PartitionRun], reason: str) -> None:
        # A drain may end after another one, or after the partition was lost: it may be back already.
        for run in [run for run in runs if run.alive]:
            run.release()
            self.tally.abandoned[reason] += run.frontier.open_records()
            self._highest[run.key] = run.frontier.position
            self.partitions.pop(run.key, None)
            self._metrics.forget(
                processor=self.settings.name, topic=run.key.topic, partition=str(run.key.partition)
            )
        self._backlog.drop_draining()
        self._commits.forget()
        for fanout in self.fanouts:
            fanout.drop_waiting()
        if reason == "revoked":
            self._metrics.counter(REBALANCES, self.settings.name, "revoked").inc()

    # Work.

    async def _pump(self) -> None:
        """Take up the backlog slice by slice, and let answers, acks and events have their turn in between."""
        first = self.fanouts[0] if self.fanouts else None
        slice_seconds = self._metrics.histogram(LOOP_SLICE_SECONDS)
        while True:
            standing = self._standing()
            if first is not None and not (first.standing or first.has_room()):
                await first.room()
                continue
            if any(output.is_backed_up() for output in self._outputs):
                await asyncio.sleep(0.005)
                continue
            piece = self._backlog.next(standing)
            if piece is None:
                await self._backlog.more()
                continue
            began = time.perf_counter()
            self.executor.run(piece.partition, piece.records, piece.span)
            for producer in self._producers:
                producer.poll()
            slice_seconds.observe(time.perf_counter() - began)
            await asyncio.sleep(0)

    def _standing(self) -> Collection[PartitionRun]:
        """Partitions of which nothing is taken up, because a function that they feed is held. A single record
        of each says so: where none of a partition needs the function, it goes on."""
        held = [site.standing for site in self.fanouts if site.standing]
        return held[0] if len(held) == 1 else frozenset().union(*held) if held else ()

    def _call(self, site_index: int, slot: Slot, place: int, doc: Document, meta: Meta | None) -> None:
        self.fanouts[site_index].put(Job(slot, place, doc, meta))

    def _done(self, site_index: int) -> Done:
        # Where nothing comes after a call, a document it ignores has nowhere to go.
        ends = self._program.sink is None and site_index == len(self._program.call_sites) - 1
        return AfterCall(self.executor, site_index, self.fail, ends_pipeline=ends)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_crash(error)

    def _count_repeats(self, batch: Batch) -> None:
        """Records below what this process had taken before the partition left and came back."""
        highest = self._highest.get(batch.partition)
        if highest is not None:
            self.tally.repeated += sum(offset < highest for offset in batch.offsets)
            if batch.offsets[-1] >= highest:
                del self._highest[batch.partition]

    def _set_state(self, state: State) -> None:
        self.state = state
        self._metrics.set_state(self.settings.name, state)

    def status(self) -> ProcessorStatus:
        """What `penstock dev`, /status and the metrics show, as of now."""
        source = self._source.status() if self._source is not None else None
        self._metrics.gauge(PARTITIONS_HELD, self.settings.name).set(self._backlog.held_partitions)
        found = self.report.status(self.state, self.error, source, self.partitions.values(), self.fanouts)
        return self._schemas.shown(found)


def _text(partitions: Iterable[TopicPartition]) -> str:
    return ", ".join(str(partition) for partition in partitions)
