"""When a call is tried again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.calls.retry import RetryPolicy, next_delay

SECONDS = st.floats(0, 1e6)
POLICIES = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 50),
    max_elapsed_seconds=SECONDS,
    base_seconds=st.floats(0, 100),
    cap_seconds=st.floats(0, 1_000),
)
JITTER = st.floats(0, 1, exclude_max=True)
ASKED = st.none() | st.floats(allow_nan=True, allow_infinity=True)


@given(POLICIES, st.integers(1, 10_000), SECONDS, JITTER, ASKED)
def test_a_wait_is_within_its_bounds(
    policy: RetryPolicy, attempt: int, elapsed: float, jitter: float, asked: float | None
) -> None:
    """Between 0 and the cap, or what was asked for if that is more; never beyond the time there is."""
    delay = next_delay(policy, attempt, elapsed, jitter, asked)
    if delay is None:
        return
    assert attempt < policy.max_attempts
    assert elapsed + delay <= policy.max_elapsed_seconds
    least = asked if asked is not None and asked > 0 else 0.0
    assert least <= delay <= max(policy.cap_seconds, least)


@given(POLICIES, SECONDS, JITTER, ASKED)
def test_retries_end(policy: RetryPolicy, call_seconds: float, jitter: float, asked: float | None) -> None:
    """However long each attempt takes, the attempts are bounded, and so is the start of the last one."""
    attempt, elapsed = 1, call_seconds
    while (delay := next_delay(policy, attempt, elapsed, jitter, asked)) is not None:
        elapsed += delay
        assert elapsed <= policy.max_elapsed_seconds
        attempt += 1
        elapsed += call_seconds
    assert attempt <= policy.max_attempts


@given(st.integers(1, 30), JITTER)
def test_waits_grow_to_the_cap(attempt: int, jitter: float) -> None:
    """A jittered part of base, 2 x base, 4 x base ... cap."""
    policy = RetryPolicy(100, 1e9, 0.1, 20.0)
    assert next_delay(policy, attempt, 0.0, jitter) == min(20.0, 0.1 * 2 ** (attempt - 1)) * jitter
