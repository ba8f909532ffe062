"""The calls of one call site without batches: up to `parallelism` at once, each place takes the next at once.

A place is a task that lives as long as the processor and makes one call after the other, so that a call costs
no task of its own. It keeps its document over retries: a function that answers slowly or not at all is never
asked by more callers than `parallelism`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from typing import Any, ClassVar

from workers.calls.contract import Answered, CallFailure, Verdict
from workers.calls.gate import Gate
from workers.calls.retry import delay_after
from workers.engine.call_tally import outcome_of
from workers.engine.calling import Caller, Calls, Job
from workers.errors import ProcessorFailed
from workers.model import Document, Refused
from workers.pipeline.program import CallSite
from workers.ports import InvokeAnswer, Invoker
from workers.settings import GATED_PER_PLACE, WAITING_PER_PLACE


class Fanout:
    """One call site at work. Keeps `sites.Site`."""

    CALLS: ClassVar[Any] = Calls

    def __init__(
        self, index: int, site: CallSite, invoker: Invoker, caller: Caller, *, is_first: bool
    ) -> None:
        """`is_first`: no call stands before it, so nothing was done with what waits here."""
        self.site = site
        self._is_first = is_first
        self._calls: Calls = self.CALLS(index, site, invoker, caller)
        self._done = self._calls.done
        self._on_crash = caller.on_crash
        self._waiting: deque[Job] = deque()
        self._gate: Gate[Job] = Gate()
        self._max_waiting = WAITING_PER_PLACE * site.parallelism
        self._max_gated = GATED_PER_PLACE * site.parallelism
        self._idle: deque[asyncio.Future[Job]] = deque()
        self._places: list[asyncio.Task[None]] = []
        self._room = asyncio.Event()

    def put(self, job: Job) -> None:
        """Call with this document as soon as a place is free and no call with its `partitionBy` value is
        open."""
        job.slot.partition.begin()
        refused = self._calls.begin(job)
        if refused is not None:
            self._done.refused(job, refused)
            job.slot.partition.end()
        elif job.value is None or self._gate.enter(job.value, job):
            self._start(job)

    def drop_waiting(self) -> None:
        """Forget documents that the next owner takes up: of released partitions, and at the first call site
        of draining ones, too. At a later one they have begun already."""
        for job in self._gate.drop(self._is_gone):
            job.slot.partition.end()
        gone = [job for job in self._waiting if self._is_gone(job)]
        self._waiting = deque(job for job in self._waiting if not self._is_gone(job))
        for job in gone:
            following = self._leave(job)
            if following is not None:
                self._start(following)
        self._room.set()

    def has_room(self) -> bool:
        """Whether more documents may be taken up: what waits covers one more turn of every place, which keeps
        the places busy without decoding the backlog into memory."""
        return len(self._waiting) < self._max_waiting and self._gate.waiting < self._max_gated

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
        return len(self._waiting) + self._gate.waiting

    @property
    def at_once(self) -> int:
        return self.site.parallelism

    async def close(self) -> None:
        """Abandon every call."""
        for place in self._places:
            place.cancel()
        await asyncio.gather(*self._places, return_exceptions=True)

    def _is_gone(self, job: Job) -> bool:
        partition = job.slot.partition
        return not partition.alive or (partition.draining and self._is_first)

    def _start(self, job: Job) -> None:
        while self._idle:
            place = self._idle.pop()
            if not place.done():
                place.set_result(job)
                return
        if len(self._places) < self.site.parallelism:
            name = f"{self.site.path} place {len(self._places)}"
            task = asyncio.create_task(self._place(job), name=name)
            task.add_done_callback(self._ended)
            self._places.append(task)
        else:
            self._waiting.append(job)

    def _leave(self, job: Job) -> Job | None:
        """The document is done with, or given up. Returns one that waited for it."""
        job.slot.partition.end()
        return None if job.value is None else self._gate.leave(job.value)

    def _ended(self, place: asyncio.Task[None]) -> None:
        """A place ends only when it is cancelled; anything else is a bug that would leave its partition
        standing for good."""
        if not place.cancelled() and (error := place.exception()) is not None:
            self._on_crash(error)

    async def _place(self, job: Job) -> None:
        loop = asyncio.get_running_loop()
        waiting = self._waiting
        while True:
            # A released partition's documents belong to somebody else; a draining one's, that have not been
            # called with, will.
            if job.slot.partition.alive:
                await self._call(job)
            following = self._leave(job)
            waiting = self._waiting
            if following is not None:
                # Behind the others: a value with many documents does not keep the places from the rest.
                waiting.append(following)
            if waiting:
                job = waiting.popleft()
                if not self._room.is_set() and self.has_room():
                    self._room.set()
                continue
            self._room.set()
            handed: asyncio.Future[Job] = loop.create_future()
            self._idle.append(handed)
            job = await handed

    async def _call(self, job: Job) -> None:
        calls = self._calls
        body = calls.payload(job)
        if body.__class__ is not Refused and len(body) > calls.max_bytes:  # type: ignore[arg-type]
            body = calls.too_large(job, len(body))  # type: ignore[arg-type]
        if isinstance(body, Refused):
            self._done.refused(job, body)
            return
        try:
            await self._call_with(job, body)
        except ProcessorFailed as error:
            # Keys or a role that AWS refuses: no document of this processor can pass until somebody mends
            # them.
            self._done.failed(job, f"{self.site.path}: {error}")

    async def _call_with(self, job: Job, body: bytes) -> None:
        calls, partition = self._calls, job.slot.partition
        context, identity = calls.context, job.name()
        began = time.monotonic()
        while True:
            sent = None if context is None else context.of_document(identity, job.attempts + 1)
            found = await calls.attempt(body, sent)
            answer = None
            verdict: Verdict
            if isinstance(found, CallFailure):
                verdict = found
            else:
                answer = found
                verdict = calls.judge(found)
            if isinstance(verdict, Answered) or not (verdict.retryable and calls.retry.allows(verdict)):
                break
            jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
            waited = time.monotonic() - began
            delay = delay_after(calls.retry, verdict, job.attempts + 1, waited, jitter)
            if delay is None:
                break
            calls.tally.retried(verdict)
            calls.try_again(job)
            await asyncio.sleep(delay)
            if not partition.alive:
                break
        if not partition.alive:
            calls.tally.ended("abandoned")
            return
        calls.tally.ended(outcome_of(verdict))
        self._after(job, verdict, answer, time.monotonic() - began)

    def _after(self, job: Job, verdict: Verdict, answer: InvokeAnswer | None, seconds: float) -> None:
        calls = self._calls
        if self.site.sets_meta:
            job.meta = calls.meta_after(job, answer, seconds)
        if isinstance(verdict, CallFailure):
            calls.went_wrong(job, verdict, job.attempts + 1, answer)
            return
        doc: Document | Refused = calls.with_answer(job, verdict.value)
        if isinstance(doc, Refused):
            self._done.refused(job, doc)
        else:
            self._done.passed(job, doc)
