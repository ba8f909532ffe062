"""Holds where something else happens beside them, and what is seen of them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.fakes.lambda_behaviour import Behaviour
from tests.unit.engine.batch_sites import batched, by_record
from tests.unit.engine.rig import FIRST, NEVER, SECOND, Rig, build, calling_program, running, site
from workers.calls.contract import CallFailure
from workers.metrics import (
    BREAKER_OPEN,
    CALLS_LIMIT,
    HOLD_PROBES,
    HOLD_SECONDS,
    HOLD_STATE,
    HOLD_WAITING,
    Metric,
)
from workers.pipeline.program import BreakerSpec, HoldSpec, RetrySpec

GONE = Behaviour(outcome="error", status=404, error_type="ResourceNotFoundException")
EXPIRED = Behaviour(outcome="error", status=403, error_type="ExpiredTokenException")
BOOM = Behaviour(outcome="function_error", error_type="Boom")
WELL = Behaviour()
AT_ONCE = HoldSpec(timeout_seconds=0.001)


def read(rig: Rig, metric: Metric, *labels: str) -> float:
    """A sample as it would be scraped now."""
    rig.processor.status()
    child = (rig.metrics.counter if metric.kind == "counter" else rig.metrics.gauge)(
        metric, "orders", "f", *labels
    )
    return float(child._value.get())


async def test_refused_keys_are_waited_for_after_a_hold_in_vain() -> None:
    """What `onError` got while the function was gone says nothing of the worker's own keys: no dead letter,
    and the worker is ready again with the first call that goes well."""
    async with running(calling_program(site(hold=AT_ONCE))) as rig:
        rig.invoker.program("f", GONE)
        rig.give({"id": 1})
        await rig.all_committed(1)
        assert read(rig, HOLD_STATE, "spent") == 1
        rig.invoker.program("f", EXPIRED)
        probes = read(rig, HOLD_PROBES)
        rig.give({"id": 2}, {"id": 3})
        await rig.until(lambda: read(rig, HOLD_PROBES) >= probes + 2)
        assert not rig.processor.fanouts[0].is_ready
        rig.invoker.program("f", WELL)
        await rig.all_committed(3)
        assert (rig.ids(), len(rig.letters())) == ([2, 3], 1)
        assert rig.processor.fanouts[0].is_ready


async def test_the_worker_is_ready_when_its_keys_are_taken_again() -> None:
    """Also where what is refused then is the function: it is held for another reason."""
    async with running(calling_program(site())) as rig:
        rig.invoker.program("f", EXPIRED)
        rig.give({"id": 1})
        await rig.until(lambda: not rig.processor.fanouts[0].is_ready)
        rig.invoker.program("f", GONE)
        await rig.until(lambda: rig.processor.fanouts[0].is_ready)
        assert read(rig, HOLD_STATE, "open") == 0
        rig.invoker.program("f", WELL)
        await rig.all_committed(1)


async def test_seconds_of_a_hold_are_counted_while_it_lasts() -> None:
    """By whose fault it is, from its first to its last, and no longer."""
    async with running(calling_program(site()), settings={"pace": NEVER}) as rig:
        assert read(rig, HOLD_SECONDS, "function") == 0
        before = time.monotonic()
        rig.invoker.program("f", GONE)
        rig.give({"id": 1})
        await rig.until(lambda: read(rig, HOLD_STATE, "held") == 1)
        began = time.monotonic()
        await rig.until(lambda: time.monotonic() - began > 0.05)
        least, seen = time.monotonic() - began, read(rig, HOLD_SECONDS, "function")
        assert least <= seen <= time.monotonic() - before
        assert read(rig, HOLD_SECONDS, "function") >= seen
        assert read(rig, HOLD_SECONDS, "account") == 0


async def test_a_hold_that_is_over_counts_no_more_seconds() -> None:
    """What is shown is the sum of all holds."""
    async with running(calling_program(site())) as rig:
        rig.invoker.program("f", GONE)
        rig.give({"id": 1})
        await rig.until(lambda: read(rig, HOLD_PROBES) >= 2)
        rig.invoker.program("f", WELL)
        await rig.all_committed(1)
        seen = read(rig, HOLD_SECONDS, "function")
        assert seen > 0
        began = time.monotonic()
        await rig.until(lambda: time.monotonic() - began > 0.02)
        assert read(rig, HOLD_SECONDS, "function") == seen


async def test_an_open_breaker_is_seen_until_its_hold_ends() -> None:
    """And only a hold that the breaker began."""
    breaking = site(breaker=BreakerSpec(0.5, 10), parallelism=1)
    async with running(calling_program(breaking)) as rig:
        assert read(rig, BREAKER_OPEN) == 0
        rig.invoker.program("f", BOOM)
        rig.give(*({"id": n} for n in range(30)))
        await rig.until(lambda: read(rig, HOLD_STATE, "open") == 0)
        assert read(rig, BREAKER_OPEN) == 1
        rig.invoker.program("f", WELL)
        await rig.all_committed(30)
        assert read(rig, BREAKER_OPEN) == 0
        rig.invoker.program("f", GONE)
        rig.give({"id": 30})
        await rig.until(lambda: read(rig, HOLD_STATE, "open") == 0)
        assert read(rig, BREAKER_OPEN) == 0
        rig.invoker.program("f", WELL)
        await rig.all_committed(31)


async def test_two_call_sites_on_one_function_are_seen_as_their_sum() -> None:
    """A hold of the first is not hidden by the second, which is open."""
    again = site(path="pipeline[4].$externalFunction")
    async with running(calling_program(site(parallelism=2), again), settings={"pace": NEVER}) as rig:
        rig.invoker.program("f", GONE)
        rig.give({"id": 1})
        await rig.until(lambda: read(rig, HOLD_STATE, "held") == 1)
        assert (read(rig, HOLD_STATE, "open"), read(rig, HOLD_WAITING), read(rig, CALLS_LIMIT)) == (1, 1, 6)


async def test_records_that_are_to_go_again_hold_up_no_drain_of_a_held_function() -> None:
    """Their time comes while nothing is called: they are the next owner's."""
    retry = RetrySpec(max_attempts=3, max_elapsed_seconds=60.0, base_seconds=0.3, cap_seconds=0.3)
    settings = {"pace": NEVER, "drain_timeout_seconds": 60.0}
    async with running(calling_program(batched(1, parallelism=1, retry=retry)), settings=settings) as rig:
        rig.invoker.script("f", by_record(lambda _: {"result": "retry"}))
        rig.give({"id": 1})
        await rig.until(lambda: len(rig.invoked()) == 1)
        await rig.rest()
        del rig.invoker._scripts["f"]
        rig.invoker.program("f", GONE)
        rig.give({"id": 2})
        await rig.until(lambda: read(rig, HOLD_STATE, "held") == 1)
        await rig.stop()
        assert (rig.committed(), rig.letters()) == (0, [])


