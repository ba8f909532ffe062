"""The limit of a function, against functions with limits and faults of their own."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from statistics import fmean, median

import pytest

from tests.property.calls.function_world import FunctionWorld
from workers.calls.limiter import AdaptiveLimit, LimitBounds, share_the_cut

MOST = 200


def steady(seconds: float) -> Callable[[Random, float], float]:
    """Calls of about this long, whatever the time."""
    return lambda random, _now: seconds * (0.8 + 0.4 * random.random())


def fifty_for_a_minute(now: float) -> int:
    """Then there is no limit."""
    return 50 if now < 60 else 1_000_000


@pytest.mark.parametrize("seconds", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("reason", [None, "ReservedFunctionConcurrentInvocationLimitExceeded"])
def test_a_function_with_a_limit_of_fifty_for_a_minute(seconds: float, reason: str | None) -> None:
    """The last 40 s of it 45 to 50 are open, under 2% are throttled, and 30 s after it at least 90% of what
    is possible is reached."""
    world = FunctionWorld(
        AdaptiveLimit(LimitBounds(MOST)), fifty_for_a_minute, steady(seconds), ceiling_reason=reason
    )
    world.run(100.0)
    assert 45 <= median(world.open_between(20, 60)) <= 50
    assert world.throttled < 0.02 * world.calls
    assert fmean(world.open_between(90, 95)) >= 0.9 * MOST
    assert world.done_between(90, 100) >= 0.9 * 10 * MOST / seconds
    assert min(world.open_between(20, 60)) >= 35


def test_cold_starts_are_no_queue() -> None:
    """A limit by latency (Vegas, Gradient2) shrinks when a call in ten takes fifty times as long, and while
    all get slower."""
    cold = AdaptiveLimit(LimitBounds(MOST))
    FunctionWorld(cold, lambda _now: MOST, lambda random, _now: 0.05 if random.random() < 0.9 else 2.5).run(
        20.0
    )
    assert cold.limit == MOST
    slower = AdaptiveLimit(LimitBounds(MOST))
    FunctionWorld(slower, lambda _now: MOST, lambda _random, now: 0.05 + now / 20).run(40.0)
    assert slower.limit == MOST


def test_time_outs_that_all_take_as_long_are_a_loss() -> None:
    """Gradient2 grew to its maximum (concurrency-limits 137): their latency never changes."""
    limit = AdaptiveLimit(LimitBounds(MOST))
    world = FunctionWorld(
        limit, lambda _now: MOST, lambda _random, _now: 1.0, times_out=lambda _random, now: now > 10
    )
    world.run(10.0)
    assert limit.limit == MOST
    world.run(40.0)
    assert limit.limit <= MOST // 10
    world.run(80.0)
    assert limit.limit <= 2


def test_connections_that_drop_are_a_loss() -> None:
    """They were none to Gradient2 (176) and to Vector (4082). One in a hundred holds the limit down, not at
    the bottom."""
    limit = AdaptiveLimit(LimitBounds(MOST))
    world = FunctionWorld(
        limit, lambda _now: MOST, steady(0.1), times_out=lambda random, _now: random.random() < 0.01
    )
    world.run(60.0)
    assert 5 <= fmean(sample.limit for sample in world.samples[-600:]) < 100


def test_it_recovers_from_total_failure() -> None:
    """Vegas never did in Camunda's load tests (3306): all calls are lost for 20 s, then none."""
    limit = AdaptiveLimit(LimitBounds(MOST))
    world = FunctionWorld(limit, lambda _now: MOST, steady(0.1), times_out=lambda _random, now: 20 < now < 40)
    world.run(80.0)
    assert min(sample.limit for sample in world.samples if 30 < sample.at < 40) <= 2
    assert limit.limit == MOST
    assert world.done_between(70, 80) >= 0.9 * 10 * MOST / 0.1


def test_it_does_not_grow_where_it_is_not_reached() -> None:
    """A limit that creeps up while ten calls are open (concurrency-limits 134) protects nobody later."""
    limit = AdaptiveLimit(LimitBounds(MOST, start=16))
    FunctionWorld(limit, lambda _now: MOST, steady(0.1), backlog=lambda _now: 10).run(60.0)
    assert limit.limit == 16


def test_retries_send_no_more_than_the_limit() -> None:
    """Retries outside of the limit ran away (Vector 9026, 8636): a call that waits for its retry keeps its
    permit."""
    limit = AdaptiveLimit(LimitBounds(MOST))
    world = FunctionWorld(limit, lambda now: 0 if now < 30 else MOST, steady(0.1))
    for second in range(1, 30):
        world.run(float(second))
        assert limit.open <= limit.in_flight <= MOST
    assert world.calls <= 16, "nothing came back, so nothing new begins"
    assert world.throttled < 500
    assert limit.limit == 1


def test_a_learned_limit_is_where_the_next_worker_begins() -> None:
    """Vector began at 1 after each restart (18175)."""
    first = FunctionWorld(AdaptiveLimit(LimitBounds(MOST)), lambda _now: 50, steady(0.2)).run(30.0)
    second = FunctionWorld(
        AdaptiveLimit(LimitBounds(MOST), first.limit.export()), lambda _now: 50, steady(0.2)
    )
    second.run(5.0)
    assert median(second.open_between(0, 5)) >= 44
    assert second.throttled <= 4


def test_a_known_ceiling_is_tried_again_and_forgotten() -> None:
    """Reserved concurrency that was raised is noticed; while it stands hardly a call is refused."""
    reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
    limit = AdaptiveLimit(LimitBounds(MOST))
    world = FunctionWorld(limit, fifty_for_a_minute, steady(0.2), ceiling_reason=reason)
    world.run(59.0)
    assert 48 <= limit.ceilings[reason] <= 50
    refused = world.throttled
    assert refused <= 80
    world.run(80.0)
    assert limit.ceilings == {}


def test_one_function_does_not_slow_another() -> None:
    """botocore's adaptive mode has one bucket for all functions of a client; the account's limit is shared by
    their size, and only by those that call."""
    hot, calm, idle = (AdaptiveLimit(LimitBounds(MOST, start=40)) for _ in range(3))
    for limit, count in ((hot, 40), (calm, 10)):
        for _ in range(count):
            assert limit.acquire()
            limit.began()
    hot.lost(0.0, 1.0)
    assert (hot.limit, calm.limit, idle.limit) == (30, 40, 40)
    share_the_cut([hot, calm, idle], 2.0)
    assert (hot.limit, calm.limit, idle.limit) == (27, 9, 40)


def test_after_a_hold_it_begins_with_one() -> None:
    """A function that just came back is not met by a crowd; it has its limit again after some rounds."""
    limit = AdaptiveLimit(LimitBounds(MOST))
    world = FunctionWorld(limit, lambda _now: MOST, steady(0.1)).run(10.0)
    limit.restart()
    assert limit.limit == 1
    world.run(20.0)
    assert limit.limit == MOST


def test_the_world_is_the_same_each_time() -> None:
    """The figures above are no luck."""
    seen = [
        FunctionWorld(AdaptiveLimit(LimitBounds(20)), lambda _now: 10, steady(0.1), random=Random(3))
        .run(5.0)
        .done
        for _ in range(2)
    ]
    assert seen[0] == seen[1]
