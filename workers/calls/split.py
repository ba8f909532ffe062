"""Splits a batch that failed as a whole, down to the records that make it fail. Pure.

Halves are called one after the other, so a batch in pieces takes no more places than a whole one and keeps
its order. One guilty record among n costs 2 * ceil(log2 n) calls beside the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from workers.calls.contract import CallFailure

T = TypeVar("T")


def may_split(failure: CallFailure) -> bool:
    """Whether a part of the batch may pass where the whole failed."""
    return failure.entry is not None and failure.entry.may_split


class Pieces(Generic[T]):
    """What of one batch has still to be called with, in order."""

    __slots__ = ("_left",)

    def __init__(self, batch: Sequence[T]) -> None:
        self._left: list[list[T]] = [list(batch)] if batch else []

    def next(self) -> list[T] | None:
        """The next piece to call with, or None at the end."""
        return self._left.pop() if self._left else None

    def split(self, piece: list[T]) -> None:
        """Put the halves of a piece of at least two records in its place."""
        assert len(piece) > 1, "a single record cannot be split"
        middle = (len(piece) + 1) // 2
        self._left.append(piece[middle:])
        self._left.append(piece[:middle])
