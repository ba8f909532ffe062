"""Limits, rates and bytes where something is cancelled, moves away or starts again."""

from __future__ import annotations

import asyncio

from tests.fakes.lambda_behaviour import Behaviour
from tests.unit.engine.rig import FIRST, SECOND, calling_program, running, site
from workers.engine.callees import MAX_LEARNED, Callees, Outstanding
from workers.pipeline.program import RetrySpec

SLOW = Behaviour(latency_ms=10_000)


async def test_bytes_that_are_given_back_while_all_are_cancelled() -> None:
    """Whoever is cancelled while it waits, and has not noticed yet, is passed over."""
    found = Outstanding(10)
    assert found.take(8)
    waits = [asyncio.create_task(found.wait(8)) for _ in range(3)]
    await asyncio.sleep(0)
    waits[0].cancel()
    found.give_back(8)
    await waits[1]
    await asyncio.gather(waits[0], return_exceptions=True)
    assert (waits[0].cancelled(), found.used_bytes) == (True, 8)
    found.give_back(8)
    await waits[2]
    assert found.used_bytes == 8


async def test_calls_that_wait_for_bytes_are_abandoned_with_the_others() -> None:
    """A stop whose drain is over ends the processor, not the process, and keeps no permit."""
    callees = Callees(max_bytes=100)
    settings = {"callees": callees, "drain_timeout_seconds": 0.02}
    async with running(calling_program(site()), settings=settings) as rig:
        rig.invoker.hold()
        rig.invoker.program("f", SLOW)
        rig.give(*({"id": n, "text": "x" * 60} for n in range(4)))
        await rig.until(lambda: rig.invoker.open_calls() == 1)
        await rig.stop()
        assert callees.of("aws", "f").limit.in_flight == 0


async def test_a_processor_that_starts_again_knows_its_limit() -> None:
    """While nobody calls the function its limit stays what it was, for the file and for the successor."""
    callees = Callees(lambda: {"aws f": {"limit": 20, "mark": 30}})
    first = callees.of("aws", "f")
    taker = first.join("p", 64)
    assert first.take(taker)
    first.give_back(taker)
    first.part(taker)
    assert callees.export()["aws f"]["limit"] == 20
    first.join("p", 64)
    assert (first.limit.limit, first.limit.export()["mark"]) == (20, 30)


async def test_waiting_for_a_rate_uses_up_no_time_of_retries() -> None:
    """`retry.maxElapsed` begins with the first send: who waited long for it has its retries."""
    quick = RetrySpec(max_attempts=3, max_elapsed_seconds=0.3, base_seconds=0.001, cap_seconds=0.002)
    async with running(calling_program(site(rate_per_second=2.0, parallelism=2, retry=quick))) as rig:
        rig.give({"id": 0})
        await rig.until(lambda: len(rig.invoked()) == 1)
        rig.give({"id": 1})
        await rig.until(lambda: rig.callees.of("aws", "f").limit.in_flight == 1)
        rig.invoker.program("f", Behaviour(outcome="error", status=500, times=2))
        await rig.all_committed(2)
        assert (len(rig.invoked()), rig.letters()) == (3, [])


async def test_a_drain_does_not_wait_behind_another_partitions_call_for_a_rate() -> None:
    """Calls stand in one line for the rate, the first of them of a partition that stays."""
    slow = site(rate_per_second=1 / 60, parallelism=4)
    settings = {"revoke_drain_seconds": 60.0}
    async with running(calling_program(slow), partitions=2, settings=settings) as rig:
        rig.give({"id": 0})
        await rig.until(lambda: rig.committed() == 1)
        rig.give({"id": 1})
        await rig.until(lambda: rig.callees.of("aws", "f").limit.in_flight == 1)
        rig.give({"id": 2}, to=SECOND)
        await rig.until(lambda: rig.callees.of("aws", "f").limit.in_flight == 2)
        await rig.rest()
        await rig.revoke(SECOND)
        assert rig.callees.of("aws", "f").limit.in_flight == 1
        assert list(rig.processor.partitions) == [FIRST]


async def test_a_full_memory_of_limits_forgets_who_is_not_called() -> None:
    """However long ago a function was learned first: what this process calls goes before the rest."""
    found = Callees(lambda: {f"aws f{n}": {"limit": 20} for n in range(MAX_LEARNED)})
    found.of("aws", "f0")
    found.of("aws", "new")
    learned = found.export()
    assert len(learned) == MAX_LEARNED
    assert {"aws f0", "aws new", "aws f2"} <= set(learned)
    assert "aws f1" not in learned
