"""The host's places for worker processes: who gets one, and who gives one up. Pure but for the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sized
from typing import Final, Protocol
from weakref import WeakKeyDictionary

# With fewer processes than functions that are called all the time these take turns, each for a cold start of
# 40 ms.
_TURN_SECONDS: Final = 0.5


class Idle(Protocol):
    """A worker without work."""

    @property
    def free_since(self) -> float:
        """When it last had some, in seconds of the loop's clock."""
        ...

    def kill(self) -> None:
        """End it; its place is given back soon."""
        ...


class Claimant(Protocol):
    """Whom the places are for; kept by `pool.Pool`."""

    def workers(self) -> Sized:
        """Its processes, in whatever state."""
        ...

    def wants_worker(self) -> bool:
        """Whether it would start a process now."""
        ...

    def longest_free(self) -> Idle | None:
        """Its worker that has been without work for the longest time."""
        ...


class Places:
    """`most` places, shared. Functions that are called win over functions that are not; of those that are
    called, the one with the fewest processes comes first."""

    def __init__(
        self, most: int, claimants: Callable[[], Iterable[Claimant]], now: Callable[[], float]
    ) -> None:
        self._most, self._claimants, self._now = most, claimants, now
        self._taken = 0
        self._yielding = 0  # workers that were told to go and are not gone yet
        self._yielded = 0.0
        self._starved: set[Claimant] = set()
        self._places_given = 0
        self._last_places: WeakKeyDictionary[Claimant, int] = WeakKeyDictionary()

    def try_take(self, claimant: Claimant) -> bool:
        """Room for one more process. Without it the worker idle for the longest time is ended, so that a
        later try succeeds. A place that is free is not for who starts first, but for who has least: who is
        busy sees it come free before anybody else does."""
        self._look_who_starves()
        if self._taken + self._before(claimant) < self._most:
            self._taken += 1
            self._places_given += 1
            self._last_places[claimant] = self._places_given
            self._starved.discard(claimant)
            return True
        self._starved.add(claimant)
        idle = [worker for one in self._claimants() if (worker := one.longest_free())]
        if idle:
            min(idle, key=_free_since).kill()
        return False

    def must_yield(self, claimant: Claimant) -> bool:
        """When no worker is idle, the busy ones are shared: a function with at least two workers more than
        one that waits gives one up, and one that waits with none gets its turn."""
        if not self._starved:
            return False
        self._look_who_starves()
        if self._before(claimant) <= self._most - self._taken + self._yielding:
            return False  # there is a place for each of them, or will be in a moment
        have = len(claimant.workers())
        least = min((len(one.workers()) for one in self._starved if one is not claimant), default=have)
        now = self._now()
        if have - least < 2 and (least or have == least or now - self._yielded < _TURN_SECONDS):
            return False
        self._yielded = now
        self._yielding += 1
        return True

    def give_back(self) -> None:
        """One process is gone."""
        self._taken -= 1
        self._yielding = max(0, self._yielding - 1)
        assert self._taken >= 0, "more workers gone than started"

    def _look_who_starves(self) -> None:
        if self._starved:
            self._starved = {one for one in self._starved if one.wants_worker()}

    def _before(self, claimant: Claimant) -> int:
        """How many of the starved come first."""
        if not self._starved:
            return 0
        own = self._rank(claimant)
        return sum(self._rank(one) < own for one in self._starved if one is not claimant)

    def _rank(self, claimant: Claimant) -> tuple[int, int]:
        """Fewest workers first; of two with as many, who got its last place longer ago."""
        return len(claimant.workers()), self._last_places.get(claimant, 0)


def _free_since(worker: Idle) -> float:
    return worker.free_since
