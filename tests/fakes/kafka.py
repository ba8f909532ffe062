"""Kafka's log and producer in memory. tests/contract holds `FakeProducer` to what the real one does.

`FakeCluster` holds records, holes and committed offsets; `FakeProducer` writes. Neither does anything but
when a test, or the code under test, tells it to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from workers.model import Headers, TopicPartition
from workers.ports import Delivered, SendFailure, SourceRecord

CREATE_TIME: Final = 1
NOW_MS: Final = 1_800_000_000_000
PURGED: Final = SendFailure("the producer was given up")


class FakeRecord:
    """One record with the shape of `ports.SourceRecord`; its length is its value's, as the client has it."""

    def __init__(
        self, where: TopicPartition, offset: int, value: bytes | None, key: bytes | None = None,
        headers: Headers | None = None, timestamp_ms: int = 1_700_000_000_000,
    ) -> None:  # fmt: skip
        self.where, self._offset, self._value, self._key = where, offset, value, key
        self._headers, self._timestamp_ms = headers, timestamp_ms

    def topic(self) -> str:
        return self.where.topic

    def partition(self) -> int:
        return self.where.partition

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> Headers | None:
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        return CREATE_TIME, self._timestamp_ms

    def __len__(self) -> int:
        return len(self._value or b"")


@dataclass(slots=True)
class FakeLog:
    """One partition: the records that are still there, and the offset that comes next."""

    records: list[FakeRecord] = field(default_factory=list)
    low: int = 0
    high: int = 0


class FakeCluster:
    """Topics and what groups committed."""

    def __init__(self) -> None:
        self.logs: dict[TopicPartition, FakeLog] = {}
        self.committed: dict[tuple[str, TopicPartition], tuple[int, str]] = {}
        self.epochs: dict[str, int] = {}
        """Of groups: it rises when the assignment changes."""
        self.transactional_ids: dict[str, int] = {}
        """How often each was registered."""

    def create(self, topic: str, partitions: int = 1) -> None:
        """A topic, or more partitions for one."""
        for number in range(partitions):
            self.logs.setdefault(TopicPartition(topic, number), FakeLog())

    def partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        """All partitions of these topics."""
        wanted = set(topics)
        return [partition for partition in self.logs if partition.topic in wanted]

    def append(
        self, where: TopicPartition, value: bytes | None, key: bytes | None = None,
        headers: Headers | None = None, timestamp_ms: int = 1_700_000_000_000,
    ) -> FakeRecord:  # fmt: skip
        """Write one record at the end."""
        log = self.logs.setdefault(where, FakeLog())
        record = FakeRecord(where, log.high, value, key, headers, timestamp_ms)
        log.records.append(record)
        log.high += 1
        return record

    def leave_hole(self, where: TopicPartition, count: int = 1) -> None:
        """Offsets that hold no record: a transaction's marker, or what compaction took."""
        self.logs[where].high += count

    def delete_before(self, where: TopicPartition, offset: int) -> None:
        """Retention."""
        log = self.logs[where]
        log.low = offset
        log.records = [record for record in log.records if record.offset() >= offset]


@dataclass(frozen=True, slots=True)
class _Pending:
    """A record that was sent and whose callback has not run."""

    record: FakeRecord
    delivered: Delivered
    is_alone: bool = False


