"""Records that somebody else's consumer hands over: what is acknowledged, when, and what is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from workers.adapters.handed_results import HandedResults
from workers.adapters.handed_source import HandedRecord, HandedSource
from workers.model import Position, TopicPartition
from workers.ports import Batch, Membership

FIRST = TopicPartition("in", 0)
SECOND = TopicPartition("in", 1)


class Taking:
    """What a processor hears. `last` is what it says when partitions are given up."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, object]] = []
        self.last: dict[TopicPartition, Position] = {}
        self.may_end = asyncio.Event()
        self.may_end.set()

    def take_assigned(self, positions: Mapping[TopicPartition, Position]) -> None:
        self.heard += [("assigned", (str(key), position.offset)) for key, position in positions.items()]

    def take_records(self, batches: Sequence[Batch]) -> None:
        self.heard += [("record", (str(batch.partition), *batch.offsets)) for batch in batches]

    async def give_up(
        self, partitions: Sequence[TopicPartition], membership: Membership | None
    ) -> Mapping[TopicPartition, Position]:
        await self.may_end.wait()
        return self.last

    def take_lost(self, partitions: Sequence[TopicPartition]) -> None:
        self.heard += [("lost", str(key)) for key in partitions]


class Handing:
    """A source with a reader that hands over records; a record's handle is `partition@offset/generation`."""

    def __init__(self, max_records: int = 1_000, max_bytes: int = 1_000_000) -> None:
        self.taking = Taking()
        self.acked: list[str] = []
        self.forgotten: list[str] = []
        self.source = HandedSource(max_records, max_bytes, self.acked.append, self.forgotten.append)
        self.source.feed(self.taking)

    def hand(self, *offsets: int, generation: int = 1, of: TopicPartition = FIRST) -> None:
        for offset in offsets:
            handle = f"{of.partition}@{offset}/{generation}"
            self.source.take(HandedRecord(of, offset, (None, b"12345", []), 7, generation, handle))


async def test_records_are_acknowledged_up_to_the_frontier_in_order() -> None:
    """What settled above it waits, as it must: Faust would commit past the open ones."""
    handing = Handing()
    handing.hand(5, 6, 9, 10)
    handing.source.commit({FIRST: Position(9, ((10, 11),))})
    assert handing.acked == ["0@5/1", "0@6/1"]
    handing.source.commit({FIRST: Position(11)})
    assert handing.acked == ["0@5/1", "0@6/1", "0@9/1", "0@10/1"]
    assert handing.forgotten == []


async def test_a_partition_begins_with_its_first_record() -> None:
    """Each with its own offset, before the record itself."""
    handing = Handing()
    handing.hand(5)
    handing.hand(2, of=SECOND)
    assert handing.taking.heard == [
        ("assigned", ("in[0]", 5)), ("record", ("in[0]", 5)),
        ("assigned", ("in[1]", 2)), ("record", ("in[1]", 2)),
    ]  # fmt: skip


async def test_a_record_that_comes_twice_in_a_generation_is_taken_once() -> None:
    """Faust may seek back without a rebalance; what is under way is not begun again."""
    handing = Handing()
    handing.hand(5, 6, 5, 6, 7)
    taken = [said for kind, said in handing.taking.heard if kind == "record"]
    assert taken == [("in[0]", 5), ("in[0]", 6), ("in[0]", 7)]
    assert handing.forgotten == ["0@5/1", "0@6/1"]


async def test_a_new_generation_begins_the_partition_anew() -> None:
    """What the old one left open is forgotten and comes again; nothing of it is acknowledged any more."""
    handing = Handing()
    handing.hand(5, 6, 7)
    handing.source.commit({FIRST: Position(6)})
    handing.hand(6, generation=2)
    assert handing.taking.heard[-3:] == [
        ("lost", "in[0]"),
        ("assigned", ("in[0]", 6)),
        ("record", ("in[0]", 6)),
    ]
    assert handing.forgotten == ["0@6/1", "0@7/1"]
    handing.source.commit({FIRST: Position(7)})
    assert handing.acked == ["0@5/1", "0@6/2"]


async def test_what_ends_within_the_drain_is_acknowledged_before_partitions_move() -> None:
    """The rest is forgotten, and late records of that generation are not taken: an acknowledged one behind a
    hole would commit past it."""
    handing = Handing()
    handing.hand(5, 6, 7)
    handing.taking.last = {FIRST: Position(6)}
    await handing.source.leave()
    assert (handing.acked, handing.forgotten) == (["0@5/1"], ["0@6/1", "0@7/1"])
    heard = len(handing.taking.heard)
    handing.hand(8)
    assert len(handing.taking.heard) == heard
    assert handing.forgotten[-1] == "0@8/1"
    handing.hand(6, generation=2)
    assert handing.taking.heard[-1] == ("record", ("in[0]", 6))


async def test_a_partition_that_came_back_during_the_drain_stays_as_it_is() -> None:
    """The drain's positions are of the old generation, and say nothing of the new one."""
    handing = Handing()
    handing.hand(5)
    handing.taking.may_end.clear()
    handing.taking.last = {FIRST: Position(6)}
    leaving = asyncio.create_task(handing.source.leave())
    await asyncio.sleep(0)
    handing.hand(5, generation=2)
    handing.taking.may_end.set()
    await leaving
    assert (handing.acked, handing.forgotten) == ([], ["0@5/1"])
    handing.source.commit({FIRST: Position(6)})
    assert handing.acked == ["0@5/2"]


