"""A function with a limit, and callers with an endless backlog: an event at a time, on a clock of its own."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random

from workers.calls.limiter import AdaptiveLimit

ANSWER_TO_REFUSED_SECONDS = 0.005
"""How long the function takes to say 429."""

LOOK_AGAIN_SECONDS = 0.05
"""When a retry finds no room."""


@dataclass(slots=True)
class Sample:
    """What was seen at one moment."""

    at: float
    open: int
    limit: int


@dataclass(slots=True)
class FunctionWorld:
    """Calls as fast as the limit lets it.

    `capacity` at a time: how many the function takes at once, the rest is throttled; `seconds`: how long a
    call takes; `times_out`: whether it is lost after that; `backlog`: how many calls there is work for."""

    limit: AdaptiveLimit
    capacity: Callable[[float], int]
    seconds: Callable[[Random, float], float]
    times_out: Callable[[Random, float], bool] = lambda _random, _now: False
    ceiling_reason: str | None = None
    backlog: Callable[[float], int] = lambda _now: 1_000_000
    random: Random = field(default_factory=lambda: Random(7))
    now: float = 0.0
    busy: int = 0
    calls: int = 0
    throttled: int = 0
    timed_out: int = 0
    done: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)

    def run(self, until: float, sample_every: float = 0.05) -> FunctionWorld:
        """Until the clock says so."""

        def sample() -> None:
            self.samples.append(Sample(self.now, self.busy, self.limit.limit))
            self._after(sample_every, sample)

        if not self.samples:
            self._after(0.0, sample)
            self._take_up()
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.now = until
        return self

    def open_between(self, first: float, last: float) -> list[int]:
        """How many calls the function had open, sample by sample."""
        return [one.open for one in self.samples if first <= one.at < last]

    def done_between(self, first: float, last: float) -> int:
        """Calls that were answered."""
        return sum(1 for at in self.done if first <= at < last)

    def _after(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), event))

    def _take_up(self) -> None:
        while self.limit.in_flight < self.backlog(self.now) and self.limit.acquire():
            self.calls += 1
            self._attempt(1)

    def _attempt(self, attempt: int) -> None:
        if attempt > 1 and not self.limit.has_room:
            self._after(LOOK_AGAIN_SECONDS, lambda: self._attempt(attempt))
            return
        began = self.now
        self.limit.began()
        if self.busy >= self.capacity(self.now):
            self.throttled += 1
            self._after(ANSWER_TO_REFUSED_SECONDS, lambda: self._lost(began, attempt, self.ceiling_reason))
            return
        self.busy += 1
        is_lost = self.times_out(self.random, self.now)
        self._after(self.seconds(self.random, self.now), lambda: self._ended(began, attempt, is_lost))

    def _ended(self, began: float, attempt: int, is_lost: bool) -> None:
        self.busy -= 1
        if is_lost:
            self.timed_out += 1
            self._lost(began, attempt, None)
            return
        self.limit.succeeded(began, self.now)
        self.limit.release()
        self.done.append(self.now)
        self._take_up()

    def _lost(self, began: float, attempt: int, reason: str | None) -> None:
        self.limit.lost(began, self.now, reason)
        wait = self.random.random() * min(20.0, 0.1 * 2 ** min(attempt - 1, 20))
        self._after(wait, lambda: self._attempt(attempt + 1))
