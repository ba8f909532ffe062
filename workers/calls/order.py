"""Releases what finishes out of order in the order that `options.ordering` asks for. Pure.

Each order knows the open records of one partition; how many there are is bounded by the processor's room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, Literal, Protocol, TypeVar

Ordering = Literal["partition", "key", "none"]


class Sequenced(Protocol):
    """Something with a place in the order; `is_ready` once it may leave."""

    is_ready: bool


S = TypeVar("S", bound=Sequenced)


class Order(Protocol[S]):
    """The open records of one partition."""

    def add(self, item: S) -> None:
        """Take `item` up, behind all that were taken up before."""
        ...

    def ready(self, item: S) -> None:
        """`item` has just become ready."""
        ...

    def released(self) -> Iterator[S]:
        """Take out what may leave now, in order."""
        ...

    def __len__(self) -> int: ...


class PartitionOrder(Generic[S]):
    """All leave in the order they came."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[S] = deque()

    def add(self, item: S) -> None:
        self._waiting.append(item)

    def ready(self, item: S) -> None:
        """Nothing to do: `released` looks at the front."""

    def released(self) -> Iterator[S]:
        waiting = self._waiting
        while waiting and waiting[0].is_ready:
            yield waiting.popleft()

    def __len__(self) -> int:
        return len(self._waiting)


class NoOrder(Generic[S]):
    """Each leaves as soon as it is ready."""

    __slots__ = ("_leaving", "_open")

    def __init__(self) -> None:
        self._leaving: deque[S] = deque()
        self._open = 0

    def add(self, item: S) -> None:
        self._open += 1

    def ready(self, item: S) -> None:
        self._leaving.append(item)

    def released(self) -> Iterator[S]:
        while self._leaving:
            self._open -= 1
            yield self._leaving.popleft()

    def __len__(self) -> int:
        return self._open


class KeyOrder(Generic[S]):
    """Those of one key leave in the order they came, and overtake those of other keys. Without a key there is
    no order among them."""

    __slots__ = ("_by_key", "_key", "_leaving", "_open")

    def __init__(self, key: Callable[[S], bytes | None]) -> None:
        """`key` answers the same for an item every time."""
        self._key = key
        self._by_key: dict[bytes, deque[S]] = {}
        self._leaving: deque[S] = deque()
        self._open = 0

    def add(self, item: S) -> None:
        self._open += 1
        key = self._key(item)
        if key is not None:
            self._by_key.setdefault(key, deque()).append(item)

    def ready(self, item: S) -> None:
        key = self._key(item)
        if key is None:
            self._leaving.append(item)
            return
        waiting = self._by_key[key]
        while waiting and waiting[0].is_ready:
            self._leaving.append(waiting.popleft())
        if not waiting:
            del self._by_key[key]

    def released(self) -> Iterator[S]:
        while self._leaving:
            self._open -= 1
            yield self._leaving.popleft()

    def __len__(self) -> int:
        return self._open
