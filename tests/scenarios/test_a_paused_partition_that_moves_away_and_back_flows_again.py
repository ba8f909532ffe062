"""The client keeps a pause over revoke and re-assign; the worker must not."""

from __future__ import annotations

import pytest

from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until

COUNT = 3_000


@pytest.mark.kafka
@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_a_paused_partition_that_moves_away_and_back_flows_again(world: World, protocol: str) -> None:
    """A stalled function fills the room, the partitions pause; a second worker takes half of them and leaves
    again; the function answers: everything arrives."""
    world.kafka_extra["groupProtocol"] = protocol
    world.start_stub(f={"outcome": "hang"})
    source, results, dead = world.topic("in", 4), world.topic("out", 4), world.topic("dead")
    call = {"as": "x", "parallelism": 50, "timeout": "4s", "retry": {"maxAttempts": 1}, "onError": "ignore"}
    options = {"maxBufferedRecords": 400, "revokeDrain": "200ms"}
    app = world.write_app(world.connections(), {"p": calling(world, source, results, dead, call, **options)})
    for partition in range(4):
        world.produce(source, [{"id": number} for number in range(partition, COUNT, 4)], partition=partition)
    first = world.ready_worker(app)
    until(lambda: first.status("p").get("paused", 0) == 4, 30, "four paused partitions")
    second = world.ready_worker(app)
    until(lambda: second.status("p").get("assigned", 0) == 2, 40, "two partitions moved")
    until(lambda: second.status("p").get("paused", 0) == 2, 30, "paused there, too")
    world.start_stub(f={"outcome": "static", "body": "1"})
    second.kill()
    until(lambda: first.status("p").get("assigned", 0) == 4, 60, "the partitions came back")
    until(lambda: world.lag(group_of(source), source) == 0, 90, "lag 0")
    assert first.process.poll() is None
    assert {record.json["id"] for record in world.read(results)} == set(range(COUNT))
