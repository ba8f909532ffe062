"""Sessions of a role that end all the time, and the secrets behind them rotated, under load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.lambda_stub import LambdaStub, Seen
from tests.fakes.sts_stub import StsStub
from tests.fakes.stub_thread import stub_in_thread
from tests.scenarios.stories import calling, group_of, restarts_of
from tests.scenarios.world import WorkerProcess, World, until

ROLE = "arn:aws:iam::123456789012:role/penstock"
OLD_ID, NEW_ID, WRONG_ID = "tenant-7-before", "tenant-7-after", "tenant-8"
OLD_KEY, NEW_KEY = ("AKIDOLD", "old-secret-of-the-story"), ("AKIDNEW", "new-secret-of-the-story")
# Keys that live so long are renewed each second: what is left of them when they are is the room for a machine
# that stands still.
LIFE_SECONDS = 20.0
CHUNK = 100
# Written and not yet answered: enough for every place, far below what would outlast the scenario.
AHEAD = 1_000


@dataclass
class Account:
    """AWS, as far as this story goes: who may assume the role, and whose sessions hold."""

    sts: StsStub
    functions: LambdaStub
    sessions: list[str] = field(default_factory=list)
    """Tokens that calls were signed with, in order of their first call."""
    refused: list[str] = field(default_factory=list)
    """Of calls that were signed with a session that had ended, or with none."""
    called_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.functions.refuses = self._refuses
        self.functions.keep_requests = False

    def _refuses(self, seen: Seen) -> str | None:
        token = seen.headers.get("x-amz-security-token", "")
        if self.sts.ends.get(token, 0.0) <= time.time():
            self.refused.append(token)
            return "ExpiredTokenException"
        if seen.headers["x-amz-invocation-type"] != "DryRun":
            if token not in self.sessions:
                self.sessions.append(token)
            self.called_at.append(time.monotonic())
        return None

    @property
    def ran(self) -> int:
        return self.functions.function("f").calls


@pytest.fixture
def account() -> Iterator[Account]:
    """STS and Lambda, with the first keys."""
    with StsStub(ROLE, OLD_ID, LIFE_SECONDS) as sts, stub_in_thread() as functions:
        sts.access_key_id = OLD_KEY[0]
        yield Account(sts, functions)


@dataclass
class Load:
    """Records that are written as fast as they are answered, numbered from 0."""

    world: World
    source: str
    results: str
    written: int = 0

    def until(self, condition: Any, within: float, what: str) -> None:
        """Write on until the condition holds."""

        def written_on() -> bool:
            if condition():
                return True
            if self.written - self.world.count(self.results) < AHEAD:
                self.world.produce(self.source, ({"id": self.written + n} for n in range(CHUNK)))
                self.written += CHUNK
            return False

        until(written_on, within, what)


def secret(folder: Path, name: str, value: str) -> dict[str, str]:
    """A secret in a file, and how a connection names it."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"{value}\n", "utf-8")
    return {"file": str(folder / name)}


def role_of(account: Account, folder: Path, external_id: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "AWSLambda", "region": "eu-central-1", "endpointUrl": account.functions.url, "roleArn": ROLE,
        "externalId": external_id, "accessKeyId": secret(folder, "key", OLD_KEY[0]),
        "secretAccessKey": secret(folder, "secret", OLD_KEY[1]),
    }  # fmt: skip


def start(world: World, app: Path, account: Account) -> WorkerProcess:
    env = {"AWS_ENDPOINT_URL_STS": account.sts.url, "AWS_EC2_METADATA_DISABLED": "true"}
    worker = world.start_worker(app, env=env)
    until(lambda: worker.process.poll() is not None or worker.is_ready(), 40, "a ready worker")
    return worker


@pytest.mark.kafka
def test_calls_never_stop_over_a_renewal(world: World, account: Account, tmp_path: Path) -> None:
    """A session a second under load; then a renewal that STS does not answer for a while; then other keys and
    another ExternalId, the old ones refused from that moment. Every record is a result once, in order,
    nothing is dead-lettered, no processor starts again, and no call is signed with a session that has ended.
    A connection with the wrong ExternalId fails its own processor at start and no other."""
    sts, secrets = account.sts, tmp_path / "secrets"
    source, results, dead, other = (world.topic(name) for name in ("in", "out", "dead", "other"))
    app = world.write_app(
        world.connections(
            functions=role_of(account, secrets, secret(secrets, "external-id", OLD_ID)),
            strangers=role_of(account, secrets, secret(secrets, "stranger", WRONG_ID)),
        ),
        {
            "orders": calling(world, source, results, dead, {"as": "r"}),
            "stranger": calling(world, other, results, dead, {"connectionName": "strangers", "as": "r"}),
        },
    )
    world.produce(other, [{"id": -1}])
    load = Load(world, source, results)
    load.until(lambda: load.written, 10, "the first records")
    worker = start(world, app, account)
    why = f"connection strangers: cannot assume role {ROLE}"
    until(lambda: why in str(worker.status("stranger").get("errors")), 20, "the stranger's error")

    load.until(lambda: len(account.sessions) > 3, 40, "calls with four sessions")
    first = account.sessions[0]
    load.until(lambda: sts.ends[first] < time.time(), 40, "the first session's end")
    assert account.refused == []

    asked, ran = len(sts.forms), account.ran
    sts.gate.clear()
    load.until(lambda: len(sts.forms) > asked and account.ran >= ran + 200, 40, "calls beside a renewal")
    sts.gate.set()

    sts.external_id, sts.access_key_id = NEW_ID, NEW_KEY[0]
    renewed = len(sts.ends)
    for name, value in (("external-id", NEW_ID), ("key", NEW_KEY[0]), ("secret", NEW_KEY[1])):
        secret(secrets, name, value)
    load.until(lambda: len(sts.ends) > renewed + 1, 40, "sessions by the new keys")
    newest = max(sts.ends, key=sts.ends.__getitem__)
    load.until(lambda: newest in account.sessions or len(sts.ends) > renewed + 5, 40, "calls with them")
    until(lambda: world.lag(group_of(source), source) == 0, 40, "everything answered")

    seen = world.read(results)
    assert [record.json["id"] for record in seen] == list(range(load.written))
    assert world.count(dead) == 0
    assert account.ran == load.written
    assert restarts_of(worker, "orders") == 0
    assert world.lag(group_of(other), other) == 1
    until(worker.is_ready, 20, "ready")
    log = worker.log()
    assert not any(value in log for value in (OLD_ID, NEW_ID, WRONG_ID, OLD_KEY[1], NEW_KEY[1]))
