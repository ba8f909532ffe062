"""Partitions come and go, processors stop and fail, the engine crashes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from tests.fakes.lambda_behaviour import Behaviour
from tests.unit.engine.rig import (
    FIRST,
    RESULTS,
    SECOND,
    Rig,
    build,
    calling_program,
    plain_program,
    running,
    site,
)
from workers.engine.worker import Worker
from workers.errors import Fatal
from workers.model import Position


async def _open_calls(rig: Rig, count: int) -> None:
    await rig.until(lambda: rig.invoker.open_calls() == count, f"{count} open calls")


async def test_open_calls_of_a_revoked_partition_get_the_drain() -> None:
    """They end, their results are written and committed; what had not begun is the next owner's."""
    async with running(calling_program(site(parallelism=2))) as rig:
        rig.invoker.hold()
        rig.give(*({"id": n} for n in range(20)))
        await _open_calls(rig, 2)
        moving = asyncio.create_task(rig.revoke(FIRST))
        await rig.until(lambda: rig.processor.status().waiting == 0)
        rig.invoker.advance(1.0)
        await moving
        assert rig.ids() == [0, 1]
        assert rig.committed() == 2
        assert rig.invoker.function("f").calls == 2
        assert rig.processor.partitions == {}


async def test_a_drain_that_takes_too_long_is_cut_and_nothing_is_produced_after_it() -> None:
    """Answers that come later belong to nobody here; the committed offset stays below them."""
    async with running(calling_program(site()), settings={"revoke_drain_seconds": 0.01}) as rig:
        rig.invoker.hold()
        rig.give(*({"id": n} for n in range(3)))
        await _open_calls(rig, 3)
        await rig.revoke(FIRST)
        assert rig.committed() == 0
        rig.invoker.advance(1.0)
        await rig.rest()
        assert rig.producer.written == []
        assert rig.committed() == 0
        assert rig.source.room.records == 0


async def test_results_that_wait_for_room_are_not_produced_after_the_revocation() -> None:
    """The producer was full when the drain ended: what waited is the next owner's."""
    async with running(plain_program(), settings={"revoke_drain_seconds": 0.01}, capacity=2) as rig:
        rig.producer.hold()
        rig.give(*({"id": n} for n in range(8)))
        await rig.until(lambda: rig.producer.outstanding() == 2)
        await rig.revoke(FIRST)
        rig.producer.release()
        await rig.rest()
        await rig.until(lambda: not rig.producer.outstanding())
        assert len(rig.ids()) == 2
        assert rig.committed() == 0


async def test_other_partitions_flow_while_one_moves_away() -> None:
    """A drain of one partition does not hold up its neighbours."""
    async with running(calling_program(site()), partitions=2) as rig:
        rig.invoker.program("f", Behaviour(outcome="hang", times=1))
        rig.invoker.hold()
        rig.give({"id": "stuck"}, to=FIRST)
        await _open_calls(rig, 1)
        rig.give(*({"id": n} for n in range(10)), to=SECOND)
        await _open_calls(rig, 4)
        moving = asyncio.create_task(rig.revoke(FIRST))
        await rig.until(lambda: len(rig.ids()) == 10, advance=1e-9)
        assert not moving.done()
        await rig.until(moving.done, advance=100.0)
        await rig.all_committed(10, SECOND)


async def test_a_partition_that_moves_away_and_back_flows_again() -> None:
    """Its calls of the first life are forgotten, its records are read again from the committed offset."""
    async with running(calling_program(site()), settings={"revoke_drain_seconds": 0.01}) as rig:
        rig.invoker.hold()
        rig.give(*({"id": n} for n in range(6)))
        await _open_calls(rig, 4)
        await rig.revoke(FIRST)
        rig.source.assign([FIRST])
        await rig.until(lambda: rig.committed() == 6, advance=1.0)
        assert rig.ids() == list(range(6))
        assert rig.processor.tally.repeated == 6
        assert rig.source.room.records == 0


async def test_a_lost_partition_produces_and_commits_nothing_more() -> None:
    """It belongs to someone else already."""
    async with running(calling_program(site())) as rig:
        rig.invoker.hold()
        rig.give({"id": 1})
        await _open_calls(rig, 1)
        rig.source.lose([FIRST])
        await rig.rest()
        rig.invoker.advance(1.0)
        await rig.rest()
        assert rig.producer.written == []
        assert rig.committed() == 0
        assert rig.processor.tally.abandoned["lost"] == 1


async def test_a_drain_that_ends_late_leaves_the_next_life_alone() -> None:
    """The poll thread gave up on the answer and the partition came back before the drain was over."""
    async with running(calling_program(site()), settings={"revoke_drain_seconds": 0.05}) as rig:
        rig.invoker.hold()
        rig.give({"id": 1})
        await _open_calls(rig, 1)
        draining = asyncio.create_task(rig.processor.give_up([FIRST], None))
        await asyncio.sleep(0)
        rig.source.lose([FIRST])
        rig.source.assign([FIRST])
        await draining
        assert FIRST in rig.processor.partitions
        await rig.until(lambda: rig.committed() == 1, advance=1.0)
        assert rig.processor.tally.abandoned.total() == 1


