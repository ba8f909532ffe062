"""PENSTOCK_STATIC_MEMBERSHIP: what the pods of a StatefulSet are started with."""

from __future__ import annotations

import re

import pytest

from tests.scenarios.stories import group_of, story
from tests.scenarios.world import WorkerProcess, World, until


def measured(worker: WorkerProcess, metric: str) -> float:
    """The sum of a metric's samples."""
    return sum(map(float, re.findall(rf"^{metric}\{{\S+ (\S+)$", worker.get("/metrics")[1], re.M)))


@pytest.mark.kafka
def test_a_restart_moves_no_partition_of_static_members(world: World) -> None:
    """A pod that comes back under its slot has its partitions again; its neighbour sees no rebalance, and
    every record is there once."""
    source, results, dead = world.topic("in", 4), world.topic("out", 4), world.topic("dead")
    app = world.write_app(
        world.connections(), {"p": story(world, source, results, dead, [{"$addFields": {"x": 1}}])}
    )

    def pod(number: int) -> WorkerProcess:
        env = {
            "PENSTOCK_STATIC_MEMBERSHIP": "true",
            "PENSTOCK_RELEASE": "ns-shop",
            "PENSTOCK_SLOT": f"shop-{number}",
        }
        return world.start_worker(app, env=env)

    first, second = pod(0), pod(1)

    def owned(worker: WorkerProcess) -> float:
        return measured(worker, "penstock_partitions_assigned") if worker.is_ready() else 0

    until(lambda: owned(first) == owned(second) == 2, 60, "two partitions each")
    members = world.admin().describe_consumer_groups([group_of(source)])[group_of(source)]
    ids = {member.group_instance_id for member in members.result(timeout=60).members}
    assert ids == {"ns-shop-shop-0-0-p", "ns-shop-shop-1-0-p"}
    world.produce(source, [{"id": number} for number in range(500)])
    until(lambda: world.count(results) == 500, 60, "500 results")
    before = measured(second, "penstock_rebalances_total")

    first.terminate()
    assert first.wait() == 0
    again = pod(0)
    until(again.is_ready, 60, "the first worker again")
    world.produce(source, [{"id": number} for number in range(500, 1_000)])
    until(lambda: world.count(results) == 1_000, 60, "1,000 results")
    assert sorted(seen.json["id"] for seen in world.read(results)) == list(range(1_000))
    assert measured(second, "penstock_rebalances_total") == before
    until(lambda: owned(again) == 2, 20, "its two partitions")
