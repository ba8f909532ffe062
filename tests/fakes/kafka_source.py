"""A consumer in memory. tests/contract holds it to what the real one does."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, TypeVar

from tests.fakes.kafka import FakeCluster
from tests.fakes.transactions import FakeMembership
from workers.model import Position, TopicPartition
from workers.ports import Batch, Membership, SourceCounts, SourceEvents, SourceStatus
from workers.progress.checkpoint import Checkpoint, Unreadable, bounded, decode, encode
from workers.progress.room import Room, RoomLimits
from workers.progress.start import Available, DataLoss, StartPolicy, start_offset, unreadable_text

A = TypeVar("A")

EARLIEST: Final = StartPolicy("earliest", "fail")
WIDE: Final = RoomLimits(10_000, 64 * 1024 * 1024, 1.0)


@dataclass(frozen=True, slots=True)
class FakeSourceSettings:
    """The part of the adapter's settings that decides what is read."""

    group_id: str
    topics: tuple[str, ...]
    start: StartPolicy = EARLIEST
    limits: RoomLimits = WIDE
    poll_batch_records: int = 500
    is_transactional: bool = False


class FakeSource:
    """One member that owns every partition until a test moves them. `turn` is one look at the log."""

    def __init__(self, settings: FakeSourceSettings, events: SourceEvents, cluster: FakeCluster) -> None:
        self.events = events
        self.quiesced = False
        self.asked: list[Mapping[TopicPartition, Position]] = []
        """Every commit that the engine asked for, in order."""
        self.transacted_positions: list[Mapping[TopicPartition, Position]] = []
        self.is_silent = False
        """Questions get no answer."""
        self._questions: deque[Callable[[], None]] = deque()
        self.room: Room[TopicPartition] = Room(settings.limits)
        self.auto_assign = True
        self.stopped = False
        self.unreadable = 0
        self._settings, self._cluster = settings, cluster
        self._next: dict[TopicPartition, int] = {}
        self._ended: dict[TopicPartition, int] = {}
        self._partitions_at_start: dict[str, int] = {}
        self._moved: set[TopicPartition] = set()
        self._commits: deque[Mapping[TopicPartition, Position]] = deque()
        self._freed: deque[tuple[TopicPartition, int, int]] = deque()
        self._stopping: Future[None] | None = None
        self._poll_thread = threading.Lock()

    # The port.

    def commit(self, positions: Mapping[TopicPartition, Position]) -> None:
        self.asked.append(dict(positions))
        self._commits.append(dict(positions))

    def freed(self, partition: TopicPartition, records: int, size_bytes: int) -> None:
        self._freed.append((partition, records, size_bytes))

    def membership(self) -> Future[Membership | None]:
        return self._ask(self._member)

    def positions(
        self, partitions: Sequence[TopicPartition]
    ) -> Future[Mapping[TopicPartition, Position] | None]:
        return self._ask(lambda: self._positions(partitions))

    def transacted(self, positions: Mapping[TopicPartition, Position]) -> None:
        self.transacted_positions.append(dict(positions))

    def quiesce(self) -> None:
        self.quiesced = True

    def stop(self) -> Future[None]:
        if self._stopping is None:
            self._stopping = Future()
        return self._stopping

    def status(self) -> SourceStatus:
        lag = {p: max(0, self._cluster.logs[p].high - offset) for p, offset in self._next.items()}
        paused = sum(held.paused for held in self.room.held.values())
        counts = SourceCounts(maps_unreadable=self.unreadable)
        return SourceStatus(bool(self._next), "", "fake", lag, self.committed(), paused, counts=counts)

    # What a test, or the test's poll thread, does.

    def committed(self) -> dict[TopicPartition, int]:
        """The group's committed offsets."""
        group = self._settings.group_id
        return {p: offset for (name, p), (offset, _) in self._cluster.committed.items() if name == group}

    def turn(self, now: float = 0.0, _wait_seconds: float = 0.0) -> bool:
        """One look: assignment, requests, at most one batch of records, ends of partitions, stop."""
        if self.stopped or not self._poll_thread.acquire(blocking=False):
            return False
        try:
            return self._turn(now)
        finally:
            self._poll_thread.release()

    def _turn(self, now: float) -> bool:
        self._take_requests()
        while self._questions and not self.is_silent:
            self._questions.popleft()()
        if self.auto_assign and self._stopping is None:
            fresh = [p for p in self._cluster.partitions(self._settings.topics) if p not in self._next]
            self.assign([p for p in fresh if p not in self._moved])
        got = False
        if self._stopping is not None:
            self.stopped = True
            self._next.clear()
            self._stopping.set_result(None)
        elif not self.quiesced:
            self.room.changes(now)
            got = self._deliver()
        return got

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions come to this member."""
        if not partitions:
            return
        positions: dict[TopicPartition, Position] = {}
        refused: list[tuple[TopicPartition, str]] = []
        for partition in partitions:
            self._moved.discard(partition)
            start = self._start(partition)
            if isinstance(start, str):
                refused.append((partition, start))
                continue
            positions[partition] = start
            self._next[partition] = start.offset
            self.room.add(partition)
            if partition not in self.committed() and not self._settings.is_transactional:
                self._write(partition, start)
        self.events.assigned(positions)
        for partition, reason in refused:
            self._moved.add(partition)
            self.events.failed(reason)

    def revoke(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions move away in order. Blocks while the engine drains, and no turn happens meanwhile:
        not for the loop's thread."""
        with self._poll_thread:
            mine = [p for p in partitions if p in self._next]
            member = self._member() if self._settings.is_transactional else None
            committable = self.events.revoking(mine, member)
            self._take_requests()
            for partition in mine:
                if partition in committable:
                    self._write(partition, committable[partition])
            self._forget(mine)

    def lose(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions belong to someone else already."""
        self.events.lost(partitions)
        self._take_requests()
        self._forget(partitions)

    def _start(self, partition: TopicPartition) -> Position | str:
        """Where reading begins, or why it does not."""
        group, topic, policy = self._settings.group_id, partition.topic, self._settings.start
        known: int | None = None
        own: Checkpoint | Unreadable | None = None
        log = self._cluster.logs[partition]
        for (name, found), (offset, text) in self._cluster.committed.items():
            if name == group and found.topic == topic:
                checkpoint = decode(text, offset)
                if isinstance(checkpoint, Checkpoint):
                    known = checkpoint.partitions_at_start
                    checkpoint = bounded(checkpoint, log.high) if found == partition else checkpoint
                own = checkpoint if found == partition else own
                known = known or 0
        self._partitions_at_start[topic] = len(self._cluster.partitions([topic])) if known is None else known
        committed = self.committed().get(partition)
        start = start_offset(partition.partition, committed, known, Available(log.low, log.high), policy)
        if isinstance(start, DataLoss):
            return start.describe(str(partition))
        if isinstance(own, Unreadable):
            self.unreadable += 1
            if policy.on_unreadable == "fail":
                return unreadable_text(str(partition), committed or 0, own.reason)
        if isinstance(own, Checkpoint) and committed is not None and committed <= start:
            return own.from_offset(start)
        return Position(start)

    def _write(self, partition: TopicPartition, position: Position) -> None:
        text = encode(self._partitions_at_start[partition.topic], position)
        self._cluster.committed[(self._settings.group_id, partition)] = (position.offset, text)

    def _ask(self, answer: Callable[[], A]) -> Future[A]:
        future: Future[A] = Future()

        def reply() -> None:
            if future.set_running_or_notify_cancel():
                future.set_result(answer())

        self._questions.append(reply)
        return future

    def _member(self) -> Membership | None:
        group = self._settings.group_id
        owned = frozenset(self._next)
        count = next(iter(self._partitions_at_start.values()), 0)
        return FakeMembership(group, self._cluster.epochs.get(group, 0), owned, count)

    def _positions(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Position]:
        found: dict[TopicPartition, Position] = {}
        for partition in partitions:
            offset, text = self._cluster.committed.get((self._settings.group_id, partition), (-1, ""))
            checkpoint = decode(text, offset)
            if isinstance(checkpoint, Checkpoint):
                found[partition] = checkpoint.from_offset(offset)
        return found

    def _forget(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in partitions:
            self.room.remove(partition)
            self._next.pop(partition, None)
            self._ended.pop(partition, None)
            self._moved.add(partition)

    def _take_requests(self) -> None:
        while self._freed:
            self.room.freed(*self._freed.popleft())
        while self._commits:
            for partition, position in self._commits.popleft().items():
                if partition in self._next:
                    self._write(partition, position)

    def _deliver(self) -> bool:
        free = min(self.room.free_records(), self._settings.poll_batch_records)
        batches: list[Batch] = []
        for partition, expected in self._next.items():
            log = self._cluster.logs[partition]
            if self.room.held[partition].paused or (expected < log.low and not self._goes_on(partition)):
                continue
            start = self._next[partition]
            fresh = [record for record in log.records if record.offset() >= start][:free]
            if fresh:
                size = sum(map(len, fresh))
                batches.append(Batch(partition, list(fresh), [r.offset() for r in fresh], size))
                self.room.took(partition, len(fresh), size)
                self._next[partition] = fresh[-1].offset() + 1
                free -= len(fresh)
        if batches:
            self.events.records(batches)
        self._tell_ends()
        return bool(batches)

    def _goes_on(self, partition: TopicPartition) -> bool:
        """Retention overtook a running source: whether `onDataLoss` lets it go on, from where it then is."""
        log, policy = self._cluster.logs[partition], self._settings.start.on_data_loss
        if policy == "fail":
            self.events.failed(DataLoss(self._next[partition], log.low, log.high).describe(str(partition)))
            return False
        self._next[partition] = log.low if policy == "earliest" else log.high
        self.events.end_of_partition(partition, self._next[partition])
        return True

    def _tell_ends(self) -> None:
        for partition, expected in self._next.items():
            log = self._cluster.logs[partition]
            is_read = not any(record.offset() >= expected for record in log.records)
            if is_read and self._ended.get(partition) != log.high and not self.room.held[partition].paused:
                self._ended[partition] = self._next[partition] = log.high
                self.events.end_of_partition(partition, log.high)
