"""Limits, rates, budgets and bytes, and what call sites share of them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.lambda_behaviour import THROTTLED, Behaviour
from tests.unit.engine.batch_sites import batched
from tests.unit.engine.rig import FIRST, Rig, build, calling_program, running, site
from workers.engine.callees import Callee, Callees, Outstanding
from workers.metrics import THROTTLES

SLOW = Behaviour(latency_ms=10_000)


def callee(rig: Rig, function: str = "f") -> Callee:
    """What the processes' call sites share of a function."""
    return rig.callees.of("aws", function)


def refusing(reason: str, times: int = 0, retry_after: int | None = None) -> Behaviour:
    """A function that throttles for this reason."""
    return replace(THROTTLED, reason=reason, times=times, retry_after_seconds=retry_after)


def knowing(limit: int) -> dict[str, Any]:
    """Settings of a process that learned the limit of `f` before."""
    return {"callees": Callees(lambda: {"aws f": {"limit": limit}})}


async def test_calls_begin_with_a_few_and_double() -> None:
    """A function that was idle is not met by all places at once; with its answers come more."""
    async with running(calling_program(site(parallelism=64))) as rig:
        rig.invoker.hold()
        rig.invoker.program("f", SLOW)
        rig.give(*({"id": n} for n in range(400)))
        await rig.until(lambda: rig.invoker.open_calls() == 8)
        await rig.rest()
        assert rig.invoker.open_calls() == 8
        seen = 8
        for _ in range(40):
            rig.invoker.advance(10)
            await rig.rest()
            seen = max(seen, rig.invoker.open_calls())
        assert seen == 64


async def test_what_was_learned_survives_a_restart() -> None:
    """The next process begins with it, within the `parallelism` of its own call sites."""
    async with running(calling_program(site(parallelism=64)), settings=knowing(20)) as rig:
        rig.invoker.hold()
        rig.invoker.program("f", SLOW)
        rig.give(*({"id": n} for n in range(100)))
        await rig.until(lambda: rig.invoker.open_calls() == 20)
        learned = rig.callees.export()
        assert learned["aws f"]["limit"] == 20
        again = Callees(lambda: {**learned, "aws gone": {"limit": 3}})
        again.of("aws", "f").join("p", 8)
        assert again.of("aws", "f").limit.limit == 8
        assert again.export()["aws gone"] == {"limit": 3}


@pytest.mark.parametrize("learned", [None, [], {"limit": "x"}, {"limit": float("nan")}, {"ceilings": 1}])
async def test_what_is_no_learned_limit_is_not_looked_at(learned: Any) -> None:
    """A file may hold anything."""
    found = Callees(lambda: {"aws f": learned}).of("aws", "f")
    found.join("p", 64)
    assert found.limit.limit == 8


@pytest.mark.parametrize("kind", [site, batched], ids=["documents", "batches"])
async def test_a_functions_own_limit_is_found(kind: Any) -> None:
    """Reserved concurrency of five: every document passes, no attempt of theirs is used up, and few calls are
    refused."""
    async with running(calling_program(kind(parallelism=32))) as rig:
        outcome: Any = "echo" if kind is site else "batch"
        rig.invoker.program("f", Behaviour(outcome=outcome, latency_ms=5, concurrency=5))
        rig.give(*({"id": n} for n in range(600)))
        await rig.all_committed(600)
        assert (len(rig.results()), rig.letters()) == (600, [])
        assert callee(rig).limit.limit <= 8
        rig.processor.status()
        refused = rig.metrics.counter(
            THROTTLES, "aws", "f", "ReservedFunctionConcurrentInvocationLimitExceeded"
        )._value.get()
        assert 0 < refused < 60


async def test_two_processors_share_a_function() -> None:
    """Each has its half of what it takes, although one was there first."""
    callees = Callees(lambda: {"aws f": {"limit": 10}})
    first = build(calling_program(site(parallelism=64)), settings={"callees": callees})
    second = build(calling_program(site(parallelism=64)), settings={"callees": callees, "name": "others"})
    try:
        for rig in (first, second):
            rig.invoker.program("f", SLOW)
            rig.invoker.hold()
            rig.processor.start(rig.source)
            rig.give(*({"id": n} for n in range(200)))
            await rig.rest()
        assert (first.invoker.open_calls(), second.invoker.open_calls()) == (10, 0)
        for _ in range(4):
            first.invoker.advance(10)
            await first.rest()
            await second.rest()
        assert first.invoker.open_calls() + second.invoker.open_calls() == callees.of("aws", "f").limit.limit
        assert abs(first.invoker.open_calls() - second.invoker.open_calls()) <= 1
    finally:
        for rig in (first, second):
            rig.invoker.advance(1e6)
            await rig.invoker.close()
            await rig.stop()
    assert first.settled()
    assert callees.of("aws", "f").most == 0


async def test_the_accounts_limit_is_borne_by_all_its_functions() -> None:
    """One burst of refusals is one cut."""
    program = calling_program(site(), site(path="pipeline[4].$externalFunction", function="g"))
    callees = Callees(lambda: {"aws f": {"limit": 4}, "aws g": {"limit": 4}})
    async with running(program, settings={"callees": callees}) as rig:
        rig.invoker.program("g", SLOW)
        rig.invoker.hold()
        rig.give(*({"id": n} for n in range(4)))
        await rig.until(lambda: len(rig.invoked()) == 4)
        rig.invoker.advance(0.001)
        await rig.until(lambda: callee(rig, "g").limit.open == 4)
        rig.invoker.program("f", refusing("ConcurrentInvocationLimitExceeded", times=8))
        rig.give(*({"id": n} for n in range(4, 8)))
        await rig.until(lambda: callee(rig).limit.open == 4)
        rig.invoker.advance(0.001)
        await rig.until(lambda: callee(rig).throttles.total() == 4)
        assert callee(rig).limit.limit == callee(rig, "g").limit.limit == 3
        rig.invoker.advance(1e6)
        await rig.until(lambda: rig.committed() == 8, advance=100.0)


