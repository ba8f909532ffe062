"""How fast documents may pass a `$throttle`. Pure: the time is an argument.

Each limit has a bucket that fills at its rate. A document passes when no bucket is short of it, and takes its
part of each. One that is larger than a bucket passes when that bucket is full and leaves it in debt, so the
rate holds over time whatever the sizes are.
"""

from __future__ import annotations

from typing import Final

# What a bucket holds: a tenth of a second of its rate. No second sees more than 1.1 times the rate, and a
# timer that fires up to 100 ms late loses nothing of it.
BURST_SECONDS: Final = 0.1


class Bucket:
    """One limit: `per_second` units, of which a document takes some."""

    __slots__ = ("_capacity", "_level", "_per_second", "_since")

    def __init__(self, per_second: int, now_seconds: float) -> None:
        self._per_second = per_second
        self._capacity = max(1.0, per_second * BURST_SECONDS)
        self._level = self._capacity
        self._since = now_seconds

    def shortfall_seconds(self, amount: int, now_seconds: float) -> float:
        """How long until `amount` may be taken; 0 where it may be now."""
        self._level = min(self._capacity, self._level + (now_seconds - self._since) * self._per_second)
        self._since = now_seconds
        return max(0.0, (min(amount, self._capacity) - self._level) / self._per_second)

    def take(self, amount: int) -> None:
        """What passes is gone, also what was never there."""
        self._level -= amount


class Throttle:
    """Both limits of one `$throttle`; None is no limit."""

    __slots__ = ("_bytes", "_messages")

    def __init__(
        self, messages_per_second: int | None, bytes_per_second: int | None, now_seconds: float
    ) -> None:
        self._messages = None if messages_per_second is None else Bucket(messages_per_second, now_seconds)
        self._bytes = None if bytes_per_second is None else Bucket(bytes_per_second, now_seconds)

    def admit(self, size_bytes: int, now_seconds: float) -> float:
        """0 where a document of this size may pass, which then counts as passed; else the seconds to wait
        before it is asked for again: the longest that any limit is short."""
        messages, sizes = self._messages, self._bytes
        wait = 0.0 if messages is None else messages.shortfall_seconds(1, now_seconds)
        if sizes is not None:
            wait = max(wait, sizes.shortfall_seconds(size_bytes, now_seconds))
        # What is left of rounding is no wait: a sleep of 1e-17 s would be asked for again and again.
        if wait > 1e-9:
            return wait
        if messages is not None:
            messages.take(1)
        if sizes is not None:
            sizes.take(size_bytes)
        return 0.0
