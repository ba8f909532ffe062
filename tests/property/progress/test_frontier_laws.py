"""The frontier against a model that knows the state of every offset."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from workers.progress.frontier import Frontier, Span


class FrontierMachine(RuleBasedStateMachine):
    """Any interleaving of records delivered, ends reached, records settled, by name or by count, and owners
    that take over from what the one before would commit."""

    def __init__(self) -> None:
        super().__init__()
        self.open: set[int] = set()
        self.by_count: dict[int, tuple[Span, set[int]]] = {}
        self.by_name: list[tuple[Span, list[int]]] = []
        self.last_committable = 0
        self.delivered: list[int] = []
        self.settled: set[int] = set()

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
        self.delivered += offsets
        self.deliver(offsets, named=named)

    def deliver(self, offsets: list[int], *, named: bool) -> None:
        """As the engine does: what an earlier owner settled is passed over."""
        parts = self.frontier.parts(offsets)
        assert [place for start, stop, _ in parts for place in range(start, stop)] == [*range(len(offsets))]
        for start, stop, is_settled in parts:
            some = offsets[start:stop]
            assert all((offset in self.settled) is is_settled for offset in some)
            if is_settled:
                self.frontier.skipped(some)
                continue
            span = self.frontier.taken(some)
            self.open |= set(some)
            if named:
                self.by_name.append((span, list(range(len(some)))))
            else:
                self.by_count[some[0]] = (span, set(some))
        self.position = max(self.position, offsets[-1] + 1)

    @rule(names=st.booleans(), part=st.floats(0, 1))
    def next_owner(self, names: bool, part: float) -> None:
        """Takes up what the last commit says; so much of what was delivered has come again by now."""
        offset, settled = self.frontier.committable(), self.frontier.settled()
        self.frontier = Frontier(offset, settled)
        self.position = self.last_committable = offset
        self.open, self.by_count, self.by_name = set(), {}, []
        self.settled = {at for at in self.delivered if at >= offset and any(a <= at < b for a, b in settled)}
        again = [at for at in self.delivered if at >= offset]
        self.delivered = [at for at in self.delivered if at < offset]
        again = again[: round(len(again) * part)] if not self.settled else again
        for first in range(0, len(again), 3):
            self.delivered += again[first : first + 3]
            self.deliver(again[first : first + 3], named=names)

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
            self.settled.add(span.offsets[index])

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
            self.settled |= offsets
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
    def the_map_names_what_settled_above(self) -> None:
        """Every settled record above the frontier and no other, in rising runs that stay apart."""
        if not hasattr(self, "frontier"):
            return
        committable, runs = self.frontier.committable(), self.frontier.settled()
        named = {at for at in self.delivered if any(start <= at < stop for start, stop in runs)}
        assert named == {at for at in self.settled if at >= committable and at in set(self.delivered)}
        ends = [end for run in runs for end in run]
        assert ends == sorted(set(ends))
        assert self.frontier.settled() == runs, "asking changes nothing"

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


def test_what_an_earlier_owner_settled_stays_named_until_it_is_delivered() -> None:
    """Above the position, and partly below it."""
    frontier = Frontier(10, ((12, 15), (20, 30)))
    assert frontier.settled() == ((12, 15), (20, 30))
    span = frontier.taken([10, 11])
    frontier.skipped([12, 13])
    assert frontier.settled() == ((12, 15), (20, 30))
    span.settle(1)
    assert frontier.settled() == ((11, 15), (20, 30))
    span.settle(0)
    assert (frontier.committable(), frontier.settled()) == (14, ((14, 15), (20, 30)))


def test_a_record_that_stands_still_keeps_no_others_in_memory() -> None:
    """Behind it the spans that settled are one, with two offsets."""
    frontier = Frontier(0)
    frontier.taken([0])
    for first in range(1, 10_000, 10):
        span = frontier.taken(list(range(first, first + 10)))
        span.settle_some(10)
        assert frontier.settled() == ((1, first + 10),)
    assert [len(span.offsets) for span in frontier._spans] == [1, 2]
