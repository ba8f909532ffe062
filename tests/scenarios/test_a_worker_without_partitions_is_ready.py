"""More workers than partitions: a rolling update, or one that waits for another's end."""

from __future__ import annotations

import pytest

from tests.scenarios.stories import story
from tests.scenarios.world import WorkerProcess, World, until


def assigned(worker: WorkerProcess) -> int:
    return int(worker.status("p").get("assigned", -1))


@pytest.mark.kafka
@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_a_member_of_the_group_that_gets_no_partition_is_ready(world: World, protocol: str) -> None:
    """Else a deployment with a replica too many is never available; it takes over when the other goes."""
    source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
    world.kafka_extra = {"groupProtocol": protocol}
    app = world.write_app(
        world.connections(), {"p": story(world, source, results, dead, [{"$addFields": {"x": 1}}])}
    )
    first, second = world.start_worker(app), world.start_worker(app)
    until(lambda: first.is_ready() and second.is_ready(), 60, "both are ready")
    until(lambda: sorted(map(assigned, (first, second))) == [0, 1], 20, "one has the partition")
    owner, other = sorted((first, second), key=assigned, reverse=True)
    owner.terminate()
    until(lambda: assigned(other) == 1, 60, "the partition moves")
    world.produce(source, [{"id": 1}])
    until(lambda: world.count(results) == 1, 30, "a result")
