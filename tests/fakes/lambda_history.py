"""What a fake function is at a moment, and what it saw over time. Pure: the time is an argument."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

WINDOW_SECONDS: Final = 0.25
MAX_WINDOWS: Final = 4_000
"""Some 17 minutes; older ones are forgotten."""

T = TypeVar("T")


class Timeline(Generic[T]):
    """`steps`, (seconds, behaviour) each, one after the other from `now_seconds` on, then `then` for good."""

    def __init__(self, steps: Sequence[tuple[float, T]], then: T, now_seconds: float) -> None:
        self._left = deque(steps)
        self._then = then
        self._ends = now_seconds + (self._left[0][0] if self._left else 0.0)

    def at(self, now_seconds: float) -> T:
        """The behaviour in force. Time never goes back."""
        while self._left and now_seconds >= self._ends:
            self._left.popleft()
            if self._left:
                self._ends += self._left[0][0]
        return self._left[0][1] if self._left else self._then


@dataclass(slots=True)
class Window:
    """`WINDOW_SECONDS` of a function's life. `levels`: for how many seconds how many calls were running."""

    calls: int = 0
    throttled: int = 0
    levels: dict[int, float] = field(default_factory=dict)


class History:
    """How many calls of one function came, were throttled and ran, window by window."""

    def __init__(self, now_seconds: float, running: int = 0) -> None:
        self.began_seconds = self._since = now_seconds
        self.windows: deque[Window] = deque([Window()], maxlen=MAX_WINDOWS)
        self._ends = now_seconds + WINDOW_SECONDS
        self._running = running

    def called(self, now_seconds: float, running: int, *, throttled: bool) -> None:
        """A call came; `running` run now, itself among them: a throttled one for no time."""
        self.changed(now_seconds, running - throttled)
        window = self.windows[-1]
        window.calls += 1
        window.throttled += throttled

    def changed(self, now_seconds: float, running: int) -> None:
        """From now on `running` calls run."""
        while now_seconds >= self._ends:
            self._stood(self._ends)
            if len(self.windows) == MAX_WINDOWS:
                self.began_seconds += WINDOW_SECONDS
            self.windows.append(Window())
            self._ends += WINDOW_SECONDS
        self._stood(now_seconds)
        self._running = running

    def _stood(self, until: float) -> None:
        if until > self._since:
            levels = self.windows[-1].levels
            levels[self._running] = levels.get(self._running, 0.0) + until - self._since
            self._since = until

    def as_json(self, now_seconds: float) -> dict[str, Any]:
        """Whole windows up to now. `began_seconds` is of the machine's monotonic clock, which is one for all
        its programs."""
        self.changed(now_seconds, self._running)
        return {
            "began_seconds": self.began_seconds,
            "window_seconds": WINDOW_SECONDS,
            "windows": [
                {
                    "calls": window.calls,
                    "throttled": window.throttled,
                    "levels": {str(level): seconds for level, seconds in window.levels.items()},
                }
                for window in list(self.windows)[:-1]
            ],
        }


def median_level(windows: Sequence[Any]) -> float:
    """How many calls ran in the middle of the time of these windows (as `as_json` has them); 0 for none."""
    total: dict[int, float] = {}
    for window in windows:
        for level, seconds in window["levels"].items():
            total[int(level)] = total.get(int(level), 0.0) + seconds
    left = sum(total.values()) / 2
    for level in sorted(total):
        left -= total[level]
        if left <= 0:
            return float(level)
    return 0.0
