"""Counts of one call site, kept as plain numbers and moved into the metrics once a second."""

from __future__ import annotations

from collections import Counter

from workers.calls.contract import Answered, CallFailure, Verdict
from workers.counting import Metrics, Observations
from workers.metrics import (
    CALL_BATCH_BYTES,
    CALL_BATCH_RECORDS,
    CALL_BYTES_RECEIVED,
    CALL_BYTES_SENT,
    CALL_CONTRACT_VIOLATIONS,
    CALL_RECORD_RESULTS,
    CALL_RECORDS,
    CALL_RETRIES,
    CALL_SECONDS,
    CALL_SPLITS,
    CALLS,
    CALLS_IN_FLIGHT,
    CALLS_LIMIT,
    CALLS_WAITING,
    UNKNOWN_OUTCOMES,
    Metric,
)
from workers.pipeline.program import CallSite

_UNANSWERED = {
    "NotSent": "not_sent", "NoCredentials": "not_sent", "TimedOut": "timed_out", "UnknownOutcome": "unknown",
}  # fmt: skip

_THROTTLES = frozenset({"TooManyRequestsException", "HTTP 429"})


def outcome_of(verdict: Verdict) -> str:
    """What a call counts as."""
    if isinstance(verdict, Answered):
        return "ok"
    if verdict.error_class in _UNANSWERED:
        return _UNANSWERED[verdict.error_class]
    if verdict.error_class == "AnswerTooLarge":
        return "invalid_answer"
    return "function_error" if verdict.is_function_error else "api_error"


def show(metrics: Metrics, metric: Metric, labels: tuple[str, ...], value: float, *, is_more: bool) -> None:
    """Set a gauge that call sites of one processor share when they call one function: it is their sum, and
    each report begins anew with the first of them."""
    gauge = metrics.gauge(metric, *labels)
    if is_more:
        gauge.inc(value)
    else:
        gauge.set(value)


class CallTally:
    """Adding costs a tenth of what the metrics themselves do."""

    def __init__(self, processor: str, site: CallSite, metrics: Metrics) -> None:
        self._labels = (processor, site.function)
        self._metrics = metrics
        self._most = site.parallelism
        self._seconds = Observations(CALL_SECONDS, metrics, *self._labels)
        self._batches = (
            [
                Observations(metric, metrics, *self._labels)
                for metric in (CALL_BATCH_RECORDS, CALL_BATCH_BYTES)
            ]
            if site.batch is not None
            else []
        )
        self._outcomes: Counter[str] = Counter()
        self._violations: Counter[str] = Counter()
        self._records = 0
        self._sent = 0
        self.received = 0
        self.finished = 0
        self.splits = 0
        self.unknown = 0
        self.results: Counter[str] = Counter()

    def attempted(self, seconds: float, sent_bytes: int) -> None:
        """One attempt is over."""
        self._seconds.observe(seconds)
        self._sent += sent_bytes

    def batched(self, records: int, size_bytes: int) -> None:
        """One attempt carried a batch."""
        by_records, by_bytes = self._batches
        by_records.observe(records)
        by_bytes.observe(size_bytes)

    def ended(self, outcome: str, records: int = 1) -> None:
        """One call is over, retries included."""
        self.finished += 1
        self._records += records
        self._outcomes[outcome] += 1

    def retried(self, failure: CallFailure) -> None:
        """A call is tried again."""
        kind = outcome_of(failure)
        if kind == "api_error":
            kind = "throttled" if failure.error_class in _THROTTLES else "server_error"
        elif kind == "invalid_answer":
            kind = "unknown"
        self._metrics.counter(CALL_RETRIES, *self._labels, kind).inc()

    def violated(self, kind: str, count: int) -> None:
        """An answer broke the contract of its batch."""
        self._violations[kind] += count

    def report(self, in_flight: int, waiting: int, *, is_more: bool) -> None:
        """Move what came since the last report into the metrics. `is_more`: to what an earlier call site said
        of the function."""
        metrics, labels = self._metrics, self._labels
        for metric, counts in (
            (CALLS, self._outcomes),
            (CALL_RECORD_RESULTS, self.results),
            (CALL_CONTRACT_VIOLATIONS, self._violations),
        ):
            for label, count in counts.items():
                metrics.counter(metric, *labels, label).inc(count)
            counts.clear()
        for observations in (self._seconds, *self._batches):
            observations.flush()
        metrics.counter(CALL_RECORDS, *labels).inc(self._records)
        metrics.counter(CALL_BYTES_SENT, *labels).inc(self._sent)
        metrics.counter(CALL_BYTES_RECEIVED, *labels).inc(self.received)
        metrics.counter(CALL_SPLITS, *labels).inc(self.splits)
        metrics.counter(UNKNOWN_OUTCOMES, *labels).inc(self.unknown)
        self._records = self._sent = self.received = self.splits = self.unknown = 0
        show(metrics, CALLS_LIMIT, labels, self._most, is_more=is_more)
        show(metrics, CALLS_IN_FLIGHT, labels, in_flight, is_more=is_more)
        show(metrics, CALLS_WAITING, labels, waiting, is_more=is_more)
