"""The broker of the benchmarks: the embedded Kafka, or the cluster that KAFKA_BOOTSTRAP names."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    OffsetSpec,
)
from confluent_kafka.cimpl import NewTopic

from benchmarks.orders import orders
from workers.local.kafka import KafkaServer
from workers.local.kafka_settings import KafkaSettings

PARTITIONS: Final = 8
WAIT_SECONDS: Final = 60.0
LATEST: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]


class Broker:
    """Topics of this run, made and counted."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self._token = uuid.uuid4().hex[:8]
        self._made = 0

    def make_topic(self, purpose: str) -> str:
        """A new topic of 8 partitions, ready for use."""
        self._made += 1
        name = f"bench-{self._token}-{self._made}-{purpose}"
        wanted = NewTopic(name, num_partitions=PARTITIONS, replication_factor=1)
        self._admin.create_topics([wanted], operation_timeout=20)[name].result(timeout=WAIT_SECONDS)
        deadline = time.monotonic() + WAIT_SECONDS
        while not self._is_ready(name):
            assert time.monotonic() < deadline, f"{name} has no leaders"
            time.sleep(0.05)
        return name

    def delete_topic(self, name: str) -> None:
        """Give the disk back."""
        self._admin.delete_topics([name])[name].result(timeout=WAIT_SECONDS)

    def count(self, topic: str) -> int:
        """Records in a topic that no transaction wrote to and no retention cut: the sum of its ends."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            asked = {TopicPartition(topic, number): LATEST for number in range(PARTITIONS)}
            found = self._admin.list_offsets(asked, request_timeout=20)
            try:
                return sum(future.result(timeout=WAIT_SECONDS).offset for future in found.values())
            except KafkaException:  # a leader that has only just been chosen is not known everywhere
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def fill(self, topic: str, count: int) -> int:
        """Write the first `count` orders; returns how many of them pass the pipeline."""
        producer = Producer(
            {"bootstrap.servers": self.bootstrap, "linger.ms": 20, "acks": "all", "log_level": 0}
        )
        passing = 0
        for order in orders(count):
            passing += order.passes
            headers: Any = order.headers
            while True:
                try:
                    producer.produce(topic, order.value, order.key, headers=headers)
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(WAIT_SECONDS) == 0, "the records could not be written"
        return passing

    def _is_ready(self, topic: str) -> bool:
        found = self._admin.list_topics(timeout=20).topics.get(topic)
        if found is None or found.error is not None:
            return False
        return len(found.partitions) == PARTITIONS and all(p.leader >= 0 for p in found.partitions.values())


@contextmanager
def broker() -> Iterator[Broker]:
    """A broker for the length of a run. The embedded one lets Java compile in full, as a server would."""
    if given := os.environ.get("KAFKA_BOOTSTRAP"):
        yield Broker(given)
        return
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        settings = KafkaSettings(compiler="full", heap_mb=1_024)
        with KafkaServer(Path(folder), settings) as server:
            yield Broker(server.address)
