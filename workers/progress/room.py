"""How much more a processor may take: holding back before pausing. Pure; `now` is an argument.

A pause throws away what the client fetched ahead (measured: 60 MB fetched for 13,000 records when flapping),
so a full processor first just stops asking, at most `hold_seconds`; only then are its partitions paused, and
they flow again when less than half is left.

Where a processor hardly moves, a partition that holds more than its share and hardly moves itself is paused
alone: a head of line that waits for a retry, or calls of one value that never overlap, must not stop its
neighbours. Where it moves, nobody is paused for holding much: the client hands over what it fetched partition
by partition (17,000 small records of one, then of the next), and pausing each in its turn fetched 60,000
records 1.5 to 2.6 times.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

# What moves is through with what it holds within this time, at its pace of the last `hold_seconds`: a full
# room of 10,000 records at 333 records/s. Neighbours wait no longer for a partition that does not.
MOVING_SECONDS: Final = 30.0

P = TypeVar("P", bound=Hashable)


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """Bounds of what one processor holds between taking a record and settling it."""

    records: int
    size_bytes: int
    hold_seconds: float


@dataclass(slots=True)
class Held:
    """What one partition holds now."""

    records: int = 0
    size_bytes: int = 0
    paused: bool = False
    freed: int = 0
    freed_before: int | None = None
    pace: float | None = None
    """Records/s that settled in the last whole `hold_seconds`; None until one has passed."""

    def hardly_moves(self) -> bool:
        return self.records > (self.pace or 0.0) * MOVING_SECONDS


@dataclass(slots=True)
class Room(Generic[P]):
    """The room of one processor, over its assigned partitions."""

    limits: RoomLimits
    held: dict[P, Held] = field(default_factory=dict)
    records: int = 0
    size_bytes: int = 0
    all_paused: bool = False
    _full_since: float | None = None
    _measured_at: float | None = None

    def add(self, partition: P) -> None:
        """A partition was assigned. It starts empty and flowing, whatever it was before it moved away."""
        self.remove(partition)
        self.held[partition] = Held(paused=self.all_paused)

    def remove(self, partition: P) -> None:
        """A partition moved away; what it held is room again."""
        held = self.held.pop(partition, None)
        if held is not None:
            self.records -= held.records
            self.size_bytes -= held.size_bytes

    def took(self, partition: P, records: int, size_bytes: int) -> None:
        """Records of an assigned partition were handed to the engine."""
        held = self.held[partition]
        held.records += records
        held.size_bytes += size_bytes
        self.records += records
        self.size_bytes += size_bytes

    def freed(self, partition: P, records: int, size_bytes: int) -> None:
        """Records settled. Those of a partition that moved away since were freed with it; if it is back by
        now, what is freed late is taken for its new records, never for more than there are."""
        held = self.held.get(partition)
        if held is None:
            return
        records, size_bytes = min(records, held.records), min(size_bytes, held.size_bytes)
        held.records -= records
        held.size_bytes -= size_bytes
        held.freed += records
        self.records -= records
        self.size_bytes -= size_bytes

    def free_records(self) -> int:
        """How many records may be asked for now. The bytes of a record are known only once it is here, so the
        byte bound closes the tap instead of shortening the answer; one answer may overshoot it."""
        if self.size_bytes >= self.limits.size_bytes:
            return 0
        return max(0, self.limits.records - self.records)

    def is_half_empty(self) -> bool:
        return self.records * 2 < self.limits.records and self.size_bytes * 2 < self.limits.size_bytes

    def _others_are_half_empty(self) -> bool:
        """Whether the partitions under their share use less than half of what the full ones leave them: those
        may wait long for a retry, and half of the room may be theirs."""
        full = [held for held in self.held.values() if self._over_share(held, 1.0)]
        records, size_bytes = sum(held.records for held in full), sum(held.size_bytes for held in full)
        return (
            len(full) < len(self.held)
            and (self.records - records) * 2 < self.limits.records - records
            and (self.size_bytes - size_bytes) * 2 < self.limits.size_bytes - size_bytes
        )

    def changes(self, now: float) -> tuple[list[P], list[P]]:
        """(partitions to pause, partitions to resume) at this moment; they count as paused and resumed from
        here on."""
        self._measure(now)
        if self.free_records():
            self._full_since = None
        elif self._full_since is None:
            self._full_since = now
        if self.all_paused:
            if not self.is_half_empty() and not self._others_are_half_empty():
                return [], []
            self.all_paused = False
            self._full_since = None
            return [], self._resume(p for p, held in self.held.items() if not self._over_share(held, 0.5))
        if self._full_since is not None and now - self._full_since >= self.limits.hold_seconds:
            self.all_paused = True
            return self._pause(list(self.held)), []
        pause = self._pause(self._in_the_way())
        return pause, self._resume(p for p, held in self.held.items() if not self._over_share(held, 0.5))

    def _in_the_way(self) -> list[P]:
        paces = [held.pace for held in self.held.values() if held.pace is not None]
        if not paces or self.records <= sum(paces) * MOVING_SECONDS:
            return []
        return [p for p, held in self.held.items() if self._over_share(held, 1.0) and held.hardly_moves()]

    def _measure(self, now: float) -> None:
        """Look at the pace of each partition once a `hold_seconds`."""
        passed = self.limits.hold_seconds if self._measured_at is None else now - self._measured_at
        if passed < self.limits.hold_seconds:
            return
        self._measured_at = now
        for held in self.held.values():
            if held.freed_before is not None:
                held.pace = (held.freed - held.freed_before) / passed
            held.freed_before = held.freed

    def _over_share(self, held: Held, part: float) -> bool:
        """With one partition its share is everything, and the rule for the whole processor is the only
        one."""
        count = len(self.held)
        if count < 2:
            return False
        share = part / count
        return (
            held.records >= self.limits.records * share or held.size_bytes >= self.limits.size_bytes * share
        )

    def _pause(self, partitions: list[P]) -> list[P]:
        fresh = [p for p in partitions if not self.held[p].paused]
        for partition in fresh:
            self.held[partition].paused = True
        return fresh

    def _resume(self, partitions: Iterable[P]) -> list[P]:
        fresh = [p for p in partitions if self.held[p].paused]
        for partition in fresh:
            self.held[partition].paused = False
        return fresh
