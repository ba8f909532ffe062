"""The hold of one call site at work: when it begins and ends, its timer, its breaker, its metrics."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from workers.calls.breaker import Breaker, BreakerSettings
from workers.calls.contract import CallFailure
from workers.calls.error_table import Scope
from workers.calls.hold import After, Hold, HoldSettings, HoldState
from workers.counting import Metrics
from workers.engine.call_tally import show
from workers.logs import log_event
from workers.metrics import (
    BREAKER_OPEN,
    HOLD_PROBES,
    HOLD_SECONDS,
    HOLD_STATE,
    HOLD_STATES,
    HOLD_WAITING,
    HOLDS,
)
from workers.pipeline.program import CallSite
from workers.settings import HOLD_PROBE_CAP_SECONDS, HOLD_PROBE_FIRST_SECONDS

log = logging.getLogger(__name__)

W = TypeVar("W")
BREAKER: Final = "Breaker"
"""What began a hold that no single error did."""


@dataclass(frozen=True, slots=True)
class ProbePace:
    """A held function is probed after so many seconds, then after twice as many, up to the cap."""

    first_seconds: float = HOLD_PROBE_FIRST_SECONDS
    cap_seconds: float = HOLD_PROBE_CAP_SECONDS


class Held(Protocol[W]):
    """Whose calls are held. `W` is what goes into a call: a document or a batch."""

    def probe_with(self) -> W | None:
        """What waits longest of what was not called with, for a probe where nothing waits in the hold."""
        ...

    def probe(self, item: W) -> None:
        """Make this one call now, although the function is held."""
        ...

    def resume(self, items: list[W]) -> None:
        """Calls may begin again, these first."""
        ...

    def given_up(self, reason: str) -> None:
        """The hold was in vain, and the processor is to stop."""
        ...

    def later(self, wait_seconds: float, do: Callable[[], None]) -> asyncio.TimerHandle:
        """Do something after that time."""
        ...


class Holding(Generic[W]):
    """Every call that began ends in `fault`, `ended` or `let_go`."""

    def __init__(
        self, processor: str, site: CallSite, held: Held[W], metrics: Metrics, pace: ProbePace
    ) -> None:
        self._held, self._metrics = held, metrics
        self._labels = (processor, site.function)
        self._hold: Hold[W] = Hold(
            HoldSettings(site.hold.timeout_seconds, site.hold.after, pace.first_seconds, pace.cap_seconds)
        )
        spec = site.breaker
        self._breaker = None if spec is None else Breaker(BreakerSettings(spec.error_rate, spec.window_calls))
        self._is_by_breaker = False
        self._probe: W | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._scope: Scope = "function"
        self._counted_to = 0.0
        self._begun: Counter[str] = Counter()
        self._seconds: Counter[Scope] = Counter()
        self._probes = 0
        self.is_not_ready = False
        """What the worker itself is, its keys or its clock, is refused: it cannot do its work."""

    @property
    def is_open(self) -> bool:
        """Whether calls may begin."""
        return self._hold.is_open

    @property
    def waiting(self) -> int:
        """How many calls wait here."""
        return self._hold.waiting

    def may_go(self, item: W) -> bool:
        """Whether this call may be made now: calls go, or it is the probe."""
        return self._hold.is_open or item is self._probe

    def is_probe(self, item: W) -> bool:
        """Whether the function is probed with it."""
        return item is self._probe

    def wait(self, item: W) -> None:
        """Its turn came while nothing is called."""
        self._hold.wait(item)

    def fault(self, item: W, failure: CallFailure, after: After | None = None) -> bool:
        """The call failed in a way that says hold. True: it waits here; False: it is `onError`'s. `after`: in
        place of the stage's."""
        name = failure.error_class if failure.entry is None else failure.entry.name
        return self._fault(item, failure, name, after)

    def ended(self, item: W, began_seconds: float, failure: CallFailure | None = None) -> None:
        """The call ended in another way: whatever the function said, it can be called. Too many errors of its
        own open the breaker."""
        is_error = failure is not None and failure.is_function_error
        if self._breaker is not None:
            self._watch(self._breaker, item, failure if is_error else None)
            if is_error and self._is_by_breaker:
                return
        self._reached(item, began_seconds)

    def split(self, item: W, began_seconds: float) -> None:
        """A batch goes on in halves: the breaker counts how those end."""
        if not self._is_by_breaker:
            self._reached(item, began_seconds)

    def _reached(self, item: W, began_seconds: float) -> None:
        if self._hold.state is not HoldState.OPEN:
            was_shut = not self._hold.is_open
            waiting = self._hold.went_well(began_seconds)
            self.let_go(item)
            if was_shut and self._hold.is_open:
                self._over("hold_ended")
                self._held.resume(waiting)

    def let_go(self, item: W) -> None:
        """The call is over and says nothing of the function: its partition moved away."""
        if item is self._probe:
            self._probe = None
            if self._hold.state is HoldState.PROBING:
                self._hold.drop(lambda one: one is item, time.monotonic())
                self._set_timer()

    def drop(self, is_gone: Callable[[W], bool]) -> list[W]:
        """Take out what the next owner takes up, and return it. A probe under way tells by itself."""
        return self._hold.drop(lambda one: one is not self._probe and is_gone(one), time.monotonic())

    def close(self) -> None:
        """The processor stops."""
        if self._timer is not None:
            self._timer.cancel()

    def report(self, *, is_more: bool) -> None:
        """Bring the metrics up to date. `is_more`: to what an earlier call site said of the function."""
        metrics, labels = self._metrics, self._labels
        self._count(time.monotonic())
        for name in HOLD_STATES:
            is_now = name == self._hold.state.value
            show(metrics, HOLD_STATE, (*labels, name), is_now, is_more=is_more)
        show(metrics, HOLD_WAITING, labels, self._hold.waiting, is_more=is_more)
        show(metrics, BREAKER_OPEN, labels, self._is_by_breaker, is_more=is_more)
        metrics.counter(HOLD_PROBES, *labels).inc(self._probes)
        for scope, seconds in self._seconds.items():
            metrics.counter(HOLD_SECONDS, *labels, scope).inc(seconds)
        for name, count in self._begun.items():
            metrics.counter(HOLDS, *labels, name).inc(count)
        self._probes = 0
        self._seconds.clear()
        self._begun.clear()

    def _fault(self, item: W, failure: CallFailure, name: str, after: After | None = None) -> bool:
        now, was_open = time.monotonic(), self._hold.is_open
        self._count(now)
        waits = self._hold.fault(item, now, failure.reason, after, failure.asked_seconds)
        if item is self._probe:
            self._probe = None
        if was_open and waits:
            self._begun[name] += 1
            self._scope, self._counted_to = failure.scope, now
            self._tell(logging.WARNING, "function_held", error=name, reason=failure.reason)
        self._set_timer()
        return waits

    def _watch(self, breaker: Breaker, item: W, error: CallFailure | None) -> None:
        """The document that made the function fail is `onError`'s as ever; those behind it wait."""
        is_time = breaker.saw(None if error is None else error.error_class)
        begins = is_time and self._hold.state is HoldState.OPEN
        if error is not None and (begins or (self._is_by_breaker and item is self._probe)):
            if begins:
                error = CallFailure(breaker.reason(), error.error_class, "function", False)
                self._is_by_breaker = True
            self._fault(item, error, BREAKER)
            self._hold.drop(lambda one: one is item, time.monotonic())

    def _set_timer(self) -> None:
        at = self._hold.next_at()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at < float("inf"):
            wait = max(at - time.monotonic(), 0.0)
            self._timer = self._held.later(wait, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        hold = self._hold
        if hold.state is HoldState.HELD and not hold.waiting:
            first = self._held.probe_with()
            if first is not None:
                hold.wait(first)
        probe, waiting = hold.turn(time.monotonic())
        if probe is not None:
            self._probe = probe
            self._probes += 1
            self._held.probe(probe)
        elif hold.state is HoldState.FAILED:
            self._count(time.monotonic())
            self._tell(logging.ERROR, "hold_failed", reason=hold.reason)
            self._held.given_up(hold.reason)
        elif hold.is_open:
            self._over("hold_given_up" if hold.state is HoldState.SPENT else "hold_empty")
            self._held.resume(waiting)
        else:
            self._set_timer()

    def _over(self, event: str) -> None:
        self._count(time.monotonic(), is_over=True)
        self._tell(logging.INFO if event == "hold_ended" else logging.WARNING, event)
        self._is_by_breaker = self.is_not_ready = False
        self._probe = None
        if self._breaker is not None:
            self._breaker.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _count(self, now: float, *, is_over: bool = False) -> None:
        if is_over or not self._hold.is_open:
            self._seconds[self._scope] += max(0.0, now - self._counted_to)  # type: ignore[assignment]
            self._counted_to = now

    def _tell(self, level: int, event: str, **more: str) -> None:
        processor, function = self._labels
        log_event(log, level, event, processor=processor, function=function, **more)
