"""Which offset of one partition may be committed, and what above it has settled. Does no I/O and reads no
clock.

The frontier is contiguous over the offsets *delivered*, not over integers: compaction and transaction markers
leave holes that are never delivered, and jumping over them loses nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from workers.model import Runs


class Span:
    """Records delivered together, in offset order; each settles once. Made by `Frontier` only."""

    __slots__ = ("_marks", "offsets", "open")

    def __init__(self, offsets: Sequence[int], *, is_settled: bool = False) -> None:
        self.offsets = offsets
        self.open = 0 if is_settled else len(offsets)
        self._marks = bytearray(0 if is_settled else len(offsets))

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

    def stretches(self) -> Iterator[tuple[bool, int, int]]:
        """(whether it has settled, its first offset, its last) of neighbours in the same state."""
        marks, offsets = self._marks, self.offsets
        if not self.open:
            yield True, offsets[0], offsets[-1]
            return
        start, state = 0, marks[0]
        while start < len(marks):
            stop = marks.find(1 - state, start)
            if stop < 0:
                stop = len(marks)
            yield bool(state), offsets[start], offsets[stop - 1]
            start, state = stop, 1 - state


class Frontier:
    """What of one partition was delivered and is still open.

    `position` is the offset after the last one delivered, or where delivery starts. `settled` are offsets
    from there on that an earlier owner settled: they stay settled in what is committed, and `parts` tells
    them from the others when they are delivered.
    """

    __slots__ = ("_known", "_spans", "position")

    def __init__(self, position: int, settled: Runs = ()) -> None:
        self.position = position
        self._spans: deque[Span] = deque()
        self._known: deque[tuple[int, int]] = deque(settled)

    def parts(self, offsets: Sequence[int]) -> list[tuple[int, int, bool]]:
        """Records about to be taken, cut into [start, stop) of indices, and whether an earlier owner settled
        them. In order and complete."""
        known = self._known
        while known and known[0][1] <= offsets[0]:
            known.popleft()
        if not known or known[0][0] > offsets[-1]:
            return [(0, len(offsets), False)]
        found: list[tuple[int, int, bool]] = []
        runs = iter(known)
        start, stop = next(runs)
        begin, state = 0, False
        for index, offset in enumerate(offsets):
            while offset >= stop:
                start, stop = next(runs, (1 << 63, 1 << 63))
            if (start <= offset) is not state:
                if index:
                    found.append((begin, index, state))
                begin, state = index, not state
        found.append((begin, len(offsets), state))
        return found

    def taken(self, offsets: Sequence[int]) -> Span:
        """Records with these offsets (rising, at or above `position`) were delivered and are open now."""
        return self._deliver(Span(offsets))

    def skipped(self, offsets: Sequence[int]) -> None:
        """Records that an earlier owner settled were delivered again."""
        self._deliver(Span(offsets, is_settled=True))

    def _deliver(self, span: Span) -> Span:
        offsets = span.offsets
        assert offsets, "a span holds at least one record"
        assert offsets[0] >= self.position, f"offset {offsets[0]} was delivered again below {self.position}"
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

    def settled(self) -> Runs:
        """What has settled above `committable`, holes between included. Spans that settled are kept as their
        two ends from here on, neighbours as one: behind a record that stands still for hours they are not
        held one by one."""
        committable = self.committable()
        runs: list[tuple[int, int]] = []
        spans: deque[Span] = deque()
        is_after_settled = False
        for span in self._spans:
            for is_settled, first, last in span.stretches():
                if is_settled and last >= committable:
                    if is_after_settled:
                        runs[-1] = (runs[-1][0], last + 1)
                    else:
                        runs.append((first, last + 1))
                is_after_settled = is_settled and last >= committable
            if span.open:
                spans.append(span)
            elif spans and not spans[-1].open:
                spans[-1] = Span((spans[-1].offsets[0], span.offsets[-1]), is_settled=True)
            else:
                spans.append(Span((span.offsets[0], span.offsets[-1]), is_settled=True))
        self._spans = spans
        for start, stop in self._known:
            if stop > self.position:
                first = max(start, self.position)
                if runs and runs[-1][1] == first:
                    runs[-1] = (runs[-1][0], stop)
                else:
                    runs.append((first, stop))
        return tuple(runs)

    def open_records(self) -> int:
        """Delivered records that have not settled."""
        return sum(span.open for span in self._spans)
