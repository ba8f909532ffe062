"""kill -9 of one of three workers in mid-flow, under both group protocols."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.scenarios.fates import PLAN_JSON, account, document
from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import WorkerProcess, World, until

COUNT = 50_000
PARTITIONS = 8
PARALLELISM = 64
# However fast the machine is, three workers take 10 s for all of it: the kill comes in mid-flow.
LATENCY_MS = 40
# The sessions here are 6 and 10 s: who notices a kill only after a client's default did not go by them.
DEFAULT_SESSION_SECONDS = 45


def emitted(worker: WorkerProcess) -> int:
    return int(worker.status("p").get("emitted", -1))


def rate_of(worker: WorkerProcess) -> float:
    """Records a second from one status to a later one."""
    stale = emitted(worker)
    until(lambda: emitted(worker) > stale, 20, "a status")
    before, began = emitted(worker), time.monotonic()
    until(lambda: time.monotonic() - began > 1.5 and emitted(worker) > before, 20, "a later status")
    return (emitted(worker) - before) / (time.monotonic() - began)


@pytest.mark.kafka
@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_a_killed_worker_loses_nothing(
    world: World, protocol: str, record_property: Callable[[str, object], None]
) -> None:
    """Every id ends in its place at least once; what is repeated is at most what was open at the kill plus
    two seconds of its rate, because offsets are committed each half second behind acked output, and the
    broker of a busy machine takes its time for that."""
    world.kafka_extra["groupProtocol"] = protocol
    world.start_stub(f={**PLAN_JSON, "latency_ms": LATENCY_MS})
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
    rate = rate_of(victim)
    assert world.lag(group_of(source), source) > 0, "the kill must come in mid-flow"
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
    allowed = PARALLELISM + rate * 2.0
    figures = (
        f"{protocol}: {found}, allowed {allowed:.0f}, failover {failover_seconds:.1f} s, rate {rate:.0f}/s"
    )
    record_property("figures", figures)
    print(figures)
    assert not found.lost
    assert not found.misplaced
    assert found.repeats <= allowed, figures
    assert failover_seconds < DEFAULT_SESSION_SECONDS
