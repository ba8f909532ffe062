"""A function on which nothing can work now: what waits, what is probed, how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.lambda_behaviour import Behaviour
from tests.unit.engine.batch_sites import batched, sizes
from tests.unit.engine.rig import (
    FIRST,
    NEVER,
    SECOND,
    Rig,
    calling_program,
    running,
    site,
)
from workers.metrics import HOLD_PROBES, HOLD_STATE, HOLDS, Metric
from workers.pipeline.program import BreakerSpec, CallSite, HoldSpec, RetrySpec

GONE = Behaviour(outcome="error", status=404, error_type="ResourceNotFoundException")
BUSY = Behaviour(outcome="error", status=409, error_type="ResourceConflictException")
WELL = Behaviour()
BATCHES_WELL = Behaviour(outcome="batch")
BOOM = Behaviour(outcome="function_error", error_type="Boom")
AT_ONCE = HoldSpec(timeout_seconds=0.001)


def read(rig: Rig, metric: Metric, *labels: str) -> float:
    """A sample as it would be scraped now."""
    rig.processor.status()
    child: Any = rig.metrics.counter if metric.kind == "counter" else rig.metrics.gauge
    return float(child(metric, "orders", "f", *labels)._value.get())


def state(rig: Rig) -> str:
    """The state that the hold shows."""
    return next(
        name for name in ("open", "held", "probing", "spent", "failed") if read(rig, HOLD_STATE, name) == 1
    )


def well(kind: Any) -> Behaviour:
    """A function that answers what this kind of call sites asks."""
    return WELL if kind is site else BATCHES_WELL


KINDS = pytest.mark.parametrize("kind", [site, batched], ids=["documents", "batches"])


@KINDS
async def test_a_function_that_comes_back_gets_every_document(kind: Any) -> None:
    """409, then 404, then well: no dead letter, order kept, one probe at a time, each document once."""
    async with running(calling_program(kind())) as rig:
        rig.invoker.program("f", BUSY)
        rig.give(*({"id": n} for n in range(40)))
        await rig.until(lambda: state(rig) != "open")
        rig.invoker.program("f", GONE)
        await rig.until(lambda: read(rig, HOLD_PROBES) >= 3)
        calls = rig.invoker.function("f").calls
        probes = read(rig, HOLD_PROBES)
        await rig.until(lambda: read(rig, HOLD_PROBES) >= probes + 2)
        assert rig.invoker.function("f").calls - calls <= read(rig, HOLD_PROBES) - probes + 1
        assert (rig.committed(), rig.letters()) == (0, [])
        rig.invoker.program("f", well(kind))
        await rig.all_committed(40)
        assert rig.ids() == list(range(40))
        assert (state(rig), rig.letters()) == ("open", [])
        assert read(rig, HOLDS, "ResourceConflictException") == 1


@KINDS
async def test_an_endpoint_that_cannot_be_reached_drains_nothing_into_the_dead_letters(kind: Any) -> None:
    """After their retries documents wait, as for a function that is not there."""
    async with running(calling_program(kind())) as rig:
        rig.invoker.program("f", Behaviour(outcome="drop_before"))
        rig.give(*({"id": n} for n in range(20)))
        await rig.until(lambda: read(rig, HOLD_PROBES) >= 2)
        assert (rig.committed(), rig.letters()) == (0, [])
        rig.invoker.program("f", well(kind))
        await rig.all_committed(20)
        assert (rig.ids(), rig.letters()) == (list(range(20)), [])
        assert read(rig, HOLDS, "NotSent") == 1


@KINDS
async def test_while_it_is_held_nothing_is_called(kind: Any) -> None:
    """Neither with what waits nor with what comes; and no more is taken up than there is room for."""
    async with running(calling_program(kind()), settings={"pace": NEVER}) as rig:
        rig.invoker.program("f", GONE)
        rig.give(*({"id": n} for n in range(400)))
        await rig.until(lambda: state(rig) == "held")
        await rig.rest()
        calls = rig.invoker.function("f").calls
        rig.give(*({"id": n} for n in range(400, 500)))
        await rig.rest()
        assert rig.invoker.function("f").calls == calls <= 8
        assert len(rig.processor.partitions[FIRST].slots) < 200


async def test_partitions_that_do_not_feed_the_function_go_on() -> None:
    """Their documents are dropped before the call: a hold is none of their business."""
    async with running(calling_program(site()), partitions=2, settings={"pace": NEVER}) as rig:
        rig.invoker.program("f", GONE)
        rig.give(*({"id": n} for n in range(100)))
        await rig.until(lambda: state(rig) == "held")
        rig.give(*({"id": n, "do": "drop"} for n in range(300)), to=SECOND)
        await rig.all_committed(300, SECOND)
        assert rig.committed() == 0


@KINDS
async def test_a_hold_in_vain_is_on_errors(kind: Any) -> None:
    """`after: onError`: each document has its own call before it is given up, and no second hold begins."""
    async with running(calling_program(kind(hold=AT_ONCE))) as rig:
        rig.invoker.program("f", GONE)
        rig.give(*({"id": n} for n in range(20)))
        await rig.all_committed(20)
        assert [letter["errInfo"]["class"] for letter in rig.letters()] == ["ResourceNotFoundException"] * 20
        assert {letter["errInfo"]["scope"] for letter in rig.letters()} == {"function"}
        assert state(rig) == "spent"
        rig.invoker.program("f", well(kind))
        rig.give({"id": 20})
        await rig.all_committed(21)
        assert state(rig) == "open"


@KINDS
async def test_a_hold_in_vain_stops_the_processor(kind: Any) -> None:
    """`after: fail`: FAILED with what was waited for; offsets stay, nothing is dead-lettered."""
    async with running(calling_program(kind(hold=HoldSpec(0.001, "fail")))) as rig:
        rig.invoker.program("f", GONE)
        rig.give(*({"id": n} for n in range(20)))
        await rig.until(lambda: rig.processor.state == "FAILED")
        assert "f could not be called for 0.001 s" in rig.processor.error
        assert "ResourceNotFoundException" in rig.processor.error
        assert (rig.committed(), rig.letters()) == (0, [])


async def test_an_error_may_say_what_comes_after_its_hold() -> None:
    """The table's `hold, then fail` goes before the stage's `after`."""
    hook = Behaviour(outcome="error", status=400, error_type="SnapStartException")
    async with running(calling_program(site(hold=AT_ONCE))) as rig:
        rig.invoker.program("f", hook)
        rig.give({"id": 1})
        await rig.until(lambda: rig.processor.state == "FAILED")


async def test_after_wait_there_is_no_end() -> None:
    """It is probed until it works."""
    async with running(calling_program(site(hold=HoldSpec(0.001, "wait")))) as rig:
        rig.invoker.program("f", GONE)
        rig.give({"id": 1}, {"id": 2})
        await rig.until(lambda: read(rig, HOLD_PROBES) >= 4)
        rig.invoker.program("f", WELL)
        await rig.all_committed(2)
        assert rig.ids() == [1, 2]


async def test_what_led_to_a_hold_uses_up_no_attempts() -> None:
    """After it a document has all of its attempts again."""
    quick = RetrySpec(max_attempts=3, max_elapsed_seconds=5.0, base_seconds=0.001, cap_seconds=0.002)
    async with running(calling_program(site(parallelism=1, retry=quick)), settings={"pace": NEVER}) as rig:
        rig.invoker.program("f", BUSY)
        rig.give({"id": 1})
        await rig.until(lambda: state(rig) == "held")
        assert rig.invoker.function("f").calls == 3
        (slot,) = rig.processor.partitions[FIRST].slots.values()
        assert slot.tried == 0


@KINDS
async def test_a_partition_that_moves_takes_its_documents_along(kind: Any) -> None:
    """What waits in a hold holds up no drain; those of the other partition are called with."""
    async with running(calling_program(kind()), partitions=2, settings={"pace": NEVER}) as rig:
        rig.invoker.program("f", GONE)
        rig.give(*({"id": n} for n in range(10)))
        rig.give(*({"id": n} for n in range(10, 20)), to=SECOND)
        await rig.until(lambda: state(rig) == "held" and len(rig.processor.partitions) == 2)
        await rig.rest()
        await rig.revoke(FIRST)
        assert rig.committed() == 0
        assert {
            slot.record.partition()
            for run in rig.processor.partitions.values()
            for slot in run.slots.values()
        } <= {1}


@KINDS
async def test_a_stop_does_not_wait_for_a_hold(kind: Any) -> None:
    """What waits is the next owner's; nothing of it is committed."""
    async with running(calling_program(kind()), settings={"pace": NEVER}) as rig:
        rig.invoker.program("f", GONE)
        rig.give(*({"id": n} for n in range(10)))
        await rig.until(lambda: state(rig) == "held")
        await rig.rest()
        await rig.stop()
        assert (rig.committed(), rig.letters(), rig.processor.state) == (0, [], "STOPPED")


