"""Batches while partitions move, and with a function that stands still."""

from __future__ import annotations

import json

import pytest

from tests.fakes.invoker import FakeInvoker
from tests.fakes.lambda_behaviour import Behaviour
from tests.unit.engine.batch_sites import batched, contexts
from tests.unit.engine.rig import FIRST, SECOND, Rig, calling_program, running, site
from workers.pipeline.program import CallSite


async def _batches_open(rig: Rig, invoker: FakeInvoker) -> None:
    invoker.program("f", Behaviour(outcome="batch", latency_ms=5))
    invoker.hold()
    for number in range(40):
        rig.give({"id": number}, to=FIRST if number % 2 else SECOND)
    await rig.until(lambda: invoker.open_calls() == 2)
    await rig.rest()


async def test_a_lost_partitions_records_leave_the_batches_that_wait() -> None:
    """What is open is abandoned, what waits is not sent; the other partition's records all come through."""
    async with running(calling_program(batched(4, parallelism=2)), partitions=2) as rig:
        await _batches_open(rig, rig.invoker)
        rig.source.lose([FIRST])
        await rig.until(lambda: FIRST not in rig.processor.partitions)
        before = len(rig.invoker.requests)
        await rig.until(lambda: rig.committed(SECOND) == 20, advance=0.01)
        later = [json.loads(one.body) for one in list(rig.invoker.requests)[before:]]
        assert all(one["id"].startswith("in/1/") for body in later for one in body["records"])
        assert sorted(rig.ids()) == list(range(0, 40, 2))
        assert rig.committed(FIRST) == 0


async def test_a_partition_that_moves_lets_open_batches_end_and_drops_what_waits() -> None:
    """The old owner commits what was answered; nothing that was not called with has begun."""
    async with running(calling_program(batched(4, parallelism=2)), partitions=2) as rig:
        await _batches_open(rig, rig.invoker)
        rig.invoker.advance(0.005)
        await rig.rest()
        begun = {
            one["id"] for body in rig.invoked() for one in body["records"] if one["id"].startswith("in/0/")
        }
        rig.invoker.program("f", Behaviour(outcome="batch"))
        moving = rig.revoke(FIRST)
        rig.invoker.advance(1.0)
        await moving
        assert rig.committed(FIRST) <= len(begun)
        rig.source.assign([FIRST])
        await rig.until(lambda: rig.committed(FIRST) == 20 and rig.committed(SECOND) == 20, advance=0.01)
        assert set(rig.ids()) == set(range(40))


async def test_a_stalled_function_bounds_what_waits() -> None:
    """A batch for every place and one being filled, and a slice on top."""
    async with running(calling_program(batched(4, parallelism=2, timeout_seconds=1.0))) as rig:
        rig.invoker.program("f", Behaviour(outcome="hang"))
        rig.invoker.hold()
        rig.give(*({"id": n} for n in range(1_000)))
        await rig.until(lambda: rig.invoker.open_calls() == 2)
        await rig.rest()
        assert rig.processor.status().waiting <= (2 + 1) * 4 + 16
        rig.invoker.program("f", Behaviour(outcome="batch"))
        await rig.until(lambda: rig.committed() == 1_000, advance=1.0)
        assert rig.ids() == list(range(1_000))


@pytest.mark.parametrize("call", [batched(1), site()], ids=["batch", "one document"])
async def test_attempts_go_on_where_the_partitions_last_owner_stopped(call: CallSite) -> None:
    """Two failed attempts, the partition leaves during the third and comes back: one attempt is left."""
    settings = {"revoke_drain_seconds": 0.01}
    async with running(calling_program(call), settings=settings) as rig:
        rig.invoker.program("f", Behaviour(outcome="error", status=500, latency_ms=1))
        rig.invoker.hold()
        rig.give({"id": 0})
        await rig.until(lambda: len(rig.invoker.requests) == 3, advance=0.001)
        await rig.revoke(FIRST)
        rig.source.assign([FIRST])
        await rig.until(lambda: rig.committed() == 1, "committed", advance=0.001)
        assert [one["attempt"] for one in contexts(rig)] == [1, 2, 3, 3]
        assert [letter["errInfo"]["attempts"] for letter in rig.letters()] == [3]
