"""The SASL_SSL listener of the embedded broker, tried with a real client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from workers.local.kafka import KafkaServer
from workers.local.kafka_settings import KafkaSettings, SecurityOptions

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

USERS = {"alice": 'alice-"secret"', "bob": "bob\\secret"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    settings = KafkaSettings(security=SecurityOptions(USERS))
    with KafkaServer(tmp_path_factory.mktemp("secure"), settings) as running:
        yield running


def brokers(server: KafkaServer, **options: str) -> int:
    client = AdminClient(
        {
            "bootstrap.servers": server.secure_address,
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(server.ca_file),
            "log_level": 0,
            **{name.replace("_", "."): value for name, value in options.items()},
        }
    )
    return len(client.list_topics(timeout=60).brokers)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("user", sorted(USERS))
def test_a_user_comes_in_by_password(server: KafkaServer, mechanism: str, user: str) -> None:
    """Passwords with quotes and backslashes too."""
    assert brokers(server, sasl_mechanism=mechanism, sasl_username=user, sasl_password=USERS[user]) == 1


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_wrong_password_is_refused(server: KafkaServer, mechanism: str) -> None:
    """The listener really asks."""
    with pytest.raises(KafkaException):
        AdminClient(
            {
                "bootstrap.servers": server.secure_address,
                "security.protocol": "SASL_SSL",
                "ssl.ca.location": str(server.ca_file),
                "sasl.mechanism": mechanism,
                "sasl.username": "alice",
                "sasl.password": "guess",
                "log_level": 0,
            }
        ).list_topics(timeout=3)


def test_a_token_comes_in(server: KafkaServer) -> None:
    """OAUTHBEARER with librdkafka's unsecured tokens."""
    client = AdminClient(
        {
            "bootstrap.servers": server.secure_address,
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(server.ca_file),
            "sasl.mechanism": "OAUTHBEARER",
            "enable.sasl.oauthbearer.unsecure.jwt": "true",
            "sasl.oauthbearer.config": "principal=alice",
            "log_level": 0,
        }
    )
    client.poll(0)
    assert len(client.list_topics(timeout=60).brokers) == 1


def test_an_unknown_authority_is_not_trusted(server: KafkaServer) -> None:
    """Without our CA the client refuses the broker's certificate."""
    client = AdminClient(
        {
            "bootstrap.servers": server.secure_address,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "alice",
            "sasl.password": USERS["alice"],
            "log_level": 0,
        }
    )
    with pytest.raises(KafkaException):
        client.list_topics(timeout=3)


def test_the_plain_listener_stays_open(server: KafkaServer) -> None:
    """Tools of the test itself need no password."""
    assert len(AdminClient({"bootstrap.servers": server.address}).list_topics(timeout=60).brokers) == 1