async def test_stop_drains_and_repeats_nothing() -> None:
    """What has begun ends and is committed, what has not is left; nothing that was written is left."""
    async with running(calling_program(site(parallelism=2))) as rig:
        rig.invoker.hold()
        rig.give(*({"id": n} for n in range(20)))
        await _open_calls(rig, 2)
        stopping = asyncio.create_task(rig.processor.stop())
        await rig.until(lambda: rig.source.quiesced)
        rig.invoker.advance(1.0)
        await rig.until(stopping.done)
        assert rig.committed() == len(rig.ids()) == 2
        assert rig.processor.state == "STOPPED"


async def test_stop_in_the_middle_of_a_batch_repeats_nothing() -> None:
    """The slices that were produced are committed although the rest of their batch is left."""
    async with running(plain_program(), capacity=10) as rig:
        rig.producer.hold()
        rig.give(*({"id": n} for n in range(100)))
        await rig.until(lambda: rig.producer.outstanding() == 10)
        stopping = asyncio.create_task(rig.processor.stop())
        await rig.until(lambda: rig.source.quiesced)
        rig.producer.release()
        await rig.until(stopping.done)
        assert rig.committed() == len(rig.ids()) >= 10


async def test_records_that_come_while_draining_begin_nothing() -> None:
    """The poll thread was in the middle of a look when it was asked to be quiet."""
    async with running(plain_program()) as rig:
        rig.give({"id": 1})
        await rig.all_committed(1)
        rig.producer.hold()
        rig.give({"id": 2})
        await rig.until(lambda: rig.producer.outstanding() == 1)
        stopping = asyncio.create_task(rig.processor.stop())
        await rig.until(lambda: rig.source.quiesced)
        rig.source.quiesced = False
        rig.give({"id": 3})
        rig.source.turn()
        rig.source.quiesced = True
        await rig.rest()
        rig.producer.release()
        await rig.until(stopping.done)
        assert rig.ids() == [1, 2]
        assert rig.committed() == 2


async def test_a_revocation_in_the_middle_of_stop_ends_both() -> None:
    """Neither waits for its time-out once the open calls have ended."""
    how: dict[str, Any] = {"drain_timeout_seconds": 60.0, "revoke_drain_seconds": 60.0}
    async with running(calling_program(site()), settings=how, partitions=2) as rig:
        rig.invoker.hold()
        rig.give({"id": 1})
        await _open_calls(rig, 1)
        stopping = asyncio.create_task(rig.processor.stop())
        await rig.until(lambda: rig.source.quiesced)
        moving = asyncio.create_task(rig.processor.give_up([FIRST], None))
        await rig.rest()
        rig.invoker.advance(1.0)
        await rig.until(lambda: stopping.done() and moving.done())
        assert moving.result() == {FIRST: Position(1)}
        assert rig.processor.tally.abandoned.total() == 0


async def test_a_failure_during_the_drain_stays_a_failure() -> None:
    """A processor that fails while it stops ends FAILED."""
    async with running(calling_program(site(on_error="fail"))) as rig:
        rig.invoker.program("f", Behaviour(outcome="function_error"))
        rig.invoker.hold()
        rig.give({"id": 1})
        await _open_calls(rig, 1)
        stopping = asyncio.create_task(rig.processor.stop())
        await rig.until(lambda: rig.source.quiesced)
        rig.invoker.advance(1.0)
        await rig.until(stopping.done)
        assert rig.processor.state == "FAILED"
        assert rig.committed() == 0


async def test_a_source_that_cannot_go_on_fails_the_processor() -> None:
    """Data loss, for one: FAILED with the reason, and the source is stopped."""
    async with running(plain_program()) as rig:
        rig.give({"id": 1})
        await rig.all_committed(1)
        rig.source.events.failed("3 records are gone")
        await rig.until(lambda: rig.source.stopped)
        assert (rig.processor.state, rig.processor.error) == ("FAILED", "3 records are gone")
        assert rig.processor.status().ready


async def test_commits_rise_and_are_only_asked_for_when_something_changed() -> None:
    """No commit goes backwards, and a processor at rest asks for none."""
    async with running(calling_program(site())) as rig:
        for start in range(0, 30, 10):
            rig.give(*({"id": n} for n in range(start, start + 10)))
            await rig.all_committed(start + 10)
        asked = [positions[FIRST] for positions in rig.source.asked if FIRST in positions]
        offsets = [position.offset for position in asked]
        assert offsets == sorted(offsets)
        assert all(before != after for before, after in pairwise(asked))


@dataclass
class Crew:
    """A worker with the processors of some rigs."""

    rigs: list[Rig]
    frames: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        first = self.rigs[0]
        producers = {f"kafka-{n}": rig.producer for n, rig in enumerate(self.rigs)}
        self.worker = Worker(
            [rig.processor for rig in self.rigs],
            producers,
            [rig.invoker for rig in self.rigs],
            first.metrics,
            self.frames.append,
        )
        for rig in self.rigs:
            rig.processor.start(rig.source)
        self.running = asyncio.create_task(self.worker.run())

    async def ended(self) -> None:
        for rig in self.rigs:
            await rig.until(lambda rig=rig: rig.source.stopped or self.running.done())  # type: ignore[misc]
        await self.rigs[0].until(self.running.done, "the worker ended")


