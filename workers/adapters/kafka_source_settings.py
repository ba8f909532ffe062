"""What one processor reads, and the client's settings that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from topics.replay import replay_topic
from workers.progress.room import RoomLimits
from workers.progress.start import StartPolicy

GroupProtocol = Literal["auto", "consumer", "classic"]


DEFAULTS: Final[Mapping[str, Any]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    # A position that is gone must never be replaced in silence: it comes as an event and `onDataLoss`
    # decides.
    "auto.offset.reset": "error",
    # The event at the end of a partition carries the offset behind transaction markers and compaction holes.
    "enable.partition.eof": True,
    # One partition's look-ahead. A pause throws it away, so it stays small beside the room of a processor.
    "queued.min.messages": 2_000,
    # The client's default waits 1,000 ms after its look-ahead was full: seen here as 153 idle waits of 0.1 s
    # in 200,000 records, 11,000 records/s instead of 80,000.
    "fetch.queue.backoff.ms": 10,
    "fetch.wait.max.ms": 50,
    "fetch.error.backoff.ms": 100,
    # Partitions that were added to a topic are seen within this time.
    "topic.metadata.refresh.interval.ms": 30_000,
    "log.connection.close": False,
}
CLASSIC: Final[Mapping[str, Any]] = {
    "group.protocol": "classic",
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 3_000,
}


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What one processor reads and how much of it at once. `client_config` holds the connection's librdkafka
    settings."""

    processor: str
    group_id: str
    topics: tuple[str, ...]
    client_config: Mapping[str, Any]
    group_protocol: GroupProtocol
    start: StartPolicy
    limits: RoomLimits
    poll_batch_records: int
    queued_kilobytes: int = 8_192
    is_transactional: bool = False
    """Nothing is committed but by transactions."""

    @property
    def replay_topic(self) -> str | None:
        """The processor's own, which it reads beside `topics` while it exists; None when it is one of
        them."""
        name = replay_topic(self.processor)
        return None if name in self.topics else name

    def start_of(self, topic: str) -> StartPolicy:
        """Where partitions of a topic begin. What is on the replay topic was put there for this processor, so
        none of it is passed over."""
        return replace(self.start, reset="earliest") if topic == self.replay_topic else self.start

    def client(self, protocol: Literal["consumer", "classic"]) -> dict[str, Any]:
        """The librdkafka settings of a consumer under one of the two group protocols; the connection's
        win."""
        return {
            **DEFAULTS,
            "group.id": self.group_id,
            "client.id": f"penstock-{self.processor}",
            "queued.max.messages.kbytes": self.queued_kilobytes,
            **(CLASSIC if protocol == "classic" else {"group.protocol": "consumer"}),
            **self.client_config,
        }