async def test_a_later_call_site_holds_the_partitions_back_too() -> None:
    """The first one is not called with what would only pile up behind it."""
    later = site(path="pipeline[4].$externalFunction", function="g")
    async with running(calling_program(site(), later), settings={"pace": NEVER}) as rig:
        rig.invoker.program("g", GONE)
        rig.give(*({"id": n} for n in range(500)))
        await rig.until(lambda: rig.invoker.function("g").calls >= 1)
        await rig.rest()
        assert rig.invoker.function("f").calls < 200
        assert rig.committed() == 0


async def test_documents_of_one_value_do_not_overlap_over_a_hold() -> None:
    """`partitionBy`: the one that waits goes before those behind it."""
    by_value = site(partition_by=lambda doc, _: doc["id"] % 2, parallelism=4)
    async with running(calling_program(by_value)) as rig:
        rig.invoker.program("f", GONE)
        rig.give(*({"id": n} for n in range(20)))
        await rig.until(lambda: read(rig, HOLD_PROBES) >= 2)
        sent = len(rig.invoked())
        rig.invoker.program("f", Behaviour(latency_ms=1))
        await rig.all_committed(20)
        order = [doc["id"] for doc in rig.invoked()[sent:]]
        for value in (0, 1):
            ids = [one for one in order if one % 2 == value]
            assert sorted(set(ids)) == sorted(ids, key=ids.index) or ids == sorted(ids)


