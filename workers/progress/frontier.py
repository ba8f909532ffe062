"""Which offset of one partition may be committed. Does no I/O and reads no clock.

The frontier is contiguous over the offsets *delivered*, not over integers: compaction and transaction markers
leave holes that are never delivered, and jumping over them loses nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class Span:
    """Records delivered together, in offset order; each settles once. Made by `Frontier.taken` only."""

    __slots__ = ("_marks", "offsets", "open")

    def __init__(self, offsets: Sequence[int]) -> None:
        self.offsets = offsets
        self.open = len(offsets)
        self._marks = bytearray(len(offsets))

    def settle(self, index: int) -> None:
        """The record at `index` is done for good: its output is acked, or it had none."""
        assert not self._marks[index], f"offset {self.offsets[index]} settled twice"
        self._marks[index] = 1
        self.open -= 1

    def settle_some(self, count: int) -> None:
        """`count` records are done, without saying which: the span then counts as a whole, so a frontier
        stays below it until all are. Acks of a slice come back unnamed; naming each would cost 0.1 us a
        record."""
        self.open -= count
        assert self.open >= 0, f"the span from offset {self.offsets[0]} settled more records than it has"

    def first_open(self) -> int:
        """The lowest offset that is not known to have settled. Only asked while something is open."""
        return self.offsets[max(self._marks.find(0), 0)]


class Frontier:
    """What of one partition was delivered and is still open.

    `position` is the offset after the last one delivered, or where delivery starts.
    """

    __slots__ = ("_spans", "position")

    def __init__(self, position: int) -> None:
        self.position = position
        self._spans: deque[Span] = deque()

    def taken(self, offsets: Sequence[int]) -> Span:
        """Records with these offsets (rising, at or above `position`) were delivered and are open now."""
        assert offsets, "a span holds at least one record"
        assert offsets[0] >= self.position, f"offset {offsets[0]} was delivered again below {self.position}"
        span = Span(offsets)
        self._spans.append(span)
        self.position = offsets[-1] + 1
        return span

    def reached(self, next_offset: int) -> None:
        """Nothing more will be delivered below `next_offset`: what is missing there are markers and holes."""
        self.position = max(self.position, next_offset)

    def committable(self) -> int:
        """Every delivered record below this offset has settled. Never falls."""
        spans = self._spans
        while spans and not spans[0].open:
            spans.popleft()
        return spans[0].first_open() if spans else self.position

    def open_records(self) -> int:
        """Delivered records that have not settled."""
        return sum(span.open for span in self._spans)
