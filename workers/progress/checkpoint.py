"""The text that travels in the metadata of every commit. Version first, so that a rolled-back worker stops
instead of misreading; ASCII, at most 3,900 characters (the broker's limit is 4,095).

    2;n=8;s=0A1B;b=-4;a=0103;c=1k2J0d

`n` is the number of partitions the topic had when the group first committed. A partition without a commit and
numbered below `n` was there from the start, so `auto_offset_reset` applies; one at or above it was added
later and is read from its beginning. Without it two workers that join a new group together would take each
other's first commit for the sign of an old group.

`s` and `b` are the settled offsets above the committed one, `a` the attempts of what has not settled
(`offset_map`); each is left out when there is none. `c` is a checksum over the committed offset and
everything before it: a map beside another offset than its own, or one that somebody changed, is unreadable
instead of a reason to skip records. Version 1 had `n` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from zlib import crc32

from workers.model import Position, Runs, Tries
from workers.progress import offset_map

VERSION: Final = 2
MAX_CHARACTERS: Final = 3_900
MAP_CHARACTERS: Final = MAX_CHARACTERS - len("2;n=999999999;s=;b=;a=;c=123456")
"""What the map itself may take of the text."""
_CHECKSUM: Final = ";c="


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What one commit says beside its offset."""

    partitions_at_start: int
    settled: Runs = ()
    tried: Tries = ()

    def from_offset(self, offset: int) -> Position:
        """Where reading goes on, at or above the committed offset, with what is known from there on."""
        settled = ((max(start, offset), stop) for start, stop in self.settled if stop > offset)
        tried = ((max(start, offset), *rest) for start, *rest in self.tried if rest[0] > offset)
        return Position(offset, tuple(settled), tuple(tried))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Metadata that this version cannot use: written by another program, or by a newer Penstock."""

    reason: str


def encode(partitions_at_start: int, position: Position) -> str:
    """The metadata text of a commit. Of a map that is too long it holds what fits (`offset_map.fitted`)."""
    assert 0 <= partitions_at_start <= 999_999_999
    position = offset_map.fitted(position, MAP_CHARACTERS)
    runs, bitmap = offset_map.settled_text(position.offset, position.settled)
    tries = offset_map.tries_text(position.offset, position.tried)
    text = f"{VERSION};n={partitions_at_start}"
    for name, value in (("s", runs), ("b", bitmap), ("a", tries)):
        if value:
            text += f";{name}={value}"
    text += _CHECKSUM + _checksum(position.offset, text)
    assert len(text) <= MAX_CHARACTERS
    return text


def decode(text: str | None, offset: int) -> Checkpoint | Unreadable | None:
    """What `encode` wrote beside the commit of `offset`; None for an empty text. Never raises: foreign groups
    may hold anything."""
    if not text:
        return None
    version, _, rest = text.partition(";")
    if not version.isascii() or not version.isdigit():
        return Unreadable("written by another program")
    number = int(version[:9])
    if number > VERSION:
        return Unreadable(f"format {version[:9]} is newer than {VERSION}, the one this worker knows")
    fields = dict(part.partition("=")[::2] for part in rest.split(";"))
    count = fields.get("n", "")
    if not (count.isascii() and count.isdigit() and len(count) <= 9):
        return Unreadable("its partition count is missing or no number")
    if number < VERSION:
        return Checkpoint(int(count))
    body, _, checksum = text.rpartition(_CHECKSUM)
    if checksum != _checksum(offset, body):
        return Unreadable("its checksum does not fit: it was changed, or belongs to another offset")
    settled = offset_map.settled_runs(offset, fields.get("s", ""), fields.get("b", ""))
    tried = offset_map.tries_of(offset, fields.get("a", ""))
    if settled is None or tried is None:
        return Unreadable("its map of settled offsets cannot be read")
    return Checkpoint(int(count), settled, tried)


def bounded(checkpoint: Checkpoint, end: int) -> Checkpoint | Unreadable:
    """The checkpoint of a partition whose next record gets the offset `end`. A map that names records beyond
    it is about another life of the topic, so nothing of it may be skipped."""
    if any(stop > end for _, stop in checkpoint.settled):
        return Unreadable(f"it names records beyond the end of the partition, {end}")
    return checkpoint


def _checksum(offset: int, body: str) -> str:
    value = crc32(f"{offset};{body}".encode())
    return "".join(offset_map.DIGITS[value >> at & 63] for at in range(0, 36, 6))
