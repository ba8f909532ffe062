"""What holds for a limit whatever happens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.adapters.error_file import shipped_errors
from workers.calls.contract import CallFailure, failure_of, judge_error
from workers.calls.limiter import MAX_CEILINGS, AdaptiveLimit, LimitBounds, pressure_of
from workers.errors import AnswerTooLarge, NotSent, TimedOut, UnknownOutcome
from workers.ports import InvokeAnswer

TABLE = shipped_errors()
BOUNDS = st.integers(1, 300).flatmap(
    lambda most: st.builds(
        LimitBounds, most=st.just(most), start=st.integers(1, 400), least=st.integers(1, most)
    )
)
ENDS = st.sampled_from(["well", "lost", "reserved", "abandoned", "account", "hold"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
LEARNED = JSON | st.dictionaries(
    st.sampled_from(["limit", "mark", "ceilings"]), JSON | st.dictionaries(st.text(max_size=5), JSON)
)


@given(BOUNDS, st.lists(st.tuples(ENDS, st.floats(0, 5), st.booleans()), max_size=200), LEARNED)
def test_the_limit_stays_within_its_bounds(
    bounds: LimitBounds, moves: list[tuple[str, float, bool]], learned: Any
) -> None:
    """Whatever ends in which order, and whatever was said to be learned: no permit is lost or made up."""
    limit = AdaptiveLimit(bounds, learned)
    now, open_since, held = 0.0, [], 0
    for how, seconds, begins in moves:
        now += seconds
        if begins:
            while limit.acquire():
                limit.began()
                held += 1
                open_since.append(now)
        assert limit.in_flight == limit.open == held
        if how == "account":
            limit.scale(0.9, now)
        elif how == "hold":
            limit.restart()
        elif open_since:
            began = open_since.pop(len(open_since) // 2)
            if how == "well":
                limit.succeeded(began, now)
            elif how == "abandoned":
                limit.abandoned()
            else:
                limit.lost(began, now, "Reserved" if how == "reserved" else None)
            limit.release()
            held -= 1
        assert bounds.least <= limit.limit <= bounds.most
        assert len(limit.ceilings) <= MAX_CEILINGS
    restored = AdaptiveLimit(bounds, json.loads(json.dumps(limit.export())))
    assert abs(restored.limit - limit.limit) <= 1
    assert restored.ceilings == limit.ceilings


@given(st.integers(2, 200), st.integers(1, 200))
def test_what_was_sent_before_a_cut_cuts_once(most: int, lost: int) -> None:
    """Of a burst of losses one says something; when most of it is lost, it says it twice."""
    limit = AdaptiveLimit(LimitBounds(most, start=most), {"limit": most})
    while limit.acquire():
        limit.began()
    for _ in range(min(lost, most)):
        limit.lost(0.0, 1.0)
    least = most * (0.9 if lost <= most / 2 else 0.5)
    assert limit.limit >= max(1, int(least - 1))


def full(count: int) -> AdaptiveLimit:
    """A limit that is past its start, with as many calls open."""
    limit = AdaptiveLimit(LimitBounds(200), {"limit": count, "mark": count})
    while limit.acquire():
        limit.began()
    return limit


def test_most_of_a_round_lost_halves_the_limit() -> None:
    """A single loss takes a tenth."""
    limit = full(100)
    limit.lost(0.0, 1.0)
    assert limit.limit == 90
    for _ in range(60):
        limit.lost(0.0, 1.0)
    assert limit.limit == 50


def test_a_retry_that_meets_what_is_still_open_says_nothing() -> None:
    """After a cut more is open than the limit, until it is answered; then a loss counts again."""
    limit = full(100)
    limit.lost(0.0, 1.0)
    for _ in range(5):
        assert not limit.has_room
        limit.began()
        limit.lost(2.0, 2.1)
    assert limit.limit == 90
    for _ in range(20):
        limit.succeeded(0.0, 3.0)
    assert limit.has_room
    limit.began()
    limit.lost(3.0, 3.1)
    assert limit.limit == 81


def test_answers_to_what_was_sent_before_a_cut_do_not_grow_the_limit() -> None:
    """They were sent under another one."""
    limit = full(100)
    limit.lost(0.0, 1.0)
    for _ in range(99):
        limit.succeeded(0.0, 2.0)
    assert limit.limit == 90


@pytest.mark.parametrize("said", [10**400, float("nan"), float("inf"), -5, True, "9", None, [1]])
def test_what_is_no_number_is_not_learned(said: Any) -> None:
    """The registry may hold anything."""
    limit = AdaptiveLimit(LimitBounds(50), {"limit": said, "mark": said, "ceilings": {"a": said}})
    assert limit.limit in (1, 8)
    assert limit.ceilings == {}


def answered(status: int, name: str, body: bytes = b"{}") -> CallFailure | None:
    """The verdict on an answer that is no 2xx."""
    return failure_of(InvokeAnswer(status, body, error_type=name), "sync", TABLE)


def throttled(reason: str) -> CallFailure | None:
    """The verdict on a throttle that says why."""
    return answered(429, "TooManyRequestsException", json.dumps({"Reason": reason}).encode())


@pytest.mark.parametrize(
    ("failure", "limiter"),
    [
        (answered(429, "TooManyRequestsException"), "functionConcurrency"),
        (throttled("CallerRateLimitExceeded"), "callerRate"),
        (throttled("FunctionInvocationRateLimitExceeded"), "functionRate"),
        (throttled("ConcurrentInvocationLimitExceeded"), "accountConcurrency"),
        (throttled("ConcurrentSnapshotCreateLimitExceeded"), None),
        (answered(503, ""), "functionConcurrency"),
        (answered(500, "ServiceException"), None),
        (answered(404, "ResourceNotFoundException"), None),
        (judge_error(TimedOut("late"), TABLE), "functionConcurrency"),
        (judge_error(UnknownOutcome("reset"), TABLE), "functionConcurrency"),
        (judge_error(NotSent("refused"), TABLE), "functionConcurrency"),
        (judge_error(AnswerTooLarge("7 MB"), TABLE), None),
        (failure_of(InvokeAnswer(200, b'{"errorType":"ValueError"}', "Unhandled"), "sync", TABLE), None),
        (CallFailure("the function said so", "record", "record", False), None),
    ],
)  # fmt: skip
def test_which_limit_a_failure_speaks_of(failure: CallFailure | None, limiter: str | None) -> None:
    """A function's own errors say nothing of load."""
    assert failure is not None
    assert pressure_of(failure) == limiter
