"""`options.ordering`: which results may overtake on the path with calls, and the map that goes with it."""

from __future__ import annotations

import pytest

from tests.fakes.lambda_behaviour import Behaviour, Fate
from tests.unit.engine.rig import (
    FIRST,
    PLAIN_SINK,
    SECOND,
    Rig,
    calling_program,
    plain_program,
    running,
    segment,
    site,
)
from workers.calls.order import Ordering
from workers.engine import partition as partition_module
from workers.engine.callees import Callees
from workers.metrics import MAP_CHARACTERS, PARTITIONS_HELD, RECORDS_SKIPPED, Metric
from workers.model import Document, Many, Position, TopicPartition
from workers.pipeline.program import Outcome, Program
from workers.progress.checkpoint import Checkpoint, decode, encode

SLOW = Behaviour(latency_ms=1_000)
QUICK = Behaviour(latency_ms=1)
ORDERINGS: tuple[Ordering, ...] = ("partition", "key", "none")


async def _open(rig: Rig, count: int) -> None:
    await rig.until(lambda: rig.invoker.open_calls() == count, f"{count} open calls")


async def _slow_head(rig: Rig, key: bytes | None = b"a", to: TopicPartition = FIRST) -> None:
    """One record whose call is open, for a second; those after it take a millisecond."""
    rig.invoker.hold()
    rig.invoker.program("f", SLOW)
    rig.give({"id": "slow"}, to=to, key=key)
    await _open(rig, 1)
    rig.invoker.program("f", QUICK)


async def _quick_ones_end(rig: Rig, count: int = 1) -> None:
    await _open(rig, 1 + count)
    rig.invoker.advance(0.01)
    await rig.rest()


def _shown(rig: Rig, metric: Metric, *labels: str) -> float:
    """What a scrape shows."""
    rig.processor.status()
    named = ",".join(f'{name}="{value}"' for name, value in sorted(zip(metric.labels, labels, strict=True)))
    (line,) = [
        line for line in rig.metrics.text().splitlines() if line.startswith(f"{metric.name}{{{named}}}")
    ]
    return float(line.split()[-1])


def map_of(rig: Rig, partition: TopicPartition = FIRST) -> Checkpoint:
    """What the group's commit says."""
    offset, text = rig.cluster.committed[("group", partition)]
    found = decode(text, offset)
    assert isinstance(found, Checkpoint)
    return found


@pytest.mark.parametrize(
    ("ordering", "first", "then"),
    [
        ("partition", [], ["slow", "a", "b", None]),
        ("key", ["b", None], ["slow", "a"]),
        ("none", ["a", "b", None], ["slow"]),
    ],
)
async def test_who_may_overtake(ordering: Ordering, first: list[str | None], then: list[str | None]) -> None:
    """partition: nobody; key: whoever has another key, or none; none: everybody."""
    async with running(calling_program(site()), settings={"ordering": ordering}) as rig:
        await _slow_head(rig)
        for name in ("a", "b", None):
            rig.give({"id": name}, key=name.encode() if name else None)
        await _quick_ones_end(rig, 3)
        assert rig.ids() == first
        rig.invoker.advance(1.0)
        await rig.all_committed(4)
        assert rig.ids() == first + then


@pytest.mark.parametrize(("ordering", "leaves"), [("partition", 0), ("key", 1), ("none", 1)])
async def test_dead_letters_overtake_as_results_do(ordering: Ordering, leaves: int) -> None:
    """A refused record leaves when it may, with the same rule."""
    async with running(calling_program(site()), settings={"ordering": ordering}) as rig:
        await _slow_head(rig)
        rig.give(b"{", key=b"other")
        await rig.rest()
        assert len(rig.letters()) == leaves
        rig.invoker.advance(1.0)
        await rig.all_committed(2)
        assert len(rig.letters()) == 1


async def test_keys_are_ordered_within_a_partition_alone() -> None:
    """The same key on another partition, or in another topic, is another record's affair."""
    async with running(calling_program(site()), settings={"ordering": "key"}, partitions=2) as rig:
        await _slow_head(rig)
        rig.give({"id": "elsewhere"}, to=SECOND, key=b"a")
        await _quick_ones_end(rig)
        assert rig.ids() == ["elsewhere"]


@pytest.mark.parametrize("ordering", ORDERINGS)
async def test_a_pipeline_without_calls_keeps_its_short_way(ordering: Ordering) -> None:
    """Nothing is kept for a single record, and results leave in source order anyway."""
    async with running(plain_program(), settings={"ordering": ordering}) as rig:
        rig.producer.hold()
        rig.give(*({"id": n} for n in range(20)), key=b"k")
        await rig.until(lambda: rig.producer.outstanding() == 20)
        assert rig.processor.partitions[FIRST].slots == {}
        rig.producer.release()
        await rig.all_committed(20)
        assert rig.ids() == list(range(20))


def _twice(doc: Document) -> Outcome:
    return Many([{"id": f"{doc['id']}{letter}"} for letter in "xy"])