@pytest.mark.parametrize(
    ("reason", "of_account"),
    [("FunctionInvocationRateLimitExceeded", False), ("CallerRateLimitExceeded", True)],
)
async def test_a_refused_rate_lowers_the_rate(reason: str, *, of_account: bool) -> None:
    """Of the function, or of all that this connection's caller does; never the concurrency."""
    async with running(calling_program(site()), settings=knowing(4)) as rig:
        rig.invoker.program("f", refusing(reason, times=2))
        rig.give(*({"id": n} for n in range(4)))
        await rig.all_committed(4)
        rates = (callee(rig).pace.rate.per_second, callee(rig).account.pace.rate.per_second)
        assert [rate is not None for rate in rates] == [not of_account, of_account]
        assert callee(rig).limit.limit == 4
        assert not rig.letters()


async def test_no_call_begins_before_the_time_that_was_asked_for() -> None:
    """Retry-After of a refused rate is for all calls of the function."""
    async with running(calling_program(site(parallelism=1))) as rig:
        rig.invoker.program("f", refusing("FunctionInvocationRateLimitExceeded", times=1, retry_after=1))
        began = time.monotonic()
        rig.give({"id": 1}, {"id": 2})
        await rig.all_committed(2)
        assert time.monotonic() - began >= 1.0


async def test_a_rate_is_kept() -> None:
    """`rate`: 40 calls at 100/s take no less than what its burst leaves of them."""
    async with running(calling_program(site(rate_per_second=100.0, parallelism=16))) as rig:
        began = time.monotonic()
        rig.give(*({"id": n} for n in range(40)))
        await rig.all_committed(40)
        assert time.monotonic() - began >= 0.28


async def test_bytes_on_their_way_are_bounded() -> None:
    """Requests of 60 bytes where 100 may be open: one at a time; a larger one passes alone."""
    callees = Callees(max_bytes=100)
    async with running(calling_program(site()), settings={"callees": callees}) as rig:
        rig.invoker.program("f", Behaviour(latency_ms=5))
        rig.give(*({"id": n, "text": "x" * 40} for n in range(10)), {"id": 10, "text": "x" * 1_000})
        await rig.all_committed(11)
        assert rig.invoker.function("f").max_running == 1


async def test_room_for_bytes_that_nobody_waits_for_any_more_is_given_on() -> None:
    """A call that is cancelled before or after its turn came keeps nothing."""
    found = Outstanding(10)
    assert found.take(8)
    waits = [asyncio.create_task(found.wait(8)) for _ in range(3)]
    await asyncio.sleep(0)
    waits[0].cancel()
    await asyncio.gather(waits[0], return_exceptions=True)
    found.give_back(8)
    waits[1].cancel()
    await asyncio.gather(waits[1], return_exceptions=True)
    await waits[2]
    assert found.used_bytes == 8


async def test_a_retry_waits_until_the_budget_pays_for_it() -> None:
    """An empty budget earns one in a second; the call keeps its permit and is not given up."""
    async with running(calling_program(site(parallelism=1))) as rig:
        budget = callee(rig).budget
        while not budget.spend(time.monotonic()):
            pass
        rig.invoker.program("f", Behaviour(outcome="error", status=500, times=1))
        rig.give({"id": 1})
        await rig.until(lambda: rig.invoker.function("f").calls == 1)
        assert callee(rig).limit.in_flight == 1
        began = time.monotonic()
        await rig.all_committed(1)
        assert time.monotonic() - began > 0.1
        assert rig.ids() == [1]


async def test_a_drain_does_not_wait_for_calls_without_a_permit() -> None:
    """They have not begun: they are the next owner's."""
    async with running(calling_program(site(parallelism=16)), settings=knowing(2)) as rig:
        rig.invoker.hold()
        rig.invoker.program("f", SLOW)
        rig.give(*({"id": n} for n in range(16)))
        await rig.until(lambda: rig.invoker.open_calls() == 2)
        stopping = asyncio.create_task(rig.processor.stop())
        await rig.until(lambda: callee(rig).share.waiting == 0)
        rig.invoker.advance(100)
        await rig.until(stopping.done)
        await stopping
        assert len(rig.invoked()) == 2
        assert rig.committed(FIRST) == 2


@pytest.mark.parametrize("kind", [site, batched], ids=["documents", "batches"])
async def test_a_drain_does_not_wait_for_a_rate(kind: Any) -> None:
    """One call a minute, and a stop: what was called with is committed, the rest is the next owner's."""
    call = kind(rate_per_second=1 / 60, parallelism=4)
    async with running(calling_program(call), settings={"drain_timeout_seconds": 60.0}) as rig:
        rig.invoker.program("f", Behaviour(outcome="echo" if kind is site else "batch"))
        rig.give(*({"id": n} for n in range(40)))
        await rig.until(lambda: rig.committed() > 0)
        await rig.until(lambda: callee(rig).limit.in_flight > 0)
        await rig.stop()
        assert len(rig.invoked()) == 1
        assert rig.committed() == len(rig.results()) == (1 if kind is site else 4)
