"""What one commit can name, held against the text that it becomes."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from workers.model import Position
from workers.progress.frontier import Frontier
from workers.progress.naming import nameable
from workers.progress.offset_map import settled_text

ROOM = 12
"""Small, so that its end is met: 72 offsets as a bitmap."""

delivered = st.lists(st.integers(0, 400), min_size=1, max_size=60, unique=True).map(sorted)


def length(position: Position) -> int:
    """Of the text of what has settled."""
    return sum(map(len, settled_text(position.offset, position.settled)))


@given(offsets=delivered, data=st.data())
def test_what_is_nameable_fits(offsets: list[int], data: st.DataObject) -> None:
    """Whatever had settled before, and whatever holes are between: the text stays within its room once the
    first so many are settled, too."""
    frontier = Frontier(offsets[0])
    span = frontier.taken(offsets)
    before = data.draw(st.sets(st.integers(0, len(offsets) - 1)))
    for index in before:
        span.settle(index)
    position = Position(frontier.committable(), frontier.settled())
    assume(length(position) <= ROOM)
    fresh = sorted(set(range(len(offsets))) - before)
    chosen = [index for index in fresh if data.draw(st.booleans())]
    count = nameable(position, [offsets[index] for index in chosen], ROOM)
    assert 0 <= count <= len(chosen)
    for index in chosen[:count]:
        span.settle(index)
    assert length(Position(frontier.committable(), frontier.settled())) <= ROOM


@given(offsets=delivered)
def test_what_lies_close_together_is_always_nameable(offsets: list[int]) -> None:
    """Six offsets to a character, whatever their pattern."""
    near = [offset for offset in offsets if offset < 6 * ROOM]
    assert nameable(Position(0), near, ROOM) == len(near)


@given(offsets=delivered)
def test_one_more_than_is_nameable_would_not_fit(offsets: list[int]) -> None:
    """Where nothing had settled before: the bound is used up."""
    apart = sorted({offset * 3 for offset in offsets})
    count = nameable(Position(0), apart, ROOM)
    if count < len(apart):
        runs = tuple((offset, offset + 1) for offset in apart[: count + 1])
        assert length(Position(0, runs)) > ROOM
