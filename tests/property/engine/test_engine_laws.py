"""The engine under any schedule: whatever answers, acks, breaks and moves when.

1. An offset is committed only when the output of every record below it was acked.
2. In the end every record has come out at least once; without a partition moving, exactly once.
3. Within one life of a partition results leave in source order, where `options.ordering` is partition.
4. Where functions are held and throttled, too, nothing is given up for it, no document runs twice without a
   partition moving, and in the end every permit is given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.lambda_behaviour import THROTTLED, Behaviour, Fate
from tests.unit.engine.rig import (
    FIRST,
    SECOND,
    Rig,
    calling_program,
    plain_program,
    running,
    site,
)
from workers.calls.budget import RetryBudget
from workers.calls.order import Ordering
from workers.model import Document, Meta, Position, TopicPartition
from workers.pipeline.program import BatchSpec, CallSite, Contract, HoldSpec, Program
from workers.progress.room import RoomLimits

PARTITIONS = (FIRST, SECOND)
RECORDS = st.lists(
    st.sampled_from(["pass", "drop", "refuse", "many", "poison", "grow", "tombstone"]), max_size=12
)
STEPS = st.lists(
    st.tuples(st.just("give"), st.sampled_from(PARTITIONS), RECORDS)
    | st.tuples(st.just("answer"), st.floats(0.001, 0.05))
    | st.tuples(st.just("ack"), st.integers(1, 10))
    | st.tuples(st.just("turn"), st.integers(1, 20))
    | st.tuples(st.just("move"), st.sampled_from(PARTITIONS))
    | st.tuples(st.just("lose"), st.sampled_from(PARTITIONS))
    | st.tuples(st.just("break")),
    min_size=5, max_size=40,
)  # fmt: skip


def _value(doc: Document, _meta: Meta | None) -> Any:
    return len(str(doc["id"])) % 3 or str(doc["id"])[-1]


def _batched(contract: Contract, **fields: Any) -> CallSite:
    spec = BatchSpec(3, 100_000, 0.001, contract)
    return site(function="batches", set_result=None, batch=spec, **fields)


PROGRAMS: dict[str, Program] = {
    "plain": plain_program(),
    "one call": calling_program(site(set_result=None)),
    "one call at a time for a value": calling_program(site(set_result=None, partition_by=_value)),
    "batches": calling_program(_batched("records")),
    "batches, one call at a time for a value": calling_program(_batched("records", partition_by=_value)),
    "batches in order": calling_program(_batched("kafkaEvent", partition_by=_value)),
    "a call and batches": calling_program(site(set_result=None), _batched("array", path="pipeline[4]")),
    "two calls": calling_program(site(set_result=None), site(function="g", path="pipeline[4]")),
}
FATES = (
    Fate(0.1, Behaviour(outcome="function_error")),
    Fate(0.1, Behaviour(outcome="error", times=1)),
)
# Faults of a function, for which no document is to blame.
FAULTS = {
    "gone": Behaviour(outcome="error", status=404, error_type="ResourceNotFoundException"),
    "busy": Behaviour(outcome="error", status=409, error_type="ResourceConflictException"),
    "throttled": THROTTLED,
}
FAULTY_STEPS = st.lists(
    st.tuples(st.just("give"), st.sampled_from(PARTITIONS), RECORDS)
    | st.tuples(st.just("answer"), st.floats(0.001, 0.05))
    | st.tuples(st.just("fault"), st.sampled_from(["gone", "busy", "throttled"]))
    | st.tuples(st.just("mend"))
    | st.tuples(st.just("pass"), st.floats(0.0, 0.01))
    | st.tuples(st.just("turn"), st.integers(1, 20))
    | st.tuples(st.just("move"), st.sampled_from(PARTITIONS))
    | st.tuples(st.just("lose"), st.sampled_from(PARTITIONS)),
    min_size=5, max_size=40,
)  # fmt: skip
PATIENT = HoldSpec(after="wait")
HELD: dict[str, Program] = {
    "one call": calling_program(site(set_result=None, hold=PATIENT)),
    "one call at a time for a value": calling_program(
        site(set_result=None, hold=PATIENT, partition_by=_value)
    ),
    "batches": calling_program(_batched("records", hold=PATIENT)),
    "batches in order": calling_program(_batched("kafkaEvent", hold=PATIENT, partition_by=_value)),
    "two calls": calling_program(
        site(set_result=None, hold=PATIENT), site(function="g", path="pipeline[4]", hold=PATIENT)
    ),
}
BATCHES = Behaviour(outcome="batch", latency_ms=3, id_field="id", fates=FATES)
FLAKY = Behaviour(
    id_field="id",
    fates=(
        Fate(0.1, Behaviour(outcome="function_error", latency_ms=5)),
        Fate(0.1, Behaviour(outcome="error", status=500, times=1, latency_ms=1)),
        Fate(0.3, Behaviour(latency_ms=20)),
        Fate(0.3, Behaviour(latency_ms=3)),
    ),
)


class Chaos:
    """A rig, what was given to it, and what was written of each record."""

    def __init__(self, rig: Rig, ordering: Ordering) -> None:
        self.rig = rig
        self.ordering = ordering
        self.given: dict[TopicPartition, int] = dict.fromkeys(PARTITIONS, 0)
        self.outputs: dict[tuple[int, int], int] = {}
        self.moved = False
        self.mend()
        rig.invoker.hold()
        rig.producer.hold()
        rig.producer.max_topic_bytes["results"] = 500
        commit = rig.source.commit

        def checked(positions: Mapping[TopicPartition, Position]) -> None:
            written = self.written()
            for partition, position in positions.items():
                above = (offset for start, stop in position.settled for offset in range(start, stop))
                for named in (*range(position.offset), *above):
                    place = (partition.partition, named)
                    found = written.get(place, 0)
                    assert found >= self.outputs[place], f"{place} was committed with {found} outputs"
            commit(positions)

        rig.source.commit = checked  # type: ignore[method-assign]

    def mend(self) -> None:
        """The functions do as their documents say."""
        self.rig.invoker.program("f", FLAKY)
        self.rig.invoker.program("g", FLAKY)
        self.rig.invoker.program("batches", BATCHES)

    def written(self) -> dict[tuple[int, int], int]:
        """Outputs that were acked, by the partition and offset in their key."""
        counts: dict[tuple[int, int], int] = {}
        for record in self.rig.producer.written:
            partition, _, offset = (record.key() or b"").decode().partition("/")
            counts[(int(partition), int(offset))] = counts.get((int(partition), int(offset)), 0) + 1
        return counts

    def give(self, partition: TopicPartition, kinds: list[str]) -> None:
        for kind in kinds:
            offset = self.given[partition]
            name = f"{partition.partition}/{offset}"
            doc: Any = {"id": name, "do": kind, "count": 2, "size": 600}
            value = {"poison": b"{", "tombstone": None}.get(kind, doc)
            self.rig.give(value, to=partition, key=name.encode())
            self.given[partition] += 1
            self.outputs[(partition.partition, offset)] = {"drop": 0, "many": 2}.get(kind, 1)

    async def step(self, step: tuple[Any, ...]) -> None:
        rig = self.rig
        match step:
            case ("give", partition, kinds):
                self.give(partition, kinds)
            case ("answer", seconds):
                rig.invoker.advance(seconds)
            case ("ack", count):
                rig.producer.release(count)
            case ("fault", name):
                for function in ("f", "g", "batches"):
                    rig.invoker.program(function, FAULTS[name])
            case ("mend",):
                self.mend()
            case ("pass", seconds):
                await asyncio.sleep(seconds)
            case ("break",):
                rig.producer.break_down()
            case ("lose", partition):
                self.moved = True
                rig.source.lose([partition])
                rig.source.assign([partition])
            case ("move", partition):
                self.moved = True
                await rig.revoke(partition)
                rig.source.assign([partition])
            case ("turn", count):
                for _ in range(count):
                    rig.turn()
                    await asyncio.sleep(0)
        rig.turn()
        await asyncio.sleep(0)

    async def finish(self) -> bool:
        """Let everything through and see that nothing is missing. True when it is all there."""
        rig = self.rig
        self.mend()
        rig.producer.release()
        await rig.until(
            lambda: all(rig.committed(p) == count for p, count in self.given.items()),
            "all committed",
            advance=1.0,
        )
        await rig.rest()
        written = self.written()
        for place, outputs in self.outputs.items():
            assert written.get(place, 0) >= outputs
            assert self.moved or written.get(place, 0) == outputs, f"{place} came out {written[place]} times"
        assert (rig.source.room.records, rig.source.room.size_bytes) == (0, 0)
        assert all(run.busy == 0 for run in rig.processor.partitions.values())
        if not self.moved and self.ordering == "partition":
            self.in_order()
        return True

    def in_order(self) -> None:
        """Results, not dead letters: these have a way of their own."""
        for partition in PARTITIONS:
            offsets = [
                int((record.key() or b"").decode().partition("/")[2])
                for record in self.rig.producer.written
                if record.topic() == "results"
                and (record.key() or b"").startswith(b"%d/" % partition.partition)
            ]
            assert offsets == sorted(offsets)


@pytest.mark.parametrize("ordering", ["partition", "none"])
@pytest.mark.parametrize("program", PROGRAMS)
@given(steps=STEPS)
@settings(max_examples=40)
def test_nothing_is_lost_repeated_or_out_of_order(
    program: str, ordering: Ordering, steps: list[tuple[Any, ...]]
) -> None:
    """Under any schedule the laws above hold."""

    async def run() -> None:
        how = {
            "revoke_drain_seconds": 0.002, "slice_records": 3, "commit_interval_seconds": 0.0,
            "ordering": ordering,
        }  # fmt: skip
        limits = RoomLimits(20, 100_000, 0.01)
        async with running(PROGRAMS[program], settings=how, partitions=2, limits=limits, capacity=3) as rig:
            chaos = Chaos(rig, ordering)
            for step in steps:
                await chaos.step(step)
            assert await chaos.finish()

    asyncio.run(run())


@pytest.mark.parametrize("program", HELD)
@given(steps=FAULTY_STEPS)
@settings(max_examples=25)
def test_a_fault_of_a_function_costs_no_document(program: str, steps: list[tuple[Any, ...]]) -> None:
    """Functions come and go, are busy and throttle, partitions move: the laws above hold, and what is
    dead-lettered is what its own document asked for."""

    async def run() -> None:
        how = {
            "revoke_drain_seconds": 0.002, "slice_records": 3, "commit_interval_seconds": 0.0,
            "ordering": "partition",
        }  # fmt: skip
        limits = RoomLimits(20, 100_000, 0.01)
        async with running(HELD[program], settings=how, partitions=2, limits=limits) as rig:
            for function in ("f", "g", "batches"):
                rig.callees.of("aws", function).budget = RetryBudget(0.0, 100_000)
            chaos = Chaos(rig, "partition")
            for step in steps:
                await chaos.step(step)
            assert await chaos.finish()
            classes = {letter["errInfo"]["class"] for letter in rig.letters()}
            assert not classes & {"ResourceNotFoundException", "ResourceConflictException"}
            assert "TooManyRequestsException" not in classes
            if not (chaos.moved or program.startswith("batches")):
                ids = rig.invoker.function("f").ids
                assert all(count <= 2 for count in ids.values()), "one fails once, and is tried again"

    asyncio.run(run())
