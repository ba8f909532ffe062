"""A `$throttle` in the engine: the line, its bound, partitions that move away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.unit.engine.rig import FIRST, SECOND, build, calling_program, running, site
from workers.adapters.error_file import shipped_errors
from workers.counting import Metrics
from workers.engine.calling import Caller, Job
from workers.engine.partition import PartitionRun, Slot
from workers.engine.throttle import Throttled
from workers.model import Document, Position, Refused
from workers.pipeline.program import ThrottleSpec
from workers.settings import MAX_THROTTLED_RECORDS

PATH = "pipeline[1].$throttle"
FAST = ThrottleSpec(PATH, 1_000_000)
SLOW = ThrottleSpec(PATH, 1)


@dataclass
class Clock:
    """Time moves when somebody sleeps."""

    now: float = 0.0
    naps: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@dataclass
class After:
    """What comes behind the throttle. Kept: `fanout.Done`."""

    clock: Clock
    seen: list[tuple[float, Any]] = field(default_factory=list)

    def passed(self, job: Job, doc: Document) -> None:
        self.seen.append((self.clock(), doc["id"]))

    def passed_many(self, jobs: Sequence[Job], docs: Sequence[Document]) -> None:
        raise AssertionError("documents pass one by one")

    def dropped(self, job: Job) -> None:
        raise AssertionError("a throttle drops nothing that is this owner's")

    def refused(self, job: Job, refused: Refused) -> None:
        raise AssertionError(refused)

    def ignored(self, job: Job) -> None:
        raise AssertionError("a throttle ignores nothing")

    def failed(self, job: Job, reason: str) -> None:
        raise AssertionError(reason)


def throttled(spec: ThrottleSpec, *, is_first: bool = True) -> tuple[Throttled, After, PartitionRun]:
    clock, crashes = Clock(), list[BaseException]()
    after = After(clock)
    caller = Caller(
        "p", Metrics(with_process=False), lambda _index: after, crashes.append, shipped_errors(), _not_stopped
    )
    run = PartitionRun(FIRST, Position(0), lambda *_: None)
    return Throttled(0, spec, caller, is_first=is_first, clock=clock, sleep=clock.sleep), after, run


def _not_stopped(reason: str) -> None:
    raise AssertionError(reason)


class Record:
    """The least that a slot asks of a record."""

    def value(self) -> bytes:
        return b"{}"


def job(run: PartitionRun, number: int, **more: Any) -> Job:
    record: Any = Record()
    return Job(Slot(run, record, run.frontier.taken([number]), 0), 0, {"id": number, **more}, None)


async def drained(run: PartitionRun) -> None:
    await asyncio.wait_for(run.drained(), 5)


async def test_documents_pass_in_their_order_at_the_rate() -> None:
    """50 documents at 10 a second take 4.9 s of the clock."""
    site, after, run = throttled(ThrottleSpec(PATH, 10))
    for number in range(50):
        site.put(job(run, number))
    await drained(run)
    assert [number for _, number in after.seen] == list(range(50))
    assert 4.8 <= after.seen[-1][0] <= 5.0
    await site.close()


async def test_bytes_are_those_of_the_document_as_it_is_written() -> None:
    """A document of 1,000 bytes at 500 a second holds the next one back for 2 s."""
    site, after, run = throttled(ThrottleSpec(PATH, bytes_per_second=500))
    site.put(job(run, 1, text="x" * (1_000 - len('{"id":1,"text":""}'))))
    site.put(job(run, 2))
    await drained(run)
    assert 1.9 <= after.seen[1][0] <= 2.1
    await site.close()


async def test_waits_are_counted() -> None:
    """How often, and for how long."""
    site, _, run = throttled(ThrottleSpec(PATH, 10))
    for number in range(11):
        site.put(job(run, number))
    await drained(run)
    site.report()
    metrics = site._metrics.registry
    labels = {"processor": "p", "stage": PATH}
    waits = metrics.get_sample_value("penstock_throttle_waits_total", labels)
    assert waits is not None
    assert waits > 5
    seconds = metrics.get_sample_value("penstock_throttle_wait_seconds_total", labels)
    assert seconds is not None
    assert 0.9 <= seconds <= 1.1
    assert metrics.get_sample_value("penstock_throttle_waiting", labels) == 0
    await site.close()


async def test_what_waits_of_a_released_partition_is_dropped() -> None:
    """It never passes, and its partition waits for nothing."""
    site, after, run = throttled(SLOW)
    for number in range(5):
        site.put(job(run, number))
    run.release()
    site.drop_waiting()
    assert (site.waiting, run.busy) == (0, 0)
    await asyncio.sleep(0)
    assert after.seen == []
    await site.close()


async def test_behind_a_call_what_waits_of_a_draining_partition_still_passes() -> None:
    """A function has seen it already: its result is worth the drain. Without a call before, it is dropped."""
    for is_first, left in ((True, 0), (False, 5)):
        site, _, run = throttled(SLOW, is_first=is_first)
        for number in range(5):
            site.put(job(run, number))
        run.draining = True
        site.drop_waiting()
        assert site.waiting == left
        await site.close()


async def test_no_more_are_taken_up_than_the_line_has_room_for() -> None:
    """The backlog stays in Kafka and in the processor's room, not in the line."""
    program = calling_program(SLOW)
    async with running(program, settings={"slice_records": 500}) as rig:
        rig.give(*({"id": n} for n in range(3 * MAX_THROTTLED_RECORDS)))
        await rig.until(lambda: rig.processor.status().waiting >= MAX_THROTTLED_RECORDS - 1)
        await rig.rest()
        assert rig.processor.status().waiting <= 2 * MAX_THROTTLED_RECORDS


