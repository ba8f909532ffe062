"""A function that takes few calls at a time: how many, and who gets them."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.scenarios.flow import Samples, calls_of, documents, ids_in, samples_until
from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until

LIMIT = 10
PARALLELISM = 40
# 100 a second go under the limit: enough for two minutes, and for as long as a busy machine takes to look.
RECORDS = 12_000
SLOW = {"latency_ms": 100}


def _hint(now: Samples) -> float:
    return now.sum("penstock_scale_hint_records")


def _lag(now: Samples) -> float:
    return now.sum("penstock_consumer_lag_records")


@pytest.mark.kafka
def test_a_functions_limit_is_learned_and_left_when_it_is_gone(world: World) -> None:
    """While the function takes 10 calls at a time, about as many are open, few are throttled and more workers
    would not help; when it takes all, `parallelism` is reached and the lag is one that they could remove.
    Nothing is dead-lettered, nothing repeated."""
    world.start_stub(f={**SLOW, "concurrency": LIMIT})
    source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
    call = {"as": "x", "parallelism": PARALLELISM}
    processor = calling(world, source, results, dead, call, maxBufferedRecords=200)
    app = world.write_app(world.connections(), {"p": processor})
    world.produce(source, documents(0, RECORDS))
    worker = world.ready_worker(app)
    until(lambda: world.stub_stats("f")["calls"] >= 500, 60, "calls under the limit")
    learned = samples_until(
        worker,
        lambda now: 0 < now.sum("penstock_function_limit") <= LIMIT + 2 and _lag(now) and not _hint(now),
    )
    until(learned, 40, "the limit, and lag that no worker could remove")
    stats = world.stub_stats("f")
    assert 0 < stats["outcomes"]["error"] < 0.2 * stats["calls"]

    world.start_stub(f=SLOW)
    free = samples_until(
        worker,
        lambda now: now.sum("penstock_function_limit") == PARALLELISM and _hint(now) == _lag(now) > 0,
    )
    until(free, 40, "all of `parallelism`, and lag that workers could remove")
    world.start_stub(f={"latency_ms": 0})
    until(lambda: world.lag(group_of(source), source) == 0, 60, "lag 0")
    assert ids_in(world, results) == list(range(RECORDS))
    assert world.count(dead) == 0


@pytest.mark.kafka
def test_two_processors_share_the_limit_of_a_function(world: World) -> None:
    """Both want all of it: each gets a half, within 20%, though one may keep four times as many calls
    open."""
    world.start_stub(f={**SLOW, "concurrency": 2 * LIMIT})
    dead = world.topic("dead")
    topics = {name: (world.topic(f"{name}-in"), world.topic(f"{name}-out")) for name in ("few", "many")}
    app = world.write_app(
        world.connections(),
        {
            name: calling(world, *topics[name], dead, {"as": "x", "parallelism": most})
            for name, most in (("few", PARALLELISM), ("many", 4 * PARALLELISM))
        },
    )
    for source, _ in topics.values():
        world.produce(source, documents(0, 3_000))
    worker = world.ready_worker(app)
    seen: list[Counter[str]] = []

    def have_all_made(count: int) -> bool:
        """Both made as many calls since the last look that counted, which this one is then."""
        now = calls_of(worker)
        if min(now[name] - (seen[-1][name] if seen else 0) for name in topics) < count:
            return False
        seen.append(now)
        return True

    until(lambda: have_all_made(100), 60, "calls of both")
    until(lambda: have_all_made(400), 60, "400 more calls of each")
    since = seen[1] - seen[0]
    assert since["few"] == pytest.approx(since["many"], rel=0.2)
    world.start_stub(f={"latency_ms": 0})
    for source, results in topics.values():
        until(lambda source=source: world.lag(group_of(source), source) == 0, 60, "lag 0")  # type: ignore[misc]
        assert ids_in(world, results) == list(range(3_000))
    assert world.count(dead) == 0
