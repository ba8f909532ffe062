"""What every call site at work needs: a document on its way, who calls, one attempt, and what becomes of a
document whose call went wrong."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from topics.codecs import json as codec
from topics.codecs.errors import CodecError
from workers.calls.contract import UNSET, CallFailure, Verdict, judge, judge_error
from workers.calls.error_table import ErrorTable
from workers.calls.identity import ClientContext, document_id, record_id
from workers.calls.retry import Decision, RetryPolicy, Spent, decide
from workers.counting import Metrics
from workers.engine.call_tally import CallTally
from workers.engine.callees import Callees
from workers.engine.holding import ProbePace
from workers.engine.letters import internal
from workers.engine.meta import called
from workers.engine.partition import Slot
from workers.errors import ProcessorFailed, Retryable
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
    def passed_many(self, jobs: Sequence[Job], docs: Sequence[Document]) -> None: ...
    def dropped(self, job: Job) -> None: ...
    def refused(self, job: Job, refused: Refused) -> None: ...
    def ignored(self, job: Job) -> None: ...
    def failed(self, job: Job, reason: str) -> None: ...


class Job:
    """One document that needs the call of one call site.

    `value` is its `partitionBy` value; `attempts` counts attempts that failed and are to be made again, since
    `began` (0: not called yet). The rest is what a batch needs of it (`calls.batcher.Batched`).
    """

    __slots__ = (
        "attempts",
        "began",
        "doc",
        "group",
        "identity",
        "meta",
        "offset",
        "place",
        "single",
        "slot",
        "text",
        "value",
    )

    group: str
    identity: str
    offset: int
    single: Hashable | None
    text: bytes

    def __init__(self, slot: Slot, place: int, doc: Document, meta: Meta | None) -> None:
        self.slot, self.place, self.doc, self.meta = slot, place, doc, meta
        self.value: Hashable | None = None
        self.attempts = 0
        self.began = 0.0

    def name(self) -> str:
        """The stable id of the document."""
        record = self.slot.record
        identity = record_id(record.topic() or "", record.partition() or 0, record.offset() or 0)
        return document_id(identity, self.slot.name_of(self.place)) if self.place else identity


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls and where the documents go: one for all call sites of a processor. `bootstrap_servers` is
    what events of Lambda's Kafka trigger name as their source; `stop` ends the processor as FAILED for
    good."""

    processor: str
    metrics: Metrics
    done: Callable[[int], Done]
    on_crash: Callable[[BaseException], None]
    errors: ErrorTable
    stop: Callable[[str], None]
    bootstrap_servers: str = ""
    pace: ProbePace = field(default_factory=ProbePace)
    callees: Callees = field(default_factory=Callees)


