"""What `topics plan --acls` names is enough, and less is not, at a broker that lets nobody do more."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.scenarios.stories import group_of, story
from tests.scenarios.world import PROGRAM, World, until
from workers.local.kafka import KafkaServer
from workers.local.kafka_settings import KafkaSettings, SecurityOptions

USERS = {"worker": "secret-of-worker", "planner": "secret-of-planner", "replayer": "secret-of-replayer"}
RESOURCES = {
    "topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "cluster": ResourceType.BROKER,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
}  # fmt: skip
OPERATIONS = {
    "Read": AclOperation.READ, "Write": AclOperation.WRITE, "Create": AclOperation.CREATE,
    "Alter": AclOperation.ALTER, "Describe": AclOperation.DESCRIBE,
    "AlterConfigs": AclOperation.ALTER_CONFIGS, "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
}  # fmt: skip


@pytest.fixture(scope="module")
def strict_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker with an authorizer. Its plain listener is the test's own and may do everything."""
    properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    settings = KafkaSettings(
        security=SecurityOptions(users=USERS), auto_create_topics=False, properties=properties
    )
    with KafkaServer(tmp_path_factory.mktemp("strict"), settings) as server:
        yield server


def allow(admin: AdminClient, user: str, grants: Iterable[dict[str, Any]]) -> None:
    """Give a user exactly these."""
    bindings = {
        AclBinding(
            RESOURCES[grant["resource"]],
            grant["name"],
            ResourcePatternType.PREFIXED if grant["pattern"] == "prefixed" else ResourcePatternType.LITERAL,
            f"User:{user}", "*", OPERATIONS[operation], AclPermissionType.ALLOW,
        )
        for grant in grants
        for operation in grant["operations"]
    }  # fmt: skip
    for done in admin.create_acls(list(bindings)).values():
        done.result(60)


def as_user(user: str) -> dict[str, str]:
    """The environment of a program that comes in as this user."""
    return {**os.environ, "KAFKA_USER": user, "KAFKA_PASSWORD": USERS[user]}


def penstock(user: str, *arguments: str) -> str:
    """Run a command as this user; its standard output."""
    done = subprocess.run(
        [*PROGRAM, *arguments], env=as_user(user), capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.kafka
def test_the_named_rights_are_enough_and_none_is_too_many_for_the_main_job(
    strict_kafka: KafkaServer, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    """Topics are made by one user, records go through at-least-once and exactly-once by a second, dead
    letters are replayed by a third. Without the right to write results nothing is committed, and with it,
    without a restart, nothing is missing."""
    world = World(strict_kafka.address, tmp_path, topic_name)
    try:
        source, sums, results = topic_name("in"), topic_name("sums"), topic_name("out")
        dead = {name: topic_name(f"dead-{name}") for name in ("plain", "exact")}
        connection = {
            "type": "Kafka",
            "bootstrapServers": strict_kafka.secure_address,
            "security": {"protocol": "SASL_SSL", "caFile": str(strict_kafka.ca_file)},
            "authentication": {
                "mechanism": "SCRAM-512", "username": "${KAFKA_USER}", "password": "${KAFKA_PASSWORD}",
            },
        }  # fmt: skip
        plain = story(world, source, results, dead["plain"], [{"$addFields": {"x": 1}}])
        exact = story(world, source, sums, dead["exact"], [{"$addFields": {"x": 2}}], delivery="exactly-once")
        exact["pipeline"][0]["$source"]["config"]["group_id"] = f"{group_of(source)}-exact"
        app = world.write_app({"kafka": connection}, {"plain": plain, "exact": exact})
        (app / "topics").mkdir()
        for topic in (source, sums, results, *dead.values()):
            (app / "topics" / f"{topic}.yaml").write_text("{partitions: 2}\n")

        said = json.loads(penstock("worker", "topics", "plan", "--app", str(app), "--acls", "--json"))
        grants: list[dict[str, Any]] = said["grants"]
        by_worker = [grant for grant in grants if grant["who"].startswith("processor ")]
        to_results = [grant for grant in by_worker if grant["name"] == results]
        allow(world.admin(), "planner", [grant for grant in grants if grant["who"] == "topics apply"])
        allow(world.admin(), "worker", [grant for grant in by_worker if grant not in to_results])
        allow(world.admin(), "replayer", [grant for grant in grants if grant["who"] == "dlq replay plain"])

        assert "done: create" in penstock("planner", "topics", "apply", "--app", str(app))
        world.produce(source, [{"id": number} for number in range(40)] + [b"poison"])
        worker = world.start_worker(app, env=as_user("worker"))
        until(worker.is_ready, 60, "ready")
        until(lambda: world.lag(f"{group_of(source)}-exact", source) == 0, 60, "lag 0 of the other")
        until(lambda: "TOPIC_AUTHORIZATION_FAILED" in worker.log(), 60, "a word about the right")
        assert world.count(results) == 0
        assert world.lag(group_of(source), source) > 0
        allow(world.admin(), "worker", to_results)
        until(lambda: world.lag(group_of(source), source) == 0, 60, "lag 0")
        for topic in (results, sums):
            assert sorted(record.json["id"] for record in world.read(topic)) == list(range(40))
        assert [len(world.read(topic)) for topic in dead.values()] == [1, 1]

        replayed = penstock("replayer", "dlq", "replay", "plain", "--app", str(app), "--json")
        assert json.loads(replayed)["written"] == 1
        until(lambda: len(world.read(dead["plain"])) == 2, 60, "the poison again")
    finally:
        world.stop()
