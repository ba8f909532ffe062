"""What an engine would hear from a source, written down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from workers.model import Position, TopicPartition
from workers.ports import Batch, Membership, SourceRecord


class RecordedEvents:
    """Keeps `ports.SourceEvents`, and checks what the port promises of every batch."""

    def __init__(self) -> None:
        self.starts: dict[TopicPartition, int] = {}
        self.restored: dict[TopicPartition, Position] = {}
        self.assignments = 0
        self.taken: dict[TopicPartition, list[SourceRecord]] = defaultdict(list)
        self.ends: dict[TopicPartition, int] = {}
        self.revoked: list[TopicPartition] = []
        self.lost_partitions: list[TopicPartition] = []
        self.failures: list[str] = []
        self.committable: dict[TopicPartition, Position] = {}
        """What `revoking` answers."""
        self._next: dict[TopicPartition, int] = {}

    def offsets(self, partition: TopicPartition) -> list[int]:
        return [record.offset() or 0 for record in self.taken[partition]]

    def values(self, partition: TopicPartition) -> list[bytes | None]:
        return [record.value() for record in self.taken[partition]]

    def count(self) -> int:
        return sum(map(len, self.taken.values()))

    def assigned(self, positions: Mapping[TopicPartition, Position]) -> None:
        self.assignments += 1
        starts = {partition: position.offset for partition, position in positions.items()}
        self.starts.update(starts)
        self._next.update(starts)
        self.restored.update(positions)

    def records(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            assert batch.offsets == [record.offset() for record in batch.records]
            assert batch.offsets == sorted(set(batch.offsets)), "offsets rise"
            assert batch.offsets[0] >= self._next[batch.partition], "delivered again"
            assert batch.size_bytes == sum(len(record.value() or b"") for record in batch.records)
            self._next[batch.partition] = batch.offsets[-1] + 1
            self.taken[batch.partition] += batch.records

    def end_of_partition(self, partition: TopicPartition, next_offset: int) -> None:
        assert next_offset >= self._next[partition]
        self._next[partition] = next_offset
        self.ends[partition] = next_offset

    def revoking(
        self, partitions: Sequence[TopicPartition], membership: Membership | None = None
    ) -> Mapping[TopicPartition, Position]:
        self.revoked += partitions
        for partition in partitions:
            del self._next[partition]
        return {p: position for p, position in self.committable.items() if p in partitions}

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        self.lost_partitions += partitions
        for partition in partitions:
            del self._next[partition]

    def failed(self, reason: str) -> None:
        self.failures.append(reason)