class Calls:
    """The calls of one call site, attempt by attempt."""

    def __init__(self, index: int, site: CallSite, invoker: Invoker, caller: Caller) -> None:
        self.site = site
        self.in_flight = 0
        self.done = caller.done(index)
        self.errors = caller.errors
        self.tally = CallTally(caller.processor, site, caller.metrics)
        self.retry = RetryPolicy(
            site.retry.max_attempts,
            site.retry.max_elapsed_seconds,
            site.retry.base_seconds,
            site.retry.cap_seconds,
            site.retry.on_unknown,
            site.retry.retry_on,
        )
        is_sync = site.execution == "sync"
        self.context = ClientContext(site.path) if is_sync else None
        self.max_bytes = MAX_SYNC_BYTES if is_sync else MAX_ASYNC_BYTES
        self._index = index
        self._invoker = invoker
        self._kind: InvocationType = "RequestResponse" if is_sync else "Event"

    async def attempt(self, body: bytes, context: str | None) -> CallFailure | InvokeAnswer:
        """Send one request. Raises ProcessorFailed where no call of this processor can work."""
        site = self.site
        request = InvokeRequest(site.function, body, self._kind, site.timeout_seconds, context)
        self.in_flight += 1
        began = time.monotonic()
        try:
            answer = await self._invoker.invoke(request)
        except Retryable as error:
            return judge_error(error, self.errors)
        except (ValueError, TypeError, OSError) as error:
            raise ProcessorFailed(f"calling {site.function} is not possible: {error!r}") from error
        finally:
            self.in_flight -= 1
            self.tally.attempted(time.monotonic() - began, len(body))
        self.tally.received += len(answer.body)
        return answer

    def judge(self, answer: InvokeAnswer) -> Verdict:
        """What a whole answer means."""
        site = self.site
        return judge(answer, site.execution, self.errors, envelope=site.response == "envelope")

    def meta_after(self, job: Job, answer: InvokeAnswer | None, attempts: int, seconds: float) -> Meta:
        """The document's meta with what is known of its call."""
        return called(job.meta, answer, attempts, seconds)

    def begin(self, job: Job) -> Refused | None:
        """Take up where an earlier owner of the record's partition stopped, and find the document's
        `partitionBy` value; the refusal of a document that has none."""
        slot, by = job.slot, self.site.partition_by
        # Documents that a record became later have attempts of their own, which no commit names.
        if slot.tried and slot.tried_site == self._index and (self._index == 0 or not job.place):
            job.attempts = min(slot.tried, self.retry.max_attempts - 1)
        if by is not None:
            value = by(job.doc, job.meta)
            if value.__class__ is Refused:
                refused: Refused = value
                return refused
            job.value = value
        return None

    def try_again(self, job: Job) -> None:
        """An attempt failed and another one will be made."""
        job.attempts += 1
        job.slot.tried_site, job.slot.tried = self._index, job.attempts

    def decide(self, failure: CallFailure, spent: Spent, records: int, *, is_probe: bool) -> Decision:
        """What to do about a failure of a call with so many records. A probe is one attempt: what says hold
        in the end says so at once."""
        entry = failure.entry
        if is_probe and entry is not None and "hold" in (entry.reaction, entry.then):
            return Decision("hold")
        jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
        return decide(self.retry, failure, spent, jitter, records)

    def forgive(self, job: Job) -> None:
        """What the document went through was not its own fault: it has all of its attempts again."""
        job.attempts, job.began = 0, 0.0
        job.slot.tried_site, job.slot.tried = self._index, 0

    def payload(self, job: Job) -> bytes | Refused:
        """What to send of a document. One that cannot be sent is dead-lettered whatever `onError` says."""
        site = self.site
        if site.sends_source:
            return job.slot.record.value() or b""
        doc: Any = job.doc
        try:
            if site.payload is not None:
                doc = site.payload(doc, job.meta)
                if doc.__class__ is Refused:
                    refused: Refused = doc
                    return refused
            if site.identity_field is not None:
                doc = {**doc, site.identity_field: {"id": job.name(), "site": site.path}}
            return codec.encode(doc)
        except CodecError as error:
            return Refused(error.reason, site.operator, site.path, job.doc, error_class="NotEncodable")
        except Exception as error:
            return internal(error, site.operator, site.path, job.doc)

    def too_large(self, job: Job, size_bytes: int, limit: str = "") -> Refused:
        """The refusal of a request that must not be sent."""
        bound = limit or f"Lambda takes {self.max_bytes} in a call of this kind"
        reason = f"the request is {size_bytes} bytes, {bound}"
        return Refused(reason, self.site.operator, self.site.path, job.doc, error_class="RequestTooLarge")

    def with_answer(self, job: Job, value: Any) -> Document | Refused:
        """The document that goes on: with the answer, where `as` says so and there is one."""
        site = self.site
        if site.set_result is None or value is UNSET:
            return job.doc
        try:
            return site.set_result(job.doc, value)
        except Exception as error:
            return internal(error, site.operator, site.path, job.doc)

    def must_stop(self, job: Job, failure: CallFailure, why: str = "") -> None:
        """No document of this processor can pass until somebody mends what is wrong."""
        record = job.slot.record
        where = f"{record.topic()}[{record.partition()}]@{record.offset()}"
        self.done.failed(job, f"{self.site.path}: {failure.reason} (record {where}{why})")

    def went_wrong(self, job: Job, failure: CallFailure, attempts: int, answer: InvokeAnswer | None) -> None:
        """Do what `onError` says."""
        site = self.site
        if site.on_error == "ignore":
            self.done.ignored(job)
        elif site.on_error == "fail":
            self.must_stop(job, failure, ", onError is fail")
        else:
            refused = Refused(
                failure.reason,
                site.operator,
                site.path,
                job.doc,
                failure.error_class,
                # What cannot be split any further is about its record.
                "record" if failure.scope == "batch" else failure.scope,
                attempts,
            )
            if answer is not None:
                refused.request_id, refused.executed_version = answer.request_id, answer.executed_version
            refused.stack = failure.stack
            self.done.refused(job, refused)
