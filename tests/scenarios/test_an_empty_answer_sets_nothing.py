"""0 bytes, text that is no JSON, and Extended JSON as answers."""

from __future__ import annotations

import pytest

from tests.scenarios.stories import group_of, story
from tests.scenarios.world import World, until


@pytest.mark.kafka
def test_an_empty_answer_sets_nothing(world: World) -> None:
    """0 bytes leave `as` unset, text arrives as a string, a JSON scalar as itself, the whole envelope where
    it is asked for."""
    world.start_stub(
        empty={"outcome": "empty"},
        text={"outcome": "static", "body": "plain words"},
        number={"outcome": "static", "body": "42"},
        whole={"outcome": "static", "body": '{"a":1}', "executed_version": "7"},
    )
    source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
    stages = [
        {"$externalFunction": {"connectionName": "functions", "functionName": name, "as": name}}
        for name in ("empty", "text", "number")
    ]
    whole = {"connectionName": "functions", "functionName": "whole", "as": "whole", "response": "envelope"}
    stages.append({"$externalFunction": whole})
    app = world.write_app(world.connections(), {"p": story(world, source, results, dead, stages)})
    world.produce(source, [{"id": 1}])
    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 30, "lag 0")

    [passed] = world.read(results)
    assert passed.json == {
        "id": 1,
        "text": "plain words",
        "number": 42,
        "whole": {"StatusCode": 200, "ExecutedVersion": "7", "Payload": {"a": 1}},
    }
    assert world.count(dead) == 0
