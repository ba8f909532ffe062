"""When a dead engine process is started again. Pure: the time it lived is an argument."""

from __future__ import annotations

from workers.supervisor.options import Timing


class Backoff:
    """Doubles from `restart_base` to `restart_cap`, and starts anew after a life of `healthy_after`."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._next = timing.restart_base

    def after(self, lived_seconds: float) -> float:
        """Seconds to wait now that a process has ended that lived for so long."""
        if lived_seconds >= self._timing.healthy_after:
            self._next = self._timing.restart_base
        delay = self._next
        self._next = min(self._timing.restart_cap, delay * 2)
        return delay
