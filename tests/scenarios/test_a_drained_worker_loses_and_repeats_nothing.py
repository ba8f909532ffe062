"""SIGTERM with open calls shorter than the drain."""

from __future__ import annotations

import pytest

from tests.scenarios.fates import PLAN_JSON, account, document
from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until

COUNT = 6_000


@pytest.mark.kafka
@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_a_drained_worker_loses_and_repeats_nothing(world: World, protocol: str) -> None:
    """Calls of 200 ms, SIGTERM in mid-flow, exit code 0, a second worker does the rest: every id exactly once
    in its place, and no call was made twice."""
    world.kafka_extra["groupProtocol"] = protocol
    world.start_stub(f={**PLAN_JSON, "latency_ms": 200})
    source, results, dead = world.topic("in", 4), world.topic("out", 4), world.topic("dead")
    processor = calling(world, source, results, dead, {"as": "answer", "parallelism": 200})
    processor["pipeline"].insert(1, {"$match": {"keep": True}})
    app = world.write_app(world.connections(), {"p": processor})
    world.produce(source, (document(number) for number in range(COUNT)))
    worker = world.ready_worker(app)
    until(lambda: world.count(results) > COUNT / 5, 60, "mid-flow")
    worker.terminate()
    assert worker.wait() == 0, worker.log()[-2_000:]
    assert world.lag(group_of(source), source) > 0, "the signal must come in mid-flow"
    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 90, "lag 0")

    found = account(COUNT, world.read(results), world.read(dead))
    assert not found.lost
    assert not found.misplaced
    assert found.repeats == 0
    assert max(world.stub_stats("f")["ids"].values()) == 1