class FakeProducer:
    """Acks in order, on `poll` only. With `hold` nothing is acked until `release`; failures are planned."""

    def __init__(self, capacity: int = 100_000, cluster: FakeCluster | None = None) -> None:
        self.capacity = capacity
        self.cluster = cluster
        self.written: list[FakeRecord] = []
        self.sent = 0
        self.replaced = 0
        self.closed = False
        self.max_request_bytes = 1_000_000_000
        """Larger records are refused by `send` itself."""
        self.max_topic_bytes: dict[str, int] = {}
        """Larger records come back from the broker as too large."""
        self.absent: set[str] = set()
        """Topics that the cluster does not have."""
        self.denied: set[str] = set()
        """Topics whose records come back with a failure that may pass."""
        self.in_bad_batch: set[bytes] = set()
        """Values that come back as too large because of their neighbours, unless they are sent alone."""
        self._pending: deque[_Pending] = deque()
        self._alone: deque[_Pending] = deque()
        self._due: deque[tuple[Delivered, SendFailure | None, FakeRecord]] = deque()
        self._held = False
        self._broken = False

    def hold(self) -> None:
        """Ack nothing until told to."""
        self._held = True

    def release(self, count: int | None = None) -> None:
        """Let the next `count` records be acked at the next poll; without a count all that follow, too."""
        if count is None:
            self._held = False
            return
        for _ in range(min(count, len(self._pending))):
            self._decide(self._pending.popleft())

    def break_down(self) -> None:
        """A fatal error: the oldest open record comes back with it, as does every `send` from now on."""
        self._broken = True
        if self._pending or self._alone:
            first = (self._pending or self._alone).popleft()
            self._due.append((first.delivered, SendFailure("fenced", fatal=True), first.record))

    def values(self, topic: str) -> list[bytes | None]:
        """What was acked on one topic, in order."""
        return [record.value() for record in self.written if record.topic() == topic]

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers | None,
        timestamp_ms: int,
        delivered: Delivered,
    ) -> SendFailure | bool:
        if self._broken:
            return SendFailure("fenced", fatal=True)
        if len(value or b"") > self.max_request_bytes:
            return SendFailure("larger than the producer takes", too_large=True)
        if self.outstanding() >= self.capacity:
            return False
        moment = timestamp_ms or NOW_MS
        record = FakeRecord(TopicPartition(topic, 0), self.sent, value, key, headers, moment)
        self.sent += 1
        self._pending.append(_Pending(record, delivered))
        return True

    def send_many(
        self,
        topic: str,
        values: Sequence[bytes | None],
        records: Sequence[SourceRecord],
        places: range,
        delivered: Delivered,
    ) -> int:
        for place in places:
            value, record = values[place], records[place]
            if value is None:
                continue
            answer = self.send(topic, value, record.key(), record.headers(), record.timestamp()[1], delivered)
            if answer is not True:
                return place
        return places.stop

    def send_alone(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers | None,
        timestamp_ms: int,
        delivered: Delivered,
    ) -> SendFailure | bool:
        """By another way, which is slower: nothing of it is decided while there is something on the first."""
        answer = self.send(topic, value, key, headers, timestamp_ms, delivered)
        if answer is True:
            self._alone.append(replace(self._pending.pop(), is_alone=True))
        return answer

    def poll(self) -> int:
        if not self._held and not self._broken:
            way = self._pending or self._alone
            while way:
                self._decide(way.popleft())
        return self._run_due()

    def outstanding(self) -> int:
        return len(self._pending) + len(self._alone) + len(self._due)

    def failure(self, error: Any) -> SendFailure:
        assert isinstance(error, SendFailure)
        return error

    def replace(self) -> None:
        if not self._broken:
            return
        self._give_up()
        self._broken = False
        self.replaced += 1

    def close(self) -> None:
        self.closed = True
        self._give_up()

    def _give_up(self) -> None:
        while way := self._pending or self._alone:
            pending = way.popleft()
            self._due.append((pending.delivered, PURGED, pending.record))
        self._run_due()

    def _decide(self, pending: _Pending) -> None:
        record = pending.record
        failure: SendFailure | None = None
        if record.topic() in self.denied:
            failure = SendFailure(f"no permission for {record.topic()}")
        elif record.topic() in self.absent:
            failure = SendFailure(f"no topic {record.topic()}", no_topic=True)
        elif len(record) > self.max_topic_bytes.get(record.topic(), 1_000_000_000) or (
            record.value() in self.in_bad_batch and not pending.is_alone
        ):
            failure = SendFailure("larger than the topic takes", too_large=True)
        else:
            self.written.append(record)
            if self.cluster is not None:
                self.cluster.append(
                    record.where, record.value(), record.key(), record.headers(), record.timestamp()[1]
                )
        self._due.append((pending.delivered, failure, record))

    def _run_due(self) -> int:
        ran = 0
        while self._due:
            delivered, failure, record = self._due.popleft()
            ran += 1
            delivered(failure, record)
        return ran
