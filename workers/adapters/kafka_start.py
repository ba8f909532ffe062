"""Asks the broker what `progress.start` needs to decide where newly assigned partitions begin. Blocks; poll
thread only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as ClientPartition

from workers.model import TopicPartition
from workers.progress.checkpoint import Checkpoint, Unreadable, decode
from workers.progress.start import Available, DataLoss, StartPolicy, start_offset

# Long enough for a broker that elects a leader, short against the 300 s of max.poll.interval.ms.
ASK_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Starts:
    """Where each partition begins, which are gone, and the checkpoint to write with every commit of a
    topic."""

    positions: Mapping[TopicPartition, int]
    lost: Mapping[TopicPartition, DataLoss]
    checkpoints: Mapping[str, Checkpoint]
    committed: Mapping[TopicPartition, int]
    unreadable: Mapping[TopicPartition, str]

    @property
    def lost_records(self) -> int:
        """Offsets that are gone, over all partitions; known only where `onDataLoss` is fail."""
        return sum(loss.lost for loss in self.lost.values())


def find_starts(consumer: Consumer, assigned: Iterable[ClientPartition], policy: StartPolicy) -> Starts:
    """Raises KafkaException when the broker does not answer: the assignment is then not taken."""
    wanted = [TopicPartition(p.topic, p.partition) for p in assigned]
    counts = {topic: _partition_count(consumer, topic) for topic in sorted({p.topic for p in wanted})}
    everything = [
        ClientPartition(topic, number) for topic, count in counts.items() for number in range(count)
    ]
    committed: dict[TopicPartition, int] = {}
    unreadable: dict[TopicPartition, str] = {}
    checkpoints: dict[str, Checkpoint] = {}
    known: dict[str, Checkpoint | None] = dict.fromkeys(counts)
    for found in consumer.committed(everything, timeout=ASK_SECONDS):
        if found.error is not None:
            raise KafkaException(found.error)
        if found.offset < 0:
            continue
        partition = TopicPartition(found.topic, found.partition)
        committed[partition] = found.offset
        checkpoint = decode(found.metadata)
        if isinstance(checkpoint, Unreadable):
            unreadable[partition] = checkpoint.reason
            checkpoint = None
        # A group that another program began has no count of ours: every partition it left out counts as new.
        known[found.topic] = known[found.topic] or checkpoint or Checkpoint(0)
        if checkpoint is not None and known[found.topic] == Checkpoint(0):
            known[found.topic] = checkpoint
    positions: dict[TopicPartition, int] = {}
    lost: dict[TopicPartition, DataLoss] = {}
    for partition in wanted:
        low, high = consumer.get_watermark_offsets(
            ClientPartition(partition.topic, partition.partition), timeout=ASK_SECONDS
        )
        start = start_offset(
            partition.partition,
            committed.get(partition),
            known[partition.topic],
            Available(low, high),
            policy,
        )
        if isinstance(start, DataLoss):
            lost[partition] = start
        else:
            positions[partition] = start
    for topic, count in counts.items():
        checkpoints[topic] = known[topic] or Checkpoint(count)
    return Starts(
        positions, lost, checkpoints, {p: o for p, o in committed.items() if p in positions}, unreadable
    )


def _partition_count(consumer: Consumer, topic: str) -> int:
    metadata = consumer.list_topics(topic, timeout=ASK_SECONDS).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    return len(metadata.partitions)
