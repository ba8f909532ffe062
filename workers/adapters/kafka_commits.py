"""What one consumer committed and what it has yet to. Used on the poll thread only."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError
from confluent_kafka import TopicPartition as ClientPartition

from workers.model import Position, TopicPartition
from workers.progress.checkpoint import encode

# A commit whose answer never came (the connection died with it) is sent again after this long.
ANSWER_SECONDS: Final = 10.0
# A refused one is sent again after this long: a group that is not allowed to commit says so twice a second.
REFUSED_SECONDS: Final = 0.5

Log = Callable[..., None]


class Commits:
    """Positions asked for, sent and confirmed, for the partitions that are ours."""

    def __init__(
        self, is_ours: Container[TopicPartition], log: Log, *, is_transactional: bool = False
    ) -> None:
        """`is_ours` is read anew at every commit: what moved away in the meantime is left out in the same
        step. `is_transactional`: nothing is sent from here, transactions commit."""
        self._is_transactional = is_transactional
        self.confirmed: dict[TopicPartition, Position] = {}
        self.succeeded = 0
        self.failed = 0
        self._is_ours = is_ours
        self._log = log
        self._wanted: dict[TopicPartition, Position] = {}
        self._sent: dict[TopicPartition, Position] = {}
        self._partitions_at_start: dict[str, int] = {}
        self._sent_at: float | None = None
        self._wait_seconds = ANSWER_SECONDS

    def adopt(
        self, positions: Mapping[TopicPartition, Position], committed: Mapping[TopicPartition, int]
    ) -> None:
        """Partitions came. A start that nobody committed yet is asked for at once, so that the group has it
        on record before anyone else looks for one."""
        for partition, position in positions.items():
            if partition not in committed:
                self.want({partition: position})
            elif committed[partition] == position.offset:
                self.confirmed[partition] = position
            else:
                self.confirmed[partition] = Position(committed[partition])

    def describe(self, partitions_at_start: Mapping[str, int]) -> None:
        """What every commit of a topic says beside its position from now on."""
        self._partitions_at_start.update(partitions_at_start)

    def want(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Ask for positions; the last word on a partition counts."""
        if self._is_transactional:
            return  # a late commit would take back what a transaction committed
        self._wanted.update((p, position) for p, position in positions.items() if p in self._is_ours)

    def texts(self, positions: Mapping[TopicPartition, Position]) -> list[ClientPartition]:
        """The one function that makes commits, so that none goes without its map."""
        counts = self._partitions_at_start
        return [
            ClientPartition(p.topic, p.partition, position.offset, encode(counts[p.topic], position))
            for p, position in positions.items()
        ]

    def were_transacted(self, positions: Mapping[TopicPartition, Position]) -> None:
        """A transaction committed these."""
        self.succeeded += 1
        self.confirmed.update((p, position) for p, position in positions.items() if p in self._is_ours)

    def forget(self, partition: TopicPartition) -> None:
        self._wanted.pop(partition, None)
        self._sent.pop(partition, None)
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
            self._sent = dict(due)  # what is wanted may change before the answer
            consumer.commit(offsets=self.texts(due), asynchronous=True)

    def send_now(self, consumer: Consumer, more: Mapping[TopicPartition, Position]) -> None:
        """Send what is due and `more`, and wait. A partition that is refused does not keep the others from
        being committed. Raises KafkaException when nothing was."""
        self.want(more)
        due = self._due()
        if not due:
            return
        answer: Any = consumer.commit(offsets=self.texts(due), asynchronous=False)
        self.succeeded += 1
        for found in answer or ():
            partition = TopicPartition(found.topic, found.partition)
            if found.error is not None:
                self._refused(partition, found.offset, found.error)
                due.pop(partition, None)
        self.confirmed.update(due)

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
                self._refused(partition, found.offset, problem)
            elif partition in self._is_ours:
                # The answer names the offset alone; one to an earlier commit than the last counts for no map.
                sent = self._sent.get(partition)
                is_last = sent is not None and sent.offset == found.offset
                self.confirmed[partition] = sent if sent and is_last else Position(found.offset)

    def _refused(self, partition: TopicPartition, offset: int, problem: KafkaError) -> None:
        self._log(
            logging.WARNING, "commit_failed", partition=str(partition), offset=offset, reason=problem.str()
        )

    def _due(self) -> dict[TopicPartition, Position]:
        return {p: o for p, o in self._wanted.items() if p in self._is_ours and o != self.confirmed.get(p)}
