"""Calls with a whole batch: attempts, retries, pieces, and the outcome of each record in it."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Hashable, Sequence
from functools import partial
from typing import Final, Protocol

from workers.calls.contract import CallFailure, failure_of
from workers.calls.framing import BatchContract, RecordAnswer
from workers.calls.identity import batch_id
from workers.calls.retry import Action, Decision, Spent, delay_after
from workers.calls.split import Pieces
from workers.engine.call_tally import outcome_of
from workers.engine.calling import Calls, Job
from workers.engine.flow import Flow
from workers.engine.holding import Holding
from workers.engine.meta import called
from workers.errors import ProcessorFailed
from workers.model import Document, Refused
from workers.ports import InvokeAnswer

_ORDER: Final[tuple[Action, ...]] = ("fail", "notReady", "hold", "split", "retry", "onError")


class Batches(Protocol):
    """Where batches come from. Kept by `batches.BatchFanout`."""

    @property
    def flow(self) -> Flow[list[Job]]:
        """Permits, rates and retries."""
        ...

    @property
    def hold(self) -> Holding[list[Job]]:
        """The hold of the function."""
        ...

    def is_left(self, piece: list[Job]) -> bool:
        """Take out of a piece that waits what is the next owner's. True: nothing of it is left."""
        ...

    def held(self, piece: list[Job], failure: CallFailure, decision: Decision) -> bool:
        """The call failed in a way that says hold. True: its records wait."""
        ...

    def stand_by(self, piece: list[Job]) -> None:
        """The function was held before the call could be made: its records wait."""
        ...

    def again(self, jobs: list[Job], delay_seconds: float) -> None:
        """Put records, in order, into a later batch, after so many seconds."""
        ...

    def finish(self, job: Job) -> None:
        """A record is done with, or given up."""
        ...


