"""The frontier against a model that knows the state of every offset."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from workers.progress.frontier import Frontier, Span


class FrontierMachine(RuleBasedStateMachine):
    """Any interleaving of records delivered, ends reached and records settled, by name or by count."""

    def __init__(self) -> None:
        super().__init__()
        self.open: set[int] = set()
        self.by_count: dict[int, tuple[Span, set[int]]] = {}
        self.by_name: list[tuple[Span, list[int]]] = []
        self.last_committable = 0

    @initialize(position=st.integers(0, 2**40))
    def begin(self, position: int) -> None:
        self.frontier = Frontier(position)
        self.position = position
        self.last_committable = position

    @rule(gaps=st.lists(st.integers(1, 3), min_size=1, max_size=5), named=st.booleans())
    def taken(self, gaps: list[int], named: bool) -> None:
        """Delivered offsets rise, with holes."""
        offsets: list[int] = []
        following = self.position
        for gap in gaps:
            offsets.append(following + gap - 1)
            following = offsets[-1] + 1
        span = self.frontier.taken(offsets)
        self.position = following
        self.open |= set(offsets)
        if named:
            self.by_name.append((span, list(range(len(offsets)))))
        else:
            self.by_count[offsets[0]] = (span, set(offsets))

    @rule(skipped=st.integers(-5, 5))
    def reached(self, skipped: int) -> None:
        """An end of the partition, perhaps an old one."""
        self.frontier.reached(self.position + skipped)
        self.position = max(self.position, self.position + skipped)

    @precondition(lambda self: self.by_name)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """One record by name."""
        span, left = data.draw(st.sampled_from(self.by_name))
        if left:
            index = left.pop(data.draw(st.integers(0, len(left) - 1)))
            span.settle(index)
            self.open.remove(span.offsets[index])

    @precondition(lambda self: self.by_count)
    @rule(data=st.data())
    def settle_some(self, data: st.DataObject) -> None:
        """Some records of a slice, nobody knows which: all of them stay in the way until the last."""
        first = data.draw(st.sampled_from(sorted(self.by_count)))
        span, offsets = self.by_count[first]
        count = data.draw(st.integers(1, span.open))
        span.settle_some(count)
        if not span.open:
            self.open -= offsets
            del self.by_count[first]

    @invariant()
    def committable_is_what_the_model_says(self) -> None:
        """Never falls, never passes an open record, and is the position once all settled."""
        if not hasattr(self, "frontier"):
            return
        committable = self.frontier.committable()
        assert committable >= self.last_committable
        assert committable == min(self.open, default=self.position)
        assert self.frontier.position == self.position
        self.last_committable = committable

    @invariant()
    def open_records_are_counted(self) -> None:
        if hasattr(self, "frontier"):
            counted = {offset for span, offsets in self.by_count.values() for offset in offsets}
            hidden = sum(len(offsets) - span.open for span, offsets in self.by_count.values())
            assert self.frontier.open_records() == len(self.open | counted) - hidden


TestFrontierMachine = FrontierMachine.TestCase


def test_a_record_settles_once() -> None:
    """A second time is a bug of ours, by name and by count."""
    span = Frontier(5).taken([5, 7])
    span.settle(1)
    with pytest.raises(AssertionError, match="offset 7 settled twice"):
        span.settle(1)
    with pytest.raises(AssertionError, match="more records than it has"):
        span.settle_some(2)


def test_an_offset_is_delivered_once() -> None:
    """What is below the position was delivered already; a span is never empty."""
    frontier = Frontier(5)
    frontier.taken([5, 6])
    with pytest.raises(AssertionError, match="delivered again"):
        frontier.taken([6])
    with pytest.raises(AssertionError, match="at least one"):
        frontier.taken([])
