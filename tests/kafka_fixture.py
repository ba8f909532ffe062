"""The broker that tests talk to: the cluster of KAFKA_BOOTSTRAP, else an embedded one per test session."""

from __future__ import annotations

import itertools
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from workers.local.kafka import KafkaServer, is_answering
from workers.local.kafka_settings import KafkaSettings

# A group's time-outs are short so that tests of kills and rebalances are.
TEST_SETTINGS: Final = KafkaSettings(partitions=1, retention_check_interval_ms=1_000)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap address of a real broker. A broker that cannot be had fails the test: it is never skipped."""
    if given := os.environ.get("KAFKA_BOOTSTRAP"):
        assert is_answering(given, 60.0), f"KAFKA_BOOTSTRAP={given} does not answer"
        yield given
        return
    with KafkaServer(tmp_path_factory.mktemp("kafka"), TEST_SETTINGS) as server:
        yield server.address


@pytest.fixture
def topic_name() -> Callable[[str], str]:
    """Names for topics and groups that no other test, session or machine uses: `topic_name("orders")`."""
    token, numbers = uuid.uuid4().hex[:8], itertools.count(1)
    return lambda purpose: f"t-{token}-{next(numbers)}-{purpose}"


def _has_leaders(admin: AdminClient, topic: str, partitions: int) -> bool:
    """Asks for all topics: asking for one by name would create it."""
    found = admin.list_topics(timeout=60).topics.get(topic)
    if found is None or found.error is not None:
        return False
    return len(found.partitions) == partitions and all(each.leader >= 0 for each in found.partitions.values())


class MakeTopic(Protocol):
    """Creates a topic of its own for a test and returns its name."""

    def __call__(self, purpose: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> str: ...


@pytest.fixture
def make_topic(kafka: str, topic_name: Callable[[str], str]) -> MakeTopic:
    """`make_topic("orders", partitions=3, config={...})`: a new topic's name; its partitions have leaders."""

    def make(purpose: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        name = topic_name(purpose)
        admin = AdminClient({"bootstrap.servers": kafka})
        wanted = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        admin.create_topics([wanted], operation_timeout=60)[name].result(timeout=60)
        deadline = time.monotonic() + 60
        while not _has_leaders(admin, name, partitions):  # the controller answers before the brokers know
            assert time.monotonic() < deadline, f"{name} has no leaders"
            time.sleep(0.02)
        return name

    return make