async def test_partitions_that_are_lost_are_forgotten_at_once() -> None:
    """Nothing of them is acknowledged, however it ends."""
    handing = Handing()
    handing.hand(5)
    handing.hand(2, of=SECOND)
    handing.source.lose()
    assert sorted(handing.forgotten) == ["0@5/1", "1@2/1"]
    handing.source.commit({FIRST: Position(6), SECOND: Position(3)})
    assert handing.acked == []


async def test_room_is_given_back_by_acknowledging() -> None:
    """Not by settling: memory is bounded however far one record stands behind the others."""
    for handing in (Handing(max_records=2), Handing(max_bytes=10)):
        handing.hand(5, 6)
        waiting = asyncio.create_task(handing.source.room())
        handing.source.freed(FIRST, 1, 5)
        await asyncio.sleep(0)
        assert not waiting.done()
        handing.source.commit({FIRST: Position(6)})
        await asyncio.wait_for(waiting, 10)
        assert handing.source.status().buffered_bytes == 5


async def test_a_source_that_stopped_takes_nothing() -> None:
    """It is read again by whoever owns the partition next."""
    handing = Handing()
    handing.hand(5)
    handing.source.stop().result(0)
    handing.hand(6)
    assert handing.forgotten == ["0@5/1", "0@6/1"]
    assert handing.source.membership().result(0) is None
    assert handing.source.positions([FIRST]).result(0) is None


@given(
    st.lists(st.tuples(st.sampled_from(["take", "settle", "commit", "rebalance", "seek"]), st.integers(0, 7)))
)
def test_nothing_is_acknowledged_before_it_and_all_before_it_settled(steps: list[tuple[str, int]]) -> None:
    """Whatever comes in between: a record is acknowledged once in a generation, in order, and only when it
    and everything below it settled in some generation."""

    async def run() -> None:
        handing = Handing()
        generation, following = 1, 0
        settled: set[int] = set()
        for step, choice in steps:
            if step == "take":
                handing.hand(following, generation=generation)
                following += 1
            elif step == "settle" and choice < following:
                settled.add(choice)
            elif step == "commit" and handing.taking.heard:
                frontier = next(offset for offset in range(following + 1) if offset not in settled)
                handing.source.commit({FIRST: Position(frontier)})
            elif step == "rebalance":
                following = len(handing.acked)
                settled &= set(range(following))
                generation += 1
                if choice % 2:
                    handing.source.lose()
            elif step == "seek":
                following = max(len(handing.acked), following - choice)
            offsets = [int(handle.split("@")[1].split("/")[0]) for handle in handing.acked]
            assert offsets == list(range(len(offsets)))
            assert set(offsets) <= settled

    asyncio.run(run())


async def test_results_come_in_the_order_they_leave_and_know_their_record() -> None:
    """With the original's headers, and only while the partition is ours."""
    handing, results = Handing(), HandedResults()
    records = [
        HandedRecord(FIRST, at, (b"k", b"v", [("h", None), ("h", b"1")]), 7, 1, f"0@{at}/1")
        for at in range(3)
    ]
    ended: list[object] = []

    def delivered(error: object, _record: object) -> None:
        ended.append(error)

    for record in records:
        handing.source.take(record)
        assert results.send("x", b'{"a": 1}', b"k", record.headers(), 7, delivered) is True
    first = await results.next()
    assert (first.record, first.document, first.headers) == (records[0], {"a": 1}, [("h", None), ("h", b"1")])
    first.settle()
    assert ended == [None]
    handing.source.lose()
    waiting = asyncio.create_task(results.next())
    await asyncio.sleep(0)
    assert not waiting.done(), "results of a partition that moved are not handed out"
    waiting.cancel()
    again = HandedRecord(FIRST, 1, (None, None, []), 0, 2, "0@1/2")
    handing.source.take(again)
    results.send("x", None, None, again.headers(), 0, delivered)
    found = await asyncio.wait_for(results.next(), 10)
    assert (found.record, found.document, found.key) == (again, None, None)
    results.close()
    assert (results.outstanding(), results.poll()) == (0, 0)


async def test_results_of_a_whole_slice_are_handed_over_one_by_one() -> None:
    """Places without a value are passed over, as the port says."""
    results = HandedResults()
    records = [HandedRecord(FIRST, at, (b"%d" % at, b"v", []), 7, 1, None) for at in range(3)]
    assert results.send_many("x", [b"1", None, b"3"], records, range(3), lambda *_: None) == 3
    assert [(await results.next()).key for _ in range(2)] == [b"0", b"2"]


async def test_results_that_nobody_takes_do_not_pile_up_over_rebalances() -> None:
    """Those of partitions that moved make room for the next."""
    handing, results = Handing(), HandedResults()
    for generation in range(1, 5):
        for at in range(3):
            record = HandedRecord(FIRST, at, (None, b"v", []), 7, generation, "")
            handing.source.take(record)
            results.send("x", b"{}", None, record.headers(), 7, lambda *_: None)
        assert results.outstanding() == 3
        handing.source.lose()
