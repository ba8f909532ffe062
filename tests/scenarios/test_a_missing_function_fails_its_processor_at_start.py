"""The preflight of a worker: a function that is not there, and a processor beside it that works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until


@pytest.mark.kafka
def test_a_missing_function_fails_its_processor_at_start(
    kafka: str, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    """One processor is FAILED with the reason before it took a record, the other does its work; with
    `preflight: warn` the first would have been started."""
    world = World(kafka, tmp_path, topic_name)
    try:
        source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
        other = world.topic("other")
        world.start_stub(f={"outcome": "echo"})
        world.configure_stub(known_only=True)
        app = world.write_app(
            world.connections(),
            {
                "good": calling(world, source, results, dead, {"as": "r"}),
                "bad": calling(world, other, results, dead, {"functionName": "nope", "as": "r"}),
            },
        )
        world.produce(source, [{"n": 1}])
        world.produce(other, [{"n": 2}])
        worker = world.ready_worker(app)
        until(lambda: world.lag(group_of(source), source) == 0, 30, "the good one at the end")
        bad = worker.status("bad")
        assert bad["state"] == "FAILED"
        assert "pipeline[1].$externalFunction: there is no function nope" in worker.log()
        assert world.lag(group_of(other), other) == 1
        assert [record.json for record in world.read(results)] == [{"n": 1, "r": {"n": 1}}]
        assert world.count(dead) == 0
    finally:
        world.stop()