async def test_a_worker_drains_every_processor_and_closes_what_it_was_given() -> None:
    """`stop` ends `run` without an error; the last frame says STOPPED."""
    rigs = [build(plain_program())]
    crew = Crew(rigs)
    rigs[0].give({"id": 1})
    await rigs[0].all_committed(1)
    crew.worker.stop()
    await crew.ended()
    await crew.running
    assert crew.frames[-1]["processors"][0]["state"] == "STOPPED"
    assert crew.frames[-1]["ready"] is False
    assert rigs[0].producer.closed
    assert rigs[0].invoker.closed


async def _crash(rig: Rig, crew: Crew) -> None:
    """The worker ends with Fatal, and nothing past this moment is committed."""
    await crew.ended()
    with pytest.raises(Fatal):
        await crew.running
    asked = len(rig.source.asked)
    rig.producer.release()
    await rig.rest()
    assert len(rig.source.asked) == asked
    assert await asyncio.to_thread(rig.source.events.revoking, [FIRST]) == {}


async def test_a_bug_in_a_segment_costs_one_document() -> None:
    """The one that met it is dead-lettered as Internal, its neighbours of the same slice are results."""
    async with running(plain_program()) as rig:
        rig.give({"id": 1}, {"id": 2, "do": "crash"}, {"id": 3})
        await rig.all_committed(3)
        assert rig.ids() == [1, 3]
        [letter] = rig.letters()
        assert letter["errInfo"]["class"] == "Internal"
        assert not rig.crashes


async def test_a_bug_after_a_call_costs_one_document() -> None:
    """Setting the answer fails: a dead letter, and the worker lives."""
    async with running(
        calling_program(site(set_result=lambda doc, value: {1: doc, 2: 1 // (doc["id"] - 1)}))
    ) as rig:
        rig.give({"id": 1})
        await rig.all_committed(1)
        assert [letter["errInfo"]["class"] for letter in rig.letters()] == ["Internal"]
        assert not rig.crashes


async def test_a_place_of_a_call_site_that_dies_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its document would stay open for good."""
    rig = build(calling_program(site()))
    crew = Crew([rig])
    for fanout in rig.processor.fanouts:
        monkeypatch.setattr(fanout._places, "_on_crash", crew.worker.crashed)  # type: ignore[attr-defined]

    def planted(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(rig.processor.executor, "next_segment", planted)
    rig.give({"id": 1})
    await _crash(rig, crew)
    assert rig.committed() == 0


async def test_a_bug_in_taking_records_ends_the_worker() -> None:
    """A source that delivers an offset twice: the loop would only log it and lose the records."""
    rig = build(plain_program())
    crew = Crew([rig])
    rig.processor._on_crash = crew.worker.crashed
    rig.give({"id": 1})
    await rig.all_committed(1)
    rig.source._next[FIRST] = 0
    rig.turn()
    await _crash(rig, crew)
    assert rig.committed() == 1


async def test_a_bug_in_an_ack_ends_the_worker() -> None:
    """A callback of the producer raised inside the worker's own poll."""
    rig = build(calling_program(site()))
    crew = Crew([rig])
    rig.processor._on_crash = crew.worker.crashed
    rig.producer.hold()
    rig.give({"id": 1})
    await rig.until(lambda: rig.producer.outstanding() == 1)
    rig.processor.partitions[FIRST].busy = 0
    rig.producer.release()
    ends = time.monotonic() + 5.0
    while not crew.running.done() and time.monotonic() < ends:
        rig.source.turn()
        await asyncio.sleep(0)
    await _crash(rig, crew)


async def test_a_crash_while_draining_still_ends_the_worker() -> None:
    """It does not wait for the drain, and reports Fatal instead of a clean end."""
    rig = build(calling_program(site()), settings={"drain_timeout_seconds": 60.0})
    crew = Crew([rig])
    rig.invoker.hold()
    rig.give({"id": 1})
    await _open_calls(rig, 1)
    crew.worker.stop()
    await rig.until(lambda: rig.source.quiesced)
    crew.worker.crashed(RuntimeError("a planted bug"))
    await _crash(rig, crew)


async def test_a_failed_processor_does_not_stop_its_neighbour() -> None:
    """The other one goes on, and the worker stays ready."""
    rigs = [build(calling_program(site(on_error="fail"))), build(plain_program())]
    crew = Crew(rigs)
    rigs[0].invoker.program("f", Behaviour(outcome="function_error"))
    rigs[0].give({"id": 1})
    await rigs[0].until(lambda: rigs[0].source.stopped)
    rigs[1].give({"id": 1})
    await rigs[1].all_committed(1)
    assert crew.worker.status()["ready"] is True
    assert len(rigs[1].producer.values(RESULTS)) == 1
    crew.worker.stop()
    await crew.ended()
    assert crew.running.exception() is None
