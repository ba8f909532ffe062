"""Slices of taken records that wait to be taken up, in order; those of a partition whose map is full, or
whose documents wait for a held function, stand aside."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from workers.engine.partition import PartitionRun
from workers.ports import Batch, SourceRecord
from workers.progress.frontier import Span

# A map shrinks when the record at its front settles, which may take minutes; writing a full one out to see
# takes 6 ms.
LOOK_SECONDS: Final = 0.05


Gate = Callable[[Sequence[SourceRecord]], bool]


@dataclass(slots=True)
class Piece:
    """A slice of a batch that is taken up whole.

    Each slice is a span of its own: what a drain leaves of a batch must not hold back what is done of it.
    """

    partition: PartitionRun
    records: list[SourceRecord]
    span: Span


class Backlog:
    """Bounded by the processor's room."""

    def __init__(self, slice_records: int, must_wait: Gate | None = None) -> None:
        """`must_wait`: whether a slice cannot be read yet."""
        self._slice_records, self._must_wait = slice_records, must_wait
        self._pieces: deque[Piece] = deque()
        self._aside: dict[PartitionRun, deque[Piece]] = {}
        self._more = asyncio.Event()

    @property
    def held_partitions(self) -> int:
        """How many partitions have records here that wait for their map to shrink."""
        return sum(partition.is_full() for partition in self._aside)

    def take(self, partition: PartitionRun, batch: Batch) -> int:
        """Cut a batch into pieces. Returns how many of its records an earlier owner settled: they are freed
        at once."""
        skipped = 0
        for start, stop, is_settled in partition.frontier.parts(batch.offsets):
            if is_settled:
                partition.pass_over(batch.offsets[start:stop], batch.records[start:stop])
                skipped += stop - start
            else:
                self._cut(partition, batch, start, stop)
        self._more.set()
        return skipped

    def _cut(self, partition: PartitionRun, batch: Batch, begin: int, end: int) -> None:
        for start in range(begin, end, self._slice_records):
            stop = min(start + self._slice_records, end)
            span = partition.frontier.taken(batch.offsets[start:stop])
            # The poll thread may hand over what it held when it was asked to be quiet. It stays open, so
            # that nothing past it is committed, and is the next owner's.
            if not partition.draining:
                self._pieces.append(Piece(partition, batch.records[start:stop], span))

    def next(self, standing: Collection[PartitionRun] = ()) -> Piece | None:
        """The first piece that may be taken up now: none of `standing`, whose documents wait already."""
        for partition in [one for one in self._aside if not (one in standing or one.is_full())]:
            self._pieces.extendleft(reversed(self._aside.pop(partition)))
        while self._pieces:
            piece = self._pieces.popleft()
            partition = piece.partition
            if partition not in self._aside and not (partition in standing or partition.is_full()):
                if self._must_wait is None or not self._must_wait(piece.records):
                    return piece
            self._aside.setdefault(piece.partition, deque()).append(piece)
        return None

    async def more(self) -> None:
        """Returns when `next` is worth asking again."""
        self._more.clear()
        try:
            async with asyncio.timeout(LOOK_SECONDS if self._aside else None):
                await self._more.wait()
        except TimeoutError:
            return

    def drop_draining(self) -> None:
        """Forget what belongs to partitions that take up nothing more: it is the next owner's."""
        self._pieces = deque(piece for piece in self._pieces if not piece.partition.draining)
        self._aside = {run: pieces for run, pieces in self._aside.items() if not run.draining}
