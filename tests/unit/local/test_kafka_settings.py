"""The broker's properties."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.local.kafka_settings import (
    KafkaSettings,
    KeyStore,
    Ports,
    SecurityOptions,
    broker_properties,
    jaas_quoted,
    properties_text,
    scram_arguments,
)

PORTS = Ports(plain=9001, controller=9002, secure=9003)
KEYS = KeyStore(Path("/keys/broker.p12"), "store-password", Path("/keys/ca.pem"))


def test_a_broker_listens_on_this_machine_alone() -> None:
    """No listener is open to the network."""
    properties = broker_properties(KafkaSettings(), PORTS, Path("/data"), None)
    assert properties["listeners"] == "PLAINTEXT://127.0.0.1:9001,CONTROLLER://127.0.0.1:9002"
    assert properties["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9001"


def test_a_killed_member_is_missed_after_the_session_time_out_of_the_settings() -> None:
    """The time-out is its own minimum: Kafka refuses less than 45 s otherwise."""
    properties = broker_properties(KafkaSettings(group_session_timeout_ms=7000), PORTS, Path("/data"), None)
    assert properties["group.consumer.session.timeout.ms"] == "7000"
    assert properties["group.consumer.min.session.timeout.ms"] == "7000"


def test_own_properties_win() -> None:
    """`properties` overrides what the settings made."""
    settings = KafkaSettings(properties={"num.partitions": "9", "log.segment.bytes": "1048576"})
    properties = broker_properties(settings, PORTS, Path("/data"), None)
    assert (properties["num.partitions"], properties["log.segment.bytes"]) == ("9", "1048576")


def test_security_adds_one_listener_and_leaves_the_plain_one() -> None:
    """SASL_SSL with every mechanism, beside PLAINTEXT."""
    settings = KafkaSettings(security=SecurityOptions({"alice": "s3cret"}))
    properties = broker_properties(settings, PORTS, Path("/data"), KEYS)
    assert properties["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9001,SASL_SSL://127.0.0.1:9003"
    assert 'user_alice="s3cret"' in properties["listener.name.sasl_ssl.plain.sasl.jaas.config"]
    assert len(scram_arguments(SecurityOptions({"alice": "s3cret"}))) == 4


def test_quotes_and_backslashes_of_a_password_are_escaped() -> None:
    """A password cannot end the option it stands in."""
    assert jaas_quoted("user_a", 'x"y\\z') == 'user_a="x\\"y\\\\z"'


def test_properties_are_written_as_java_reads_them() -> None:
    """Sorted, backslashes doubled, ASCII only."""
    assert properties_text({"b": "C:\\data", "a": "grün"}) == "a=gr\\u00fcn\nb=C:\\\\data\n"


def test_a_listener_without_users_is_refused() -> None:
    """Nobody could come in."""
    with pytest.raises(AssertionError, match="at least one user"):
        SecurityOptions({})
