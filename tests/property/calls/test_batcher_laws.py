"""Batches: cut exactly at the limits, in order, nothing lost, and gone when their time has come."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from workers.calls.batcher import Batcher, BatchLimits
from workers.calls.contracts import batch_contract
from workers.calls.framing import BatchContract

CONTRACTS = st.sampled_from([batch_contract(name, "b:9092") for name in ("records", "array", "kafkaEvent")])


@dataclass(slots=True, eq=False)
class Entry:
    """A record as a batch sees it."""

    number: int
    text: bytes
    group: str
    value: Hashable | None
    identity: str = ""
    offset: int = 0
    single: Hashable | None = None


ENTRIES = st.lists(
    st.tuples(st.integers(2, 200), st.sampled_from(["in-0", "in-1", "a-longer-topic-12"]), st.integers(0, 3)),
    max_size=60,
)


def _entries(drawn: list[tuple[int, str, int]], contract: BatchContract) -> list[Entry]:
    is_event = contract.name == "kafkaEvent"
    return [
        Entry(number, b'"' + b"x" * (size - 2) + b'"', group if is_event else "", value or None)
        for number, (size, group, value) in enumerate(drawn)
    ]


def _all(batcher: Batcher[Entry], now: float) -> list[list[Entry]]:
    found = []
    while (batch := batcher.take(now)) is not None:
        found.append(batch)
    return found


@given(drawn=ENTRIES, contract=CONTRACTS, records=st.integers(1, 10), size=st.integers(450, 2_000))
def test_batches_are_cut_exactly_at_the_limits(
    drawn: list[tuple[int, str, int]], contract: BatchContract, records: int, size: int
) -> None:
    """No request is above a limit, none could have taken the record after it, all are there and in order."""
    entries = _entries(drawn, contract)
    batcher: Batcher[Entry] = Batcher(
        BatchLimits(records, size, 1.0), contract.frame_bytes, contract.group_bytes
    )
    for entry in entries:
        batcher.add(entry, 0.0)
    batches = _all(batcher, 1.0)
    assert [entry.number for batch in batches for entry in batch] == list(range(len(entries)))
    assert batcher.records == 0
    for batch, following in zip(batches, [*batches[1:], []], strict=False):
        assert len(batch) <= records
        assert len(contract.frame(batch)) <= size
        if following and len(batch) < records:
            assert len(contract.frame([*batch, following[0]])) > size, "the next record would have fitted"


@given(drawn=ENTRIES, contract=CONTRACTS)
def test_no_batch_has_two_records_of_a_value_where_none_may(
    drawn: list[tuple[int, str, int]], contract: BatchContract
) -> None:
    """`one_of_each_value`, and what tells records apart, cut a batch early."""
    entries = _entries(drawn, contract)
    limits = BatchLimits(10, 2_000, 1.0, one_of_each_value=True)
    batcher: Batcher[Entry] = Batcher(limits, contract.frame_bytes, contract.group_bytes)
    for entry in entries:
        entry.single = len(entry.text) % 7
        batcher.add(entry, 0.0)
    batches = _all(batcher, 1.0)
    assert [entry.number for batch in batches for entry in batch] == list(range(len(entries)))
    for batch in batches:
        values = [entry.value for entry in batch if entry.value is not None]
        assert len(values) == len(set(values))
        assert len({entry.single for entry in batch}) == len(batch)


@given(gaps=st.lists(st.floats(0.0, 0.02), min_size=1, max_size=30), delay=st.floats(0.001, 0.05))
def test_the_timer_flushes(gaps: list[float], delay: float) -> None:
    """A batch is there when its first record is `max_delay_seconds` old, full or not, and never before."""
    batcher: Batcher[Entry] = Batcher(BatchLimits(1_000, 100_000, delay), 2, lambda _group: 0)
    now, first = 0.0, None
    for number, gap in enumerate(gaps):
        now += gap
        due = batcher.due()
        if first is not None:
            assert due == first + delay
        if batcher.has_batch(now):
            assert first is not None
            assert now >= first + delay
            assert batcher.take(now)
            first = None
        else:
            assert batcher.take(now) is None
        batcher.add(Entry(number, b"1", "", None), now)
        first = now if first is None else first
    assert first is not None
    assert batcher.has_batch(first + delay)
    batcher.hurry(now)
    assert batcher.has_batch(now), "what need not wait goes at once"


@given(drawn=ENTRIES, gone=st.sets(st.integers(0, 60)), records=st.integers(1, 10))
def test_what_is_dropped_is_gone_and_the_rest_stays_in_order(
    drawn: list[tuple[int, str, int]], gone: set[int], records: int
) -> None:
    """Records of a released partition leave their batches; the limits hold for what comes after."""
    contract = batch_contract("kafkaEvent", "b:9092")
    entries = _entries(drawn, contract)
    batcher: Batcher[Entry] = Batcher(
        BatchLimits(records, 1_000, 1.0), contract.frame_bytes, contract.group_bytes
    )
    for entry in entries:
        batcher.add(entry, 0.0)
    dropped = batcher.drop(lambda entry: entry.number in gone)
    assert {entry.number for entry in dropped} == gone & set(range(len(entries)))
    assert batcher.records == len(entries) - len(dropped)
    for entry in _entries(drawn, contract):
        entry.number += 1_000
        batcher.add(entry, 0.0)
    batches = _all(batcher, 1.0)
    numbers = [entry.number for batch in batches for entry in batch]
    stayed = [number for number in range(len(entries)) if number not in gone]
    assert numbers == [*stayed, *(number + 1_000 for number in range(len(entries)))]
    assert all(len(contract.frame(batch)) <= 1_000 and len(batch) <= records for batch in batches)
    assert batcher.records == 0


def test_records_that_come_back_together_go_first_and_alone() -> None:
    """A part of a batch that goes again is one batch, before what waits."""
    batcher: Batcher[Entry] = Batcher(BatchLimits(2, 1_000, 1.0), 2, lambda _group: 0)
    entries = [Entry(number, b"1", "", None) for number in range(5)]
    for entry in entries[2:]:
        batcher.add(entry, 0.0)
    batcher.add_first(entries[:1])
    assert [[entry.number for entry in batch] for batch in _all(batcher, 1.0)] == [[0], [2, 3], [4]]
