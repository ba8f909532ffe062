"""Cuts what comes into batches, exactly at the limits, and says when a batch must go although it is not full.
Pure: the time is an argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Of one batch: records, bytes of the encoded request with its framing, and the time from its first
    record until it goes. `one_of_each_value`: never two records of one `partitionBy` value."""

    max_records: int
    max_bytes: int
    max_delay_seconds: float
    one_of_each_value: bool = False


class Batched(Protocol):
    """A record with its encoded entry. `value` is its `partitionBy` value or None; of two records with the
    same `single` (unless that is None) never both are in one batch."""

    text: bytes
    group: str
    value: Hashable | None
    single: Hashable | None


T = TypeVar("T", bound=Batched)


class Batcher(Generic[T]):
    """The batches that wait to be sent, and the one that is being filled.

    Its length is bounded by whoever asks `has_room` of the call site before adding.
    """

    __slots__ = (
        "_bytes",
        "_due",
        "_forming",
        "_frame_bytes",
        "_group_bytes",
        "_groups",
        "_limits",
        "_ready",
        "_singles",
        "_values",
        "records",
    )

    def __init__(self, limits: BatchLimits, frame_bytes: int, group_bytes: Callable[[str], int]) -> None:
        """`group_bytes`: what the first record of a group costs beside itself and its comma. No group is
        ""."""
        self.records = 0
        """Records that wait here, in whole batches and in the one that is being filled."""
        self._limits, self._frame_bytes, self._group_bytes = limits, frame_bytes, group_bytes
        self._ready: deque[list[T]] = deque()
        self._forming: list[T] = []
        self._bytes = frame_bytes
        self._due = 0.0
        self._groups: set[str] = set()
        self._values: set[Hashable] = set()
        self._singles: set[Hashable] = set()

    def alone_bytes(self, item: T) -> int:
        """The request with this record and no other. Above the limit it must not be added."""
        return self._frame_bytes + len(item.text) + (self._group_bytes(item.group) if item.group else 0)

    def fits(self, item: T) -> bool:
        """Whether the record would go into the batch that is being filled, which holds something already."""
        if not self._forming:
            return False
        size = self._bytes + 1 + len(item.text)
        if item.group and item.group not in self._groups:
            size += self._group_bytes(item.group)
        if size > self._limits.max_bytes or item.single in self._singles:
            return False
        return not (self._limits.one_of_each_value and item.value in self._values)

    def holds(self, value: Hashable) -> bool:
        """Whether the batch that is being filled has a record of this `partitionBy` value."""
        return value in self._values

    def add(self, item: T, now: float) -> None:
        """Put a record behind those that wait."""
        if self._forming and not self.fits(item):
            self._cut()
        forming = self._forming
        if not forming:
            self._due = now + self._limits.max_delay_seconds
        else:
            self._bytes += 1
        self._bytes += len(item.text)
        if item.group and item.group not in self._groups:
            self._groups.add(item.group)
            self._bytes += self._group_bytes(item.group)
        assert self._bytes <= self._limits.max_bytes, "a record that is too large alone must not come here"
        if item.value is not None:
            self._values.add(item.value)
        if item.single is not None:
            self._singles.add(item.single)
        forming.append(item)
        self.records += 1
        if len(forming) >= self._limits.max_records:
            self._cut()

    def add_first(self, batch: list[T]) -> None:
        """Put records that stood in one batch before all others, as a batch of their own."""
        assert batch, "a batch has at least one record"
        self._ready.appendleft(batch)
        self.records += len(batch)

    @property
    def has_full(self) -> bool:
        """Whether a batch waits that is cut already."""
        return bool(self._ready)

    def hurry(self, now: float) -> None:
        """Let the batch that is being filled go as it is."""
        self._due = min(self._due, now)

    def due(self) -> float | None:
        """When the batch that is being filled must go, or None while there is none."""
        return self._due if self._forming else None

    def has_batch(self, now: float) -> bool:
        """Whether `take` has something."""
        return bool(self._ready) or (bool(self._forming) and self._due <= now)

    def take(self, now: float) -> list[T] | None:
        """The next batch: a full one, or the one that is being filled once it is due."""
        if not self._ready and self._forming and self._due <= now:
            self._cut()
        if not self._ready:
            return None
        batch = self._ready.popleft()
        self.records -= len(batch)
        return batch

    def drop(self, is_gone: Callable[[T], bool]) -> list[T]:
        """Take out the records of which `is_gone` holds, and return them."""
        dropped: list[T] = []
        kept: deque[list[T]] = deque()
        for batch in self._ready:
            stay = [item for item in batch if not is_gone(item)]
            dropped += [item for item in batch if is_gone(item)]
            if stay:
                kept.append(stay)
        self._ready = kept
        gone = [item for item in self._forming if is_gone(item)]
        if gone:
            stay, due = [item for item in self._forming if not is_gone(item)], self._due
            self.records -= len(self._forming)
            self._empty()
            for item in stay:
                self.add(item, 0.0)
            self._due = due
        self.records -= len(dropped)
        return dropped + gone

    def _cut(self) -> None:
        self._ready.append(self._forming)
        self._empty()

    def _empty(self) -> None:
        self._forming = []
        self._bytes = self._frame_bytes
        self._groups.clear()
        self._values.clear()
        self._singles.clear()
