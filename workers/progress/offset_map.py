"""Settled offsets above the committed one, and attempts, as short ASCII text. Pure.

Numbers are written in digits of 6 bits, 5 of them payload, the low ones first: 0 to 31 take one character, up
to 1,023 two. The map of settled offsets begins as runs (`gap length gap length …`, each gap from the end of
the run before) and may end as a bitmap of 6 offsets a character, from the end of the last run on. Behind a
record that stands still there is one long run and then a stretch of calls under way: the run takes a few
characters, the stretch at most one for six records.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from workers.model import Position, Runs, Tries

DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
_VALUES: Final = {digit: value for value, digit in enumerate(DIGITS)}
# Offsets have 63 bits.
_MAX_DIGITS: Final = 13
_END: Final = 1 << 63


def settled_text(offset: int, runs: Runs) -> tuple[str, str]:
    """(runs, bitmap) of what is settled at or above `offset`, split where both together are shortest."""
    words = [_number(start - end) + _number(stop - start) for end, (start, stop) in _gaps(offset, runs)]
    if not runs:
        return "", ""
    ends = [offset, *(stop for _, stop in runs)]
    as_runs = [0, *accumulate(map(len, words))]
    split = min(range(len(ends)), key=lambda at: as_runs[at] + _bitmap_length(ends[-1] - ends[at]))
    return "".join(words[:split]), _bitmap(ends[split], runs[split:])


def settled_runs(offset: int, runs: str, bitmap: str) -> Runs | None:
    """What `settled_text` wrote; None when it cannot have."""
    numbers = _numbers(runs)
    if numbers is None or len(numbers) % 2:
        return None
    found: list[tuple[int, int]] = []
    end = offset
    for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
        if not length or (found and not gap):
            return None
        found.append((end + gap, end + gap + length))
        end += gap + length
    for place, digit in enumerate(bitmap):
        value = _VALUES.get(digit)
        if value is None:
            return None
        for bit in range(6):
            if value >> bit & 1:
                _append(found, end + place * 6 + bit)
    return tuple(found) if not found or found[-1][1] < _END else None


def tries_text(offset: int, tries: Tries) -> str:
    """Attempts of records at or above `offset`."""
    words: list[str] = []
    for start, stop, site, tried in tries:
        words += (_number(start - offset), _number(stop - start), _number(site), _number(tried))
        offset = stop
    return "".join(words)


def tries_of(offset: int, text: str) -> Tries | None:
    """What `tries_text` wrote; None when it cannot have."""
    numbers = _numbers(text)
    if numbers is None or len(numbers) % 4:
        return None
    found: list[tuple[int, int, int, int]] = []
    for at in range(0, len(numbers), 4):
        gap, length, site, tried = numbers[at : at + 4]
        if not length:
            return None
        found.append((offset + gap, offset + gap + length, site, tried))
        offset += gap + length
    return tuple(found) if offset < _END else None


def characters(position: Position) -> int:
    """How long the map of a position is as text, were there no bound."""
    return sum(map(len, settled_text(position.offset, position.settled))) + len(
        tries_text(position.offset, position.tried)
    )


def fitted(position: Position, room: int) -> Position:
    """The position with as much of its map as `room` characters hold: settled offsets first, the lowest
    before the others, then attempts, the most tried before the others. What is left out is done again by the
    next owner."""
    if characters(position) <= room:
        return position
    low, high = 0, len(position.settled)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(map(len, settled_text(position.offset, position.settled[:middle]))) <= room:
            low = middle
        else:
            high = middle - 1
    settled = position.settled[:low]
    left = room - sum(map(len, settled_text(position.offset, settled)))
    tried = position.tried
    while tried and len(tries_text(position.offset, tried)) > left:
        least = min(found[3] for found in tried)
        tried = tuple(found for found in tried if found[3] > least)
    return Position(position.offset, settled, tried)


def _gaps(offset: int, runs: Runs) -> list[tuple[int, tuple[int, int]]]:
    """Each run with the end of the one before it."""
    return list(zip([offset, *(stop for _, stop in runs)], runs, strict=False))


def _bitmap_length(offsets: int) -> int:
    return -(-offsets // 6)


def _bitmap(offset: int, runs: Runs) -> str:
    if not runs:
        return ""
    bits = 0
    for start, stop in runs:
        bits |= ((1 << (stop - start)) - 1) << (start - offset)
    return "".join(DIGITS[bits >> at & 63] for at in range(0, runs[-1][1] - offset, 6))


def _append(runs: list[tuple[int, int]], offset: int) -> None:
    if runs and runs[-1][1] == offset:
        runs[-1] = (runs[-1][0], offset + 1)
    else:
        runs.append((offset, offset + 1))


def _number(value: int) -> str:
    assert value >= 0, f"{value} is below zero: ranges rise"
    digits = ""
    while value > 31:
        digits += DIGITS[value & 31 | 32]
        value >>= 5
    return digits + DIGITS[value]


def _numbers(text: str) -> Sequence[int] | None:
    found: list[int] = []
    value = shift = 0
    for digit in text:
        payload = _VALUES.get(digit)
        if payload is None or shift >= 5 * _MAX_DIGITS:
            return None
        value |= (payload & 31) << shift
        shift += 5
        if payload < 32:
            found.append(value)
            value = shift = 0
    return None if shift else found
