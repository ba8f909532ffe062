"""The text that travels in the metadata of every commit. Version first, so that a rolled-back worker stops
instead of misreading; ASCII, at most 3,900 characters (the broker's limit is 4,095).

    1;n=8

`n` is the number of partitions the topic had when the group first committed. A partition without a commit and
numbered below `n` was there from the start, so `auto_offset_reset` applies; one at or above it was added
later and is read from its beginning. Without it two workers that join a new group together would take each
other's first commit for the sign of an old group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

VERSION: Final = 1
MAX_CHARACTERS: Final = 3_900


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What one commit says beside its offset."""

    partitions_at_start: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Metadata that this version cannot use: written by another program, or by a newer Penstock."""

    reason: str


def encode(checkpoint: Checkpoint) -> str:
    """The metadata text of a commit."""
    text = f"{VERSION};n={checkpoint.partitions_at_start}"
    assert len(text) <= MAX_CHARACTERS
    return text


def decode(text: str | None) -> Checkpoint | Unreadable | None:
    """What `encode` wrote; None for an empty text. Never raises: foreign groups may hold anything."""
    if not text:
        return None
    version, _, rest = text.partition(";")
    if not version.isascii() or not version.isdigit():
        return Unreadable("written by another program")
    if int(version[:9]) > VERSION:
        return Unreadable(f"format {version[:9]} is newer than {VERSION}, the one this worker knows")
    fields = dict(part.partition("=")[::2] for part in rest.split(";"))
    count = fields.get("n", "")
    if not (count.isascii() and count.isdigit() and len(count) <= 9):
        return Unreadable("its partition count is missing or no number")
    return Checkpoint(int(count))
