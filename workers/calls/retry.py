"""Whether and when a call is tried again. Pure: time and jitter are arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workers.calls.contract import CallFailure
from workers.calls.error_table import Reaction, Then
from workers.calls.split import may_split

OnUnknown = Literal["retry", "onError"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds of one call: attempts in all (the first included) and seconds from the first send to the last.

    Waits are full jitter: a random part of base, 2 x base, 4 x base ... never more than cap. `on_unknown`
    onError: a request that may have been worked on is never sent again, whole or in part. `retry_on`: errors
    of the function's own that are tried again before anything else.
    """

    max_attempts: int
    max_elapsed_seconds: float
    base_seconds: float
    cap_seconds: float
    on_unknown: OnUnknown = "retry"
    retry_on: frozenset[str] = frozenset()

    def allows(self, failure: CallFailure) -> bool:
        """Whether what failed like this may be sent again at all."""
        return self.on_unknown == "retry" or not failure.outcome_unknown


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
    return _wait(policy, attempt, elapsed_seconds, jitter, asked_seconds)


def _wait(
    policy: RetryPolicy, step: int, elapsed_seconds: float, jitter: float, asked_seconds: float | None
) -> float | None:
    # 2**20 steps above base is beyond any cap; the bound keeps the power of a long-lived retry small.
    ceiling = min(policy.cap_seconds, policy.base_seconds * 2 ** min(step - 1, 20))
    delay = max(ceiling * jitter, asked_seconds or 0.0)
    return delay if elapsed_seconds + delay <= policy.max_elapsed_seconds else None


Action = Literal["retry", "split", "hold", "onError", "fail", "notReady"]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a call has had so far: attempts that count, the failed one included; attempts that were throttled
    and do not count; seconds since the first send."""

    attempts: int
    throttled: int = 0
    elapsed_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a failed call. `delay_seconds` is the wait before a retry; `counts`: that retry uses up
    an attempt of the record (of a throttled one it does not)."""

    action: Action
    delay_seconds: float = 0.0
    counts: bool = True


def decide(policy: RetryPolicy, failure: CallFailure, spent: Spent, jitter: float, records: int) -> Decision:
    """What the error table says of the failure, within the policy.

    `records`: how many the request held; only more than one are split. Every chain ends: attempts are
    bounded by both the policy and the table, throttled ones by the policy's time, splits by the records.
    """
    if not policy.allows(failure):
        return Decision("onError")
    entry = failure.entry
    if entry is None:
        chain: tuple[Reaction | Then, ...] = ("retry",) if failure.retryable else ()
    else:
        chain = (entry.reaction, entry.then or "onError")
        if failure.is_function_error and failure.error_class in policy.retry_on:
            chain = ("retry", *chain)
    for action in chain:
        match action:
            case "hold" | "fail" | "notReady":
                return Decision(action)
            case "split" if records > 1 and may_split(failure):
                return Decision("split")
            case "throttle":
                step = spent.attempts + spent.throttled
                wait = _wait(policy, step, spent.elapsed_seconds, jitter, failure.asked_seconds)
                if wait is not None:
                    return Decision("retry", wait, counts=False)
            case "retry" | "refresh":
                delay = delay_after(policy, failure, spent.attempts, spent.elapsed_seconds, jitter)
                if delay is not None:
                    return Decision("retry", delay)
    return Decision("onError")


def delay_after(
    policy: RetryPolicy, failure: CallFailure, attempt: int, elapsed_seconds: float, jitter: float
) -> float | None:
    """`next_delay` for this failure: within the retries that the error table gives it, too."""
    if failure.retries is not None and attempt > failure.retries:
        return None
    return next_delay(policy, attempt, elapsed_seconds, jitter, failure.asked_seconds)
