"""`onError: fail`: FAILED, nothing committed past the document, the neighbour goes on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.stories import calling, group_of, restarts_of, story
from tests.scenarios.world import World, until


@pytest.mark.kafka
def test_a_failing_document_stops_its_processor_and_no_other(world: World) -> None:
    """Document 50 of 100 fails: results are those before it at most, the committed offset is not past it, the
    state says why once its restarts of 3 s were in vain; the other processor of the worker handles
    everything, before and after."""
    fails = {"outcome": "function_error", "error_type": "Error", "message": "document 50"}
    world.start_stub(f={"outcome": "echo"}, bad=fails)
    source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
    neighbour, others = world.topic("neighbour"), world.topic("others")
    stages: list[dict[str, Any]] = [
        {"$addFields": {"is50": {"$eq": ["$id", 50]}}},
        {
            "$externalFunction": {
                "connectionName": "functions",
                "functionName": "bad",
                "as": "x",
                "onError": "fail",
            }
        },
    ]
    failing = story(world, source, results, dead, stages, restartWindow="3s")
    failing["pipeline"].insert(1, {"$match": {"id": 50}})
    app = world.write_app(
        world.connections(),
        {"failing": failing, "other": calling(world, neighbour, others, dead, {"as": "x"})},
    )
    world.produce(source, [{"id": number} for number in range(100)])
    world.produce(neighbour, [{"id": number} for number in range(50)])
    worker = world.ready_worker(app)
    until(lambda: worker.status("failing").get("state") == "FAILED", 30, "FAILED")
    world.produce(neighbour, [{"id": number} for number in range(50, 100)])
    until(lambda: world.lag(group_of(neighbour), neighbour) == 0, 30, "the neighbour's lag 0")

    assert len(world.read(others)) == 100
    assert world.lag(group_of(source), source) == 50, "committed up to the failing document and not past it"
    assert world.count(results) == 0
    assert world.count(dead) == 0
    until(lambda: restarts_of(worker, "failing") >= 1, 20, "a start in vain")
    error = str(worker.status("failing"))
    assert "document 50" in error
    assert f"{source}[0]@50" in error
    assert (
        'penstock_processor_state{process="0",processor="failing",state="FAILED"} 1.0'
        in worker.get("/metrics")[1]
    )
