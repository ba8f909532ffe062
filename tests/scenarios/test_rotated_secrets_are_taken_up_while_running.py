"""Access keys and an API key in files, replaced while a worker runs; the old ones are refused at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.http_service import Asked, Said, http_service
from tests.fakes.lambda_stub import Seen
from tests.fakes.stub_thread import stub_in_thread
from tests.scenarios.stories import group_of, story
from tests.scenarios.world import World, until

OLD_KEY, NEW_KEY = ("AKIDOLD", "old-secret-of-the-story"), ("AKIDNEW", "new-secret-of-the-story")
OLD_TOKEN, NEW_TOKEN = "old-token-of-the-story", "new-token-of-the-story"
CALL = {"$externalFunction": {"connectionName": "functions", "functionName": "f", "as": "r"}}
REQUEST = {"$https": {"connectionName": "api", "path": "score", "as": "s"}}


def mount(folder: Path, **values: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, value in values.items():
        (folder / f"{name}.new").write_text(f"{value}\n", "utf-8")
        (folder / f"{name}.new").rename(folder / name)


@pytest.mark.kafka
def test_rotated_secrets_are_taken_up_while_running(world: World, tmp_path: Path) -> None:
    """The services take only the new secrets before the worker has them, and the files get them later: the
    worker says 503 and which connection it is, then 200 again. Every record is a result once, none is
    dead-lettered, and no secret is in the log."""
    secrets = tmp_path / "secrets"
    mount(secrets, key=OLD_KEY[0], secret=OLD_KEY[1], token=OLD_TOKEN)
    taken = {"key": OLD_KEY[0], "token": OLD_TOKEN}

    def refused(seen: Seen) -> str | None:
        is_known = f"Credential={taken['key']}/" in seen.headers["authorization"]
        return None if is_known else "UnrecognizedClientException"

    def answer(asked: Asked) -> Said:
        headers = {name.lower(): value for name, value in asked.headers.items()}
        return Said(200 if headers.get("x-api-key") == taken["token"] else 401, b"{}")

    with stub_in_thread() as functions, http_service(answer) as service:
        functions.refuses = refused
        source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
        files = {name: {"file": str(secrets / name)} for name in ("key", "secret", "token")}
        app = world.write_app(
            world.connections(
                functions={
                    "type": "AWSLambda", "region": "eu-central-1", "endpointUrl": functions.url,
                    "accessKeyId": files["key"], "secretAccessKey": files["secret"],
                },
                api={"type": "Https", "url": service.url, "headers": {"x-api-key": files["token"]}},
            ),
            {"orders": story(world, source, results, dead, [REQUEST, CALL])},
        )  # fmt: skip
        worker = world.ready_worker(app)
        world.produce(source, [{"id": number} for number in range(100)])
        until(lambda: world.lag(group_of(source), source) == 0, 30, "the first records")

        taken["key"] = NEW_KEY[0]
        world.produce(source, [{"id": number} for number in range(100, 150)])
        refusal = "connection functions: AWS refuses its keys"
        until(lambda: (said := worker.get("/readyz"))[0] == 503 and refusal in said[1], 30, "not ready")
        mount(secrets, key=NEW_KEY[0], secret=NEW_KEY[1])
        until(lambda: world.lag(group_of(source), source) == 0, 40, "records by the new keys")
        until(worker.is_ready, 30, "ready by the new keys")

        taken["token"] = NEW_TOKEN
        world.produce(source, [{"id": number} for number in range(150, 200)])
        until(lambda: worker.status("orders").get("troubles"), 30, "a refused API key")
        mount(secrets, token=NEW_TOKEN)
        until(lambda: world.lag(group_of(source), source) == 0, 40, "records by the new API key")
        until(worker.is_ready, 30, "ready by the new API key")

    seen = [record.json for record in world.read(results)]
    assert [one["id"] for one in seen] == list(range(200))
    assert all("r" in one and "s" in one for one in seen)
    assert world.read(dead) == []
    told = worker.log() + json.dumps(worker.status("orders"))
    assert not any(value in told for value in (OLD_KEY[1], NEW_KEY[1], OLD_TOKEN, NEW_TOKEN))
