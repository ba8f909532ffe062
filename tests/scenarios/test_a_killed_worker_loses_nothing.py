"""kill -9 of one of three workers in mid-flow, under both group protocols."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.scenarios.fates import PLAN_JSON, account, document
from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until

COUNT = 50_000
PARTITIONS = 8
PARALLELISM = 64


@pytest.mark.kafka
@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_a_killed_worker_loses_nothing(
    world: World, protocol: str, record_property: Callable[[str, object], None]
) -> None:
    """Every id ends in its place at least once; what is repeated is at most what was open at the kill plus a
    second of its rate, because offsets are committed each half second behind acked output."""
    world.kafka_extra["groupProtocol"] = protocol
    world.start_stub(f={**PLAN_JSON, "latency_ms": 5})
    source, results, dead = world.topic("in", PARTITIONS), world.topic("out", PARTITIONS), world.topic("dead")
    processor = calling(world, source, results, dead, {"as": "answer", "parallelism": PARALLELISM})
    processor["pipeline"].insert(1, {"$match": {"keep": True}})
    app = world.write_app(world.connections(), {"p": processor})
    workers = [world.start_worker(app) for _ in range(3)]
    for worker in workers:
        until(worker.is_ready, 60, "three ready workers")
    until(
        lambda: all(worker.status("p").get("assigned") for worker in workers),
        60,
        "partitions on every worker",
    )
    world.produce(source, (document(number) for number in range(COUNT)))
    until(lambda: world.count(results) > COUNT * 0.1, 60, "a tenth of the results")

    victim = workers[1]
    before = victim.status("p")
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 2.0, 5, "two frames of a second each")
    last = victim.status("p")
    assert world.lag(group_of(source), source) > 0, "the kill must come in mid-flow"
    rate = (last["emitted"] - before["emitted"]) / (time.monotonic() - began)
    assert rate > 0, "the victim must be at work"
    victim.kill()
    killed_at = time.monotonic()
    survivors = [workers[0], workers[2]]
    until(
        lambda: sum(worker.status("p").get("assigned", 0) for worker in survivors) == PARTITIONS, 60,
        "the survivors own every partition",
    )  # fmt: skip
    failover_seconds = time.monotonic() - killed_at
    until(lambda: world.lag(group_of(source), source) == 0, 120, "lag 0")

    found = account(COUNT, world.read(results), world.read(dead))
    allowed = PARALLELISM + rate * 1.0
    figures = (
        f"{protocol}: {found}, allowed {allowed:.0f}, failover {failover_seconds:.1f} s, rate {rate:.0f}/s"
    )
    record_property("figures", figures)
    print(figures)
    assert not found.lost
    assert not found.misplaced
    assert found.repeats <= allowed, figures
    assert failover_seconds < 30
