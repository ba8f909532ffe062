"""Releases what finishes out of order in the order it was taken. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class Sequenced(Protocol):
    """Something with a place in the order; `is_ready` once it may leave."""

    is_ready: bool


S = TypeVar("S", bound=Sequenced)


class Sequence(Generic[S]):
    """The open records of one partition in source order. Its length is bounded by the processor's room."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[S] = deque()

    def add(self, item: S) -> None:
        """Give `item` the last place."""
        self._waiting.append(item)

    def released(self) -> Iterator[S]:
        """Take out what is ready at the front, stopping at the first that is not."""
        waiting = self._waiting
        while waiting and waiting[0].is_ready:
            yield waiting.popleft()

    def __len__(self) -> int:
        return len(self._waiting)
