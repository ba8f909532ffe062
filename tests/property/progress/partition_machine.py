"""One partition over many owners, against a model that knows everything: a state machine for hypothesis.

A source partition with holes; an owner that polls, calls, releases, gets acks and commits; revocations that
commit, crashes that do not, and owners that lose the commits they had asked for. All that an owner knows is
what the text of the last commit told it.

The long run: `python -m tests.property.progress.partition_machine --examples 10000`.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import Any, Final, Literal, TypeAlias
from unittest import mock

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from workers.calls.order import KeyOrder, NoOrder, Order, Ordering, PartitionOrder
from workers.engine.partition import PartitionRun, Slot
from workers.model import Position, Runs, TopicPartition
from workers.progress import checkpoint

KEY: Final = TopicPartition("orders", 0)
PARTITIONS: Final = 8
MAX_ATTEMPTS: Final = 3
MAX_OPEN: Final = 12
KEYS: Final = 3
STEPS: Final = 40
OUTCOMES: Final = ("ok", "ok", "ok", "drop", "fail", "fail")
NARROW_CHARACTERS: Final = 6

Lane: TypeAlias = Literal["results", "dead"]
Said: TypeAlias = tuple[Position, dict[int, int]]


class Record:
    """A record of the source. Its size is 1 byte, so that bytes count records."""

    def value(self) -> bytes:
        return b"x"

    def __len__(self) -> int:
        return 1


class PartitionMachine(RuleBasedStateMachine):
    """What the world holds (the log, what was written and settled, the last commit) and one owner at a
    time."""

    ordering: Ordering = "partition"
    is_narrow = False
    """Whether the map has room for a few entries only, so that some are left out."""

    @initialize(start=st.sampled_from([0, 7, 2**40]))
    def begin(self, start: int) -> None:
        self.end = start
        self.committed = Position(start)
        self.text: str | None = None
        self.log: list[int] = []
        self.settled: set[int] = set()
        self.written: list[int] = []
        self.attempts: Counter[int] = Counter()
        self.saved: dict[int, int] = {}
        self.fates: dict[int, str] = {}
        self.forgotten: Counter[int] = Counter()
        self.run: PartitionRun | None = None
        self.life: list[int] = []

    # The world.

    @rule(gaps=st.lists(st.sampled_from([0, 0, 0, 1, 2, 9]), min_size=1, max_size=9))
    def produce(self, gaps: list[int]) -> None:
        """Records come to the source, with holes in front of some."""
        for gap in gaps:
            self.log.append(self.end + gap)
            self.end += gap + 1

    # The owner's life.

    @precondition(lambda self: self.run is None)
    @rule()
    def assign(self) -> None:
        """A new owner reads the text of the last commit, and nothing else."""
        start = self._read_commit()
        self.run = PartitionRun(KEY, start, self._freed, self._order())
        self.known = dict(self.saved)
        self.fetched = start.offset
        self.held = 0
        self.calling: dict[int, Slot] = {}
        self.lanes: dict[Lane, list[Slot]] = {"results": [], "dead": []}
        self.life = []
        self.done: set[int] = set()
        self.asked: Said | None = None

    @precondition(lambda self: self.run is not None and self.held < MAX_OPEN)
    @rule(count=st.integers(1, 6))
    def poll(self, count: int) -> None:
        """The next records come; those that the map names are skipped, and must have settled."""
        assert self.run is not None
        offsets = [offset for offset in self.log if offset >= self.fetched][:count]
        if not offsets:
            self.run.frontier.reached(self.end)
            return
        self.fetched = offsets[-1] + 1
        self.held += len(offsets)
        parts = self.run.frontier.parts(offsets)
        assert [at for first, stop, _ in parts for at in range(first, stop)] == list(range(len(offsets)))
        for first, stop, is_settled in parts:
            some = offsets[first:stop]
            records: list[Any] = [Record() for _ in some]
            if is_settled:
                assert self.settled >= set(some), f"skipped unsettled {set(some) - self.settled}"
                self.run.pass_over(some, records)
            else:
                self._take_up(some, records)

    def _take_up(self, offsets: list[int], records: list[Any]) -> None:
        assert self.run is not None
        span = self.run.frontier.taken(offsets)
        for index, offset in enumerate(offsets):
            slot = Slot(self.run, records[index], span, index)
            self.run.take_up(slot)
            self.calling[offset] = slot
            known = self.known.get(offset, 0)
            assert slot.tried == known, f"{offset} was tried {known} times, its new owner says {slot.tried}"

    @precondition(lambda self: self.run is not None and self.calling)
    @rule(
        ends=st.lists(st.tuples(st.integers(0, MAX_OPEN), st.sampled_from(OUTCOMES)), min_size=1, max_size=4)
    )
    def call(self, ends: list[tuple[int, str]]) -> None:
        """Calls of any open records end, in any order. When the attempts are used up it is a dead letter."""
        for place, outcome in ends:
            if self.calling:
                self._call(sorted(self.calling)[place % len(self.calling)], outcome)
        self._release()

    def _call(self, offset: int, outcome: str) -> None:
        slot = self.calling[offset]
        if slot.tried >= MAX_ATTEMPTS:
            outcome = "fail"
        else:
            slot.tried += 1
            self.attempts[offset] += 1
        if outcome != "fail" or slot.tried >= MAX_ATTEMPTS:
            self._end(offset, outcome)

    @precondition(lambda self: self.run is not None and any(self.lanes.values()))
    @rule(results=st.integers(0, 4), dead=st.integers(0, 2))
    def ack(self, results: int, dead: int) -> None:
        """The broker acks: in order within a topic, results and dead letters as they come."""
        for count, lane in ((results, self.lanes["results"]), (dead, self.lanes["dead"])):
            for slot in lane[:count]:
                self._settle(slot)
            del lane[:count]

    @precondition(lambda self: self.run is not None)
    @rule()
    def ask_commit(self) -> None:
        """What is committable now is on its way to the broker."""
        self.asked = self._position()

    @precondition(lambda self: self.run is not None and self.asked is not None)
    @rule()
    def commit_arrives(self) -> None:
        """The broker takes the commit that was asked for, perhaps long after."""
        assert self.asked is not None
        self._commit(*self.asked)
        self.asked = None

    @precondition(lambda self: self.run is not None)
    @rule()
    def commit(self) -> None:
        """Asked for and taken in one step."""
        self.ask_commit()
        self.commit_arrives()

    @precondition(lambda self: self.run is not None)
    @rule()
    def revoke(self) -> None:
        """The partition moves in peace: what is committable is committed, the rest is abandoned."""
        self._commit(*self._position())
        self._gone(len(self.lanes["results"]))

    @precondition(lambda self: self.run is not None)
    @rule(share=st.floats(0, 1))
    def crash(self, share: float) -> None:
        """The owner is gone, with what it had not committed; of what was under way the first part arrives."""
        self._gone(round(len(self.lanes["results"]) * share))

    # What must hold.

    @invariant()
    def nothing_is_committed_before_it_settled(self) -> None:
        """Below the committed offset and in the map stands only what has settled."""
        if not hasattr(self, "end"):
            return
        position = self._read_commit()
        said = {o for o in self.log if o < position.offset or _is_in(position.settled, o)}
        assert self.settled >= said, f"committed unsettled {sorted(said - self.settled)}"

    @invariant()
    def order_is_kept(self) -> None:
        """Within a life the results of a lane rise, and over all lives what is written first does. A lane is
        the partition, or a key; without an order there is none."""
        if not hasattr(self, "end"):
            return
        firsts = list(dict.fromkeys(self.written))
        for lane in self.lanes_of_order():
            life = [offset for offset in self.life if offset % KEYS in lane]
            assert life == sorted(life), f"out of order: {life}"
            over_lives = [offset for offset in firsts if offset % KEYS in lane]
            assert over_lives == sorted(over_lives), f"out of order over owners: {over_lives}"

    @invariant()
    def attempts_are_bounded(self) -> None:
        """Only what a crash made unknown comes on top."""
        if hasattr(self, "end"):
            for offset, made in self.attempts.items():
                bound = MAX_ATTEMPTS + self.forgotten[offset]
                assert made <= bound, f"{offset} was tried {made} times, {bound} allowed"

    @invariant()
    def room_is_given_back_exactly(self) -> None:
        """What is held is what was taken and has not settled."""
        if hasattr(self, "end") and self.run is not None:
            assert self.held == self.run.frontier.open_records()

    def teardown(self) -> None:
        """A last owner goes through to the end: nothing was skipped, and the commit is at the end."""
        if not hasattr(self, "end"):
            return
        if self.run is None:
            self.assign()
        self._finish()
        while self.log and self.fetched <= self.log[-1]:
            self.poll(50)
            self._finish()
        assert self.run is not None
        self.run.frontier.reached(self.end)
        self._commit(*self._position())
        assert self.settled == set(self.log), f"skipped {sorted(set(self.log) - self.settled)}"
        assert self.committed == Position(self.end)
        self.order_is_kept()

    # Steps.

    def lanes_of_order(self) -> list[set[int]]:
        """The remainders of offsets that share a lane."""
        if self.ordering == "partition":
            return [set(range(KEYS))]
        return [{key} for key in range(KEYS)] if self.ordering == "key" else []

    def _order(self) -> Order[Slot]:
        if self.ordering == "partition":
            return PartitionOrder()
        return KeyOrder(lambda slot: b"%d" % (_offset(slot) % KEYS)) if self.ordering == "key" else NoOrder()

    def _freed(self, _key: TopicPartition, records: int, size_bytes: int) -> None:
        assert records == size_bytes
        self.held -= records

    def _finish(self) -> None:
        for offset in sorted(self.calling, reverse=True):
            self._end(offset, "ok")
        self._release()
        for lane in self.lanes.values():
            while lane:
                self._settle(lane.pop(0))

    def _end(self, offset: int, outcome: str) -> None:
        slot = self.calling.pop(offset)
        # A record that ends otherwise in a second life may stand behind a later one; no owner can help that.
        slot.outputs = [self.fates.setdefault(offset, outcome)]
        slot.is_ready = True
        assert self.run is not None
        self.run.order.ready(slot)

    def _release(self) -> None:
        assert self.run is not None
        for slot in self.run.order.released():
            (outcome,) = slot.outputs
            if outcome == "drop":
                self._settle(slot)
                continue
            if outcome == "ok":
                self.life.append(_offset(slot))
            self.lanes["results" if outcome == "ok" else "dead"].append(slot)

    def _settle(self, slot: Slot) -> None:
        self.settled.add(_offset(slot))
        self.done.add(_offset(slot))
        if slot.outputs == ["ok"]:
            self.written.append(_offset(slot))
        slot.partition.settled(slot)

    def _position(self) -> Said:
        """What the owner says, and the attempts that it must say: of all that it has not seen settle."""
        assert self.run is not None
        tried = {**self.known, **{_offset(slot): slot.tried for slot in self.run.slots.values()}}
        return self.run.position(), {o: count for o, count in tried.items() if count and o not in self.done}

    def _commit(self, position: Position, tried: dict[int, int]) -> None:
        assert position.offset >= self.committed.offset, "commits never fall"
        self.text = checkpoint.encode(PARTITIONS, position)
        assert len(self.text) <= checkpoint.MAX_CHARACTERS
        self.committed = Position(position.offset)
        self.committed = self._read_commit()
        runs = self.committed.tried
        found = {o: count for first, stop, _, count in runs for o in self.log if first <= o < stop}
        kept = {offset: count for offset, count in tried.items() if offset in found}
        assert kept.items() <= found.items(), f"tried {tried}, committed {found}"
        assert kept == tried or self.is_narrow, f"tried {tried}, committed {found}"
        self.saved = kept

    def _read_commit(self) -> Position:
        if self.text is None:
            return self.committed
        found = checkpoint.decode(self.text, self.committed.offset)
        assert isinstance(found, checkpoint.Checkpoint), found
        return found.from_offset(self.committed.offset)

    def _gone(self, arrived: int) -> None:
        """The owner ends; the first `arrived` results under way are written all the same, without an ack."""
        assert self.run is not None
        self.written += [_offset(slot) for slot in self.lanes["results"][:arrived]]
        for offset, made in self.attempts.items():
            if offset >= self.committed.offset and not _is_in(self.committed.settled, offset):
                self.forgotten[offset] = made - self.saved.get(offset, 0)
        self.run.release()
        self.run = None


class KeyMachine(PartitionMachine):
    """The same with `ordering: key`."""

    ordering = "key"


class NoOrderMachine(PartitionMachine):
    """The same with `ordering: none`."""

    ordering = "none"


class NarrowMachine(PartitionMachine):
    """`ordering: none` with a map of a few characters: what is left out is done again, nothing is skipped."""

    ordering = "none"
    is_narrow = True


MACHINES: Final = (PartitionMachine, KeyMachine, NoOrderMachine, NarrowMachine)


def _offset(slot: Slot) -> int:
    return slot.span.offsets[slot.index]


def _is_in(runs: Runs, offset: int) -> bool:
    return any(first <= offset < stop for first, stop in runs)


def explore(machine: type[PartitionMachine], examples: int, *, shrinks: bool = True) -> None:
    """Run the machine. Raises AssertionError, or what the code under test raises, with the failing story."""
    phases = [Phase.generate, Phase.shrink] if shrinks else [Phase.generate]
    profile = settings(
        max_examples=examples, stateful_step_count=STEPS, deadline=None, database=None, phases=phases,
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
    )  # fmt: skip
    room = NARROW_CHARACTERS if machine.is_narrow else checkpoint.MAP_CHARACTERS
    with mock.patch.object(checkpoint, "MAP_CHARACTERS", room):
        run_state_machine_as_test(machine, settings=profile)


def main() -> None:
    """The long run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000)
    arguments = parser.parse_args()
    for machine in MACHINES:
        began = time.monotonic()
        explore(machine, arguments.examples)
        seconds = time.monotonic() - began
        print(f"{machine.__name__}: {arguments.examples} examples in {seconds:.0f} s, nothing found")


if __name__ == "__main__":
    main()
