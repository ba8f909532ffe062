"""Asks the broker what `progress.start` needs to decide where newly assigned partitions begin. Blocks; poll
thread only.

All of it happens inside the client's `on_assign`. There `list_topics` of that client ends the process: it
clears what the client keeps of the call that runs its callbacks, and the next callback of the same
`consume()`, a log line even, meets an assertion (`CallState_get`, confluent-kafka 2.16.1). `committed`,
`get_watermark_offsets` and a synchronous `commit` do not. So partitions are counted by a client of their own
(16 ms), and only where a partition has no commit of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as ClientPartition

from workers.adapters.kafka_log import client_logger
from workers.model import Position, TopicPartition
from workers.progress.checkpoint import Checkpoint, Unreadable, bounded, decode
from workers.progress.start import Available, DataLoss, StartPolicy, start_offset, unreadable_text

log = client_logger(__name__)

# Long enough for a broker that elects a leader, short against the 300 s of max.poll.interval.ms.
ASK_SECONDS: Final = 15.0

# An answer also waits until a transaction with these offsets has ended: one whose owner died is aborted after
# 10 s, when the coordinator looks, every 10 s.
COMMITTED_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Starts:
    """Where each partition begins, which are gone, how many partitions each topic had when the group began,
    and why the metadata of an assigned partition is unreadable."""

    positions: Mapping[TopicPartition, Position]
    lost: Mapping[TopicPartition, DataLoss]
    partitions_at_start: Mapping[str, int]
    committed: Mapping[TopicPartition, int]
    unreadable: Mapping[TopicPartition, str]
    refused: Mapping[TopicPartition, str]
    """Partitions that are not read for it, as `onUnreadableProgress` says, and what to tell the user."""

    @property
    def lost_records(self) -> int:
        """Offsets that are gone, over all partitions; known only where `onDataLoss` is fail."""
        return sum(loss.lost for loss in self.lost.values())


def find_starts(
    consumer: Consumer,
    assigned: Iterable[ClientPartition],
    policy_of: Callable[[str], StartPolicy],
    count_of: Callable[[Collection[str]], Mapping[str, int]],
) -> Starts:
    """`policy_of` knows each topic's, `count_of` how many partitions topics have. Raises KafkaException when
    the broker does not answer: the assignment is then not taken."""
    wanted = [TopicPartition(p.topic, p.partition) for p in assigned]
    topics = sorted({p.topic for p in wanted})
    counts: Mapping[str, int] = {}
    own = [ClientPartition(p.topic, p.partition) for p in wanted]
    asked = consumer.committed(own, timeout=COMMITTED_SECONDS)
    if not all(answer.offset >= 0 and _is_readable(answer) for answer in asked):
        # Only a partition without a commit of ours needs the others': they tell whether the group is new.
        # Where their owners make transactions, an answer waits until none is open.
        counts = count_of(topics)
        everything = [
            ClientPartition(topic, number) for topic, count in counts.items() for number in range(count)
        ]
        asked = consumer.committed(everything, timeout=COMMITTED_SECONDS)
    committed: dict[TopicPartition, int] = {}
    found: dict[TopicPartition, Checkpoint | Unreadable | None] = {}
    for answer in asked:
        if answer.error is not None:
            raise KafkaException(answer.error)
        if answer.offset >= 0:
            partition = TopicPartition(answer.topic, answer.partition)
            committed[partition] = answer.offset
            found[partition] = decode(answer.metadata, answer.offset)
    known = {topic: _group_start(c for p, c in found.items() if p.topic == topic) for topic in topics}
    positions: dict[TopicPartition, Position] = {}
    lost: dict[TopicPartition, DataLoss] = {}
    unreadable: dict[TopicPartition, str] = {}
    refused: dict[TopicPartition, str] = {}
    for partition in wanted:
        low, high = consumer.get_watermark_offsets(
            ClientPartition(partition.topic, partition.partition), timeout=ASK_SECONDS
        )
        policy, topic = policy_of(partition.topic), partition.topic
        available = Available(low, high)
        begin = committed.get(partition)
        start = start_offset(partition.partition, begin, known[topic], available, policy)
        if isinstance(start, DataLoss):
            lost[partition] = start
            continue
        checkpoint = found.get(partition)
        if isinstance(checkpoint, Checkpoint):
            checkpoint = bounded(checkpoint, high)
        if isinstance(checkpoint, Unreadable):
            unreadable[partition] = checkpoint.reason
            if policy.on_unreadable == "fail":
                refused[partition] = unreadable_text(str(partition), committed[partition], checkpoint.reason)
                continue
        # Where the topic was made anew, or reading jumps back, the map is about other records.
        if isinstance(checkpoint, Checkpoint) and committed[partition] <= start:
            positions[partition] = checkpoint.from_offset(start)
        else:
            positions[partition] = Position(start)
    began = {topic: counts[topic] if count is None else count for topic, count in known.items()}
    ours = {p: offset for p, offset in committed.items() if p in positions}
    return Starts(positions, lost, began, ours, unreadable, refused)


def _group_start(checkpoints: Iterable[Checkpoint | Unreadable | None]) -> int | None:
    """How many partitions a topic had when the group began; None for a new group. A group that another
    program began has no count of ours, so every partition that it left out counts as new."""
    found = list(checkpoints)
    counts = [checkpoint.partitions_at_start for checkpoint in found if isinstance(checkpoint, Checkpoint)]
    return counts[0] if counts else 0 if found else None


def _is_readable(answer: ClientPartition) -> bool:
    return isinstance(decode(answer.metadata, answer.offset), Checkpoint)


def partition_counts(config: Mapping[str, Any], topics: Collection[str]) -> dict[str, int]:
    """How many partitions topics have, by a client of its own with the settings of a consumer. Raises
    KafkaException."""
    # It joins no group: that takes a subscription.
    client = Consumer({key: value for key, value in config.items() if key != "group.instance.id"}, logger=log)
    try:
        return {topic: _partition_count(client, topic) for topic in topics}
    finally:
        client.close()


def _partition_count(consumer: Consumer, topic: str) -> int:
    metadata = consumer.list_topics(topic, timeout=ASK_SECONDS).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    return len(metadata.partitions)
