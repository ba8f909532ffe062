"""The calls of one call site with `batch`: up to `parallelism` at once, a free place takes the next at once.

A batch goes when it is full or its time has come. A place keeps its batch over retries of the whole and over
the pieces that it is split into; a record that is to be tried again by itself goes into a later batch.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Final

from workers.calls.batcher import Batcher, BatchLimits
from workers.calls.contract import CallFailure
from workers.calls.contracts import batch_contract
from workers.calls.retry import Decision
from workers.engine.batch_calls import BatchCalls
from workers.engine.call_line import CallLine
from workers.engine.calling import Caller, Job
from workers.engine.flow import Flow
from workers.engine.holding import Holding
from workers.model import Refused
from workers.pipeline.program import CallSite
from workers.ports import Invoker
from workers.settings import BATCHES_PER_PLACE, GATED_PER_PLACE

# Timers of the loop are due to the millisecond and may come half of one early: a batch is looked at when its
# time has surely come.
LATE_SECONDS: Final = 0.001


class BatchFanout(CallLine[list[Job]]):
    """One call site with batches at work. Keeps `sites.Site`."""

    def __init__(
        self, index: int, site: CallSite, invoker: Invoker, caller: Caller, *, is_first: bool
    ) -> None:
        """`is_first`: no call stands before it, so nothing was done with what waits here."""
        super().__init__(index, site, invoker, caller, is_first=is_first)
        assert site.batch is not None
        self._contract = contract = batch_contract(site.batch.contract, caller.bootstrap_servers)
        self._batch_calls = BatchCalls(self._calls, contract, self)
        self._limits = BatchLimits(
            site.batch.max_records,
            site.batch.max_bytes,
            site.batch.max_delay_seconds,
            one_of_each_value=not contract.keeps_order,
        )
        self._batcher: Batcher[Job] = Batcher(self._limits, contract.frame_bytes, contract.group_bytes)
        # A topic's name has 249 characters at most: a record below this fits with any group around it.
        self._surely_fits = site.batch.max_bytes - contract.frame_bytes - 512
        self._max_waiting = (BATCHES_PER_PLACE * site.parallelism + 1) * site.batch.max_records
        self._max_gated = GATED_PER_PLACE * site.parallelism * site.batch.max_records
        self._delayed = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def put(self, job: Job) -> None:
        """Put a document into a batch, once no call with its `partitionBy` value is open."""
        job.slot.partition.begin()
        refused = self._prepare(job)
        if refused is not None:
            self._done.refused(job, refused)
            job.slot.partition.end()
            return
        if not self._hold.is_open:
            self.standing.add(job.slot.partition)
        value, batcher = job.value, self._batcher
        if value is not None:
            may_join = self._contract.keeps_order and batcher.holds(value) and batcher.fits(job)
            if not self._gate.enter(value, job, may_join=may_join):
                return
        batcher.add(job, time.monotonic())
        if (self._timer is None or batcher.has_full) and self._has_free_place():
            self._wake()

    def drop_waiting(self) -> None:
        """Forget documents that the next owner takes up: of released partitions, and of draining ones what no
        call was made with at the first call site, and what waits for a held function. What stays does not
        wait for its batch to fill."""
        for job in self._gate.drop(self._is_gone):
            job.slot.partition.end()
        for job in self._batcher.drop(self._is_gone):
            self.finish(job)
        self._hold.drop(self.is_left)
        self._flow.drop(self.is_left)
        self._batcher.hurry(time.monotonic())
        self._wake()
        self._room.set()

    def is_left(self, piece: list[Job]) -> bool:
        """Take out of a piece that waits what is the next owner's. True: nothing of it is left."""
        gone = [job for job in piece if self._is_gone(job)]
        piece[:] = [job for job in piece if not self._is_gone(job)]
        for job in gone:
            self.finish(job)
        return not piece

    def has_room(self) -> bool:
        """Whether more documents may be taken up: a batch for every place waits, and one is being filled."""
        waiting = self._batcher.records + self._delayed + self._hold.waiting * self._limits.max_records
        return waiting < self._max_waiting and self._gate.waiting < self._max_gated

    @property
    def waiting(self) -> int:
        held = self._hold.waiting * self._limits.max_records
        return self._batcher.records + self._delayed + self._gate.waiting + held

    @property
    def at_once(self) -> int:
        """A batch for each place."""
        return self.site.parallelism * self._limits.max_records

    async def close(self) -> None:
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        await super().close()

    async def work(self, item: list[Job]) -> None:
        await self._batch_calls.work(item)

    def idled(self) -> None:
        self._wake()

    def _take(self) -> list[Job] | None:
        return self._batcher.take(time.monotonic())

    def _put_first(self, items: list[list[Job]]) -> None:
        for piece in reversed(items):
            if piece:
                self._batcher.add_first(piece)

    def _fill(self) -> None:
        self._wake()

    # For the calls.

    @property
    def flow(self) -> Flow[list[Job]]:
        """Permits, rates and retries."""
        return self._flow

    @property
    def hold(self) -> Holding[list[Job]]:
        """The hold of the function."""
        return self._hold

    def held(self, piece: list[Job], failure: CallFailure, decision: Decision) -> bool:
        """The call failed in a way that says hold. True: its records wait."""
        if self._holds(piece, tuple(piece), failure, decision):
            return True
        return False

    def stand_by(self, piece: list[Job]) -> None:
        """The function was held before the call could be made."""
        self._wait(piece, tuple(piece))

    def _prepare(self, job: Job) -> Refused | None:
        """Encode the record, once for all attempts; the refusal of one that cannot be sent."""
        calls, contract, record = self._calls, self._contract, job.slot.record
        document = calls.payload(job)
        if document.__class__ is Refused:
            return document
        refused = calls.begin(job)
        if refused is not None:
            return refused
        job.identity = job.name()
        job.group = contract.group(record) if contract.is_grouped else ""
        if contract.is_grouped:
            job.offset = record.offset() or 0
        job.text = text = contract.entry(job.identity, record, document)  # type: ignore[arg-type]
        job.single = contract.single(job)
        if len(text) <= self._surely_fits:
            return None
        size, most = self._batcher.alone_bytes(job), self._limits.max_bytes
        return calls.too_large(job, size, f"maxBytes is {most}") if size > most else None

    def finish(self, job: Job) -> None:
        """A record is done with, or given up: its value is free for the next."""
        job.slot.partition.end()
        value, batcher = job.value, self._batcher
        if value is None:
            return
        following = self._gate.leave(value)
        if following is None:
            return
        batcher.add(following, time.monotonic())
        if self._contract.keeps_order:
            # Those behind it may go into the same batch, as far as it reaches.
            while (waiting := self._gate.first(value)) is not None and batcher.fits(waiting):
                self._gate.follow(value)
                batcher.add(waiting, time.monotonic())
        self._wake()

    def again(self, jobs: list[Job], delay_seconds: float) -> None:
        """Put records, in order, into a later batch, after so many seconds."""
        self._delayed += len(jobs)
        if delay_seconds:
            self.later(delay_seconds, partial(self._return, jobs))
        else:
            self._return(jobs)

    def _return(self, jobs: list[Job]) -> None:
        """Records whose next attempt has come. In a contract that keeps order they go together and first."""
        self._delayed -= len(jobs)
        if self._is_closed:
            return
        if self.is_left(jobs):
            return
        if self._contract.keeps_order:
            self._batcher.add_first(jobs)
        else:
            for job in jobs:
                self._batcher.add(job, time.monotonic())
        self._wake()

    def _has_free_place(self) -> bool:
        return self._hold.is_open and self._places.has_free

    def _wake(self) -> None:
        """Give batches to free places, and look again when the next one is due."""
        now = time.monotonic()
        while self._batcher.has_batch(now) and self._has_free_place():
            batch = self._batcher.take(now)
            assert batch is not None
            self._places.give(batch)
        due = self._batcher.due()
        if due is not None and self._timer is None and self._has_free_place() and not self._is_closed:
            wait = max(due - now, 0.0) + LATE_SECONDS
            self._timer = self.later(wait, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._wake()
