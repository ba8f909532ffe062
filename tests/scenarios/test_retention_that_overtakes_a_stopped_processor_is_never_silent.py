"""The committed offset is gone: FAILED with the count, unless `onDataLoss` says how to go on."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import TopicPartition

from tests.scenarios.stories import group_of, story
from tests.scenarios.world import World, until


@pytest.mark.kafka
@pytest.mark.parametrize("on_loss", ["fail", "earliest", "latest"])
def test_retention_that_overtakes_a_stopped_processor_is_never_silent(world: World, on_loss: str) -> None:
    """30 records between the committed offset and the first one left: fail names the 30 and takes nothing;
    earliest goes on with the first one left; latest with what comes."""
    source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
    options: dict[str, Any] = {"onDataLoss": on_loss}
    app = world.write_app(
        world.connections(), {"p": story(world, source, results, dead, [{"$addFields": {"x": 1}}], **options)}
    )
    world.produce(source, [{"id": number} for number in range(20)])
    worker = world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 30, "the first 20")
    worker.terminate()
    assert worker.wait() == 0
    world.produce(source, [{"id": number} for number in range(20, 70)])
    deleted = world.admin().delete_records([TopicPartition(source, 0, 50)])
    for answer in deleted.values():
        answer.result(60)

    again = world.start_worker(app)
    if on_loss == "fail":
        until(lambda: again.status("p").get("state") == "FAILED", 30, "FAILED")
        error = str(again.status("p"))
        assert "30 records" in error
        assert "onDataLoss" in error
        assert len(world.read(results)) == 20
        return
    until(again.is_ready, 30, "ready")
    until(lambda: world.lag(group_of(source), source) == 0, 30, "lag 0")
    world.produce(source, [{"id": 70}])
    until(lambda: len(world.read(results)) > 20 and world.lag(group_of(source), source) == 0, 30, "record 70")
    ids = [record.json["id"] for record in world.read(results)]
    assert ids == [*range(20), *(range(50, 71) if on_loss == "earliest" else [70])]