async def test_a_call_that_cannot_be_made_again_pays_for_nothing() -> None:
    """Nor does it wait for an empty budget: its permit may be the one that a probe needs."""
    async with running(calling_program(site())) as rig:
        (line,) = rig.processor.fanouts
        budget = rig.callees.of("aws", "f").budget
        failure = CallFailure("no", "HTTP 500", "function", True)
        await line._flow.again(failure, 0.0, lambda: True)  # type: ignore[attr-defined]
        assert budget.share_left == 1.0
        while not budget.spend(time.monotonic()):
            pass
        await asyncio.wait_for(line._flow.again(failure, 0.0, lambda: True), 20.0)  # type: ignore[attr-defined]
        await line._flow.again(failure, 0.0, lambda: False)  # type: ignore[attr-defined]
        assert budget.share_left < 0.01


@pytest.mark.parametrize("kind", [site, batched], ids=["documents", "batches"])
async def test_a_bug_that_a_timer_meets_ends_the_engine(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hold that nobody probes any more would keep its partitions for good, and nobody would see it."""
    rig = build(calling_program(kind()))

    def crash(*_: object) -> None:
        raise RuntimeError("a planted bug")

    monkeypatch.setattr(rig.processor.fanouts[0], "probe", crash)
    rig.processor.start(rig.source)
    rig.invoker.program("f", GONE)
    rig.give({"id": 1})
    ends = time.monotonic() + 20.0
    while not rig.crashes:
        assert time.monotonic() < ends, "nobody was told"
        rig.turn()
        await asyncio.sleep(0)
    assert str(rig.crashes[0]) == "a planted bug"
    rig.processor.halt()
    await rig.processor.close()


@pytest.mark.parametrize("kind", [site, partial(batched, 1)], ids=["documents", "batches"])
async def test_a_hold_that_begins_within_a_drain_ends_it(kind: Any) -> None:
    """What waits behind the call that began it is not called with any more: the next owner takes it up."""
    later = kind(path="pipeline[4].$externalFunction", function="g", parallelism=1)
    settings = {"pace": NEVER, "revoke_drain_seconds": 60.0}
    async with running(calling_program(site(), later), partitions=2, settings=settings) as rig:
        rig.invoker.hold()
        rig.invoker.program("g", replace(GONE, latency_ms=1_000))
        rig.give({"id": 1})
        await rig.until(lambda: rig.invoker.function("g").calls == 1, advance=1e-6)
        rig.give({"id": 2}, {"id": 3}, to=SECOND)
        await rig.until(lambda: rig.processor.fanouts[1].waiting == 2, advance=1e-6)
        run = rig.processor.partitions[SECOND]
        moving = asyncio.create_task(rig.revoke(SECOND))
        await rig.until(lambda: run.draining)
        await rig.rest()
        assert not moving.done()
        await rig.until(moving.done, advance=2.0)
        await moving
        assert list(rig.processor.partitions) == [FIRST]
        assert (rig.committed(SECOND), rig.letters()) == (0, [])
