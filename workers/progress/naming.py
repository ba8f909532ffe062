"""How much of what settled out of order one commit can name. Pure.

A result above the frontier that its commit does not name would be produced again after a crash, so under
exactly-once it waits until it can be named.
"""

from __future__ import annotations

from collections.abc import Sequence

from workers.model import Position, Runs
from workers.progress.checkpoint import MAP_CHARACTERS
from workers.progress.offset_map import settled_text


def nameable(position: Position, offsets: Sequence[int], room: int = MAP_CHARACTERS) -> int:
    """How many of these offsets (rising, at or above the position's and none of its settled ones) one commit
    can name beside what the position names already: the first so many."""
    if not offsets:
        return 0
    highest = max(offsets[-1], position.settled[-1][1] - 1 if position.settled else 0)
    # A bitmap holds six offsets a character: whatever settles this close to the frontier can be named.
    if highest - position.offset < 6 * room:
        return len(offsets)
    low, high = 0, len(offsets)
    while low < high:
        middle = (low + high + 1) // 2
        text = settled_text(position.offset, _with(position.settled, offsets[:middle]))
        if sum(map(len, text)) <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _with(runs: Runs, offsets: Sequence[int]) -> Runs:
    """Runs and single offsets together, as runs."""
    found: list[tuple[int, int]] = []
    for start, stop in sorted([*runs, *((offset, offset + 1) for offset in offsets)]):
        if found and found[-1][1] >= start:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return tuple(found)
