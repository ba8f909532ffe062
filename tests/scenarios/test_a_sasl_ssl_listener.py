"""`security` and `authentication` of a connection, against a real SASL_SSL listener."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scenarios.stories import group_of, story
from tests.scenarios.world import World, until
from workers.local.kafka import KafkaServer
from workers.local.kafka_settings import KafkaSettings, SecurityOptions

PASSWORD = "s3cret-of-the-story"


@pytest.fixture(scope="module")
def secure_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker of its own with a SASL_SSL listener."""
    security = SecurityOptions(users={"penstock": PASSWORD})
    with KafkaServer(tmp_path_factory.mktemp("secure"), KafkaSettings(security=security)) as server:
        yield server


@pytest.mark.kafka
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-256", "SCRAM-512"])
def test_the_main_job_over_sasl_ssl(
    secure_kafka: KafkaServer, mechanism: str, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    """Records go through with each mechanism; the password is in no log line."""
    world = World(secure_kafka.address, tmp_path, topic_name)
    try:
        source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
        connection = {
            "type": "Kafka",
            "bootstrapServers": secure_kafka.secure_address,
            "security": {"protocol": "SASL_SSL", "caFile": str(secure_kafka.ca_file)},
            "authentication": {
                "mechanism": mechanism,
                "username": "penstock",
                "password": "${STORY_PASSWORD}",
            },
        }
        app = world.write_app(
            {"kafka": connection}, {"p": story(world, source, results, dead, [{"$addFields": {"x": 1}}])}
        )
        world.produce(source, [{"id": 1}, b"poison"])
        worker = world.start_worker(app, env={"STORY_PASSWORD": PASSWORD})
        until(worker.is_ready, 40, "ready")
        until(lambda: world.lag(group_of(source), source) == 0, 30, "lag 0")
        assert [record.json for record in world.read(results)] == [{"id": 1, "x": 1}]
        assert world.count(dead) == 1
        assert PASSWORD not in worker.log()
    finally:
        world.stop()


@pytest.mark.kafka
def test_a_wrong_password_is_said_and_never_ready(
    secure_kafka: KafkaServer, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    """/readyz stays 503 and the log names the authentication, not the password."""
    world = World(secure_kafka.address, tmp_path, topic_name)
    try:
        source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
        connection = {
            "type": "Kafka",
            "bootstrapServers": secure_kafka.secure_address,
            "security": {"protocol": "SASL_SSL", "caFile": str(secure_kafka.ca_file)},
            "authentication": {"mechanism": "PLAIN", "username": "penstock", "password": "wrong-" + PASSWORD},
        }
        app = world.write_app(
            {"kafka": connection}, {"p": story(world, source, results, dead, [{"$addFields": {"x": 1}}])}
        )
        worker = world.start_worker(app)
        until(lambda: "uthentication" in worker.log(), 40, "a word about authentication")
        assert worker.get("/readyz")[0] == 503
        assert PASSWORD not in worker.log()
    finally:
        world.stop()