def breaking(**changes: Any) -> CallSite:
    """A call site with a breaker that needs ten calls of which half failed."""
    return site(breaker=BreakerSpec(0.5, 10), parallelism=1, **changes)


async def test_the_breaker_holds_what_would_all_fail() -> None:
    """A bad deploy costs the window and one document a probe, not the topic."""
    async with running(calling_program(breaking())) as rig:
        rig.invoker.program("f", BOOM)
        rig.give(*({"id": n} for n in range(200)))
        await rig.until(lambda: read(rig, HOLD_PROBES) >= 2)
        assert read(rig, HOLDS, "Breaker") == 1
        rig.invoker.program("f", WELL)
        await rig.all_committed(200)
        assert 10 <= len(rig.letters()) < 50
        assert len(rig.letters()) + len(rig.results()) == 200
        assert state(rig) == "open"


async def test_without_a_breaker_errors_of_its_own_hold_nothing() -> None:
    """Each is its document's."""
    async with running(calling_program(site())) as rig:
        rig.invoker.program("f", BOOM)
        rig.give(*({"id": n} for n in range(50)))
        await rig.all_committed(50)
        assert len(rig.letters()) == 50
        assert state(rig) == "open"


async def test_types_of_errors_may_be_tried_again() -> None:
    """`retry.retryOn`: the named ones, and no others."""
    quick = RetrySpec(3, 5.0, 0.001, 0.002, retry_on=frozenset({"Boom"}))
    async with running(calling_program(site(retry=quick))) as rig:
        rig.invoker.program("f", BOOM)
        rig.give({"id": 1})
        await rig.all_committed(1)
        rig.invoker.program("f", Behaviour(outcome="function_error", error_type="Bang"))
        rig.give({"id": 2})
        await rig.all_committed(2)
        assert [letter["errInfo"]["attempts"] for letter in rig.letters()] == [3, 1]


async def test_what_the_table_says_stops_the_processor_does() -> None:
    """A loop that AWS found is no document's fault; `onError` is not asked."""
    loop = Behaviour(outcome="error", status=400, error_type="RecursiveInvocationException")
    for kind in (site, batched):
        async with running(calling_program(kind(on_error="ignore"))) as rig:
            rig.invoker.program("f", loop)
            rig.give({"id": 1})
            await rig.until(lambda rig=rig: rig.processor.state == "FAILED")  # type: ignore[misc]
            assert "RecursiveInvocationException" in rig.processor.error
            assert (rig.committed(), rig.letters()) == (0, [])


async def test_batches_are_held_as_they_were() -> None:
    """Their records go together again."""
    async with running(calling_program(batched(4, parallelism=1))) as rig:
        rig.invoker.program("f", GONE)
        rig.give(*({"id": n} for n in range(4)))
        await rig.until(lambda: read(rig, HOLD_PROBES) >= 2)
        rig.invoker.program("f", BATCHES_WELL)
        await rig.all_committed(4)
        assert set(sizes(rig)) == {4}


async def test_a_hold_behind_another_call_fills_no_line_before_it() -> None:
    """Partitions that go on still wait for room at the first call site."""
    later = site(path="pipeline[4].$externalFunction", function="g")
    async with running(
        calling_program(site(parallelism=2), later), partitions=2, settings={"pace": NEVER}
    ) as rig:
        rig.invoker.program("g", GONE)
        rig.give({"id": 0})
        await rig.until(lambda: bool(rig.processor.fanouts[1].standing))
        rig.invoker.hold()
        rig.invoker.program("f", Behaviour(latency_ms=1_000))
        rig.give(*({"id": n} for n in range(200)), to=SECOND)
        await rig.until(lambda: rig.invoker.open_calls() == 2)
        await rig.rest()
        assert rig.processor.fanouts[0].waiting < 40


async def test_refused_keys_that_are_renewed_are_taken_up() -> None:
    """The worker is ready again with the first call that goes well; whatever `hold.timeout` says."""
    expired = Behaviour(outcome="error", status=403, error_type="ExpiredTokenException")
    async with running(calling_program(site(hold=AT_ONCE))) as rig:
        rig.invoker.program("f", expired)
        rig.give(*({"id": n} for n in range(10)))
        await rig.until(lambda: read(rig, HOLD_PROBES) >= 3)
        assert not rig.processor.fanouts[0].is_ready
        rig.invoker.program("f", WELL)
        await rig.all_committed(10)
        assert (rig.processor.fanouts[0].is_ready, rig.letters()) == (True, [])
