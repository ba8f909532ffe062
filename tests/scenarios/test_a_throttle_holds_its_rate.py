"""`$throttle` on a real broker."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.stories import group_of, story
from tests.scenarios.world import World, until

RATE = 100
RECORDS = 500


@pytest.mark.kafka
def test_a_throttle_holds_its_rate(world: World) -> None:
    """500 records that are there at once pass at 100 a second, within 10%, in order, and none is lost."""
    source, results, dead = (
        world.topic("in", partitions=1),
        world.topic("out", partitions=1),
        world.topic("dead"),
    )
    stages: list[dict[str, Any]] = [
        {"$throttle": {"messagesPerSec": RATE}},
        {"$addFields": {"at": {"$toLong": {"$currentDate": {}}}}},
    ]
    app = world.write_app(world.connections(), {"p": story(world, source, results, dead, stages)})
    world.produce(source, [{"id": number} for number in range(RECORDS)])
    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 30, "lag 0")

    found = [seen.json for seen in world.read(results)]
    assert [doc["id"] for doc in found] == list(range(RECORDS))
    seconds = (found[-1]["at"] - found[0]["at"]) / 1_000
    assert RATE * 0.9 <= RECORDS / seconds <= RATE * 1.1
    assert world.count(dead) == 0
