"""Where `delivery: exactly-once` cannot hold, it is refused before anything starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from workers.appfolder.app import ProcessorSpec
from workers.appfolder.kafka import KafkaConnection, kafka_client_config
from workers.errors import Problem

_COMMITTED: Final = "read_committed"


def delivery_problems(spec: ProcessorSpec, connection: KafkaConnection) -> Iterator[Problem]:
    """What of a processor breaks the promise. `connection`: its `$source`'s."""
    if spec.options.delivery != "exactly-once":
        return
    source, sink = spec.program.source, spec.program.sink
    assert source is not None
    one = f"{source.connection}, the connection of $source: a transaction is one cluster's"
    if sink is not None and sink.connection != source.connection:
        yield Problem(
            spec.file, f"{sink.path}.connectionName", f"{sink.connection} with delivery: exactly-once", one
        )
    if sink is not None and sink.producer.acks not in (None, "all"):
        yield Problem(
            spec.file, f"{sink.path}.config.acks", f"{sink.producer.acks} with delivery: exactly-once",
            "all, or none: a transaction is on every replica",
        )  # fmt: skip
    if spec.dead_letters.connection != source.connection:
        yield Problem(
            spec.file, "options.dlq.connectionName",
            f"{spec.dead_letters.connection} with delivery: exactly-once", one,
        )  # fmt: skip
    level = kafka_client_config(connection, "consumer").get("isolation.level", _COMMITTED)
    if level != _COMMITTED:
        yield Problem(
            spec.file, "options.delivery",
            f"exactly-once, and {source.connection} has config.isolation.level {level}",
            "read_committed: otherwise offsets are read while their transaction is open",
        )  # fmt: skip