async def test_a_throttle_stands_before_and_behind_calls() -> None:
    """Every document comes out, in order, and the call is made once for each."""
    async with running(calling_program(FAST, site(), FAST)) as rig:
        rig.give(*({"id": n} for n in range(500)))
        await rig.all_committed(500)
        assert rig.ids() == list(range(500))
        assert rig.invoker.function("f").calls == 500


async def test_a_revoked_partition_gives_up_its_place_in_the_line() -> None:
    """What waits of it is dropped at once and not committed; the other partition goes on."""
    async with running(calling_program(ThrottleSpec(PATH, 20)), partitions=2) as rig:
        rig.give(*({"id": n} for n in range(50)), to=FIRST)
        await rig.until(lambda: rig.processor.status().waiting > 10)
        rig.give({"id": "other"}, to=SECOND)
        await rig.revoke(FIRST)
        assert rig.committed(FIRST) < 50
        await rig.all_committed(1, SECOND)
        assert rig.ids()[-1] == "other"


async def test_documents_that_only_passed_a_throttle_have_not_begun() -> None:
    """What waits for the first call of a partition that moves away is the next owner's, throttle or not."""
    async with running(calling_program(FAST, site(parallelism=2))) as rig:
        rig.invoker.hold()
        rig.give(*({"id": n} for n in range(20)))
        await rig.until(lambda: rig.invoker.open_calls() == 2, "2 open calls")
        await rig.until(lambda: rig.processor.status().waiting == 18, "18 waiting")
        moving = asyncio.create_task(rig.revoke(FIRST))
        await rig.until(lambda: rig.processor.status().waiting == 0)
        rig.invoker.advance(1.0)
        await moving
        assert (rig.ids(), rig.committed()) == ([0, 1], 2)
        assert rig.invoker.function("f").calls == 2


async def test_a_bug_behind_the_throttle_is_a_crash_and_no_silence() -> None:
    """The line must not stand still for ever."""
    rig = build(calling_program(FAST))
    rig.processor.start(rig.source)

    def broken(*_: object) -> None:
        raise RuntimeError("a planted bug")

    rig.processor.executor.next_segment = broken  # type: ignore[assignment]
    rig.give({"id": 1})
    for _ in range(1_000):
        rig.turn()
        await asyncio.sleep(0)
        if rig.crashes:
            break
    assert [str(crash) for crash in rig.crashes] == ["a planted bug"]
    rig.processor.halt()
    await rig.processor.close()
