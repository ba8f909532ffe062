"""`$throttle` on a real broker."""

from __future__ import annotations

from statistics import median
from typing import Any

import pytest

from tests.scenarios.stories import group_of, story
from tests.scenarios.world import World, until

RATE = 100
RECORDS = 500


@pytest.mark.kafka
def test_a_throttle_holds_its_rate(world: World) -> None:
    """500 records that are there at once pass at 100 a second, within 10%, in order, and none is lost. It is
    the median of all seconds that is held to it: in some a busy machine stands still."""
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
    at = [doc["at"] for doc in found]
    seconds = [(later - earlier) / 1_000 for earlier, later in zip(at, at[RATE:], strict=False)]
    assert 0.9 <= median(seconds) <= 1.1
    assert world.count(dead) == 0
