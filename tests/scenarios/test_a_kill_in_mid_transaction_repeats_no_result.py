"""kill -9 under exactly-once, again and again, under both group protocols."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.fates import PLAN_JSON, account, document
from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import WorkerProcess, World, until

COUNT = 30_000
PARTITIONS = 8
KILLS = 4


@pytest.mark.kafka
@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_a_kill_in_mid_transaction_repeats_no_result(
    world: World, protocol: str, record_property: Callable[[str, object], None]
) -> None:
    """Results and dead letters of every id are there exactly once, as a read_committed consumer sees them;
    each killed worker comes back under its old transactional id. Calls are at-least-once all the same."""
    world.kafka_extra["groupProtocol"] = protocol
    world.start_stub(f={**PLAN_JSON, "latency_ms": 5})
    source, results, dead = world.topic("in", PARTITIONS), world.topic("out", PARTITIONS), world.topic("dead")
    processor = calling(
        world, source, results, dead, {"as": "answer", "parallelism": 16}, delivery="exactly-once"
    )
    processor["pipeline"].insert(1, {"$match": {"keep": True}})
    app = world.write_app(world.connections(), {"p": processor})
    workers = [_start(world, app, number) for number in range(2)]
    for worker in workers:
        until(worker.is_ready, 60, "ready workers")
    world.produce(source, (document(number) for number in range(COUNT)))
    for kill in range(KILLS):
        until(lambda kill=kill: _settled(world, source) > COUNT * (kill + 1) * 0.12, 90, "progress")  # type: ignore[misc]
        victim = kill % 2
        workers[victim].kill()
        workers[victim] = _start(world, app, victim)
    began = time.monotonic()
    until(lambda: world.lag(group_of(source), source) == 0, 120, "lag 0")
    found = account(COUNT, world.read(results), world.read(dead))
    aborted = len(world.read(results, committed_only=False)) - len(world.read(results))
    figures = (
        f"{protocol}: {KILLS} kills, {found}, {aborted} results in aborted transactions, "
        f"lag 0 after {time.monotonic() - began:.1f} s, calls {world.stub_stats('f')['calls']}"
    )
    record_property("figures", figures)
    print(figures)
    assert not found.lost
    assert not found.misplaced
    assert found.repeats == 0, figures


def _start(world: World, app: Path, number: int) -> WorkerProcess:
    """Each with a slot of its own, as two pods have."""
    return world.start_worker(app, env={"PENSTOCK_SLOT": f"pod-{number}"})


def _settled(world: World, source: str) -> int:
    return COUNT - world.lag(group_of(source), source)
