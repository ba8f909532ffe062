"""Keeps calls of one `partitionBy` value from overlapping. Pure.

A value is free, or held by what is being called with. Who comes while it is held waits, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Gate(Generic[T]):
    """The values that are held, and what waits for them.

    `waiting` counts what waits, over all values. Its bound is the caller's: nothing is taken up while it is
    reached. Values that are free take no memory.
    """

    __slots__ = ("_held", "_queues", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self._held: dict[Hashable, int] = {}
        self._queues: dict[Hashable, deque[T]] = {}

    def enter(self, value: Hashable, item: T, *, may_join: bool = False) -> bool:
        """True: the value was free, or `item` goes into the very batch that holds it (`may_join`), and now
        holds it, too. False: `item` waits behind all others of the value."""
        held = self._held.get(value, 0)
        if held and (not may_join or value in self._queues):
            self._queues.setdefault(value, deque()).append(item)
            self.waiting += 1
            return False
        self._held[value] = held + 1
        return True

    def leave(self, value: Hashable) -> T | None:
        """A holder of the value is done. Returns who waited longest, and holds it now, if that was the last
        holder."""
        held = self._held[value] - 1
        if held:
            self._held[value] = held
            return None
        del self._held[value]
        return self.follow(value)

    def follow(self, value: Hashable) -> T | None:
        """Let the first one that waits hold the value, too, and return it; None when nobody waits. Only for
        one who goes into the batch that holds the value already, or when nobody holds it."""
        queue = self._queues.get(value)
        if not queue:
            return None
        item = queue.popleft()
        self.waiting -= 1
        if not queue:
            del self._queues[value]
        self._held[value] = self._held.get(value, 0) + 1
        return item

    def first(self, value: Hashable) -> T | None:
        """Who waits longest for the value."""
        queue = self._queues.get(value)
        return queue[0] if queue else None

    def drop(self, is_gone: Callable[[T], bool]) -> list[T]:
        """Take out those that wait and of which `is_gone` holds, and return them."""
        dropped: list[T] = []
        for value, queue in list(self._queues.items()):
            gone = [item for item in queue if is_gone(item)]
            if not gone:
                continue
            dropped += gone
            stay = deque(item for item in queue if not is_gone(item))
            if stay:
                self._queues[value] = stay
            else:
                del self._queues[value]
        self.waiting -= len(dropped)
        return dropped
