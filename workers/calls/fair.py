"""A limit shared fairly by those who call one function: a worker's processors. Pure.

Whoever waits and has the fewest permits for its weight is next, so all who want more have as many; what one
leaves free the others use. Among the items of one taker the first that came is the first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Permits(Protocol):
    """What is shared. `limiter.AdaptiveLimit` is one."""

    def acquire(self) -> bool: ...
    def release(self) -> None: ...


class FairShare(Generic[T]):
    """Permits and those who wait for them. `waiting` counts what waits; its bound is the caller's: nothing is
    taken up while it is reached."""

    __slots__ = ("_held", "_permits", "_queues", "_turn", "_turns", "_weights", "waiting")

    def __init__(self, permits: Permits) -> None:
        self.waiting = 0
        self._permits = permits
        self._held: dict[str, int] = {}
        self._weights: dict[str, float] = {}
        self._queues: dict[str, deque[T]] = {}
        # Of two that have as few, the one whose turn is longer ago.
        self._turns: dict[str, int] = {}
        self._turn = 0

    def join(self, taker: str, weight: float = 1.0) -> None:
        """`taker` calls the function from now on."""
        assert weight > 0
        self._weights[taker] = weight
        self._held.setdefault(taker, 0)
        self._turns.setdefault(taker, 0)

    def part(self, taker: str) -> list[T]:
        """`taker` calls no more and has given its permits back. Returns what still waited for it."""
        assert not self._held[taker], "permits are given back first"
        queue = self._queues.pop(taker, deque())
        self.waiting -= len(queue)
        del self._held[taker], self._weights[taker], self._turns[taker]
        return list(queue)

    def held(self, taker: str) -> int:
        """Permits that `taker` has."""
        return self._held[taker]

    def take(self, taker: str) -> bool:
        """Whether one may go at once. Nobody waits for it where not."""
        if not self.waiting and self._permits.acquire():
            self._give(taker)
            return True
        return False

    def ask(self, taker: str, item: T) -> bool:
        """True: `item` may go. False: it waits, and `grants` returns it when its turn has come."""
        if self.take(taker):
            return True
        self._queues.setdefault(taker, deque()).append(item)
        self.waiting += 1
        return False

    def give_back(self, taker: str) -> None:
        """A call of `taker` is over. `grants` tells who is next."""
        assert self._held[taker] > 0, "a permit is given back once"
        self._held[taker] -= 1
        self._permits.release()

    def grants(self) -> list[tuple[str, T]]:
        """Who may go now, after a permit was given back or the limit rose."""
        granted: list[tuple[str, T]] = []
        while self._queues and self._permits.acquire():
            taker = min(self._queues, key=self._claim)
            queue = self._queues[taker]
            granted.append((taker, queue.popleft()))
            self.waiting -= 1
            if not queue:
                del self._queues[taker]
            self._give(taker)
        return granted

    def drop(self, is_gone: Callable[[T], bool]) -> list[T]:
        """Take out what waits and of which `is_gone` holds, and return it."""
        dropped: list[T] = []
        for taker, queue in list(self._queues.items()):
            gone = [item for item in queue if is_gone(item)]
            if gone:
                dropped += gone
                self._queues[taker] = deque(item for item in queue if not is_gone(item))
                if not self._queues[taker]:
                    del self._queues[taker]
        self.waiting -= len(dropped)
        return dropped

    def _claim(self, taker: str) -> tuple[float, int]:
        return self._held[taker] / self._weights[taker], self._turns[taker]

    def _give(self, taker: str) -> None:
        self._turn += 1
        self._held[taker] += 1
        self._turns[taker] = self._turn
