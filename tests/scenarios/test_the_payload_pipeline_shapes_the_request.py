"""`payload`: what the function gets, while the document keeps what it has."""

from __future__ import annotations

import pytest

from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until


@pytest.mark.kafka
def test_the_payload_pipeline_shapes_the_request(world: World) -> None:
    """The stages of the seed's own example: the function sees the sum of a list, the document gets the echo
    at `as.dotted` and keeps the rest; a payload that yields no document is dead-lettered although `onError`
    is ignore."""
    world.start_stub(f={"outcome": "echo"})
    source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
    payload = [
        {"$replaceRoot": {"newRoot": "$fullDocument.payloadToSend"}},
        {"$addFields": {"sum": {"$sum": "$randomArray"}}},
        {"$project": {"success": 1, "sum": 1}},
    ]
    call = {"as": "call.answer", "payload": payload, "onError": "ignore"}
    app = world.write_app(world.connections(), {"p": calling(world, source, results, dead, call)})
    good = {"id": 1, "fullDocument": {"payloadToSend": {"success": True, "randomArray": [1, 2, 3.5]}}}
    world.produce(source, [good, {"id": 2, "fullDocument": {"payloadToSend": "text"}}])
    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 30, "lag 0")

    [passed], [refused] = world.read(results), world.read(dead)
    assert passed.json == {**good, "call": {"answer": {"success": True, "sum": 6.5}}}
    assert refused.json["id"] == 2
    assert refused.why["errInfo"]["path"].startswith("pipeline[1].$externalFunction.payload[0].$replaceRoot")
