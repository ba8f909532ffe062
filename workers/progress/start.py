"""Where reading of a newly assigned partition starts. Pure: the answers of the broker are arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workers.progress.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class Available:
    """The offsets that the broker still has: `low` is the first record, `high` the one that comes next."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class DataLoss:
    """The committed offset is gone. `lost` counts the offsets between it and what is left (below), or is 0
    when the topic ends before the committed offset (it was deleted and made anew)."""

    committed: int
    low: int
    high: int

    @property
    def lost(self) -> int:
        return max(0, self.low - self.committed)

    def describe(self, partition: str) -> str:
        """What happened and what to do about it, for the processor's error."""
        if self.lost:
            what = f"{self.lost} records of {partition} from offset {self.committed} on are gone (retention?)"
        else:
            what = f"{partition} ends at {self.high}, before the committed {self.committed} (made anew?)"
        return f"{what}; set options.onDataLoss to earliest or latest to go on without them"


OnDataLoss = Literal["fail", "earliest", "latest"]
Reset = Literal["earliest", "latest"]


@dataclass(frozen=True, slots=True)
class StartPolicy:
    """`auto_offset_reset` of the `$source` and `onDataLoss` of the processor's options."""

    reset: Reset
    on_data_loss: OnDataLoss


def start_offset(
    partition: int, committed: int | None, group: Checkpoint | None, available: Available, policy: StartPolicy
) -> int | DataLoss:
    """The first offset to read of `partition`.

    `committed` is None for a partition that was never committed; `group` is the checkpoint of any partition
    of the topic that was (None: the group is new). A partition that was added later starts at its beginning,
    so that what was written before the group noticed it is not skipped.
    """
    if committed is None:
        added_later = group is not None and partition >= group.partitions_at_start
        if added_later or policy.reset == "earliest":
            return available.low
        return available.high
    if available.low <= committed <= available.high:
        return committed
    if policy.on_data_loss == "fail":
        return DataLoss(committed, available.low, available.high)
    return available.low if policy.on_data_loss == "earliest" else available.high
