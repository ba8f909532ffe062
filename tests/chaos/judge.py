"""What a chaos run left behind, held against what its seed says. Pure: everything is read already."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from tests.chaos.fates import place_of

Ordering = Literal["partition", "key", "none"]
EXAMPLES_KEPT: Final = 20

Origin = tuple[int, int]
"""(partition, offset) of a record in the source topic."""


@dataclass(frozen=True, slots=True)
class Written:
    """A record found in the results or dead letters: which one it is and where it stands there."""

    number: int
    partition: int
    offset: int
    key: bytes | None


@dataclass(frozen=True, slots=True)
class Sample:
    """What the group had committed, and where the outputs ended, at one moment; all by source partition.

    `committed` was read before `ends`: what stands at or behind an end was written after that commit.
    `settled_above` names the offsets above the committed one that its map called settled.
    """

    committed: Mapping[int, int]
    settled_above: Mapping[int, frozenset[int]]
    result_ends: Mapping[int, int]
    dead_ends: Mapping[int, int]


@dataclass(slots=True)
class Account:
    """The figures of one run."""

    lost: list[int] = field(default_factory=list)
    misplaced: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    repeated_after_commit: list[int] = field(default_factory=list)

    def faults(self, bound: int) -> list[str]:
        """What must not be, in words; empty: the run is right."""
        lists: dict[str, Sequence[object]] = {
            "lost": self.lost,
            "misplaced": self.misplaced,
            "out of order": self.out_of_order,
        }
        found = [f"{len(every)} {name}: {every[:EXAMPLES_KEPT]}" for name, every in lists.items() if every]
        if len(self.repeated) > bound:
            found.append(f"{len(self.repeated)} repeated, {bound} allowed: {self.repeated[:EXAMPLES_KEPT]}")
        return found


def account(
    seed: int, origins: Mapping[int, Origin], results: Sequence[Written], dead: Sequence[Written]
) -> Account:
    """Every number in its place at least once and nowhere else; `repeated` has one entry for each record
    beyond a number's first."""
    in_results = Counter(record.number for record in results)
    in_dead = Counter(record.number for record in dead)
    found = Account()
    for number in origins:
        place = place_of(seed, number)
        right = {"result": in_results, "dead": in_dead}.get(place)
        if right is not None and not right[number]:
            found.lost.append(number)
        if any(wrong[number] for wrong in (in_results, in_dead) if wrong is not right):
            found.misplaced.append(number)
        elif right is not None:
            found.repeated += [number] * (right[number] - 1)
    found.misplaced += sorted((in_results.keys() | in_dead.keys()) - origins.keys())
    return found


def order_faults(ordering: Ordering, origins: Mapping[int, Origin], results: Iterable[Written]) -> list[str]:
    """Where the first result of a record stands behind the first one of a later record of its partition
    (`partition`) or of its key (`key`).

    Repeats do not count: whoever takes a partition over begins at or below what is missing and goes on in
    order, so that at each moment the records written make a beginning of the order, however often some were
    written. `results` are in the order of their topic's offsets, partition by partition; one source partition
    must fill one partition there.
    """
    if ordering == "none":
        return []
    lane_of: Callable[[Written, Origin], Hashable] = (
        (lambda _record, origin: origin[0]) if ordering == "partition" else (lambda record, _: record.key)
    )
    highest: dict[Hashable, tuple[int, int]] = {}
    seen: set[int] = set()
    faults = []
    for record in results:
        origin = origins.get(record.number)
        if origin is None or record.number in seen:
            continue
        seen.add(record.number)
        lane = lane_of(record, origin)
        before = highest.get(lane, (-1, -1))
        if origin[1] < before[0]:
            faults.append(
                f"{record.number} (source {origin[0]}@{origin[1]}, {lane!r}) first stands at result "
                f"{record.partition}@{record.offset}, behind source offset {before[0]} at {before[1]}"
            )
        else:
            highest[lane] = (origin[1], record.offset)
    return faults


def at_risk(
    sample: Sample,
    partitions: Iterable[int],
    origins: Mapping[int, Origin],
    outputs: tuple[Sequence[Written], Sequence[Written]],
) -> set[Written]:
    """What was written of these source partitions and not committed when the sample was taken: the end of
    their owner at that moment may repeat it.

    Each repeat follows on something written before that was at risk in between, and on nothing else: over
    several moments the union bounds the repeats.
    """
    chosen, found = set(partitions), set()
    for written, ends in zip(outputs, (sample.result_ends, sample.dead_ends), strict=True):
        for record in written:
            partition, offset = origins.get(record.number, (-1, -1))
            if partition not in chosen or record.offset >= ends.get(record.partition, 0):
                continue
            is_below = offset < sample.committed.get(partition, 0)
            if not is_below and offset not in sample.settled_above.get(partition, ()):
                found.add(record)
    return found


def repeated_after_commit(
    samples: Sequence[Sample],
    origins: Mapping[int, Origin],
    outputs: tuple[Sequence[Written], Sequence[Written]],
) -> list[int]:
    """Numbers that were written once more although a sample had already seen them committed."""
    found = []
    for written, ends_of in zip(outputs, (_result_ends, _dead_ends), strict=True):
        lanes: dict[int, list[Written]] = defaultdict(list)
        for record in written:
            lanes[record.partition].append(record)
        for partition, lane in lanes.items():
            found += _late_repeats(
                lane, [(ends_of(sample).get(partition, 0), sample) for sample in samples], origins
            )
    return found


def _result_ends(sample: Sample) -> Mapping[int, int]:
    return sample.result_ends


def _dead_ends(sample: Sample) -> Mapping[int, int]:
    return sample.dead_ends


def _late_repeats(
    lane: Sequence[Written], ends: Sequence[tuple[int, Sample]], origins: Mapping[int, Origin]
) -> list[int]:
    """`lane` in the order of its offsets, `ends` in the order of time: the commits known to be older than a
    record are those of the samples whose end is at or before it."""
    seen: set[int] = set()
    committed: dict[int, int] = {}
    found, at = [], 0
    for record in lane:
        while at < len(ends) and ends[at][0] <= record.offset:
            committed = {**committed, **ends[at][1].committed}
            at += 1
        partition, offset = origins.get(record.number, (-1, -1))
        if record.number in seen and offset < committed.get(partition, 0):
            found.append(record.number)
        seen.add(record.number)
    return found
