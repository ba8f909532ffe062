"""One assigned partition: what of it was taken, what is open, and whether it is still ours."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from workers.calls.order import Sequence
from workers.model import Position, TopicPartition, Tries
from workers.ports import SourceRecord
from workers.progress.frontier import Frontier, Span

Freed = Callable[[TopicPartition, int, int], None]


class PartitionRun:
    """From assignment to release. Not used again after that: a partition that comes back gets a new one.

    `busy` counts what has begun and not ended: open calls and unacked output. A drain waits until it is 0.
    """

    __slots__ = (
        "_begun_to",
        "_freed",
        "_idle",
        "_tried_before",
        "alive",
        "busy",
        "draining",
        "frontier",
        "key",
        "sequence",
        "slots",
    )

    def __init__(self, key: TopicPartition, start: Position, freed: Freed) -> None:
        self.key = key
        self.frontier = Frontier(start.offset, start.settled)
        self.sequence: Sequence[Slot] = Sequence()
        self.slots: dict[int, Slot] = {}
        """By offset, rising: what was taken up on the path with calls and has not settled."""
        self._tried_before = start.tried
        self._begun_to = start.offset
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

    def position(self) -> Position:
        """How far the partition has come, as a commit says it."""
        offset = self.frontier.committable()
        return Position(offset, self.frontier.settled(), self._tries(offset))

    def _tries(self, offset: int) -> Tries:
        found: list[tuple[int, int, int, int]] = []
        last = (0, 0)
        for at, slot in self.slots.items():
            now = (slot.tried_site, slot.tried)
            if not slot.tried:
                last = (0, 0)
            elif now == last:
                found[-1] = (found[-1][0], at + 1, *now)
            else:
                found.append((at, at + 1, *now))
                last = now
        # What an earlier owner tried and this one has not come to yet stays known.
        ahead = max(offset, self._begun_to)
        found += ((max(run[0], ahead), *run[1:]) for run in self._tried_before if run[1] > ahead)
        return tuple(found)

    def take_up(self, slot: Slot) -> None:
        """A record begins its way on the path with calls, the offsets in rising order."""
        at = slot.span.offsets[slot.index]
        self.slots[at] = slot
        self._begun_to = at + 1
        self.sequence.add(slot)
        if self._tried_before:
            self._restore(slot, at)

    def _restore(self, slot: Slot, at: int) -> None:
        before = self._tried_before
        found = bisect_right(before, at, key=itemgetter(0)) - 1
        if found >= 0 and at < before[found][1]:
            _, _, slot.tried_site, slot.tried = before[found]
        if at >= before[-1][1]:
            self._tried_before = ()

    def settled(self, slot: Slot) -> None:
        """A record on the path with calls is done for good."""
        slot.span.settle(slot.index)
        del self.slots[slot.span.offsets[slot.index]]
        if self.alive:
            self._freed(self.key, 1, slot.size_bytes)

    def skipped(self, records: list[SourceRecord]) -> None:
        """Records that an earlier owner settled need no room."""
        self._freed(self.key, len(records), sum(map(len, records)))  # type: ignore[arg-type]

    def settled_some(self, span: Span, count: int, size_bytes: int) -> None:
        """Records of one slice are done for good."""
        span.settle_some(count)
        if self.alive:
            self._freed(self.key, count, size_bytes)


class Slot:
    """One record on the path with calls, in its place of the partition's order.

    `tried` counts the attempts of its call at call site `tried_site` so far, those of earlier owners
    included: who calls goes on from there and keeps it up to date.
    """

    __slots__ = (
        "index",
        "is_ready",
        "open_docs",
        "outputs",
        "partition",
        "record",
        "size_bytes",
        "span",
        "tried",
        "tried_site",
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
        self.tried_site = 0
        self.tried = 0

    def spread(self, count: int) -> None:
        """The one document became `count`."""
        self.outputs[:] = [None] * count
        self.open_docs = count
