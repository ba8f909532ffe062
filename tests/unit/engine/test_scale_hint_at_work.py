"""What autoscalers are told while calls are held back, and why not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.lambda_behaviour import Behaviour
from tests.unit.engine.batch_sites import batched
from tests.unit.engine.rig import FIRST, NEVER, Rig, build, calling_program, running, site
from workers.engine.callees import Callees
from workers.metrics import SCALE_HINT
from workers.pipeline.program import CallSite, ThrottleSpec
from workers.progress.room import RoomLimits

RECORDS = 400
NARROW = RoomLimits(40, 1_000_000, 1.0)
SLOW = Behaviour(latency_ms=10_000)
GONE = Behaviour(outcome="error", status=404, error_type="ResourceNotFoundException")


def hint(rig: Rig) -> float:
    """The sample as it would be scraped now."""
    rig.processor.status()
    gauge: Any = rig.metrics.gauge(SCALE_HINT, "orders")
    return float(gauge._value.get())


def lag(rig: Rig) -> int:
    """What was not taken up yet."""
    return rig.source.status().lag[FIRST]


def learned(limit: int) -> dict[str, Any]:
    """A process that learned the limit of `f` before."""
    return {"callees": Callees(lambda: {"aws f": {"limit": limit}})}


async def backlog_of(rig: Rig, behaviour: Behaviour) -> None:
    """Calls stand, and records are left in Kafka."""
    if behaviour is SLOW:
        rig.invoker.hold()
    rig.invoker.program("f", behaviour)
    rig.give(*({"id": n} for n in range(RECORDS)))
    await rig.rest()
    assert lag(rig) > 0


@pytest.mark.parametrize("kind", [site, batched], ids=["documents", "batches"])
async def test_a_worker_that_makes_all_the_calls_it_may_could_use_others(kind: Any) -> None:
    """All of its lag counts: nothing says that the function would not take more."""
    async with running(calling_program(kind(parallelism=4)), limits=NARROW) as rig:
        await backlog_of(rig, SLOW)
        assert hint(rig) == lag(rig)


@pytest.mark.parametrize(
    ("site_", "settings", "behaviour"),
    [
        (site(parallelism=64), learned(2), SLOW),
        (batched(parallelism=64), learned(2), SLOW),
        (site(), {"pace": NEVER}, GONE),
        (site(parallelism=64, rate_per_second=0.5), {}, SLOW),
        (ThrottleSpec("pipeline[1].$throttle", 1), {}, SLOW),
    ],
    ids=["a learned limit", "one of batches", "a held function", "a rate", "a $throttle"],
)
async def test_more_workers_would_not_help(
    site_: CallSite | ThrottleSpec, settings: dict[str, Any], behaviour: Behaviour
) -> None:
    """Whatever holds calls back: there is lag, and no hint of it."""
    async with running(calling_program(site_), settings=settings, limits=NARROW) as rig:
        await backlog_of(rig, behaviour)
        await rig.until(lambda: hint(rig) == 0)
        assert hint(rig) == 0, "also at the next look, when nothing new waits"
        assert lag(rig) > 0


async def test_a_processor_that_failed_has_no_use_for_workers() -> None:
    """Its lag is for a person."""
    rig = build(calling_program(site(parallelism=4)), limits=NARROW)
    rig.processor.start(rig.source)
    await backlog_of(rig, SLOW)
    assert hint(rig) > 0
    rig.processor.fail("for a test")
    assert hint(rig) == 0
    rig.invoker.advance(1e6)
    await rig.stop()
