"""Passwords of Kafka clients that change while they run."""

from __future__ import annotations

import pytest

from tests.unit.adapters.kafka_client import Events, ScriptedClient, settings
from workers.adapters import kafka_consumer
from workers.adapters.kafka_consumer import KafkaSource
from workers.adapters.kafka_producer import KafkaProducer
from workers.adapters.kafka_transaction_client import TransactionClient, transactional_config
from workers.adapters.kafka_transactions import KafkaTransactions

SASL = {
    "bootstrap.servers": "127.0.0.1:9", "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "penstock", "sasl.password": "old",
}  # fmt: skip
NEW = {"sasl.username": "penstock", "sasl.password": "new"}


class SigningClient(ScriptedClient):
    """Remembers what it was told to sign in with."""

    def set_sasl_credentials(self, username: str, password: str) -> None:
        self.config |= {"sasl.username": username, "sasl.password": password}


def test_a_consumer_is_told_on_the_poll_thread_and_its_successor_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client in use hears of it in the next turn, one that is built later begins with it."""
    made: list[SigningClient] = []

    def build(config: dict[str, object], logger: object = None) -> SigningClient:
        made.append(SigningClient(config))
        return made[-1]

    monkeypatch.setattr(kafka_consumer, "Consumer", build)
    source = KafkaSource(settings(), Events())
    source.turn(0.0, 0.0)
    source.sign_in_as("penstock", "new")
    assert "sasl.password" not in made[0].config
    source.turn(1.0, 0.0)
    assert NEW.items() <= made[0].config.items()
    source._consumer = None
    source.turn(2.0, 0.0)
    assert NEW.items() <= made[1].config.items()


def test_a_producer_takes_a_password_and_keeps_it_for_its_successor() -> None:
    """The real client takes it while it runs; a replaced one and the one of large records begin with it."""
    producer = KafkaProducer(SASL, "test")
    producer.sign_in_as("penstock", "new")
    assert NEW.items() <= producer._config.items()
    producer.close()


def test_a_transactional_client_takes_a_password() -> None:
    """The one that is open and the next one with its id."""
    transactions = KafkaTransactions(SASL, "release-0-0-orders")
    transactions.sign_in_as("penstock", "newer")
    transactions._client = TransactionClient(transactional_config(SASL, "release-0-0-orders"))
    transactions.sign_in_as("penstock", "new")
    assert NEW.items() <= transactions._config.items()
    transactions._client.discard()
