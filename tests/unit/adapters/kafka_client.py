"""A consumer client that does what a test scripted, in the place of confluent_kafka.Consumer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as ClientPartition

from workers.adapters.kafka_source_settings import SourceSettings
from workers.model import Position, TopicPartition
from workers.ports import Batch, Membership
from workers.progress.room import RoomLimits
from workers.progress.start import OnDataLoss, StartPolicy

PARTITION = TopicPartition("in", 0)
Step = Callable[["ScriptedClient"], list[Any]]


def settings(on_data_loss: OnDataLoss = "fail") -> SourceSettings:
    """Of a source that reads the topic `in`."""
    return SourceSettings(
        "orders", "group", ("in",), {}, "classic", StartPolicy("earliest", on_data_loss),
        RoomLimits(1_000, 1_000_000, 1.0), 100,
    )  # fmt: skip


class ScriptedClient:
    """`steps` run one a `consume`; `low` and `high` are the watermarks of every partition."""

    def __init__(self, config: Mapping[str, Any], logger: Any = None) -> None:
        self.config = dict(config)
        self.steps: list[Step] = []
        self.low, self.high = 0, 100
        self.partitions = 1
        self.commits: list[tuple[dict[int, int], bool]] = []
        self.texts: list[str | None] = []
        self.is_answering = True
        self._unanswered: list[ClientPartition] = []
        self.refuse: KafkaError | None = None
        self.seeks: list[int] = []
        self.closed = False
        self.on: dict[str, Callable[..., None]] = {}

    def subscribe(self, _topics: Sequence[str], **callbacks: Callable[..., None]) -> None:
        self.on = callbacks

    def consume(self, _count: int, _timeout: float) -> list[Any]:
        return self.steps.pop(0)(self) if self.steps else []

    def commit(self, *, offsets: Sequence[ClientPartition], asynchronous: bool) -> None:
        self.commits.append(({found.partition: found.offset for found in offsets}, asynchronous))
        self.texts += [found.metadata for found in offsets]
        if asynchronous:
            self._unanswered += [ClientPartition(p.topic, p.partition, p.offset) for p in offsets]
            if self.is_answering:
                self.answer()
        elif self.refuse is not None:
            raise KafkaException(self.refuse)

    def answer(self) -> None:
        """The broker's answer to what was committed without waiting for it."""
        answers, self._unanswered = self._unanswered, []
        self.config["on_commit"](self.refuse, answers)

    def committed(self, asked: Sequence[ClientPartition], timeout: float) -> list[ClientPartition]:
        return [ClientPartition(p.topic, p.partition, -1001) for p in asked]

    def list_topics(self, topic: str, timeout: float) -> Any:
        class Found:
            error = None
            partitions = dict.fromkeys(range(self.partitions))

        class Answer:
            topics = {topic: Found}  # noqa: RUF012

        return Answer

    def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
        return self.low, self.high

    def seek(self, partition: ClientPartition) -> None:
        self.seeks.append(partition.offset)

    def incremental_assign(self, _partitions: Sequence[ClientPartition]) -> None: ...
    def pause(self, _partitions: Sequence[ClientPartition]) -> None: ...
    def resume(self, _partitions: Sequence[ClientPartition]) -> None: ...

    def close(self) -> None:
        self.closed = True


def assign(*numbers: int) -> Step:
    """The client's call of `on_assign`."""

    def step(client: ScriptedClient) -> list[Any]:
        client.on["on_assign"](client, [ClientPartition("in", number) for number in numbers])
        return []

    return step


def revoke(before: Callable[[], object], *numbers: int) -> Step:
    """The client's call of `on_revoke`, after `before`."""

    def step(client: ScriptedClient) -> list[Any]:
        before()
        client.on["on_revoke"](client, [ClientPartition("in", number) for number in numbers])
        return []

    return step


class Message:
    """What `consume` answers: a record, or an event."""

    def __init__(self, offset: int, error: KafkaError | None = None) -> None:
        self._offset, self._error = offset, error

    def error(self) -> KafkaError | None:
        return self._error

    def topic(self) -> str:
        return "in"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def __len__(self) -> int:
        return 10


def messages(*found: Message) -> Step:
    """The answer of one `consume`."""
    return lambda _client: list(found)


class Events:
    """Keeps `ports.SourceEvents` and writes down what it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []
        self.committable: dict[TopicPartition, Position] = {}

    def assigned(self, positions: Mapping[TopicPartition, Position]) -> None:
        self.seen.append(("assigned", {p: position.offset for p, position in positions.items()}))

    def records(self, batches: Sequence[Batch]) -> None:
        self.seen.append(("records", [offset for batch in batches for offset in batch.offsets]))

    def end_of_partition(self, partition: TopicPartition, next_offset: int) -> None:
        self.seen.append(("end", next_offset))

    def revoking(
        self, partitions: Sequence[TopicPartition], membership: Membership | None = None
    ) -> Mapping[TopicPartition, Position]:
        self.seen.append(("revoking", list(partitions)))
        return self.committable

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        self.seen.append(("lost", list(partitions)))

    def failed(self, reason: str) -> None:
        self.seen.append(("failed", reason))
