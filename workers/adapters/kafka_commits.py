"""What one consumer committed and what it has yet to. Used on the poll thread only."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaError
from confluent_kafka import TopicPartition as ClientPartition

from workers.model import TopicPartition
from workers.progress.checkpoint import Checkpoint, encode

# A commit whose answer never came (the connection died with it) is sent again after this long.
ANSWER_SECONDS: Final = 10.0
# A refused one is sent again after this long: a group that is not allowed to commit says so twice a second.
REFUSED_SECONDS: Final = 0.5

Log = Callable[..., None]


class Commits:
    """Positions asked for, sent and confirmed, for the partitions that are ours."""

    def __init__(self, is_ours: Container[TopicPartition], log: Log) -> None:
        """`is_ours` is read anew at every commit: what moved away in the meantime is left out in the same
        step."""
        self.confirmed: dict[TopicPartition, int] = {}
        self.succeeded = 0
        self.failed = 0
        self._is_ours = is_ours
        self._log = log
        self._wanted: dict[TopicPartition, int] = {}
        self._checkpoints: dict[str, Checkpoint] = {}
        self._sent_at: float | None = None
        self._wait_seconds = ANSWER_SECONDS

    def adopt(self, positions: Mapping[TopicPartition, int], committed: Mapping[TopicPartition, int]) -> None:
        """Partitions came. A start that nobody committed yet is asked for at once, so that the group has it
        on record before anyone else looks for one."""
        for partition, offset in positions.items():
            if partition in committed:
                self.confirmed[partition] = committed[partition]
            else:
                self._wanted[partition] = offset

    def describe(self, checkpoints: Mapping[str, Checkpoint]) -> None:
        """What every commit of a topic says beside its offset from now on."""
        self._checkpoints.update(checkpoints)

    def want(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Ask for positions; the last word on a partition counts."""
        self._wanted.update((p, o) for p, o in offsets.items() if p in self._is_ours)

    def forget(self, partition: TopicPartition) -> None:
        self._wanted.pop(partition, None)
        self.confirmed.pop(partition, None)

    def start_over(self) -> None:
        """The client was replaced: what it had sent gets no answer."""
        self._sent_at = None

    def send(self, consumer: Consumer, now: float) -> None:
        """Send what is due, unless an answer is awaited or the last one was a refusal."""
        if self._sent_at is not None and now - self._sent_at < self._wait_seconds:
            return
        due = self._due()
        self._wanted = due
        if due:
            self._sent_at, self._wait_seconds = now, ANSWER_SECONDS
            consumer.commit(offsets=self._as_commit(due), asynchronous=True)

    def send_now(self, consumer: Consumer, more: Mapping[TopicPartition, int]) -> None:
        """Send what is due and `more`, and wait. Raises KafkaException."""
        self.want(more)
        due = self._due()
        if due:
            consumer.commit(offsets=self._as_commit(due), asynchronous=False)
            self.confirmed.update(due)
            self.succeeded += 1

    def on_commit(self, error: KafkaError | None, partitions: list[ClientPartition]) -> None:
        """The client's callback. A refused partition stays wanted and is sent again; the others of the same
        commit stand."""
        if error is not None or any(found.error for found in partitions):
            self.failed += 1
            self._wait_seconds = REFUSED_SECONDS
        else:
            self.succeeded += 1
            self._sent_at = None
        for found in partitions:
            problem = found.error or error
            partition = TopicPartition(found.topic, found.partition)
            if problem is not None:
                self._log(
                    logging.WARNING, "commit_failed",
                    partition=str(partition), offset=found.offset, reason=problem.str(),
                )  # fmt: skip
            elif partition in self._is_ours:
                self.confirmed[partition] = found.offset

    def _due(self) -> dict[TopicPartition, int]:
        return {p: o for p, o in self._wanted.items() if p in self._is_ours and o != self.confirmed.get(p)}

    def _as_commit(self, due: Mapping[TopicPartition, int]) -> list[ClientPartition]:
        """The one function that makes commits, so that none goes without its metadata."""
        texts = {topic: encode(self._checkpoints[topic]) for topic in {p.topic for p in due}}
        return [ClientPartition(p.topic, p.partition, offset, texts[p.topic]) for p, offset in due.items()]
