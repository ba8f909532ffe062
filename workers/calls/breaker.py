"""Sees that a function fails by the row. Pure.

One document that makes a function throw is that document's fault. A fifth of the last 200 is a bad deploy: a
hold costs time, dead letters cost a replay.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """Open when at least `error_rate` of the last `window_calls` failed."""

    error_rate: float = 0.2
    window_calls: int = 200

    def __post_init__(self) -> None:
        assert 0 < self.error_rate <= 1
        assert self.window_calls > 0


class Breaker:
    """The last calls of one function, oldest first: the class of the error, or None."""

    __slots__ = ("_failed", "_last", "_settings")

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._last: deque[str | None] = deque()
        self._failed: Counter[str] = Counter()

    def saw(self, error_class: str | None) -> bool:
        """A call of the function ended. True: it is time for a hold. Only a full window says so: of the first
        ten calls two may fail by chance."""
        self._last.append(error_class)
        if error_class is not None:
            self._failed[error_class] += 1
        if len(self._last) > self._settings.window_calls:
            gone = self._last.popleft()
            if gone is not None:
                self._failed[gone] -= 1
                if not self._failed[gone]:
                    del self._failed[gone]
        if error_class is None or len(self._last) < self._settings.window_calls:
            return False
        return self._failed.total() >= self._settings.error_rate * self._settings.window_calls

    def reason(self) -> str:
        """What the window holds, in words."""
        worst, count = max(self._failed.items(), key=lambda item: item[1], default=("", 0))
        return (
            f"{self._failed.total()} of the last {len(self._last)} calls failed"
            + (f", {count} of them with {worst}" if worst else "")
        )  # fmt: skip

    def clear(self) -> None:
        """After a hold the function begins anew."""
        self._last.clear()
        self._failed.clear()
