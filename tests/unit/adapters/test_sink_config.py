"""When a sink needs a client of its own, and how that client is set."""

from __future__ import annotations

from typing import Any

import pytest

from workers.adapters.kafka_producer import DEFAULTS, KafkaProducer, sink_config

ONE_AT_A_TIME = {"enable.idempotence": False, "max.in.flight.requests.per.connection": 1}
NOBODY = {"bootstrap.servers": "127.0.0.1:1"}


@pytest.mark.parametrize(
    ("connection", "acks", "compression", "expected"),
    [
        ({}, None, None, {}),
        ({}, "all", None, {}),
        ({}, "all", "lz4", {}),
        ({"compression.type": "zstd"}, "all", "zstd", {}),
        ({"compression.type": "zstd"}, None, "lz4", {"compression.type": "lz4"}),
        ({}, None, "none", {"compression.type": "none"}),
        ({}, "1", None, {"acks": "1", **ONE_AT_A_TIME}),
        ({}, "0", "gzip", {"acks": "0", "compression.type": "gzip", **ONE_AT_A_TIME}),
    ],
)
def test_only_what_differs_from_the_connection_is_changed(
    connection: dict[str, Any], acks: str | None, compression: str | None, expected: dict[str, Any]
) -> None:
    """Nothing to change means that the connection's client serves; weaker acks keep the order."""
    assert sink_config(connection, acks, compression) == expected


@pytest.mark.parametrize("acks", ["all", "1", "0"])
@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_the_client_takes_every_combination(acks: str, compression: str) -> None:
    """librdkafka refuses settings that contradict each other when it is made."""
    producer = KafkaProducer({**NOBODY, **sink_config({}, acks, compression)}, "unit")
    assert producer.send("nowhere", b"v", None, None, 0, lambda _error, _record: None) is True
    producer.close()


def test_dead_letters_are_always_safe() -> None:
    """They go through the connection's own client."""
    assert (DEFAULTS["acks"], DEFAULTS["enable.idempotence"]) == ("all", True)
