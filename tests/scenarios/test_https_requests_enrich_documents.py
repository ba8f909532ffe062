"""`$https` on a real broker and a real service: answers, statuses, retries, and what stops a processor."""

from __future__ import annotations

import json
import threading
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.fakes.http_service import Asked, Said, http_service
from tests.scenarios.stories import group_of, story
from tests.scenarios.world import World, until

RETRY = {"maxAttempts": 4, "base": "10ms", "cap": "50ms"}


@pytest.mark.kafka
def test_https_requests_enrich_documents(world: World) -> None:
    """100 documents: those that the service knows get its answer, in order; every fifth is unknown to it and
    is dead-lettered with the status; it is busy for the first attempt of every tenth, and nobody notices. The
    connection's secret arrives and shows nowhere."""
    seen: Counter[str] = Counter()
    guard = threading.Lock()

    def answer(asked: Asked) -> Said:
        assert asked.headers["authorization"] == "Bearer correct-horse"
        name = urlsplit(asked.target).path.rpartition("/")[2]
        with guard:
            seen[name] += 1
            attempt = seen[name]
        number = int(name.removeprefix("no-"))
        if number % 10 == 1 and attempt == 1:
            return Said(503, b"busy")
        if number % 5 == 0:
            return Said(404, b'{"message":"Bearer correct-horse knows no such place"}')
        unit = parse_qs(urlsplit(asked.target).query)["unit"]
        return Said(body=json.dumps({"unit": unit, "sent": json.loads(asked.body)}).encode())

    request = {
        "connectionName": "api",
        "method": "POST",
        "path": {"$concat": ["places/no-", {"$toString": "$id"}]},
        "parameters": {"unit": "$unit"},
        "payload": [{"$project": {"id": 1}}],
        "as": "place.found",
        "retry": RETRY,
        "retryOn": [429, "5xx", "connection"],
    }
    with http_service(answer) as service:
        source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
        api = {
            "type": "Https",
            "url": f"{service.url}/v1",
            "headers": {"Authorization": "Bearer correct-horse"},
        }
        processor = story(world, source, results, dead, [{"$https": request}])
        app = world.write_app(world.connections(api=api), {"p": processor})
        world.produce(source, [{"id": number, "unit": "k m"} for number in range(100)])
        worker = world.ready_worker(app)
        until(lambda: world.lag(group_of(source), source) == 0, 30, "lag 0")
        passed = [record.json for record in world.read(results)]
        letters = [record.why for record in world.read(dead)]
        log = worker.log()

    known = [number for number in range(100) if number % 5]
    assert [doc["id"] for doc in passed] == known
    assert passed[0]["place"] == {"found": {"unit": ["k m"], "sent": {"id": 1}}}
    assert sorted(letter["doc"]["id"] for letter in letters) == list(range(0, 100, 5))
    assert {letter["errInfo"]["class"] for letter in letters} == {"HTTP 404"}
    assert {letter["_stream_meta"]["https"]["httpStatusCode"] for letter in letters} == {404}
    assert seen["no-1"] == 2
    assert sum(seen.values()) == 110
    assert "correct-horse" not in json.dumps(letters) + log


@pytest.mark.kafka
def test_by_atlass_table_a_refused_key_stops_the_processor(world: World) -> None:
    """A status 401 is about the connection: nothing is dead-lettered, nothing committed, another processor of
    the worker goes on."""
    with http_service(lambda asked: Said(401 if asked.target == "/locked" else 200, b"{}")) as service:
        source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
        other, others = world.topic("in"), world.topic("out")
        processors = {
            name: story(
                world, read, write, dead,
                [{"$https": {"connectionName": "api", "path": name, "as": "answer", "onError": "ignore"}}],
                restartWindow="0s",
            )
            for name, read, write in (("locked", source, results), ("open", other, others))
        }  # fmt: skip
        app = world.write_app(world.connections(api={"type": "Https", "url": service.url}), processors)
        world.produce(source, [{"id": number} for number in range(10)])
        world.produce(other, [{"id": number} for number in range(10)])
        worker = world.start_worker(app)
        until(lambda: worker.status("locked").get("state") == "FAILED", 40, "the processor failed")
        until(lambda: world.lag(group_of(other), other) == 0, 30, "the other one ended")
        assert world.count(others) == 10
        assert world.count(results) == 0
        assert world.count(dead) == 0
        assert "the answer was 401" in worker.log()
