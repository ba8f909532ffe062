"""One assigned partition: what of it was taken, what is open, and whether it is still ours."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, Final

from workers.calls.order import KeyOrder, NoOrder, Order, Ordering, PartitionOrder
from workers.model import Position, TopicPartition, Tries
from workers.ports import SourceRecord
from workers.progress.checkpoint import MAP_CHARACTERS
from workers.progress.frontier import Frontier, Span
from workers.progress.offset_map import characters

Freed = Callable[[TopicPartition, int, int], None]

# A quarter of the map stays free for the records under way when nothing more is taken up: in the worst case
# each of them is settled between two that are not, and six of those take a character.
FULL_CHARACTERS: Final = MAP_CHARACTERS * 3 // 4
# What one record that is taken up or settles can add to the map: a gap and a length of up to 2^15 each.
CHANGE_CHARACTERS: Final = 6


class PartitionRun:
    """From assignment to release. Not used again after that: a partition that comes back gets a new one.

    `busy` counts what has begun and not ended: open calls and unacked output. A drain waits until it is 0.
    """

    __slots__ = (
        "_begun_to",
        "_changes",
        "_freed",
        "_idle",
        "_tried_before",
        "alive",
        "busy",
        "draining",
        "frontier",
        "key",
        "map_characters",
        "order",
        "slots",
    )

    def __init__(
        self, key: TopicPartition, start: Position, freed: Freed, order: Order[Slot] | None = None
    ) -> None:
        """`order`: how results leave; in the partition's order without it."""
        self.key = key
        self.frontier = Frontier(start.offset, start.settled)
        self.order: Order[Slot] = PartitionOrder() if order is None else order
        self.map_characters = 0
        """How long the map was when it was last made."""
        self._changes = 0
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

    def is_released(self) -> bool:
        """Whether it is somebody else's."""
        return not self.alive

    def position(self) -> Position:
        """How far the partition has come, as a commit says it."""
        offset = self.frontier.committable()
        position = Position(offset, self.frontier.settled(), self._tries(offset))
        self.map_characters, self._changes = characters(position), 0
        return position

    def is_full(self) -> bool:
        """Whether the map has no room for more records on the path with calls. It is made anew only where
        what happened since it was could have filled it."""
        if self.map_characters + self._changes * CHANGE_CHARACTERS >= FULL_CHARACTERS and self._changes:
            self.position()
        return self.map_characters >= FULL_CHARACTERS

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
        self.order.add(slot)
        self._changes += 1
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
        self.name_settled(slot)
        self.give_room(slot)

    def name_settled(self, slot: Slot) -> None:
        """Its position says from here on that a record has settled: it is part of a transaction, which goes
        on until it commits."""
        slot.span.settle(slot.index)
        del self.slots[slot.offset]
        self._changes += 1

    def give_room(self, slot: Slot) -> None:
        """The record is out of memory."""
        if self.alive:
            self._freed(self.key, 1, slot.size_bytes)

    def pass_over(self, offsets: list[int], records: list[SourceRecord]) -> None:
        """Records came that an earlier owner settled, and said so in the map of its commit."""
        self.frontier.skipped(offsets)
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
        "_spread",
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
        self._spread: dict[int, range] | None = None
        self.tried_site = 0
        self.tried = 0

    @property
    def offset(self) -> int:
        return self.span.offsets[self.index]

    def spread(self, place: int, count: int) -> int:
        """The document at `place` became `count`. Returns the first of their places, which are given out at
        the end, so that those of documents already under way stay theirs."""
        first = len(self.outputs)
        self.outputs += [None] * count
        self.open_docs += count
        if self._spread is None:
            self._spread = {}
        self._spread[place] = range(first, first + count)
        return first

    def name_of(self, place: int) -> str:
        """Which of the record's documents stands at `place`, whatever answered when: empty for the record
        itself, `2` for the third that it became, `2.0` for the first that this one became later."""
        steps: list[str] = []
        while place and self._spread is not None:
            parent, places = next(one for one in self._spread.items() if place in one[1])
            steps.append(str(place - places.start))
            place = parent
        return ".".join(reversed(steps))

    def put_in_order(self) -> None:
        """Bring the outputs into the order of the documents: several calls in a row may have made several
        documents of each, in any order."""
        if self._spread is None or len(self._spread) < 2:
            return
        ordered: list[Any] = []
        left = [0]
        while left:
            place = left.pop()
            ordered.append(self.outputs[place])
            left += reversed(self._spread.get(place, ()))
        self.outputs = ordered


def _key(slot: Slot) -> bytes | None:
    return slot.record.key()


ORDERS: Final[Mapping[Ordering, Callable[[], Order[Slot]]]] = {
    "partition": PartitionOrder,
    "key": lambda: KeyOrder(_key),
    "none": NoOrder,
}
