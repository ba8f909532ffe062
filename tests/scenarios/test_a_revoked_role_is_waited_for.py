"""A role that is revoked while its processor runs: it starts again until the role is back, or is FAILED."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.fakes.lambda_stub import LambdaStub, Seen
from tests.fakes.sts_stub import StsStub
from tests.fakes.stub_thread import stub_in_thread
from tests.scenarios.stories import calling, group_of, restarts_of, story
from tests.scenarios.world import WorkerProcess, World, until

ROLE = "arn:aws:iam::123456789012:role/penstock"
# What is left of a session when its role is revoked.
LIFE_SECONDS = 3.0


@dataclass
class Account:
    sts: StsStub
    functions: LambdaStub

    def __post_init__(self) -> None:
        self.functions.refuses = self._refuses

    def _refuses(self, seen: Seen) -> str | None:
        ends = self.sts.ends.get(seen.headers.get("x-amz-security-token", ""), 0.0)
        return "ExpiredTokenException" if ends <= time.time() else None

    def revoke(self) -> None:
        self.sts.failure = (403, "AccessDenied")

    def restore(self) -> None:
        self.sts.failure = None


@pytest.fixture
def account() -> Iterator[Account]:
    with StsStub(ROLE, "tenant-7", LIFE_SECONDS) as sts, stub_in_thread() as functions:
        yield Account(sts, functions)


@dataclass
class Story:
    """A processor that calls with the role, and one beside it that calls nothing."""

    world: World
    source: str
    results: str
    dead: str
    neighbour: str
    others: str
    worker: WorkerProcess

    def is_in(self, state: str) -> bool:
        return bool(self.worker.status("orders").get("state") == state)

    def is_not_ready(self) -> bool:
        """503, and why."""
        code, said = self.worker.get("/readyz")
        return code == 503 and f"connection functions: cannot assume role {ROLE}" in said

    def neighbour_goes_on(self, count: int) -> None:
        self.world.produce(self.neighbour, [{"id": number} for number in range(count)])
        until(lambda: self.world.lag(group_of(self.neighbour), self.neighbour) == 0, 30, "the neighbour")

    def all_answered(self) -> None:
        until(lambda: self.world.lag(group_of(self.source), self.source) == 0, 60, "everything answered")


def begun(world: World, account: Account, retry: dict[str, Any] | None = None, **options: Any) -> Story:
    """Both at work, the first 50 records answered."""
    source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
    neighbour, others = world.topic("neighbour"), world.topic("others")
    connection = {
        "type": "AWSLambda", "region": "eu-central-1", "endpointUrl": account.functions.url, "roleArn": ROLE,
        "externalId": "tenant-7", "accessKeyId": "AKIDTEST", "secretAccessKey": "secret-of-the-story",
    }  # fmt: skip
    app = world.write_app(
        world.connections(functions=connection),
        {
            "orders": calling(world, source, results, dead, {"as": "r", "retry": retry or {}}, **options),
            "other": story(world, neighbour, others, dead, [{"$addFields": {"x": 1}}]),
        },
    )
    env = {"AWS_ENDPOINT_URL_STS": account.sts.url, "AWS_EC2_METADATA_DISABLED": "true"}
    worker = world.start_worker(app, env=env)
    until(lambda: worker.process.poll() is not None or worker.is_ready(), 40, "a ready worker")
    made = Story(world, source, results, dead, neighbour, others, worker)
    world.produce(source, [{"id": number} for number in range(50)])
    made.all_answered()
    return made


@pytest.mark.kafka
@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_a_role_that_comes_back_costs_no_record(world: World, account: Account, delivery: str) -> None:
    """Revoked, and records come while its last session ends: the processor starts again and again, the worker
    says 503 and why, the neighbour goes on. Restored: every record is a result once, in order, none is
    dead-lettered, and the worker is ready again."""
    made = begun(world, account, delivery=delivery)
    account.revoke()
    number = 50

    def waits() -> bool:
        nonlocal number
        world.produce(made.source, [{"id": number}])
        number += 1
        return restarts_of(made.worker, "orders") >= 2

    until(waits, 30, "two starts in vain")
    until(made.is_not_ready, 20, "not ready")
    until(lambda: made.is_in("STARTED"), 20, "not FAILED")
    made.neighbour_goes_on(50)
    account.restore()
    made.all_answered()
    until(made.worker.is_ready, 30, "ready again")
    assert [record.json["id"] for record in world.read(made.results)] == list(range(number))
    assert world.read(made.dead) == []
    assert "secret-of-the-story" not in made.worker.log()


@pytest.mark.kafka
def test_a_role_that_stays_away_fails_its_processor_and_no_other(world: World, account: Account) -> None:
    """FAILED with the reason once its window is over; nothing is committed past what was answered, nothing
    dead-lettered; the neighbour goes on and keeps the worker ready."""
    made = begun(world, account, restartWindow="4s")
    account.revoke()
    number = 50

    def failed() -> bool:
        nonlocal number
        world.produce(made.source, [{"id": number}])
        number += 1
        return made.is_in("FAILED")

    until(failed, 40, "FAILED")
    until(lambda: f"cannot assume role {ROLE}" in str(made.worker.status("orders")), 20, "the reason")
    until(lambda: restarts_of(made.worker, "orders") >= 1, 20, "a start in vain")
    made.neighbour_goes_on(50)
    until(made.worker.is_ready, 30, "ready")
    answered = [record.json["id"] for record in world.read(made.results)]
    assert answered == list(range(len(answered)))
    assert len(answered) < number
    assert world.lag(group_of(made.source), made.source) == number - len(answered)
    assert world.read(made.dead) == []
    assert len(world.read(made.others)) == 50


@pytest.mark.kafka
def test_documents_wait_while_sts_is_away(world: World, account: Account) -> None:
    """Longer than a session lives, and than the attempts of a call last: nothing is dead-lettered, no
    processor starts again, the worker says 503 and which connection it is, the neighbour goes on. With STS
    back every record is a result once, in order."""
    made = begun(world, account, retry={"maxAttempts": 2})
    account.sts.failure = (500, "InternalFailure")
    number = 50

    def held() -> bool:
        nonlocal number
        if number < 150:
            world.produce(made.source, [{"id": number}])
            number += 1
        return "NoCredentials" in made.worker.log() and made.is_not_ready()

    until(held, 40, "a hold of the function, and not ready")
    made.neighbour_goes_on(50)
    account.restore()
    made.all_answered()
    until(made.worker.is_ready, 30, "ready again")
    assert [record.json["id"] for record in world.read(made.results)] == list(range(number))
    assert world.read(made.dead) == []
    assert restarts_of(made.worker, "orders") == 0
