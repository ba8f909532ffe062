"""Where reading of a newly assigned partition starts. Pure: the answers of the broker are arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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


def unreadable_text(partition: str, offset: int, reason: str) -> str:
    """What a processor that must not repeat results says of a commit whose map it cannot read."""
    return (
        f"the progress of {partition} beside the committed {offset} is unreadable: {reason}; results of "
        f"records from {offset} on may be there already. Set options.onUnreadableProgress to replay to "
        "accept that they are repeated, and take it out again once the processor runs"
    )


OnDataLoss = Literal["fail", "earliest", "latest"]
Reset = Literal["earliest", "latest"]
OnUnreadable = Literal["replay", "fail"]


@dataclass(frozen=True, slots=True)
class StartPolicy:
    """`auto_offset_reset` of the `$source`, `onDataLoss` and `onUnreadableProgress` of the processor's
    options."""

    reset: Reset
    on_data_loss: OnDataLoss
    on_unreadable: OnUnreadable = "replay"


def start_offset(
    partition: int,
    committed: int | None,
    partitions_at_start: int | None,
    available: Available,
    policy: StartPolicy,
) -> int | DataLoss:
    """The first offset to read of `partition`.

    `committed` is None for a partition that was never committed; `partitions_at_start` counts those that the
    topic had when the group began (None: the group is new). A partition that was added later starts at its
    beginning,
    so that what was written before the group noticed it is not skipped.
    """
    if committed is None:
        added_later = partitions_at_start is not None and partition >= partitions_at_start
        if added_later or policy.reset == "earliest":
            return available.low
        return available.high
    if available.low <= committed <= available.high:
        return committed
    if policy.on_data_loss == "fail":
        return DataLoss(committed, available.low, available.high)
    return available.low if policy.on_data_loss == "earliest" else available.high
