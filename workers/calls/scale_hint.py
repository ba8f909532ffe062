"""How much of a processor's lag more workers could remove: what an autoscaler goes by. Pure.

Lag has two kinds of reasons. Where the workers are slow, more of them help. Where what they call lets no more
through, more of them only add to what is refused, and an autoscaler that goes by the lag alone takes a
throttled fleet to its maximum.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Destination:
    """What stands at one call site at a moment.

    `is_held`: nothing is called, or probes alone. `limit`: calls that may be open, `most` what the user would
    allow; `was_cut`: losses made it so, it is not just on its way up. `is_paced`: calls waited for a rate
    since the last look. `waiting`: calls that wait.
    """

    limit: int
    most: int
    was_cut: bool = False
    is_held: bool = False
    is_paced: bool = False
    waiting: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it lets no more through. Where nothing waits, it would."""
        if self.is_held:
            return True
        if not self.waiting:
            return False
        return self.is_paced or (self.was_cut and self.limit < self.most)


def scale_hint(lag_records: int, destinations: Iterable[Destination], *, is_running: bool = True) -> int:
    """Of `lag_records`, how many more workers could remove: all, or none where one destination is full or the
    processor does not run."""
    if not is_running or any(destination.is_full for destination in destinations):
        return 0
    return lag_records
