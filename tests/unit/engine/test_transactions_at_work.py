"""Exactly-once on fakes: what goes into a transaction, and what becomes of it when one does not commit."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fakes.lambda_behaviour import Behaviour
from tests.fakes.transactions import FENCED, PASSING, STALE, FakeTransactions
from tests.unit.engine.rig import (
    DEAD,
    FIRST,
    RESULTS,
    SECOND,
    TRANSACTIONS,
    Rig,
    calling_program,
    plain_program,
    renaming_sink,
    running,
    site,
)
from workers.metrics import RECORDS
from workers.metrics import TRANSACTIONS as COUNTED
from workers.model import Position
from workers.ports import TransactionEnd
from workers.progress.checkpoint import Checkpoint, decode

IN_DOUBT = TransactionEnd("in_doubt", "no answer")


def transactions(rig: Rig) -> FakeTransactions:
    assert rig.transactions is not None
    return rig.transactions


def position(rig: Rig) -> Position:
    """What the group has committed for the first partition."""
    offset, text = rig.cluster.committed[("group", FIRST)]
    checkpoint = decode(text, offset)
    assert isinstance(checkpoint, Checkpoint)
    return checkpoint.from_offset(offset)


def attempts(rig: Rig) -> int:
    return len(transactions(rig).ends)


async def test_results_dead_letters_and_offsets_go_out_together() -> None:
    """Nothing is produced or committed in any other way, and what is dropped counts, too."""
    async with running(plain_program(), exactly_once=True) as rig:
        rig.give(
            {"id": 1}, {"id": 2, "do": "refuse"}, {"id": 3, "do": "drop"}, {"id": 4, "do": "mixed"}, b"no"
        )
        await rig.all_committed(5)
        assert rig.ids() == [1, "4.0", "4.2"]
        assert len(rig.letters()) == 3
        assert rig.producer.sent == 0
        assert rig.source.asked == []
        await rig.until(lambda: rig.processor.tally.outcomes.total() == 5)
        assert rig.processor.tally.outcomes == {"emitted": 1, "dead_lettered": 3, "dropped": 1}


async def test_an_assigned_partition_is_on_record_before_anything_is_read() -> None:
    """The start of a new group goes out in a transaction of its own."""
    async with running(plain_program(), exactly_once=True) as rig:
        await rig.until(lambda: ("group", FIRST) in rig.cluster.committed)
        assert transactions(rig).runs == [[]]


async def test_the_id_is_registered_before_a_partition_comes() -> None:
    """What a killed owner left open holds back the offsets of its partitions until somebody registers."""
    async with running(plain_program(), exactly_once=True) as rig:
        rig.source.auto_assign = False
        await rig.until(lambda: rig.cluster.transactional_ids == {"t": 1})
        assert not rig.processor.partitions


@pytest.mark.parametrize("failure", [PASSING, STALE], ids=["passing", "stale"])
async def test_an_abort_sends_the_same_again_and_repeats_no_call(failure: TransactionEnd) -> None:
    """The outcomes are kept; what settles meanwhile goes with them or after them, in order."""
    async with running(calling_program(site()), exactly_once=True) as rig:
        await rig.until(lambda: attempts(rig) >= 1)
        for _ in range(3):
            transactions(rig).plan(failure)
        rig.give(*({"id": n} for n in range(5)))
        await rig.all_committed(5)
        assert rig.ids() == list(range(5))
        assert len(rig.invoked()) == 5
        assert [end.result for end in transactions(rig).ends].count("aborted") == 3


async def test_a_result_that_is_too_large_becomes_a_dead_letter_in_the_next_transaction() -> None:
    """Its neighbours are written in their order, once."""
    async with running(plain_program(), exactly_once=True) as rig:
        transactions(rig).max_topic_bytes[RESULTS] = 100
        rig.give({"id": 1}, {"id": 2, "do": "grow", "size": 500}, {"id": 3})
        await rig.all_committed(3)
        assert rig.ids() == [1, 3]
        (letter,) = rig.letters()
        assert letter["errInfo"]["class"] == "ResultTooLarge"
        await rig.until(lambda: rig.processor.tally.outcomes.total() == 3)
        assert rig.processor.tally.outcomes["dead_lettered"] == 1


async def test_a_dead_letter_that_is_too_large_goes_without_its_content() -> None:
    """And one that is refused even then is sent again until the topic takes it."""
    async with running(plain_program(), exactly_once=True) as rig:
        made = transactions(rig)
        made.max_topic_bytes[DEAD] = 100
        rig.give({"id": 1, "do": "refuse", "text": "x" * 500})
        await rig.all_committed(1)
        assert made.values(DEAD) == [None]
        assert rig.letters()[0]["truncated"] is True


async def test_a_topic_that_a_document_named_and_nobody_has_is_a_dead_letter() -> None:
    """A static topic is waited for instead."""
    async with running(calling_program(sink=renaming_sink()), exactly_once=True) as rig:
        transactions(rig).absent.add("gone")
        rig.give({"id": 1, "to": "here"}, {"id": 2, "to": "gone"})
        await rig.all_committed(2)
        assert rig.ids("here") == [1]
        assert rig.letters()[0]["errInfo"]["class"] == "NoTopic"
    async with running(plain_program(), exactly_once=True) as rig:
        made = transactions(rig)
        made.absent.add(RESULTS)
        rig.give({"id": 1})
        await rig.until(lambda: len([end for end in made.ends if end.refused]) >= 2)
        assert rig.committed() == 0
        made.absent.clear()
        await rig.all_committed(1)
        assert rig.ids() == [1]


@pytest.mark.parametrize("wrote", [True, False], ids=["it was committed", "it was not"])
async def test_a_transaction_in_doubt_is_settled_by_the_groups_offsets(wrote: bool) -> None:
    """Committed: never sent again. Not: sent again. Nothing new is sent before that is known."""
    async with running(calling_program(site()), exactly_once=True) as rig:
        made = transactions(rig)
        await rig.until(lambda: attempts(rig) >= 1)
        made.plan(IN_DOUBT, writes=wrote)
        rig.give({"id": 1})
        await rig.until(lambda: IN_DOUBT in made.ends)
        rig.give({"id": 2})
        await rig.all_committed(2)
        assert rig.ids() == [1, 2]
        assert len(rig.invoked()) == 2


async def test_while_in_doubt_nothing_is_sent() -> None:
    """The broker is away: what settles waits, in the room of the processor."""
    async with running(plain_program(), exactly_once=True) as rig:
        made = transactions(rig)
        await rig.until(lambda: attempts(rig) >= 1)
        made.plan(IN_DOUBT, writes=True)
        rig.give({"id": 1})
        await rig.until(lambda: IN_DOUBT in made.ends)
        made.unreachable = True
        runs = len(made.runs)
        rig.give({"id": 2})
        await rig.rest()
        assert len(made.runs) == runs
        made.unreachable = False
        await rig.all_committed(2)
        assert rig.ids() == [1, 2]


async def test_a_revocation_commits_what_has_settled_before_it_returns() -> None:
    """With the membership that the poll thread read, which stands still meanwhile."""
    async with running(
        calling_program(site()), exactly_once=True, partitions=2, settings={"transactions": slow()}
    ) as rig:
        await rig.until(lambda: bool(rig.processor.partitions))
        rig.give({"id": 1}, {"id": 2})
        rig.give({"id": 3}, to=SECOND)
        await rig.until(lambda: rig.processor._commits.waiting == 3)  # type: ignore[attr-defined]
        await rig.revoke(FIRST)
        assert rig.committed() == 2
        assert sorted(rig.ids()) in ([1, 2], [1, 2, 3])


async def test_what_a_revocation_could_not_commit_is_forgotten() -> None:
    """The transaction fails until the partition has gone: its outcomes are the next owner's, those of the
    other partition are sent again."""
    async with running(plain_program(), exactly_once=True, partitions=2) as rig:
        made = transactions(rig)
        await rig.until(lambda: attempts(rig) >= 1)
        made.unreachable = True
        rig.give({"id": 1})
        rig.give({"id": 2}, to=SECOND)
        await rig.until(lambda: any(len(run) == 2 for run in made.runs))
        rig.source.lose([FIRST])
        await rig.rest()
        made.unreachable = False
        await rig.all_committed(1, SECOND)
        assert rig.ids() == [2]
        assert rig.committed() == 0


async def test_a_revocation_in_doubt_leaves_the_rest_right() -> None:
    """One partition is lost while it is not known whether its transaction committed: the other one tells."""
    async with running(plain_program(), exactly_once=True, partitions=2) as rig:
        made = transactions(rig)
        await rig.until(lambda: attempts(rig) >= 1)
        made.hold()
        rig.give({"id": 1})
        rig.give({"id": 2}, to=SECOND)
        await rig.until(lambda: any(len(run) == 2 for run in made.runs) or len(made.runs[-1]) == 1)
        made.plan(IN_DOUBT, writes=True)
        rig.source.lose([FIRST])
        made.release()
        await rig.all_committed(1, SECOND)
        await rig.rest()
        assert rig.ids().count(2) == 1


async def test_results_above_the_frontier_are_named_by_their_commit() -> None:
    """ordering none: what leaves before the records below it is in the map of the same transaction."""
    settings: dict[str, Any] = {"ordering": "none"}
    async with running(calling_program(site()), exactly_once=True, settings=settings) as rig:
        await rig.until(lambda: attempts(rig) >= 1)
        rig.invoker.hold()
        rig.invoker.program("f", Behaviour(latency_ms=1_000))
        rig.give({"id": 0})
        await rig.until(lambda: rig.invoker.open_calls() == 1)
        rig.invoker.program("f", Behaviour(latency_ms=1))
        rig.give(*({"id": n} for n in range(1, 4)))
        await rig.until(lambda: rig.invoker.open_calls() == 4)
        rig.invoker.advance(0.01)
        await rig.until(lambda: len(rig.ids()) == 3)
        assert rig.ids() == [1, 2, 3]
        assert (position(rig).offset, position(rig).settled) == (0, ((1, 4),))


async def test_a_document_that_stops_its_processor_is_committed_up_to() -> None:
    """What settled before it is in the last transaction, nothing past it."""
    async with running(plain_program(), exactly_once=True, settings={"transactions": slow()}) as rig:
        await rig.until(lambda: bool(rig.processor.partitions))
        rig.give({"id": 1}, {"id": 2, "do": "fail"}, {"id": 3})
        await rig.until(lambda: rig.processor.state == "FAILED")
        await rig.until(lambda: rig.source.stopped)
        assert rig.ids() == [1]
        assert rig.committed() == 1


async def test_a_drain_commits_the_last_transaction_and_then_leaves() -> None:
    """SIGTERM: what has begun ends, and nothing of it waits for the interval."""
    async with running(plain_program(), exactly_once=True, settings={"transactions": slow()}) as rig:
        await rig.until(lambda: bool(rig.processor.partitions))
        rig.give({"id": 1})
        await rig.until(lambda: rig.processor._commits.waiting == 1)  # type: ignore[attr-defined]
        await rig.stop()
        assert rig.ids() == [1]
        assert rig.committed() == 1


async def test_a_live_twin_is_waited_for_ever_longer() -> None:
    """Two that share an id must not take it from each other without end; the metric says so."""
    async with running(plain_program(), exactly_once=True) as rig:
        await rig.until(lambda: attempts(rig) >= 1)
        transactions(rig).plan(FENCED)
        rig.give({"id": 1})
        await rig.until(lambda: FENCED in transactions(rig).ends)
        await rig.all_committed(1)
        assert rig.ids() == [1]
        assert "penstock_transactions_fenced_total" in rig.metrics.text()


async def test_room_comes_back_with_the_commit() -> None:
    """What waits for a transaction is bounded by the room of the processor."""
    async with running(plain_program(), exactly_once=True) as rig:
        made = transactions(rig)
        await rig.until(lambda: attempts(rig) >= 1)
        made.hold()
        rig.give(*({"id": n} for n in range(20)))
        await rig.until(lambda: rig.processor._commits.waiting == 20)  # type: ignore[attr-defined]
        assert rig.source.room.records == 20
        made.release()
        await rig.all_committed(20)
        await rig.until(lambda: rig.source.room.records == 0)


async def test_a_transaction_takes_no_more_than_its_bound() -> None:
    """The rest goes with the next ones, in order."""
    small = TRANSACTIONS.__class__("orders", 0.001, 5, 3, 1_000_000)
    async with running(plain_program(), exactly_once=True, settings={"transactions": small}) as rig:
        rig.give(*({"id": n} for n in range(20)))
        await rig.all_committed(20)
        assert rig.ids() == list(range(20))
        assert max(map(len, transactions(rig).runs)) == 3


async def test_transactions_are_counted_by_their_end() -> None:
    """Committed and aborted, and the records when they are known to everybody."""
    async with running(plain_program(), exactly_once=True) as rig:
        transactions(rig).plan(PASSING)
        rig.give({"id": 1})
        await rig.all_committed(1)
        await asyncio.sleep(0)
        rig.processor.status()
        text = rig.metrics.text()
        assert f'{COUNTED.name}{{processor="orders",result="aborted"}} 1.0' in text
        assert f'{RECORDS.name}{{outcome="emitted",processor="orders"}} 1.0' in text


def slow() -> Any:
    """Transactions that nothing but a drain makes begin, after the first."""
    return TRANSACTIONS.__class__("orders", 60.0, 1_000, 10_000, 1_000_000)
