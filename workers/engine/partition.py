"""One assigned partition: what of it was taken, what is open, and whether it is still ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from workers.calls.order import Sequence
from workers.model import TopicPartition
from workers.ports import SourceRecord
from workers.progress.frontier import Frontier, Span

Freed = Callable[[TopicPartition, int, int], None]


class PartitionRun:
    """From assignment to release. Not used again after that: a partition that comes back gets a new one.

    `busy` counts what has begun and not ended: open calls and unacked output. A drain waits until it is 0.
    """

    __slots__ = ("_freed", "_idle", "alive", "busy", "draining", "frontier", "key", "sequence")

    def __init__(self, key: TopicPartition, position: int, freed: Freed) -> None:
        self.key = key
        self.frontier = Frontier(position)
        self.sequence: Sequence[Slot] = Sequence()
        self.alive = True
        self.draining = False
        self.busy = 0
        self._freed = freed
        self._idle: asyncio.Event | None = None

    def begin(self, count: int = 1) -> None:
        self.busy += count

    def end(self, count: int = 1) -> None:
        self.busy -= count
        assert self.busy >= 0, f"{self.key}: more work ended than began"
        if not self.busy and self._idle is not None:
            self._idle.set()

    async def drained(self) -> None:
        """Returns when nothing that has begun is open, or when the partition was released.

        The caller bounds the wait and sets `draining` first, so that nothing new begins. A revocation may
        wait beside a stop.
        """
        if self._idle is None:
            self._idle = asyncio.Event()
        while self.busy and self.alive:
            self._idle.clear()
            await self._idle.wait()

    def release(self) -> None:
        """The partition is not ours any more: what is open is abandoned, and nobody waits for it."""
        self.alive, self.draining = False, True
        if self._idle is not None:
            self._idle.set()

    def settled(self, slot: Slot) -> None:
        """A record on the path with calls is done for good."""
        slot.span.settle(slot.index)
        if self.alive:
            self._freed(self.key, 1, slot.size_bytes)

    def settled_some(self, span: Span, count: int, size_bytes: int) -> None:
        """Records of one slice are done for good."""
        span.settle_some(count)
        if self.alive:
            self._freed(self.key, count, size_bytes)


class Slot:
    """One record on the path with calls, in its place of the partition's order."""

    __slots__ = (
        "index",
        "is_ready",
        "open_docs",
        "outputs",
        "partition",
        "record",
        "size_bytes",
        "span",
        "unacked",
    )

    def __init__(self, partition: PartitionRun, record: SourceRecord, span: Span, index: int) -> None:
        self.partition = partition
        self.record = record
        self.span = span
        self.index = index
        self.size_bytes = len(record.value() or b"")
        self.open_docs = 1
        self.outputs: list[Any] = [None]
        self.is_ready = False
        self.unacked = 0

    def spread(self, count: int) -> None:
        """The one document became `count`."""
        self.outputs[:] = [None] * count
        self.open_docs = count