class BatchCalls:
    """The calls of one call site, batch by batch."""

    def __init__(self, calls: Calls, contract: BatchContract, batches: Batches) -> None:
        self._calls, self._contract, self._batches = calls, contract, batches
        self._finish, self._again = batches.finish, batches.again
        self._is_async = calls.site.execution == "async"

    async def work(self, batch: list[Job]) -> None:
        """Call with a batch until each of its records is done with or waits for a later one."""
        pieces, hold = Pieces(batch), self._batches.hold
        while (piece := pieces.next()) is not None:
            if not hold.may_go(batch):
                self._batches.stand_by(piece)
                continue
            try:
                halved = await self._call(piece, batch)
            except ProcessorFailed as error:
                # Keys or a role that AWS refuses: no document of this processor can pass until somebody
                # mends them. Its partitions are released, so nothing of this is counted as done.
                self._calls.done.failed(piece[0], f"{self._calls.site.path}: {error}")
                for left in (piece, *iter(pieces.next, None)):
                    for job in left:
                        self._finish(job)
                break
            if halved:
                self._calls.tally.splits += 1
                pieces.split(halved)
        hold.let_go(batch)

    async def _call(self, piece: list[Job], batch: list[Job]) -> list[Job] | None:
        """Call with one piece of a batch. Returns what of it must be split."""
        piece = self._alive(piece)
        if not piece:
            return None
        flow, size_bytes = self._batches.flow, sum(len(job.text) for job in piece)
        if not await flow.enter(piece, size_bytes):
            return None
        try:
            return await self._attempts(piece, batch)
        finally:
            flow.leave(size_bytes)

    async def _attempts(self, piece: list[Job], batch: list[Job]) -> list[Job] | None:
        calls, hold, flow = self._calls, self._batches.hold, self._batches.flow
        throttled = 0
        while True:
            await flow.pace(lambda piece=piece: self._batches.is_left(piece))  # type: ignore[misc]
            piece = self._alive(piece)
            if not piece:
                return None
            if not hold.may_go(batch):
                self._batches.stand_by(piece)
                return None
            began = time.monotonic()
            failure, answer = await self._attempt(piece, began, throttled)
            if failure is None:
                assert answer is not None
                hold.ended(batch, began)
                self._answered(piece, answer, began)
                return None
            piece = self._alive(piece)
            if not piece:
                return None
            decisions = self._decide(piece, failure, throttled, began, is_probe=hold.is_probe(batch))
            action = _first_of(decisions)
            if action in ("hold", "notReady") and self._is_held(piece, batch, failure, decisions[0]):
                return None
            if action in ("onError", "fail"):
                hold.ended(batch, began, failure)
            elif action == "split":
                hold.split(batch, began)
                calls.tally.ended(outcome_of(failure), len(piece))
                return piece
            if action == "fail":
                self._must_stop(piece, failure)
                return None
            piece, delay = self._spend(piece, decisions, failure, answer)
            throttled += not decisions[0].counts
            if not piece:
                return None
            calls.tally.retried(failure)
            await flow.again(failure, delay, partial(self._is_over, piece, batch))

    async def _attempt(
        self, piece: list[Job], began: float, throttled: int
    ) -> tuple[CallFailure | None, InvokeAnswer | None]:
        """Send one request, and tell of the load what its end says."""
        calls, site, flow = self._calls, self._calls.site, self._batches.flow
        body = self._contract.frame(piece)
        assert len(body) <= calls.max_bytes, "a batch is cut before it is too large"
        calls.tally.batched(len(piece), len(body))
        flow.began()
        try:
            found = await calls.attempt(body, self._context(piece, throttled))
        except BaseException:
            flow.abandoned()
            raise
        answer = None if isinstance(found, CallFailure) else found
        failure = found if isinstance(found, CallFailure) else failure_of(found, site.execution, calls.errors)
        if failure is None:
            flow.went_well(began, throttled + max(job.attempts for job in piece))
        else:
            calls.tally.unknown += failure.outcome_unknown
            flow.failed(failure, began)
        return failure, answer

    def _is_held(self, piece: list[Job], batch: list[Job], failure: CallFailure, decision: Decision) -> bool:
        """The function is to be held. True: the piece waits; the probe goes on being one by its name."""
        if not self._batches.hold.is_probe(batch):
            return self._batches.held(piece, failure, decision)
        batch[:] = piece
        return self._batches.held(batch, failure, decision)

    def _is_over(self, piece: list[Job], batch: list[Job]) -> bool:
        """Whether no attempt can follow now."""
        return not (self._batches.hold.may_go(batch) and any(job.slot.partition.alive for job in piece))

    def _must_stop(self, piece: list[Job], failure: CallFailure) -> None:
        self._calls.must_stop(piece[0], failure)
        for job in piece:
            self._finish(job)

    def _context(self, piece: Sequence[Job], throttled: int) -> str | None:
        context = self._calls.context
        if context is None:
            return None
        identity = batch_id(self._calls.site.path, [job.identity for job in piece])
        return context.of_batch(identity, 1 + throttled + max(job.attempts for job in piece), len(piece))

    def _alive(self, piece: list[Job]) -> list[Job]:
        """Without the records of released partitions, which belong to somebody else."""
        if _all_alive(piece):
            return piece
        for job in piece:
            if not job.slot.partition.alive:
                self._finish(job)
        alive = [job for job in piece if job.slot.partition.alive]
        if not alive:
            self._calls.tally.ended("abandoned", len(piece))
        return alive

    def _decide(
        self, piece: list[Job], failure: CallFailure, throttled: int, began: float, *, is_probe: bool
    ) -> list[Decision]:
        """What to do about the failure, for each record: they differ in the attempts that they have left."""
        now, found = time.monotonic(), []
        for job in piece:
            job.began = job.began or began
            spent = Spent(job.attempts + 1, throttled, now - job.began)
            found.append(self._calls.decide(failure, spent, len(piece), is_probe=is_probe))
        return found

    def _spend(
        self, piece: list[Job], decisions: list[Decision], failure: CallFailure, answer: InvokeAnswer | None
    ) -> tuple[list[Job], float]:
        """Count an attempt of each record. Returns those that have one left, and when it comes; the others
        have failed."""
        left, spent, longest = [], [], 0.0
        for job, decision in zip(piece, decisions, strict=True):
            if decision.action == "retry":
                longest = max(longest, decision.delay_seconds)
                left.append(job)
                if decision.counts:
                    self._calls.try_again(job)
            else:
                spent.append(job)
        if spent:
            self._fail(spent, failure, answer)
        return left, longest

    def _delay(self, job: Job, began: float, jitter: float, failure: CallFailure) -> float | None:
        """Seconds until the record's next attempt, which is counted; None when it has none left."""
        job.began = job.began or began
        attempts, elapsed = job.attempts + 1, time.monotonic() - job.began
        delay = delay_after(self._calls.retry, failure, attempts, elapsed, jitter)
        if delay is not None:
            self._calls.try_again(job)
        return delay

    def _fail(self, piece: Sequence[Job], failure: CallFailure, answer: InvokeAnswer | None) -> None:
        """The call is over, and each of its records is `onError`'s."""
        self._calls.tally.ended(outcome_of(failure), len(piece))
        for job in piece:
            if job.slot.partition.alive:
                self._calls.went_wrong(job, failure, job.attempts + 1, answer)
            self._finish(job)

    def _answered(self, piece: list[Job], answer: InvokeAnswer, began: float) -> None:
        calls = self._calls
        calls.tally.ended("ok", len(piece))
        if calls.site.sets_meta:
            seconds = time.monotonic() - began
            for job in piece:
                job.meta = called(job.meta, answer, job.attempts + 1, seconds)
        if self._is_async:
            self._pass_on(piece, [job.doc for job in piece])
            return
        reading = self._contract.read(answer.body, piece)
        for violation, count in reading.violations.items():
            calls.tally.violated(violation, count)
        calls.tally.results.update([said.result for said in reading.answers])
        self._sort_out(piece, reading.answers, answer, began)

    def _sort_out(
        self, piece: list[Job], answers: Sequence[RecordAnswer], answer: InvokeAnswer, began: float
    ) -> None:
        """Send each record where its outcome says."""
        calls, done = self._calls, self._calls.done
        passed: list[Job] = []
        docs: list[Document] = []
        again: list[Job] = []
        longest = 0.0
        held: set[Hashable] = set()
        jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
        for job, said in zip(piece, answers, strict=True):
            result = said.result
            if held and job.value in held and result in ("ok", "drop"):
                # A record of this value goes again: what came after it must come after it again.
                result = "follow"
            if not job.slot.partition.alive:
                self._finish(job)
            elif result == "ok":
                doc = calls.with_answer(job, said.value)
                if doc.__class__ is dict:
                    passed.append(job)
                    docs.append(doc)
                else:
                    assert isinstance(doc, Refused)
                    done.refused(job, doc)
                    self._finish(job)
            elif result == "drop":
                done.dropped(job)
                self._finish(job)
            else:
                failure = CallFailure(said.reason, said.error_class, "record", False)
                delay = self._delay(job, began, jitter, failure) if result == "retry" else None
                if delay is None and result != "follow":
                    calls.went_wrong(job, failure, job.attempts + 1, answer)
                    self._finish(job)
                else:
                    job.began = job.began or began
                    again.append(job)
                    longest = max(longest, delay or 0.0)
                    if job.value is not None:
                        held.add(job.value)
        if passed:
            self._pass_on(passed, docs)
        if again:
            self._again(again, longest)

    def _pass_on(self, jobs: Sequence[Job], docs: Sequence[Document]) -> None:
        if not _all_alive(jobs):
            kept = [(job, doc) for job, doc in zip(jobs, docs, strict=True) if job.slot.partition.alive]
            self._calls.done.passed_many([job for job, _ in kept], [doc for _, doc in kept])
        else:
            self._calls.done.passed_many(jobs, docs)
        if self._calls.site.partition_by is None:
            for partition, count in Counter([job.slot.partition for job in jobs]).items():
                partition.end(count)
        else:
            for job in jobs:
                self._finish(job)


def _first_of(decisions: Sequence[Decision]) -> Action:
    """What becomes of a piece whose records have different decisions: what concerns all of them goes before
    what one may still do."""
    actions = {decision.action for decision in decisions}
    return next(action for action in _ORDER if action in actions)


def _all_alive(jobs: Sequence[Job]) -> bool:
    """Batches hold records of a few partitions: asking these takes a third of asking each record's."""
    return all(partition.alive for partition in {job.slot.partition for job in jobs})
