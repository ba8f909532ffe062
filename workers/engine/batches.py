"""The calls of one call site with `batch`: up to `parallelism` at once, a free place takes the next at once.

A batch goes when it is full or its time has come. A place keeps its batch over retries of the whole and over
the pieces that it is split into; a record that is to be tried again by itself goes into a later batch.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final

from workers.calls.batcher import Batcher, BatchLimits
from workers.calls.contracts import batch_contract
from workers.calls.gate import Gate
from workers.engine.batch_calls import BatchCalls
from workers.engine.calling import Caller, Calls, Job
from workers.model import Refused
from workers.pipeline.program import CallSite
from workers.ports import Invoker
from workers.settings import BATCHES_PER_PLACE, GATED_PER_PLACE

# Timers of the loop are due to the millisecond and may come half of one early: a batch is looked at when its
# time has surely come.
LATE_SECONDS: Final = 0.001


class BatchFanout:
    """One call site with batches at work. Keeps `sites.Site`."""

    def __init__(
        self, index: int, site: CallSite, invoker: Invoker, caller: Caller, *, is_first: bool
    ) -> None:
        """`is_first`: no call stands before it, so nothing was done with what waits here."""
        assert site.batch is not None
        self.site = site
        self._is_first = is_first
        self._on_crash = caller.on_crash
        self._calls = Calls(index, site, invoker, caller)
        self._contract = contract = batch_contract(site.batch.contract, caller.bootstrap_servers)
        self._batch_calls = BatchCalls(self._calls, contract, self._finish, self._again)
        self._limits = BatchLimits(
            site.batch.max_records,
            site.batch.max_bytes,
            site.batch.max_delay_seconds,
            one_of_each_value=not contract.keeps_order,
        )
        self._batcher: Batcher[Job] = Batcher(self._limits, contract.frame_bytes, contract.group_bytes)
        # A topic's name has 249 characters at most: a record below this fits with any group around it.
        self._surely_fits = site.batch.max_bytes - contract.frame_bytes - 512
        self._gate: Gate[Job] = Gate()
        self._max_waiting = (BATCHES_PER_PLACE * site.parallelism + 1) * site.batch.max_records
        self._max_gated = GATED_PER_PLACE * site.parallelism * site.batch.max_records
        self._delayed = 0
        self._timer: asyncio.TimerHandle | None = None
        self._idle: deque[asyncio.Future[list[Job]]] = deque()
        self._places: list[asyncio.Task[None]] = []
        self._room = asyncio.Event()
        self._is_closed = False

    def put(self, job: Job) -> None:
        """Put a document into a batch, once no call with its `partitionBy` value is open."""
        job.slot.partition.begin()
        refused = self._prepare(job)
        if refused is not None:
            self._calls.done.refused(job, refused)
            job.slot.partition.end()
            return
        value, batcher = job.value, self._batcher
        if value is not None:
            may_join = self._contract.keeps_order and batcher.holds(value) and batcher.fits(job)
            if not self._gate.enter(value, job, may_join=may_join):
                return
        batcher.add(job, time.monotonic())
        if (self._timer is None or batcher.has_full) and self._has_free_place():
            self._wake()

    def drop_waiting(self) -> None:
        """Forget documents that the next owner takes up: of released partitions, and at the first call site
        of draining ones that no call was made with, too. What stays does not wait for its batch to fill."""
        for job in self._gate.drop(self._is_gone):
            job.slot.partition.end()
        for job in self._batcher.drop(self._is_gone):
            self._finish(job)
        self._batcher.hurry(time.monotonic())
        self._wake()
        self._room.set()

    def has_room(self) -> bool:
        """Whether more documents may be taken up: a batch for every place waits, and one is being filled."""
        return (
            self._batcher.records + self._delayed < self._max_waiting and self._gate.waiting < self._max_gated
        )

    async def room(self) -> None:
        """Returns when `has_room`."""
        while not self.has_room():
            self._room.clear()
            await self._room.wait()

    def report(self) -> None:
        """Bring the metrics up to date."""
        self._calls.tally.report(self.in_flight, self.waiting)

    @property
    def in_flight(self) -> int:
        return self._calls.in_flight

    @property
    def calls(self) -> int:
        """Finished calls since the start."""
        return self._calls.tally.finished

    @property
    def waiting(self) -> int:
        return self._batcher.records + self._gate.waiting + self._delayed

    @property
    def at_once(self) -> int:
        return self.site.parallelism * self._limits.max_records

    async def close(self) -> None:
        """Abandon every call."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        for place in self._places:
            place.cancel()
        await asyncio.gather(*self._places, return_exceptions=True)

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

    def _is_gone(self, job: Job) -> bool:
        partition = job.slot.partition
        return not partition.alive or (partition.draining and self._is_first and not job.began)

    def _finish(self, job: Job) -> None:
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

    def _again(self, jobs: list[Job], delay_seconds: float) -> None:
        self._delayed += len(jobs)
        if delay_seconds:
            asyncio.get_running_loop().call_later(delay_seconds, self._return, jobs)
        else:
            self._return(jobs)

    def _return(self, jobs: list[Job]) -> None:
        """Records whose next attempt has come. In a contract that keeps order they go together and first."""
        self._delayed -= len(jobs)
        if self._is_closed:
            return
        alive = [job for job in jobs if job.slot.partition.alive]
        for job in jobs:
            if not job.slot.partition.alive:
                self._finish(job)
        if alive and self._contract.keeps_order:
            self._batcher.add_first(alive)
        else:
            for job in alive:
                self._batcher.add(job, time.monotonic())
        self._wake()

    def _has_free_place(self) -> bool:
        return bool(self._idle) or len(self._places) < self.site.parallelism

    def _wake(self) -> None:
        """Give batches to free places, and look again when the next one is due."""
        now = time.monotonic()
        while self._batcher.has_batch(now) and self._has_free_place():
            batch = self._batcher.take(now)
            assert batch is not None
            self._give(batch)
        due = self._batcher.due()
        if due is not None and self._timer is None and self._has_free_place() and not self._is_closed:
            wait = max(due - now, 0.0) + LATE_SECONDS
            self._timer = asyncio.get_running_loop().call_later(wait, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._wake()

    def _give(self, batch: list[Job]) -> None:
        while self._idle:
            place = self._idle.pop()
            if not place.done():
                place.set_result(batch)
                return
        task = asyncio.create_task(self._place(batch), name=f"{self.site.path} place {len(self._places)}")
        task.add_done_callback(self._ended)
        self._places.append(task)

    def _ended(self, place: asyncio.Task[None]) -> None:
        """A place ends only when it is cancelled; anything else is a bug that would leave its partitions
        standing for good."""
        if not place.cancelled() and (error := place.exception()) is not None:
            self._on_crash(error)

    async def _place(self, batch: list[Job]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._batch_calls.work(batch)
            following = self._batcher.take(time.monotonic())
            if not self._room.is_set() and self.has_room():
                self._room.set()
            if following is None:
                handed: asyncio.Future[list[Job]] = loop.create_future()
                self._idle.append(handed)
                self._wake()
                following = await handed
            batch = following
