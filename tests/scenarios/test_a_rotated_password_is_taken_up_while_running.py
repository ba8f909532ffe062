"""A Kafka password in a mounted secret: replaced at the broker and in the file, while a worker runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.scenarios.stories import group_of, story
from tests.scenarios.world import World, until
from workers.local.kafka import KafkaServer
from workers.local.kafka_settings import KafkaSettings, SecurityOptions

OLD, NEW = "old-s3cret-of-the-story", "new-s3cret-of-the-story"
# How long a connection may live on one authentication: after twice that nobody is there by the old password.
REAUTHENTICATE_SECONDS = 4.0


@pytest.fixture(scope="module")
def strict_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker that asks every client again who it is."""
    settings = KafkaSettings(
        security=SecurityOptions(users={"penstock": OLD}),
        properties={"connections.max.reauth.ms": str(int(REAUTHENTICATE_SECONDS * 1000))},
    )
    with KafkaServer(tmp_path_factory.mktemp("strict"), settings) as server:
        yield server


def mount(folder: Path, version: str, password: str) -> None:
    """A mounted secret as Kubernetes renews it: a folder for each version, and a link that is switched."""
    (folder / version).mkdir(parents=True)
    (folder / version / "password").write_text(f"{password}\n", "utf-8")
    (folder / "..new").symlink_to(version)
    os.replace(folder / "..new", folder / "..data")
    if not (folder / "password").is_symlink():
        (folder / "password").symlink_to(Path("..data") / "password")


@pytest.mark.kafka
def test_a_rotated_password_is_taken_up_while_running(
    strict_kafka: KafkaServer, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    """Records go on through the same worker after the old password stopped working; neither is in its log."""
    world = World(strict_kafka.address, tmp_path, topic_name)
    try:
        source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
        mount(tmp_path / "secret", "..v1", OLD)
        connection = {
            "type": "Kafka",
            "bootstrapServers": strict_kafka.secure_address,
            "security": {"protocol": "SASL_SSL", "caFile": str(strict_kafka.ca_file)},
            "authentication": {
                "mechanism": "SCRAM-512", "username": "penstock",
                "password": {"file": str(tmp_path / "secret" / "password")},
            },
        }  # fmt: skip
        app = world.write_app(
            {"kafka": connection}, {"p": story(world, source, results, dead, [{"$addFields": {"x": 1}}])}
        )
        worker = world.ready_worker(app)
        world.produce(source, [{"id": 1}])
        until(lambda: world.lag(group_of(source), source) == 0, 30, "the first record")

        replaced = UserScramCredentialUpsertion(
            "penstock", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), NEW.encode()
        )
        for future in world.admin().alter_user_scram_credentials([replaced]).values():
            future.result(60)
        mount(tmp_path / "secret", "..v2", NEW)
        until(lambda: "secrets_renewed" in worker.log(), 30, "the new password")
        from_now = time.monotonic()
        until(lambda: time.monotonic() > from_now + 2 * REAUTHENTICATE_SECONDS, 30, "old sessions to end")
        world.produce(source, [{"id": 2}])
        until(lambda: world.lag(group_of(source), source) == 0, 30, "the record after the rotation")
        assert [record.json for record in world.read(results)] == [{"id": 1, "x": 1}, {"id": 2, "x": 1}]
        until(worker.is_ready, 30, "ready")
        assert not any(secret in worker.log() for secret in (OLD, NEW))
    finally:
        world.stop()