async def test_documents_of_one_record_leave_in_their_own_order() -> None:
    """Two documents, each of which becomes two after its call; the second one's call answers first."""
    sites = (site(set_result=None), site(function="g", set_result=None))
    program = Program(None, (segment(_twice), segment(_twice), segment()), sites, PLAIN_SINK)
    async with running(program, settings={"ordering": "none"}) as rig:
        rig.invoker.hold()
        # With this seed the first document, 1x, meets the slow fate and 1y does not.
        fates = Behaviour(latency_ms=1, id_field="id", seed=2, fates=(Fate(0.5, SLOW),))
        rig.invoker.program("f", fates)
        rig.give({"id": "1"})
        await _open(rig, 2)
        rig.invoker.advance(0.5)
        await rig.until(lambda: rig.invoker.function("g").calls == 2, "the second document's second calls")
        rig.invoker.advance(1.0)
        await rig.until(lambda: rig.invoker.function("g").calls == 4, "the first document's")
        rig.invoker.advance(1.0)
        await rig.all_committed(1)
        assert rig.ids() == ["1xx", "1xy", "1yx", "1yy"]


@pytest.mark.parametrize("ordering", ["key", "none"])
async def test_what_settled_above_the_frontier_is_committed_and_not_called_again(ordering: Ordering) -> None:
    """The next owner calls with the slow record and the new ones alone; the room of the others is free."""
    async with running(calling_program(site()), settings={"ordering": ordering}) as rig:
        await _slow_head(rig)
        rig.give({"id": 1}, {"id": 2}, {"id": 3}, key=b"b")
        await _quick_ones_end(rig, 3)
        await rig.until(lambda: map_of(rig).settled == ((1, 4),), "the map")
        assert rig.committed() == 0
        rig.source.lose([FIRST])
        rig.source.assign([FIRST])
        rig.give({"id": 4}, key=b"b")
        await _open(rig, 3)  # the abandoned call of the first life is open, too
        rig.invoker.advance(2.0)
        await rig.all_committed(5)
        assert rig.ids() == [1, 2, 3, "slow", 4]
        assert [doc["id"] for doc in rig.invoked()] == ["slow", 1, 2, 3, "slow", 4]
        assert rig.source.room.records == 0
        assert _shown(rig, RECORDS_SKIPPED, "orders") == 3


async def test_a_map_outlives_owners_that_settle_nothing() -> None:
    """What an earlier owner settled stays in the commits of the next ones, delivered again or not yet."""
    async with running(calling_program(site(parallelism=1)), settings={"ordering": "none"}) as rig:
        rig.invoker.hold()
        rig.give(*({"id": n} for n in range(9)))
        rig.cluster.committed[("group", FIRST)] = (
            1,
            encode(1, Position(1, ((2, 4), (6, 8)), ((4, 5, 0, 3),))),
        )
        await _open(rig, 1)
        await rig.until(lambda: rig.source.asked != [], "a commit")
        for _ in range(3):
            rig.source.lose([FIRST])
            rig.source.assign([FIRST])
            await rig.rest()
            assert map_of(rig).settled == ((2, 4), (6, 8))
            assert (4, 5, 0, 3) in map_of(rig).tried
        rig.invoker.advance(1.0)
        await rig.until(lambda: rig.committed() == 9, advance=1.0)
        assert sorted(rig.ids()) == [1, 4, 5, 8]


async def test_attempts_of_earlier_owners_are_restored() -> None:
    """Into the record's slot, for its call site; others begin at 0. They are committed until it settles."""
    async with running(calling_program(site()), settings={"ordering": "none"}) as rig:
        rig.invoker.hold()
        rig.invoker.program("f", SLOW)
        rig.give(*({"id": n} for n in range(4)))
        rig.cluster.committed[("group", FIRST)] = (0, encode(1, Position(0, (), ((1, 3, 1, 7),))))
        await _open(rig, 4)
        slots = rig.processor.partitions[FIRST].slots
        found = [(slot.tried_site, slot.tried) for slot in slots.values()]
        assert [(site, tried) for site, tried in found if site] == [(1, 7), (1, 7)]
        slots[2].tried_site, slots[2].tried = 1, 8
        position = rig.processor.partitions[FIRST].position()
        assert [run for run in position.tried if run[2] == 1] == [(1, 2, 1, 7), (2, 3, 1, 8)]


async def test_a_partition_is_held_before_its_map_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing more of it is taken up until the map shrinks; its neighbour goes on; metrics tell."""
    monkeypatch.setattr(partition_module, "FULL_CHARACTERS", 10)
    async with running(
        calling_program(site(parallelism=64)),
        settings={"ordering": "none", "callees": Callees(lambda: {"aws f": {"limit": 64}})},
        partitions=2,
    ) as rig:
        rig.invoker.hold()
        rig.invoker.program("f", SLOW)
        # Every other record is dropped at once, the others wait: as many runs as there can be.
        rig.give(*({"id": n, "do": "drop" if n % 2 else "pass"} for n in range(400)))
        await rig.rest()
        taken = len(rig.invoker.requests)
        assert 10 <= rig.processor.partitions[FIRST].map_characters <= 30
        assert 30 <= taken <= 60
        assert _shown(rig, PARTITIONS_HELD, "orders") == 1
        assert _shown(rig, MAP_CHARACTERS, "orders", "in", "0") >= 10
        rig.give({"id": "neighbour"}, to=SECOND)
        await _open(rig, taken + 1)
        await rig.until(lambda: rig.committed() == 400, advance=1.0)
        assert _shown(rig, PARTITIONS_HELD, "orders") == 0
        assert len(rig.invoker.requests) == 201
