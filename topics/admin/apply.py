"""Reads a cluster's topics and carries out a plan: the only module here that does I/O."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # public, but exported without __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.cimpl import NewPartitions, NewTopic

from topics.admin.plan import Alter, ClusterState, Create, Grow, Refuse, Step, TopicState, is_visible

# Creating and growing wait until the controller has done it; a one-node cluster answers in milliseconds.
TIMEOUT_SECONDS: Final = 30.0
VISIBLE_POLL_SECONDS: Final = 0.02


class AdminFailed(Exception):
    """The cluster did not answer or refused. `done` are the steps that were carried out before."""

    def __init__(self, reason: str, done: Sequence[Step] = ()) -> None:
        super().__init__(reason)
        self.done = tuple(done)


class TopicAdmin:
    """Administers the topics of one cluster. `connection` is the configuration of the client."""

    def __init__(self, connection: Mapping[str, Any]) -> None:
        self._reading = f"reading the topics of the Kafka at {connection.get('bootstrap.servers')}"
        self._trouble = ""
        config: dict[str, Any] = {"log_level": 0, **connection, "error_cb": self._on_error}
        self._client = AdminClient(config)

    def read(self, topics: Iterable[str]) -> ClusterState:
        """The cluster as a plan needs it: those of `topics` that exist. Raises AdminFailed."""
        try:
            cluster = self._client.list_topics(timeout=TIMEOUT_SECONDS)
            existing = sorted(set(topics) & cluster.topics.keys())
            brokers = sorted(cluster.brokers)
            if not brokers:
                raise AdminFailed(f"{self._reading}: no broker is up")
            resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in existing]
            resources += [ConfigResource(ResourceType.BROKER, str(broker)) for broker in brokers[:1]]
            answers = self._client.describe_configs(resources, request_timeout=TIMEOUT_SECONDS)
            configs = {(key.restype, key.name): _values(answer) for key, answer in answers.items()}
        except KafkaException as error:
            raise AdminFailed(f"{self._reading}: {self._why(error)}") from error
        states = {}
        for topic in existing:
            partitions = cluster.topics[topic].partitions
            copies = max((len(partition.replicas) for partition in partitions.values()), default=0)
            states[topic] = TopicState(len(partitions), copies, configs[ResourceType.TOPIC, topic])
        broker = configs[ResourceType.BROKER, str(brokers[0])]
        return ClusterState(len(brokers), int(broker["message.max.bytes"]), states)

    def apply(self, steps: Sequence[Step]) -> None:
        """Carry out exactly these steps, in their order; nothing when one of them is a refusal.

        Returns when the brokers show the new state. Raises AdminFailed at the first step that fails; the ones
        before it stay done, and a new plan goes on from there.
        """
        if refused := [step for step in steps if isinstance(step, Refuse)]:
            raise AdminFailed("; ".join(step.describe() for step in refused))
        for at, step in enumerate(steps):
            try:
                self._carry_out(step).result(timeout=TIMEOUT_SECONDS + 5.0)
            except KafkaException as error:
                raise AdminFailed(f"{step.describe()}: {self._why(error)}", steps[:at]) from error
            except TimeoutError as error:
                raise AdminFailed(f"{step.describe()}: no answer in time", steps[:at]) from error
        self._wait_until_visible(steps)

    def _on_error(self, error: KafkaError) -> None:
        if error.name() != "_ALL_BROKERS_DOWN":
            self._trouble = error.str()

    def _why(self, error: KafkaException) -> str:
        """What failed, and what a connection last complained of: a call's own error is `Broker transport
        failure` for a wrong password, too."""
        self._client.poll(0)  # complaints wait for it
        said: str = error.args[0].str()
        return f"{said} ({self._trouble})" if self._trouble else said

    def _wait_until_visible(self, steps: Sequence[Step]) -> None:
        """The controller answers before the brokers know: a client sees the change within 100 ms."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            cluster = self.read(step.topic for step in steps)
            hidden = [step for step in steps if not is_visible(step, cluster)]
            if not hidden:
                return
            if time.monotonic() >= deadline:
                raise AdminFailed(f"{hidden[0].describe()}: done, and no broker shows it", steps)
            time.sleep(VISIBLE_POLL_SECONDS)

    def _carry_out(self, step: Step) -> Future[Any]:
        limits = {"operation_timeout": TIMEOUT_SECONDS, "request_timeout": TIMEOUT_SECONDS}
        match step:
            case Create(topic, partitions, replication, config):
                new = NewTopic(
                    topic, num_partitions=partitions, replication_factor=replication, config=dict(config)
                )
                return self._client.create_topics([new], **limits)[topic]
            case Grow(topic, _found, wanted):
                return self._client.create_partitions([NewPartitions(topic, wanted)], **limits)[topic]
            case Alter(topic, changes):
                entries = [
                    ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                    for name, (_old, value) in changes.items()
                ]
                resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
                return self._client.incremental_alter_configs([resource], request_timeout=TIMEOUT_SECONDS)[
                    resource
                ]
            case Refuse():
                raise AssertionError("apply() returns before a refusal")


def _values(answer: Future[Any]) -> dict[str, str]:
    entries = answer.result(timeout=TIMEOUT_SECONDS)
    return {name: entry.value for name, entry in entries.items() if entry.value is not None}
