"""Splitting finds the guilty records, and only them, with few calls."""

from __future__ import annotations

from math import ceil, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.adapters.error_file import shipped_errors
from workers.calls.contract import CallFailure, failure_of, judge_error
from workers.calls.split import Pieces, may_split
from workers.errors import AnswerTooLarge, NotSent, TimedOut, UnknownOutcome
from workers.ports import InvokeAnswer

TABLE = shipped_errors()


def thrown(name: str) -> CallFailure | None:
    """The function itself failed."""
    return failure_of(InvokeAnswer(200, f'{{"errorType":"{name}"}}'.encode(), "Unhandled"), "sync", TABLE)


@given(data=st.data(), count=st.integers(1, 300))
def test_exactly_the_guilty_ones_are_found(data: st.DataObject, count: int) -> None:
    """A call fails while a guilty record is in it: each is found by itself, all others pass once and in
    order, in at most 2 log2(n) + 1 calls for each guilty one and the first."""
    guilty = data.draw(st.sets(st.integers(0, count - 1), max_size=8))
    pieces = Pieces(range(count))
    found: list[int] = []
    passed: list[int] = []
    calls = 0
    while (piece := pieces.next()) is not None:
        calls += 1
        if not guilty & set(piece):
            passed += piece
        elif len(piece) == 1:
            found += piece
        else:
            pieces.split(piece)
    assert found == sorted(guilty)
    assert passed == [number for number in range(count) if number not in guilty]
    assert calls <= 1 + len(guilty) * 2 * ceil(log2(count) if count > 1 else 1)


@pytest.mark.parametrize(
    ("failure", "splits"),
    [
        (judge_error(TimedOut("late"), TABLE), True),
        (judge_error(AnswerTooLarge("7 MB"), TABLE), True),
        (judge_error(UnknownOutcome("reset"), TABLE), False),
        (judge_error(NotSent("refused"), TABLE), False),
        (failure_of(InvokeAnswer(413, b"", error_type="RequestTooLargeException"), "sync", TABLE), True),
        (failure_of(InvokeAnswer(413, b""), "async", TABLE), True),
        (
            failure_of(InvokeAnswer(400, b"", error_type="InvalidRequestContentException"), "sync", TABLE),
            True,
        ),
        (
            failure_of(InvokeAnswer(400, b"", error_type="InvalidParameterValueException"), "sync", TABLE),
            False,
        ),
        (failure_of(InvokeAnswer(404, b"", error_type="ResourceNotFoundException"), "sync", TABLE), False),
        (failure_of(InvokeAnswer(429, b""), "sync", TABLE), False),
        (failure_of(InvokeAnswer(503, b""), "sync", TABLE), False),
        (
            failure_of(InvokeAnswer(200, b'{"errorType":"Sandbox.Timedout"}', "Unhandled"), "sync", TABLE),
            True,
        ),
        (failure_of(InvokeAnswer(200, b'{"errorType":"ValueError"}', "Unhandled"), "sync", TABLE), True),
        (
            failure_of(
                InvokeAnswer(200, b'{"errorType":"Runtime.ImportModuleError"}', "Unhandled"), "sync", TABLE
            ),
            False,
        ),
    ],
)
def test_what_a_part_of_a_batch_may_pass_where_the_whole_failed(
    failure: CallFailure | None, splits: bool
) -> None:
    """Size, time and the function's own errors; not what every piece would meet again."""
    assert failure is not None
    assert may_split(failure) is splits
