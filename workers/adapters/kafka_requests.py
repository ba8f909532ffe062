"""What the engine asks of a consumer, done and answered on the poll thread: a call of the client from any
other would wait for that one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final, Protocol, TypeAlias, TypeVar

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as ClientPartition

from workers.adapters.kafka_commits import Commits
from workers.adapters.kafka_membership import KafkaMembership
from workers.model import Position, TopicPartition
from workers.ports import Membership
from workers.progress.checkpoint import Checkpoint, decode
from workers.progress.room import Room

A = TypeVar("A")
Positions: TypeAlias = Mapping[TopicPartition, Position]

# Asked only after the transaction in question was ended, so this is a round trip to a broker that answers.
ASK_SECONDS: Final = 5.0


class SignsIn(Protocol):
    """A Kafka client whose password can be changed."""

    def sign_in_as(self, username: str, password: str) -> None:
        """Authenticate new connections and new clients like this; open connections stay."""
        ...


class Requests:
    """The half of the port `Source` that any thread calls: what it asks for is done in the next turn of the
    poll thread. Bounded by who asks: room is given back once, and the engine waits for one answer before its
    next question."""

    def __init__(self, owned: Iterable[TopicPartition], commits: Commits) -> None:
        """`owned` is read anew for every answer."""
        self._owned, self._commits = owned, commits
        self._wanted: deque[Positions] = deque()
        self._transacted: deque[Positions] = deque()
        self._freed: deque[tuple[TopicPartition, int, int]] = deque()
        self._questions: deque[Callable[[Consumer | None], None]] = deque()
        self._sign_in: dict[str, str] = {}

    def commit(self, positions: Positions) -> None:
        self._wanted.append(positions)

    def freed(self, partition: TopicPartition, records: int, size_bytes: int) -> None:
        self._freed.append((partition, records, size_bytes))

    def transacted(self, positions: Positions) -> None:
        self._transacted.append(positions)

    def sign_in_as(self, username: str, password: str) -> None:
        """Authenticate new connections of the client, and new clients, like this. Open connections stay."""
        self._sign_in = sign_in(username, password)

        def change(consumer: Consumer | None) -> None:
            if consumer is not None:
                consumer.set_sasl_credentials(username, password)

        self._ask(change)

    def membership(self) -> Future[Membership | None]:
        return self._ask(self.member)

    def positions(self, partitions: Sequence[TopicPartition]) -> Future[Positions | None]:
        return self._ask(lambda consumer: _positions(consumer, partitions))

    def member(self, consumer: Consumer | None) -> Membership | None:
        """Poll thread: assignment and metadata, read in the same step."""
        if consumer is None:
            return None
        return KafkaMembership(
            frozenset(self._owned), consumer.consumer_group_metadata(), self._commits.texts
        )

    def take_requests(self, room: Room[TopicPartition]) -> None:
        """Poll thread: do what was asked for so far."""
        while self._freed:
            room.freed(*self._freed.popleft())
        while self._wanted:
            self._commits.want(self._wanted.popleft())
        while self._transacted:
            self._commits.were_transacted(self._transacted.popleft())

    def answer(self, consumer: Consumer | None) -> None:
        """Poll thread: answer what was asked so far."""
        while self._questions:
            self._questions.popleft()(consumer)

    def _ask(self, answer: Callable[[Consumer | None], A | None]) -> Future[A | None]:
        future: Future[A | None] = Future()

        def reply(consumer: Consumer | None) -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(answer(consumer))
                except (KafkaException, RuntimeError):  # away, or closed: the engine asks again
                    future.set_result(None)

        self._questions.append(reply)
        return future


def sign_in(username: str, password: str) -> dict[str, str]:
    """As settings of a client that has yet to be made."""
    return {"sasl.username": username, "sasl.password": password}


def _positions(consumer: Consumer | None, partitions: Sequence[TopicPartition]) -> Positions | None:
    if consumer is None:
        return None
    asked = [ClientPartition(p.topic, p.partition) for p in partitions]
    positions: dict[TopicPartition, Position] = {}
    for found in consumer.committed(asked, timeout=ASK_SECONDS):
        if found.error is not None:
            return None
        checkpoint = decode(found.metadata, found.offset) if found.offset >= 0 else None
        if isinstance(checkpoint, Checkpoint):
            partition = TopicPartition(found.topic, found.partition)
            positions[partition] = checkpoint.from_offset(found.offset)
    return positions
