"""Transactions in memory. tests/contract holds them to what the real ones do.

What a transaction wrote is appended to the cluster when it commits: an aborted one never was.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.fakes.kafka import FakeCluster, FakeRecord
from workers.model import Position, TopicPartition
from workers.ports import Produced, SendFailure, TransactionEnd
from workers.progress.checkpoint import encode

NOW_MS: Final = 1_800_000_000_000
PASSING: Final = TransactionEnd("aborted", "a planned failure")
STALE: Final = TransactionEnd("aborted", "the group moved on", is_stale=True)
FENCED: Final = TransactionEnd("aborted", "fenced", is_fenced=True)


@dataclass(frozen=True, slots=True)
class FakeMembership:
    """One member of a group at one epoch."""

    group: str
    epoch: int
    owned: frozenset[TopicPartition]
    partitions_at_start: int = 1

    def owns(self, partition: TopicPartition) -> bool:
        return partition in self.owned

    def offsets(self, positions: Mapping[TopicPartition, Position]) -> object:
        return self, {p: position for p, position in positions.items() if p in self.owned}


class FakeTransactions:
    """Commits at once, unless a test plans something else."""

    def __init__(self, cluster: FakeCluster, transactional_id: str = "t") -> None:
        self.ends: list[TransactionEnd] = []
        """How every run ended."""
        self.runs: list[list[Produced]] = []
        self.written: list[FakeRecord] = []
        self.closed = False
        self.max_topic_bytes: dict[str, int] = {}
        self.absent: set[str] = set()
        self.unreachable = False
        """Every run is aborted, and `recover` fails."""
        self._cluster, self._id = cluster, transactional_id
        self._generation = 0
        self._planned: deque[tuple[TransactionEnd, bool]] = deque()
        self._gate = asyncio.Event()
        self._gate.set()

    def hold(self) -> None:
        """Runs wait until `release`."""
        self._gate.clear()

    def release(self) -> None:
        self._gate.set()

    def plan(self, end: TransactionEnd, *, writes: bool = False) -> None:
        """How the next run ends that nothing else was planned for; `writes`: it wrote all the same."""
        self._planned.append((end, writes))

    def values(self, topic: str) -> list[bytes | None]:
        """What was committed on one topic, in order."""
        return [record.value() for record in self.written if record.topic() == topic]

    async def run(
        self, records: Sequence[Produced], alone: Collection[int], offsets: object
    ) -> TransactionEnd:
        self.runs.append(list(records))
        end = self._registered() or await self._run(records, alone, offsets)
        self.ends.append(end)
        return end

    async def recover(self) -> str:
        if self.unreachable:
            return "nobody answers"
        self._generation = 0
        self._registered()
        return ""

    async def close(self) -> None:
        self.closed = True
        self._gate.set()

    def _registered(self) -> TransactionEnd | None:
        if self.closed:
            return TransactionEnd("aborted", "closed")
        newest = self._cluster.transactional_ids.get(self._id, 0)
        if not self._generation:
            self._generation = self._cluster.transactional_ids[self._id] = newest + 1
        elif newest != self._generation:
            self._generation = 0  # the next run registers anew
            return FENCED
        return None

    async def _run(
        self, records: Sequence[Produced], alone: Collection[int], offsets: object
    ) -> TransactionEnd:
        await self._gate.wait()
        assert isinstance(offsets, tuple)
        membership, positions = offsets
        assert isinstance(membership, FakeMembership)
        if self.closed or self.unreachable:
            return TransactionEnd("aborted", "nobody answers")
        planned, writes = self._planned.popleft() if self._planned else (None, False)
        failed = planned if planned is not None and not writes else self._judged(records, alone, membership)
        if failed is not None:
            return failed
        for topic, value, key, headers, timestamp_ms in records:
            where = TopicPartition(topic, 0)
            moment = timestamp_ms or NOW_MS
            self.written.append(self._cluster.append(where, value, key, headers, moment))
        for partition, position in positions.items():
            text = encode(membership.partitions_at_start, position)
            self._cluster.committed[(membership.group, partition)] = (position.offset, text)
        return planned or TransactionEnd("committed")

    def _judged(
        self, records: Sequence[Produced], alone: Collection[int], membership: FakeMembership
    ) -> TransactionEnd | None:
        large = {i for i, r in enumerate(records) if len(r[1] or b"") > self.max_topic_bytes.get(r[0], 2**30)}
        refused = {
            i: SendFailure(f"no topic {r[0]}", no_topic=True)
            for i, r in enumerate(records)
            if r[0] in self.absent
        }
        refused |= {i: SendFailure("larger than the topic takes", too_large=True) for i in large & {*alone}}
        suspects = frozenset(
            i
            for i, record in enumerate(records)
            if i not in alone and any(records[guilty][0] == record[0] for guilty in large - {*alone})
        )
        if refused or suspects:
            return TransactionEnd("aborted", "not written", refused, suspects)
        if membership.epoch != self._cluster.epochs.get(membership.group, 0):
            return STALE
        return None
