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
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from workers.engine.partition import PartitionRun, Slot
from workers.model import Position, TopicPartition
from workers.progress import checkpoint

KEY: Final = TopicPartition("orders", 0)
PARTITIONS: Final = 8
MAX_ATTEMPTS: Final = 3
MAX_OPEN: Final = 12


class Record:
    """A record of the source. Its size is 1 byte, so that bytes count records."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes:
        return b"x"

    def __len__(self) -> int:
        return 1


class PartitionMachine(RuleBasedStateMachine):
    """What the world holds (the log, what was written, the last commit) and one owner at a time."""

    def __init__(self) -> None:
        super().__init__()
        # The world.
        self.log: list[int] = []
        self.written: list[int] = []
        self.settled: set[int] = set()
        self.attempts: Counter[int] = Counter()
        self.unsaved: Counter[int] = Counter()
        self.committed = Position(0)
        self.text: str | None = None
        # The owner.
        self.run: PartitionRun | None = None
        self.held = 0

    @initialize(start=st.sampled_from([0, 7, 2**40]))
    def begin(self, start: int) -> None:
        self.end = start
        self.committed = Position(start)

    # The world.

    @rule(gaps=st.lists(st.sampled_from([0, 0, 0, 1, 2, 9]), min_size=1, max_size=9))
    def produce(self, gaps: list[int]) -> None:
        """Records are written to the source, with holes in front of some."""
        for gap in gaps:
            self.log.append(self.end + gap)
            self.end += gap + 1

    # The owner's life.

    @precondition(lambda self: self.run is None)
    @rule()
    def assign(self) -> None:
        """A new owner reads the text of the last commit, and nothing else."""
        start = self.committed
        if self.text is not None:
            found = checkpoint.decode(self.text, self.committed.offset)
            assert isinstance(found, checkpoint.Checkpoint), found
            start = found.from_offset(self.committed.offset)
        self.run = PartitionRun(KEY, start, self._freed)
        self.started_at = start.offset
        self.known = {
            offset: tried
            for first, stop, _, tried in start.tried
            for offset in self.log
            if first <= offset < stop
        }
        self.fetched = start.offset
        self.held = 0
        self.taken: set[int] = set()
        self.calling: dict[int, Slot] = {}
        self.unacked: list[Slot] = []
        self.ended: set[int] = set()
        self.asked: tuple[Position, dict[int, int]] | None = None
        self.life: list[int] = []

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
            records: list[Any] = [Record(offset) for offset in some]
            if is_settled:
                assert self.settled >= set(some), f"skipped unsettled {set(some) - self.settled}"
                self.run.frontier.skipped(some)
                self.run.skipped(records)
                continue
            span = self.run.frontier.taken(some)
            for index, record in enumerate(records):
                slot = Slot(self.run, record, span, index)
                self.run.take_up(slot)
                self.taken.add(some[index])
                self.calling[some[index]] = slot
                assert slot.tried == self.known.get(some[index], 0), "attempts of earlier owners are known"

    @precondition(lambda self: self.run is not None and self.calling)
    @rule(data=st.data(), outcome=st.sampled_from(["ok", "ok", "ok", "dropped", "fail", "fail"]))
    def call(self, data: st.DataObject, outcome: str) -> None:
        """A call of any open record ends, in any order. The last attempt's failure is a dead letter."""
        offset = data.draw(st.sampled_from(sorted(self.calling)))
        slot = self.calling[offset]
        if slot.tried < MAX_ATTEMPTS:
            slot.tried += 1
            self.attempts[offset] += 1
            self.unsaved[offset] += 1
        elif outcome == "fail":
            outcome = "ok"  # an owner that finds the attempts used up dead-letters without a call
        if outcome == "fail" and slot.tried < MAX_ATTEMPTS:
            return
        del self.calling[offset]
        slot.outputs = ["dropped" if outcome == "dropped" else object()]
        slot.is_ready = True
        self._release()

    @precondition(lambda self: self.run is not None and self.unacked)
    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        """The broker acks one of the records under way: results and dead letters are two topics."""
        slot = self.unacked.pop(data.draw(st.integers(0, len(self.unacked) - 1)))
        self._settle(slot)

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
    def revoke(self) -> None:
        """The partition moves in peace: what is committable is committed, the rest is abandoned."""
        self._commit(*self._position())
        self._release_partition()

    @precondition(lambda self: self.run is not None)
    @rule()
    def crash(self) -> None:
        """The owner is gone, and what it had not committed with it."""
        self._release_partition()

    # What must hold.

    @invariant()
    def nothing_is_committed_before_it_settled(self) -> None:
        """Below the committed offset and in the map stands only what has settled."""
        position = self._read_commit()
        below = {offset for offset in self.log if offset < position.offset}
        named = {o for first, stop in position.settled for o in self.log if first <= o < stop}
        assert self.settled >= below, f"committed unsettled {sorted(below - self.settled)}"
        assert self.settled >= named, f"the map names unsettled {sorted(named - self.settled)}"

    @invariant()
    def order_is_kept(self) -> None:
        """Within a life results rise; over all lives what is written first rises, too."""
        if self.run is not None:
            assert self.life == sorted(self.life), f"out of order: {self.life}"
        firsts = list(dict.fromkeys(self.written))
        assert firsts == sorted(firsts), f"out of order over owners: {firsts}"

    @invariant()
    def attempts_are_bounded(self) -> None:
        """Beyond the most only by what crashes made unknown."""
        for offset, made in self.attempts.items():
            assert made <= MAX_ATTEMPTS + self.forgotten[offset], f"{offset} was tried {made} times"

    @invariant()
    def room_is_given_back_exactly(self) -> None:
        """What is held is what was taken and has not settled."""
        if self.run is not None:
            assert self.held == len(self.taken) - len(self.ended) == self.run.frontier.open_records()

    def teardown(self) -> None:
        """The last owner goes through to the end: nothing was skipped, and the commit is at the end."""
        if not hasattr(self, "end"):
            return
        if self.run is None:
            self.assign()
        assert self.run is not None
        while self.fetched < self.end:
            self.poll_all()
        self.run.frontier.reached(self.end)
        self._commit(*self._position())
        assert self.settled == set(self.log), f"skipped {sorted(set(self.log) - self.settled)}"
        assert self.committed.offset == self.end
        assert not self.committed.settled
        self.order_is_kept()

    # Steps.

    @property
    def forgotten(self) -> Counter[int]:
        """Attempts that no commit knew of when their owner ended."""
        return self._forgotten

    _forgotten: Counter[int]

    def poll_all(self) -> None:
        self.held_before = self.held
        PartitionMachine.poll(self, 50)
        for offset in sorted(self.calling, reverse=True):
            slot = self.calling.pop(offset)
            slot.outputs = [object()]
            slot.is_ready = True
        self._release()
        while self.unacked:
            self._settle(self.unacked.pop())
