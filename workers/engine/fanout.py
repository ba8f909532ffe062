"""The calls of one call site without batches: up to `parallelism` at once, each place takes the next at once.

A place keeps its document over retries: a function that answers slowly or not at all is never asked by more
callers than `parallelism`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial

from workers.calls.contract import Answered, CallFailure, Verdict
from workers.calls.retry import Action, Spent
from workers.engine.call_line import CallLine
from workers.engine.call_tally import outcome_of
from workers.engine.calling import Caller, Job
from workers.errors import ProcessorFailed
from workers.model import Document, Refused
from workers.pipeline.program import CallSite
from workers.ports import InvokeAnswer, Invoker
from workers.settings import GATED_PER_PLACE, WAITING_PER_PLACE


class Fanout(CallLine[Job]):
    """One call site at work. Keeps `sites.Site`."""

    def __init__(
        self, index: int, site: CallSite, invoker: Invoker, caller: Caller, *, is_first: bool
    ) -> None:
        """`is_first`: no call stands before it, so nothing was done with what waits here."""
        super().__init__(index, site, invoker, caller, is_first=is_first)
        self._waiting: deque[Job] = deque()
        self._max_waiting = WAITING_PER_PLACE * site.parallelism
        self._max_gated = GATED_PER_PLACE * site.parallelism

    def put(self, job: Job) -> None:
        """Call with this document as soon as a place is free and no call with its `partitionBy` value is
        open."""
        job.slot.partition.begin()
        refused = self._calls.begin(job)
        if refused is not None:
            self._done.refused(job, refused)
            job.slot.partition.end()
            return
        is_open = self._hold.is_open
        if not is_open:
            self.standing.add(job.slot.partition)
        if job.value is not None and not self._gate.enter(job.value, job):
            return
        if is_open and self._places.has_free:
            self._places.give(job)
        else:
            self._waiting.append(job)

    def drop_waiting(self) -> None:
        """Forget documents that the next owner takes up: of released partitions, and of draining ones what no
        call was made with at the first call site, and what waits for a held function."""
        for job in self._gate.drop(self._is_gone):
            job.slot.partition.end()
        gone = [*self._hold.drop(self._is_gone), *filter(self._is_gone, self._waiting)]
        self._waiting = deque(job for job in self._waiting if not self._is_gone(job))
        self._flow.drop(self._is_gone)
        for job in gone:
            self._leave(job)
        self._fill()
        self._room.set()

    def has_room(self) -> bool:
        """Whether more documents may be taken up: what waits covers one more turn of every place, which keeps
        the places busy without decoding the backlog into memory."""
        waiting = len(self._waiting) + self._hold.waiting
        return waiting < self._max_waiting and self._gate.waiting < self._max_gated

    @property
    def waiting(self) -> int:
        return len(self._waiting) + self._gate.waiting + self._hold.waiting

    @property
    def at_once(self) -> int:
        """One for each place."""
        return self.site.parallelism

    def idled(self) -> None:
        self._room.set()

    def _take(self) -> Job | None:
        return self._waiting.popleft() if self._waiting else None

    def _put_first(self, items: list[Job]) -> None:
        self._waiting.extendleft(reversed(items))

    def _leave(self, job: Job) -> None:
        """The document is done with, or given up. The one that waited for its value goes behind the others: a
        value with many documents does not keep the places from the rest."""
        job.slot.partition.end()
        following = None if job.value is None else self._gate.leave(job.value)
        if following is not None:
            self._waiting.append(following)

    async def work(self, item: Job) -> None:
        # A released partition's documents belong to somebody else; a draining one's, that have not been
        # called with, will.
        if not item.slot.partition.alive:
            self._hold.let_go(item)
        elif not await self._call(item):
            return
        self._leave(item)

    async def _call(self, job: Job) -> bool:
        """False: the document waits for a held function."""
        calls = self._calls
        body = calls.payload(job)
        if body.__class__ is not Refused and len(body) > calls.max_bytes:  # type: ignore[arg-type]
            body = calls.too_large(job, len(body))  # type: ignore[arg-type]
        if isinstance(body, Refused):
            self._hold.let_go(job)
            self._done.refused(job, body)
            return True
        return await self._call_with(job, body, len(body))

    async def _call_with(self, job: Job, body: bytes, size_bytes: int) -> bool:
        flow = self._flow
        if not await flow.enter(job, size_bytes):
            self._hold.let_go(job)
            return True
        try:
            return await self._attempts(job, body)
        except ProcessorFailed as error:
            # Keys or a role that AWS refuses: no document of this processor can pass until somebody mends
            # them.
            self._hold.let_go(job)
            self._done.failed(job, f"{self.site.path}: {error}")
            return True
        finally:
            flow.leave(size_bytes)

    async def _attempts(self, job: Job, body: bytes) -> bool:
        calls, partition, hold, flow = self._calls, job.slot.partition, self._hold, self._flow
        context, identity = calls.context, job.name()
        began = 0.0
        throttled = 0
        gone: Callable[[], bool] = partial(self._is_gone, job)
        while True:
            await flow.pace(gone)
            if not hold.may_go(job) or gone():
                return self._cannot_go(job)
            started = time.monotonic()
            began = began or started
            sent = None if context is None else context.of_document(identity, job.attempts + throttled + 1)
            verdict, answer = await self._attempt(body, sent, started, job.attempts + throttled)
            if isinstance(verdict, Answered) or not partition.alive:
                action: Action = "onError"
                break
            spent = Spent(job.attempts + 1, throttled, time.monotonic() - began)
            decision = calls.decide(verdict, spent, 1, is_probe=hold.is_probe(job))
            action = decision.action
            if action in ("hold", "notReady") and self._holds(job, (job,), verdict, decision):
                return False
            if action != "retry":
                break
            calls.tally.retried(verdict)
            if decision.counts:
                calls.try_again(job)
            else:
                throttled += 1
            await flow.again(verdict, decision.delay_seconds, partial(self._is_over, job))
            # What was called with may end within a drain.
            gone = partition.is_released
        if not partition.alive:
            return self._cannot_go(job)
        if action not in ("hold", "notReady"):
            hold.ended(job, started, verdict if isinstance(verdict, CallFailure) else None)
        calls.tally.ended(outcome_of(verdict))
        if action == "fail":
            assert isinstance(verdict, CallFailure)
            calls.must_stop(job, verdict)
        else:
            self._after(job, verdict, answer, job.attempts + throttled + 1, time.monotonic() - began)
        return True

    async def _attempt(
        self, body: bytes, context: str | None, started: float, retries: int
    ) -> tuple[Verdict, InvokeAnswer | None]:
        """Send one request, and tell of the load what its end says."""
        calls, flow = self._calls, self._flow
        flow.began()
        try:
            found = await calls.attempt(body, context)
        except BaseException:
            flow.abandoned()
            raise
        answer = None if isinstance(found, CallFailure) else found
        verdict: Verdict = found if isinstance(found, CallFailure) else calls.judge(found)
        if isinstance(verdict, CallFailure):
            calls.tally.unknown += verdict.outcome_unknown
            flow.failed(verdict, started)
        else:
            flow.went_well(started, retries)
        return verdict, answer

    def _is_over(self, job: Job) -> bool:
        """Whether no attempt can follow now."""
        return not (job.slot.partition.alive and self._hold.may_go(job))

    def _cannot_go(self, job: Job) -> bool:
        """Before or after an attempt: the document is the next owner's (True), or the function is held."""
        if not self._hold.may_go(job) and job.slot.partition.alive:
            self._wait(job, (job,))
            return False
        self._hold.let_go(job)
        self._calls.tally.ended("abandoned")
        return True

    def _after(
        self, job: Job, verdict: Verdict, answer: InvokeAnswer | None, attempts: int, seconds: float
    ) -> None:
        calls = self._calls
        if self.site.sets_meta:
            job.meta = calls.meta_after(job, answer, attempts, seconds)
        if isinstance(verdict, CallFailure):
            calls.went_wrong(job, verdict, attempts, answer)
            return
        doc: Document | Refused = calls.with_answer(job, verdict.value)
        if isinstance(doc, Refused):
            self._done.refused(job, doc)
        else:
            self._done.passed(job, doc)
