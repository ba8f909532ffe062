"""How many retries a function may get beside its first attempts. Pure: time is an argument.

Retries of a function that fails are load on top of load. The budget lends some, good answers earn more, and
time earns a few, so that a function from which nothing comes is still asked. A call that finds the budget
empty waits with its permit: nothing is lost for it, and fewer calls begin.
"""

from __future__ import annotations

from typing import Final

from workers.settings import RETRY_BUDGET_RETRIES

COST: Final = 5.0
"""Tokens of one retry: as many first attempts that went well pay for it (AWS's SDKs count so)."""
UNKNOWN_COST: Final = 10.0
"""Of a retry after a time-out: the attempt before it may still be running."""
TOKENS_PER_SECOND: Final = 5.0
"""One retry a second, whatever comes back."""


class RetryBudget:
    """Tokens of one function."""

    __slots__ = ("_most", "_since", "_tokens")

    def __init__(self, now_seconds: float, retries: int = RETRY_BUDGET_RETRIES) -> None:
        assert retries >= UNKNOWN_COST / COST, "the dearest retry must fit"
        self._most = self._tokens = retries * COST
        self._since = now_seconds

    @property
    def share_left(self) -> float:
        """1 is full, 0 empty."""
        return self._tokens / self._most

    def spend(self, now_seconds: float, *, is_unknown: bool = False) -> float:
        """0 where a retry may be made, which is then paid for; else the seconds to wait before asking
        again."""
        elapsed = max(0.0, now_seconds - self._since)
        self._tokens = min(self._most, self._tokens + elapsed * TOKENS_PER_SECOND)
        self._since = now_seconds
        cost = UNKNOWN_COST if is_unknown else COST
        if self._tokens < cost - 1e-9:
            return (cost - self._tokens) / TOKENS_PER_SECOND
        self._tokens = max(0.0, self._tokens - cost)
        return 0.0

    def succeeded(self, retries: int = 0) -> None:
        """A call had an answer. A first attempt earns a token; the last of `retries` gives back what it cost:
        it was worth it."""
        self._tokens = min(self._most, self._tokens + (COST if retries else 1.0))
