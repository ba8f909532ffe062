"""Whether and when a call is tried again. Pure: time and jitter are arguments."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds of one call: attempts in all (the first included) and seconds from the first send to the last.

    Waits are full jitter: a random part of base, 2 x base, 4 x base ... never more than cap.
    """

    max_attempts: int
    max_elapsed_seconds: float
    base_seconds: float
    cap_seconds: float


def next_delay(
    policy: RetryPolicy,
    attempt: int,
    elapsed_seconds: float,
    jitter: float,
    asked_seconds: float | None = None,
) -> float | None:
    """Seconds to wait before attempt `attempt + 1`, or None when the budget is spent.

    `attempt` counts from 1, `jitter` lies in [0, 1), `asked_seconds` is what the other side asked for
    (Retry-After): at least that long is waited. A wait that would end beyond `max_elapsed_seconds` is not
    begun.
    """
    if attempt >= policy.max_attempts:
        return None
    # 2**20 steps above base is beyond any cap; the bound keeps the power of a long-lived retry small.
    ceiling = min(policy.cap_seconds, policy.base_seconds * 2 ** min(attempt - 1, 20))
    delay = max(ceiling * jitter, asked_seconds or 0.0)
    return delay if elapsed_seconds + delay <= policy.max_elapsed_seconds else None
