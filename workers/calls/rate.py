"""How many calls a second may begin: what the user allows, and what the other side says. Pure: time is an
argument.

The rate that a user sets is never passed. One that the other side throttles, as for the reason
FunctionInvocationRateLimitExceeded, is learned: nine tenths of what was sent a second, then a twentieth more
each second, until nothing says any more that there is a limit. Where an answer asks to wait (Retry-After),
nothing begins before.
"""

from __future__ import annotations

from math import inf
from typing import Final

from workers.calls.throttle import BURST_SECONDS

DECREASE: Final = 0.9
INCREASE: Final = 1.05
"""Back at a rate that was halved in error after 14 s."""
FORGET_FACTOR: Final = 2.0
"""A rate twice as high as what was refused is no limit any more."""
LEAST_PER_SECOND: Final = 0.5
"""One call in two seconds: room is noticed soon whatever was refused."""
MAX_PAUSE_SECONDS: Final = 300.0
"""Whoever asks for more is asked again after this: a wrong clock there must not stop calls for ever."""


class RateLimit:
    """A bucket whose rate may change. `per_second` None: no limit until one is learned."""

    __slots__ = (
        "_count", "_cut_at", "_level", "_most", "_paused_until", "_rate", "_refused", "_sent", "_since",
        "_was_short", "_window",
    )  # fmt: skip

    def __init__(self, per_second: float | None, now_seconds: float) -> None:
        assert per_second is None or per_second > 0
        self._most = self._rate = per_second
        self._level = self._burst()
        self._since = self._window = now_seconds
        self._paused_until = now_seconds
        # What a second saw: the one that is not over, and the one before it.
        self._count = self._sent = 0
        self._refused = 0.0
        self._cut_at = -inf
        self._was_short = False

    @property
    def per_second(self) -> float | None:
        """The rate at the moment, None without a limit."""
        return self._rate

    def admit(self, now_seconds: float) -> float:
        """0 where a call may begin, which then counts; else the seconds to wait before asking again."""
        self._turn(now_seconds)
        if now_seconds < self._paused_until:
            return self._paused_until - now_seconds
        rate = self._rate
        if rate is not None:
            self._level = min(self._burst(), self._level + (now_seconds - self._since) * rate)
            self._since = now_seconds
            short = (1.0 - self._level) / rate
            # What is left of rounding is no wait: a sleep of 1e-17 s would be asked for again and again.
            if short > 1e-9:
                self._was_short = True
                return short
            self._level -= 1.0
        else:
            self._since = now_seconds
        self._count += 1
        return 0.0

    def pause(self, seconds: float, now_seconds: float) -> None:
        """The other side asked to wait."""
        if seconds > 0:
            until = now_seconds + min(seconds, MAX_PAUSE_SECONDS)
            self._paused_until = max(self._paused_until, until)

    def throttled(self, now_seconds: float) -> None:
        """The rate was refused. Counts once a second: the calls of a burst say one thing."""
        self._turn(now_seconds)
        if now_seconds - self._cut_at < 1.0:
            return
        self._cut_at = now_seconds
        sent = float(max(self._sent, self._count, 1))
        self._refused = sent if self._rate is None else min(sent, self._rate)
        rate = max(LEAST_PER_SECOND, self._refused * DECREASE)
        self._rate = rate if self._most is None else min(rate, self._most)
        self._level = min(self._level, self._burst())
        self._since = now_seconds
        self._window, self._sent, self._count, self._was_short = now_seconds, 0, 0, False

    def _turn(self, now_seconds: float) -> None:
        """A second is over: a learned rate that was used up goes up."""
        passed = now_seconds - self._window
        if passed < 1.0:
            return
        self._sent = self._count if passed < 2.0 else 0
        if self._rate is not None and self._rate != self._most and self._was_short:
            self._rate *= INCREASE
            if self._most is not None and self._rate >= self._most:
                self._rate = self._most
            elif self._most is None and self._rate >= self._refused * FORGET_FACTOR:
                self._rate = None
        self._window, self._count, self._was_short = now_seconds, 0, False

    def _burst(self) -> float:
        return 1.0 if self._rate is None else max(1.0, self._rate * BURST_SECONDS)
