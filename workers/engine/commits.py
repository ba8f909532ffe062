"""How the progress of one processor becomes known to its group: by plain commits, or by transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from workers.engine.partition import PartitionRun
from workers.model import Position, TopicPartition
from workers.ports import Membership, Source


class Commits(Protocol):
    """Kept by `PlainCommits` and `transaction.TransactionLoop`. Everything runs on the loop."""

    async def run(self, source: Source) -> None:
        """Commit until cancelled."""
        ...

    def hurry(self) -> None:
        """Partitions drain: what waits goes out at once from now on."""
        ...

    async def settle(self, runs: Sequence[PartitionRun], limit_seconds: float) -> None:
        """After a drain: returns when nothing that these partitions came to waits here, or after the
        limit."""
        ...

    def last(self, runs: Sequence[PartitionRun]) -> Mapping[TopicPartition, Position]:
        """What is left to commit for partitions that leave."""
        ...

    def give(self, membership: Membership | None) -> None:
        """What the poll thread knows while it stands still for a revocation; None when it goes on."""
        ...

    def stop_adding(self) -> None:
        """The processor fails: what comes to its end from now on is not committed."""
        ...

    def forget(self) -> None:
        """Partitions were released."""
        ...

    async def close(self) -> None: ...


class PlainCommits:
    """At-least-once: output was acknowledged before a position says so, and the poll thread commits
    positions."""

    def __init__(self, interval_seconds: float, partitions: Mapping[TopicPartition, PartitionRun]) -> None:
        """`partitions`: those that are ours, kept up to date by the processor."""
        self._interval_seconds, self._partitions = interval_seconds, partitions

    async def run(self, source: Source) -> None:
        asked: Mapping[TopicPartition, Position] = {}
        while True:
            await asyncio.sleep(self._interval_seconds)
            now = self.last(list(self._partitions.values()))
            if now != asked:
                source.commit(now)
                asked = now

    def hurry(self) -> None:
        """Output goes out at once in any case."""

    async def settle(self, runs: Sequence[PartitionRun], limit_seconds: float) -> None:
        """Nothing waits: what is acknowledged is settled."""

    def last(self, runs: Sequence[PartitionRun]) -> Mapping[TopicPartition, Position]:
        return {run.key: run.position() for run in runs}

    def give(self, membership: Membership | None) -> None:
        """Plain commits are the poll thread's own."""

    def stop_adding(self) -> None:
        """Asked of transactions only: a failed processor releases its partitions at once."""

    def forget(self) -> None:
        """Nothing is kept here."""

    async def close(self) -> None:
        """Nothing is open."""
