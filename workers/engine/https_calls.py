"""The requests of one `$https`: what a document makes of them, one attempt, and what the answer means."""

from __future__ import annotations

import time
from typing import Any, ClassVar, Final, cast

from workers.calls.contract import CallFailure, Verdict
from workers.calls.http_status import judge_http, judge_http_error
from workers.calls.retry import Decision, Spent
from workers.engine.calling import Caller, Calls, Job
from workers.engine.fanout import Fanout
from workers.engine.letters import internal
from workers.engine.meta import requested
from workers.errors import ProcessorFailed, Retryable
from workers.model import Meta, Refused
from workers.pipeline.program import CallSite
from workers.ports import HttpRequest, InvokeAnswer, Invoker, Requester
from workers.settings import MAX_HTTPS_REQUEST_BYTES

# A path may be as long as a document; of what is only told, so much.
MAX_URL_CHARACTERS: Final = 1_024


class Outgoing:
    """A request on its way, and what came of its last attempt."""

    __slots__ = ("request", "seconds", "status", "url")

    def __init__(self, request: HttpRequest, url: str) -> None:
        self.request, self.url = request, url
        self.status: int | None = None
        self.seconds = 0.0

    def seen(self) -> dict[str, Any]:
        """`stream.https`. The query is left out: that is where keys of services stand."""
        found: dict[str, Any] = {"url": self.url, "method": self.request.method}
        if self.status is not None:
            found["httpStatusCode"] = self.status
        return {**found, "responseTimeMs": round(self.seconds * 1000)}


class HttpsCalls(Calls):
    """The requests of one call site, attempt by attempt."""

    def __init__(self, index: int, site: CallSite, client: Requester, caller: Caller) -> None:
        super().__init__(index, site, cast("Invoker", client), caller)
        assert site.https is not None
        self.context = None
        self.max_bytes = MAX_HTTPS_REQUEST_BYTES
        self._https = site.https
        self._client = client
        self._open: dict[Job, Outgoing] = {}

    def request(self, job: Job) -> Outgoing | Refused:
        """What to send for a document, or the refusal of one that cannot be sent."""
        https, site = self._https, self.site
        try:
            line = https.line(job.doc, job.meta)
        except Exception as error:
            return internal(error, site.operator, site.path, job.doc)
        if isinstance(line, Refused):
            return line
        body: bytes | Refused | None = self.payload(job) if https.sends_body else None
        if isinstance(body, Refused):
            return body
        if body is not None and len(body) > self.max_bytes:
            return self.too_large(job, len(body), f"$https sends {self.max_bytes:,} at most")
        request = HttpRequest(
            https.method,
            line.target,
            line.headers,
            body,
            site.timeout_seconds,
            https.connect_timeout_seconds,
        )
        url = self._client.shown_url + line.target.partition("?")[0]
        outgoing = self._open[job] = Outgoing(request, url[:MAX_URL_CHARACTERS])
        return outgoing

    def forget(self, job: Job) -> None:
        """The document's request is over."""
        self._open.pop(job, None)

    async def attempt(self, body: Any, context: str | None) -> CallFailure | InvokeAnswer:
        """Send one request; `body` is an `Outgoing`."""
        outgoing: Outgoing = body
        request = outgoing.request
        outgoing.status = None
        self.in_flight += 1
        began = time.monotonic()
        try:
            answer = await self._client.send(request)
        except Retryable as error:
            return judge_http_error(error, self._https.retry_on)
        except (ValueError, TypeError, OSError) as error:
            raise ProcessorFailed(
                f"a request by {self.site.connection} is not possible: {error!r}"
            ) from error
        finally:
            self.in_flight -= 1
            outgoing.seconds = time.monotonic() - began
            self.tally.attempted(outgoing.seconds, len(request.body or b""))
        outgoing.status = answer.status
        self.tally.received += len(answer.body)
        return answer

    def judge(self, answer: InvokeAnswer) -> Verdict:
        """By Atlas's table, or by `retryOn`."""
        https = self._https
        return judge_http(answer, https.retry_on, parse_strings=https.parse_json_strings)

    def decide(self, failure: CallFailure, spent: Spent, records: int, *, is_probe: bool) -> Decision:
        """Where `retryOn` says that a connection which cannot be made may come back, it is waited for."""
        if (
            failure.scope == "function"
            and failure.error_class == "NotSent"
            and failure.retryable
            and is_probe
        ):
            return Decision("hold")
        found = super().decide(failure, spent, records, is_probe=is_probe)
        is_lasting = found.action == "onError" and failure.scope == "function" and failure.retryable
        return Decision("hold") if is_lasting and failure.error_class == "NotSent" else found

    def meta_after(self, job: Job, answer: InvokeAnswer | None, attempts: int, seconds: float) -> Meta:
        """With `stream.https`."""
        return requested(job.meta, self._open[job].seen())

    def went_wrong(self, job: Job, failure: CallFailure, attempts: int, answer: InvokeAnswer | None) -> None:
        """What the table says stops the processor does so whatever `onError` says."""
        site = self.site
        if failure.scope == "configuration":
            record = job.slot.record
            where = f"{record.topic()}[{record.partition()}]@{record.offset()}"
            reason = f"{site.path}: {self._open[job].url}: {failure.reason}"
            self.done.failed(job, f"{reason} (record {where})")
        elif site.on_error == "dlq":
            refused = Refused(
                failure.reason,
                site.operator,
                site.path,
                job.doc,
                failure.error_class,
                failure.scope,
                attempts,
            )
            refused.https = self._open[job].seen()
            self.done.refused(job, refused)
        else:
            super().went_wrong(job, failure, attempts, answer)


class HttpsFanout(Fanout):
    """One `$https` at work."""

    CALLS: ClassVar[Any] = HttpsCalls
    _calls: HttpsCalls

    async def _call(self, job: Job) -> bool:
        found: Any = self._calls.request(job)
        if isinstance(found, Refused):
            self._hold.let_go(job)
            self._done.refused(job, found)
            return True
        try:
            return await self._call_with(job, found, len(found.request.body or b""))
        finally:
            self._calls.forget(job)
