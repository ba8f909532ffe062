"""The calls of one call site: up to `parallelism` at once, a free place takes the next document at once.

A place is a task that lives as long as the processor and makes one call after the other, so that a call costs
no task of its own. It keeps its document over retries: a function that answers slowly or not at all is never
asked by more callers than `parallelism`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from topics.codecs import json as codec
from topics.codecs.errors import CodecError
from workers.calls.contract import (
    UNSET,
    Answered,
    CallFailure,
    Verdict,
    judge,
    judge_error,
)
from workers.calls.identity import ClientContext, record_id
from workers.calls.retry import RetryPolicy, next_delay
from workers.counting import Metrics
from workers.engine.letters import internal
from workers.engine.meta import called
from workers.engine.partition import Slot
from workers.errors import ProcessorFailed, Retryable
from workers.metrics import (
    CALL_BYTES_RECEIVED,
    CALL_BYTES_SENT,
    CALL_RECORDS,
    CALL_RETRIES,
    CALL_SECONDS,
    CALLS,
    CALLS_IN_FLIGHT,
    CALLS_LIMIT,
    CALLS_WAITING,
)
from workers.model import Document, Meta, Refused
from workers.pipeline.program import CallSite
from workers.ports import (
    MAX_ASYNC_BYTES,
    MAX_SYNC_BYTES,
    InvocationType,
    InvokeAnswer,
    Invoker,
    InvokeRequest,
)


class Done(Protocol):
    """What becomes of a document after its call."""

    def passed(self, job: Job, doc: Document) -> None: ...
    def refused(self, job: Job, refused: Refused) -> None: ...
    def ignored(self, job: Job) -> None: ...
    def failed(self, job: Job, reason: str) -> None: ...


class Job:
    """One document that needs the call of one call site."""

    __slots__ = ("doc", "meta", "place", "slot")

    def __init__(self, slot: Slot, place: int, doc: Document, meta: Meta | None) -> None:
        self.slot, self.place, self.doc, self.meta = slot, place, doc, meta


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls and where the documents go: one for all call sites of a processor."""

    processor: str
    metrics: Metrics
    done: Callable[[int], Done]
    on_crash: Callable[[BaseException], None]


