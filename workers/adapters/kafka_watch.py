"""Whether the broker answers and how far behind a consumer is. Used on the poll thread only."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as ClientPartition

from workers.adapters.kafka_log import Repeats
from workers.model import TopicPartition

LOOK_SECONDS: Final = 1.0
# How long a broker may be away before a processor that never joined its group is given up (design: 5
# minutes).
TROUBLE_LIMIT_SECONDS: Final = 300.0

# What is over when the client has its group again. Others, such as a right that is missing, are not.
_AWAY: Final = ("_TRANSPORT:", "_ALL_BROKERS_DOWN:", "_RESOLVE:", "_TIMED_OUT:")

Log = Callable[..., None]


class Watch:
    """`trouble` says what is wrong now, in words, or is empty; `lag` counts records by partition."""

    def __init__(self, log: Log) -> None:
        self.trouble = ""
        self.lag: dict[TopicPartition, int] = {}
        self._log = log
        self._since: float | None = None
        self._looked_at = 0.0
        self._groups_seen = 0
        self._repeats = Repeats()

    def healthy(self) -> None:
        """The broker answered."""
        if self.trouble:
            self._log(logging.INFO, "source_recovered", trouble=self.trouble)
            self._repeats = Repeats()
        self.trouble, self._since = "", None

    def troubled(self, reason: str, now: float) -> None:
        """Something failed. Said once, and of reasons that take turns each once a minute."""
        if reason != self.trouble and self._repeats.is_new(reason, now):
            self._log(logging.WARNING, "source_trouble", reason=reason)
        self.trouble = reason
        self._groups_seen = -1
        if self._since is None:
            self._since = now

    def given_up(self, now: float) -> bool:
        """Trouble has lasted as long as anyone waits. True once for each time it has."""
        if self._since is None or now - self._since < TROUBLE_LIMIT_SECONDS:
            return False
        self._since = now
        return True

    def look(
        self, consumer: Consumer, following: Mapping[TopicPartition, int], now: float, groups_seen: int
    ) -> None:
        """Once a second: the lag from what the client knows. While there is trouble the broker is asked,
        because an idle topic says nothing when it returns; that blocks for at most 1 s. Who follows no
        partition has nothing to ask for: `groups_seen`, how often the client said that its group is there,
        tells of the brokers' return."""
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        if self.trouble and following:
            first = next(iter(following))
            try:
                consumer.get_watermark_offsets(ClientPartition(first.topic, first.partition), timeout=1.0)
            except KafkaException:
                return
            self.healthy()
        elif self.trouble.startswith(_AWAY):
            if self._groups_seen < 0:
                self._groups_seen = groups_seen
            elif groups_seen > self._groups_seen:
                self.healthy()
        for partition, offset in following.items():
            _, high = consumer.get_watermark_offsets(
                ClientPartition(partition.topic, partition.partition), cached=True
            )
            self.lag[partition] = max(0, high - offset) if high >= 0 else 0

    def forget(self, partition: TopicPartition) -> None:
        self.lag.pop(partition, None)
