"""What the host tells Prometheus: calls by their outcome, how long they ran, and the pools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from workers.counting import Metrics, Observations
from workers.functions.call import Outcome
from workers.functions.pool import Pool
from workers.metrics import (
    FUNCTION_HOST,
    HOSTED_CALLS,
    HOSTED_CONCURRENCY,
    HOSTED_EVENTS,
    HOSTED_LOAD_FAILURES,
    HOSTED_PROCESS_LIMIT,
    HOSTED_PROCESSES,
    HOSTED_RUNNING,
    HOSTED_SECONDS,
    HOSTED_STARTS,
    HOSTED_WAITING,
)
from workers.metrics.metric import HOSTED_OUTCOMES

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

# How the errors begin that the host itself makes (`answers.function_error`).
_BY_ERROR: Final = (
    (b'{"errorType":"Sandbox.Timedout"', "timed_out"),
    (b'{"errorType":"Runtime.ExitError"', "crashed"),
)


class Measures:
    """The metrics of one host. Adding is a dictionary's work; a scrape moves what came since the last one.

    Every method is called on the event loop.
    """

    def __init__(self, process_limit: int) -> None:
        self._metrics = Metrics(FUNCTION_HOST)
        self._metrics.gauge(HOSTED_PROCESS_LIMIT).set(process_limit)
        self._calls: Counter[tuple[str, str]] = Counter()
        self._seconds: dict[str, Observations] = {}
        self._shown: dict[str, tuple[Pool, int, int]] = {}
        """By function: its pool, and the starts and load failures of it that are in the metrics."""

    def ran(self, function: str, outcome: Outcome) -> None:
        """A call has run."""
        self._calls[function, _outcome_of(outcome)] += 1
        seconds = self._seconds.get(function)
        if seconds is not None:
            seconds.observe(outcome.seconds)

    def denied(self, function: str) -> None:
        """The manifest did not let a call run."""
        self._calls[function, "denied"] += 1

    def refused(self, function: str) -> None:
        """There was no room for a call, or nobody waited for it any more."""
        self._calls[function, "refused"] += 1

    def serve(self, functions: Mapping[str, Pool]) -> None:
        """Show these functions from now on, each at 0 before its first call, and no others."""
        for name in self._seconds.keys() - functions.keys():
            self._flush()
            self._metrics.forget(function=name)
            del self._seconds[name]
            self._shown.pop(name, None)
        for name in functions.keys() - self._seconds.keys():
            for outcome in HOSTED_OUTCOMES:
                self._metrics.counter(HOSTED_CALLS, name, outcome)
            self._seconds[name] = Observations(HOSTED_SECONDS, self._metrics, name)

    def text(self, functions: Mapping[str, Pool]) -> str:
        """All samples in Prometheus' text format."""
        self._flush()
        for name, pool in functions.items():
            self._show(name, pool)
        return self._metrics.text()

    def _flush(self) -> None:
        for (name, outcome), count in self._calls.items():
            if name in self._seconds:  # else the function was taken out of the folder
                self._metrics.counter(HOSTED_CALLS, name, outcome).inc(count)
        self._calls.clear()
        for seconds in self._seconds.values():
            seconds.flush()

    def _show(self, name: str, pool: Pool) -> None:
        metrics, status = self._metrics, pool.status()
        metrics.gauge(HOSTED_PROCESSES, name).set(status["workers"])
        metrics.gauge(HOSTED_RUNNING, name).set(status["running"])
        metrics.gauge(HOSTED_WAITING, name).set(status["waiting"])
        metrics.gauge(HOSTED_EVENTS, name).set(status["waitingEvents"])
        metrics.gauge(HOSTED_CONCURRENCY, name).set(pool.entry.concurrency)
        before, starts, failures = self._shown.get(name, (pool, 0, 0))
        if before is not pool:  # the function left the folder and came back
            starts = failures = 0
        metrics.counter(HOSTED_STARTS, name).inc(pool.starts - starts)
        metrics.counter(HOSTED_LOAD_FAILURES, name).inc(pool.load_failures - failures)
        self._shown[name] = pool, pool.starts, pool.load_failures


def _outcome_of(outcome: Outcome) -> str:
    if not outcome.failed:
        return "ok"
    for beginning, name in _BY_ERROR:
        if outcome.body.startswith(beginning):
            return name
    return "error"