class Fanout:
    """One call site at work."""

    def __init__(self, index: int, site: CallSite, invoker: Invoker, caller: Caller) -> None:
        self.site = site
        self.in_flight = 0
        self._is_first = index == 0
        self._invoker = invoker
        self._context = ClientContext(site.path)
        self._done = caller.done(index)
        self._on_crash = caller.on_crash
        self._waiting: deque[Job] = deque()
        self._idle: deque[asyncio.Future[Job]] = deque()
        self._places: list[asyncio.Task[None]] = []
        self._room = asyncio.Event()
        self._retry = RetryPolicy(
            site.retry.max_attempts,
            site.retry.max_elapsed_seconds,
            site.retry.base_seconds,
            site.retry.cap_seconds,
        )
        self._max_bytes = MAX_SYNC_BYTES if site.execution == "sync" else MAX_ASYNC_BYTES
        self._tally = _CallTally(caller.processor, site.function, caller.metrics)
        caller.metrics.gauge(CALLS_LIMIT, caller.processor, site.function).set(site.parallelism)

    def put(self, job: Job) -> None:
        """Call with this document as soon as a place is free."""
        job.slot.partition.begin()
        while self._idle:
            place = self._idle.pop()
            if not place.done():
                place.set_result(job)
                return
        if len(self._places) < self.site.parallelism:
            place_task = asyncio.create_task(
                self._place(job), name=f"{self.site.path} place {len(self._places)}"
            )
            place_task.add_done_callback(self._ended)
            self._places.append(place_task)
        else:
            self._waiting.append(job)

    def drop_waiting(self) -> None:
        """Forget documents that the next owner takes up: of released partitions, and at the first call site
        of draining ones, too. At a later one they have begun already."""
        keep: deque[Job] = deque()
        for job in self._waiting:
            partition = job.slot.partition
            if not partition.alive or (partition.draining and self._is_first):
                job.slot.partition.end()
            else:
                keep.append(job)
        self._waiting = keep
        self._room.set()

    def _ended(self, place: asyncio.Task[None]) -> None:
        """A place ends only when it is cancelled; anything else is a bug that would leave its partition
        standing for good."""
        if not place.cancelled() and (error := place.exception()) is not None:
            self._on_crash(error)

    def has_room(self) -> bool:
        """Whether more documents may be taken up: what waits covers one more turn of every place, which keeps
        the places busy without decoding the backlog into memory."""
        return len(self._waiting) < 2 * self.site.parallelism

    async def room(self) -> None:
        """Returns when `has_room`."""
        while not self.has_room():
            self._room.clear()
            await self._room.wait()

    def report(self) -> None:
        """Bring the metrics up to date."""
        self._tally.report(self.in_flight, len(self._waiting))

    @property
    def calls(self) -> int:
        """Finished calls since the start."""
        return self._tally.finished

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def at_once(self) -> int:
        """Documents that are worth taking up together."""
        return self.site.parallelism

    async def close(self) -> None:
        """Abandon every call."""
        for place in self._places:
            place.cancel()
        await asyncio.gather(*self._places, return_exceptions=True)

    async def _place(self, job: Job) -> None:
        loop = asyncio.get_running_loop()
        while True:
            # A released partition's documents belong to somebody else; a draining one's, that have not been
            # called with, will.
            partition = job.slot.partition
            if partition.alive:
                await self._call(job)
            partition.end()
            if self._waiting:
                job = self._waiting.popleft()
                if not self._room.is_set() and self.has_room():
                    self._room.set()
                continue
            self._room.set()
            following: asyncio.Future[Job] = loop.create_future()
            self._idle.append(following)
            job = await following

    async def _call(self, job: Job) -> None:
        body = self._body(job)
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
        attempt, began = 0, time.monotonic()
        while True:
            attempt += 1
            verdict, answer = await self._attempt(job, body, attempt)
            if isinstance(verdict, Answered) or not verdict.retryable:
                break
            jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
            delay = next_delay(self._retry, attempt, time.monotonic() - began, jitter, verdict.asked_seconds)
            if delay is None:
                break
            self._tally.retried(verdict)
            await asyncio.sleep(delay)
            if not job.slot.partition.alive:
                self._tally.ended("abandoned")
                return
        if not job.slot.partition.alive:
            self._tally.ended("abandoned")
            return
        self._tally.ended(_outcome(verdict))
        if self.site.sets_meta:
            job.meta = called(job.meta, answer, attempt, time.monotonic() - began)
        if isinstance(verdict, Answered):
            self._answered(job, verdict)
        else:
            self._went_wrong(job, verdict, attempt, answer)

    def _body(self, job: Job) -> bytes | Refused:
        """What to send. A document that cannot be sent is dead-lettered whatever `onError` says."""
        site = self.site
        doc: Any = job.doc
        try:
            if site.payload is not None:
                doc = site.payload(doc, job.meta)
                if isinstance(doc, Refused):
                    return doc
            body = codec.encode(doc)
        except CodecError as error:
            return Refused(error.reason, site.operator, site.path, job.doc, error_class="NotEncodable")
        except Exception as error:
            return internal(error, site.operator, site.path, job.doc)
        if len(body) > self._max_bytes:
            reason = (
                f"the request is {len(body)} bytes, Lambda takes {self._max_bytes} in a call of this kind"
            )
            return Refused(reason, site.operator, site.path, job.doc, error_class="RequestTooLarge")
        return body

    async def _attempt(self, job: Job, body: bytes, attempt: int) -> tuple[Verdict, InvokeAnswer | None]:
        site, record = self.site, job.slot.record
        context = None
        if site.execution == "sync":
            identity = record_id(record.topic() or "", record.partition() or 0, record.offset() or 0)
            context = self._context.of_document(identity, attempt)
        kind: InvocationType = "RequestResponse" if site.execution == "sync" else "Event"
        request = InvokeRequest(site.function, body, kind, site.timeout_seconds, context)
        self.in_flight += 1
        began = time.monotonic()
        try:
            answer = await self._invoker.invoke(request)
        except Retryable as error:
            return judge_error(error), None
        except (ValueError, TypeError, OSError) as error:
            raise ProcessorFailed(f"calling {site.function} is not possible: {error!r}") from error
        finally:
            self.in_flight -= 1
            self._tally.attempted(time.monotonic() - began, len(body))
        self._tally.received += len(answer.body)
        return judge(answer, site.execution, envelope=site.response == "envelope"), answer

    def _answered(self, job: Job, verdict: Answered) -> None:
        doc, site = job.doc, self.site
        if site.set_result is not None and verdict.value is not UNSET:
            try:
                doc = site.set_result(doc, verdict.value)
            except Exception as error:
                self._done.refused(job, internal(error, site.operator, site.path, job.doc))
                return
        self._done.passed(job, doc)

    def _went_wrong(self, job: Job, failure: CallFailure, attempts: int, answer: InvokeAnswer | None) -> None:
        site = self.site
        if site.on_error == "ignore":
            self._done.ignored(job)
        elif site.on_error == "fail":
            record = job.slot.record
            where = f"{record.topic()}[{record.partition()}]@{record.offset()}"
            self._done.failed(job, f"{site.path}: {failure.reason} (record {where}, onError is fail)")
        else:
            refused = Refused(
                failure.reason,
                site.operator,
                site.path,
                job.doc,
                failure.error_class,
                failure.scope,
                attempts,
            )
            if answer is not None:
                refused.request_id, refused.executed_version = answer.request_id, answer.executed_version
            self._done.refused(job, refused)


