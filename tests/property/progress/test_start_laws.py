"""Where reading starts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.progress.start import Available, DataLoss, OnDataLoss, Reset, StartPolicy, start_offset

LOW, HIGH = 10, 20
AVAILABLE = Available(LOW, HIGH)


@pytest.mark.parametrize(
    ("partition", "committed", "group", "reset", "expected"),
    [
        (0, None, None, "latest", HIGH),
        (0, None, None, "earliest", LOW),
        (0, None, 1, "latest", HIGH),  # was there at the start, its first commit is not yet
        (1, None, 1, "latest", LOW),  # was added later
        (1, None, 1, "earliest", LOW),
        (0, None, 0, "latest", LOW),  # the group was another program's
        (0, 15, 1, "latest", 15),
        (0, LOW, 1, "latest", LOW),
        (0, HIGH, 1, "earliest", HIGH),
        (7, 15, 1, "earliest", 15),
    ],
)
def test_where_a_partition_starts(
    partition: int, committed: int | None, group: int | None, reset: Reset, expected: int
) -> None:
    """By what the group committed, else by `auto_offset_reset`; an added partition from its beginning."""
    policy = StartPolicy(reset, "fail")
    assert start_offset(partition, committed, group, AVAILABLE, policy) == expected


@pytest.mark.parametrize(
    ("committed", "rule", "expected"),
    [
        (LOW - 3, "earliest", LOW),
        (LOW - 3, "latest", HIGH),
        (HIGH + 1, "earliest", LOW),
        (HIGH + 1, "latest", HIGH),
    ],
)
def test_a_position_that_is_gone_follows_on_data_loss(
    committed: int, rule: OnDataLoss, expected: int
) -> None:
    """earliest and latest go on from what is left."""
    policy = StartPolicy("latest", rule)
    assert start_offset(0, committed, 1, AVAILABLE, policy) == expected


def test_lost_records_are_counted_and_described() -> None:
    """The error says how many, where, and which option goes on without them."""
    loss = start_offset(0, LOW - 3, None, AVAILABLE, StartPolicy("latest", "fail"))
    assert isinstance(loss, DataLoss)
    assert loss.lost == 3
    assert "3 records of orders[0] from offset 7" in loss.describe("orders[0]")
    assert "onDataLoss" in loss.describe("orders[0]")


def test_a_topic_made_anew_is_described() -> None:
    """It ends before the committed offset; nothing can be counted."""
    loss = start_offset(0, HIGH + 5, None, AVAILABLE, StartPolicy("latest", "fail"))
    assert isinstance(loss, DataLoss)
    assert loss.lost == 0
    assert "ends at 20, before the committed 25" in loss.describe("orders[0]")


@given(
    partition=st.integers(0, 100),
    committed=st.none() | st.integers(0, 2**50),
    group=st.none() | st.integers(0, 100),
    low=st.integers(0, 2**40),
    size=st.integers(0, 2**40),
    reset=st.sampled_from(["earliest", "latest"]),
    rule=st.sampled_from(["fail", "earliest", "latest"]),
)
def test_a_start_is_always_readable(
    partition: int, committed: int | None, group: int | None, low: int, size: int,
    reset: Reset, rule: OnDataLoss,
) -> None:  # fmt: skip
    """Within what is left, equal to the commit whenever that is left, and loss only where it may fail."""
    available = Available(low, low + size)
    start = start_offset(partition, committed, group, available, StartPolicy(reset, rule))
    if isinstance(start, DataLoss):
        assert rule == "fail"
        assert committed is not None
        assert not low <= committed <= low + size
        return
    assert low <= start <= low + size
    if committed is not None and low <= committed <= low + size:
        assert start == committed
    if committed is None and group is not None and partition >= group:
        assert start == low
