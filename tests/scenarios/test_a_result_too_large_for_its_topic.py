"""A result that its topic refuses becomes a dead letter; one that both refuse keeps its coordinates."""

from __future__ import annotations

import random

import pytest

from tests.scenarios.stories import group_of, story
from tests.scenarios.world import World, until


@pytest.mark.kafka
def test_a_result_too_large_for_its_topic(world: World) -> None:
    """The partition goes on in both cases."""
    source = world.topic("in", max_message_bytes="4000000")
    results = world.topic("out", max_message_bytes="20000")
    dead = world.topic("dead", max_message_bytes="200000")
    app = world.write_app(
        world.connections(), {"p": story(world, source, results, dead, [{"$addFields": {"x": 1}}])}
    )
    chance = random.Random(1)  # what compresses would fit after all
    sizes = [10, 50_000, 1_500_000, 20]
    world.produce(source, [{"id": size, "pad": chance.randbytes(size // 2).hex()} for size in sizes])
    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 40, "lag 0")
    # The broker refused 10 with its batch; sent again by itself it came behind 20. Neighbours share a batch
    # only up to 1 MB (batch.size), so topics with the usual limit of 1 MB or more never see this.
    assert sorted(record.json["id"] for record in world.read(results)) == [10, 20]
    whole, cut = sorted(world.read(dead), key=lambda record: record.value is None)
    assert whole.json["id"] == 50_000
    assert whole.why["errInfo"]["class"] == "ResultTooLarge"
    assert cut.value is None
    assert cut.why["truncated"] is True
    assert cut.why["valueBytes"] > 1_500_000
    assert cut.why["_stream_meta"]["source"]["offset"] == 2