def _outcome(verdict: Verdict) -> str:
    if isinstance(verdict, Answered):
        return "ok"
    if verdict.error_class in ("NotSent", "TimedOut", "UnknownOutcome"):
        return {"NotSent": "not_sent", "TimedOut": "timed_out", "UnknownOutcome": "unknown"}[
            verdict.error_class
        ]
    return "function_error" if verdict.is_function_error else "api_error"


class _CallTally:
    """Counts of one call site, moved into the metrics once a second: a histogram costs 2 us, so it is only
    observed by attempt."""

    def __init__(self, processor: str, function: str, metrics: Metrics) -> None:
        self._labels = (processor, function)
        self._metrics = metrics
        self._seconds = metrics.histogram(CALL_SECONDS, processor, function)
        self._outcomes: dict[str, int] = {}
        self.finished = 0
        self.sent = 0
        self.received = 0

    def attempted(self, seconds: float, sent_bytes: int) -> None:
        self._seconds.observe(seconds)
        self.sent += sent_bytes

    def ended(self, outcome: str) -> None:
        self.finished += 1
        self._outcomes[outcome] = self._outcomes.get(outcome, 0) + 1

    def retried(self, failure: CallFailure) -> None:
        kind = _outcome(failure)
        if kind == "api_error":
            kind = "throttled" if failure.error_class == "TooManyRequestsException" else "server_error"
        self._metrics.counter(CALL_RETRIES, *self._labels, kind).inc()

    def report(self, in_flight: int, waiting: int) -> None:
        metrics, labels = self._metrics, self._labels
        for outcome, count in self._outcomes.items():
            metrics.counter(CALLS, *labels, outcome).inc(count)
            metrics.counter(CALL_RECORDS, *labels).inc(count)
        self._outcomes.clear()
        metrics.counter(CALL_BYTES_SENT, *labels).inc(self.sent)
        metrics.counter(CALL_BYTES_RECEIVED, *labels).inc(self.received)
        self.sent = self.received = 0
        metrics.gauge(CALLS_IN_FLIGHT, *labels).set(in_flight)
        metrics.gauge(CALLS_WAITING, *labels).set(waiting)
