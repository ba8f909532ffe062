"""What the records of one processor came to, waiting for the transaction that makes it known.

    settled slot -> waiting -> taken into a transaction -> committed

An outcome that was taken counts as settled in its partition's frontier from then on: it stays in the hand of
`transaction.py` until a transaction with it commits, and no offset is committed in any other way. Its room is
given back then, so that what waits is bounded by the processor's room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from workers.engine.letters import Letters, no_topic, result_too_large
from workers.engine.partition import PartitionRun, Slot
from workers.engine.tally import Tally
from workers.model import Refused
from workers.pipeline.program import Sink
from workers.ports import Produced, SendFailure
from workers.progress.naming import nameable

CountedAs = Callable[[list[Any]], str]
"""What a record counts as, by the ends of its documents."""


class Item:
    """One record to produce. `instead` makes what takes its place when it is refused for good; None: nothing
    does, and it is sent again until it is taken."""

    __slots__ = ("instead", "is_alone", "record")

    def __init__(self, record: Produced, instead: Callable[[SendFailure], Item | None]) -> None:
        self.record, self.instead = record, instead
        self.is_alone = False


class Outcome:
    """One settled record and what is produced for it."""

    __slots__ = ("items", "refusals", "slot")

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.items: list[Item] = []
        self.refusals: list[tuple[str, str]] = []


@dataclass(frozen=True, slots=True)
class SinkFacts:
    """Of the sink, for its refusals: its path, and whether documents name its topics."""

    path: str
    names_topics: bool

    @classmethod
    def of(cls, sink: Sink | None) -> SinkFacts:
        return cls("", False) if sink is None else cls(sink.path, sink.topic is None)


class Outcomes:
    """Of all partitions of one processor."""

    def __init__(self, letters: Letters, tally: Tally, sink: SinkFacts, counted_as: CountedAs) -> None:
        self.records = 0
        """How many wait."""
        self.on_add: Callable[[], None] = lambda: None
        self._letters, self._tally, self._sink, self._counted_as = letters, tally, sink, counted_as
        self._waiting: dict[PartitionRun, deque[Outcome]] = {}
        self._stopped: set[PartitionRun] = set()
        self._is_closed = False

    def add(self, slot: Slot) -> None:
        """A record's documents have all come to their ends, and it is its turn to leave."""
        run = slot.partition
        if self._is_closed or run in self._stopped:
            return
        outcome = Outcome(slot)
        for end in slot.outputs:
            if end.__class__ is tuple:
                outcome.items.append(Item(end, self._instead_of_result(outcome)))
            elif end.__class__ is not str:
                if self._letters.stops(slot.record, end):
                    # The processor stops with this record; nothing behind it leaves its partition.
                    self._stopped.add(run)
                    return
                outcome.items.append(self._letter(outcome, end))
        run.begin()
        self._waiting.setdefault(run, deque()).append(outcome)
        self.records += 1
        self.on_add()

    def take(self, owned: Callable[[PartitionRun], bool], max_records: int, max_bytes: int) -> list[Outcome]:
        """Take what one transaction may hold, by partition and in order. What is taken counts as settled;
        what its commit could not name goes on waiting."""
        taken: list[Outcome] = []
        for run in [run for run in self._waiting if owned(run)]:
            waiting = self._waiting[run]
            some: list[Outcome] = []
            while waiting and len(taken) + len(some) < max_records and max_bytes > 0:
                some.append(waiting.popleft())
                max_bytes -= sum(len(item.record[1] or b"") for item in some[-1].items)
            fitting, others = _fitting(run, some)
            for outcome in fitting:
                run.name_settled(outcome.slot)
            waiting.extendleft(reversed(others))
            if not waiting:
                del self._waiting[run]
            taken += fitting
        self.records -= len(taken)
        return taken

    def forget(self) -> None:
        """Drop what belongs to partitions that moved away: the next owner makes it again."""
        for run in [run for run in self._waiting if not run.alive]:
            dropped = self._waiting.pop(run)
            self.records -= len(dropped)
            run.end(len(dropped))
        self._stopped = {run for run in self._stopped if run.alive}

    def close(self) -> None:
        """Add nothing more; what waits may still be taken."""
        self._is_closed = True

    def has(self, runs: Iterable[PartitionRun]) -> bool:
        """Whether something of these partitions waits."""
        return any(run in self._waiting for run in runs)

    def committed(self, outcome: Outcome) -> None:
        """It is known to everybody now."""
        slot, tally = outcome.slot, self._tally
        for refusal in outcome.refusals:
            tally.dead_lettered(*refusal)
        for item in outcome.items:
            tally.produced[item.record[0]] += 1
            tally.produced_bytes[item.record[0]] += len(item.record[1] or b"")
        tally.outcomes[self._counted_as(slot.outputs)] += 1
        slot.partition.give_room(slot)
        slot.partition.end()

    def _letter(self, outcome: Outcome, refused: Refused) -> Item:
        letter = self._letters.letter(outcome.slot.record, refused)
        outcome.refusals.append((refused.error_class, refused.scope))

        def smaller(failure: SendFailure) -> Item | None:
            return Item(letter.smaller(), lambda _: None) if failure.too_large else None

        return Item(letter.item, smaller)

    def _instead_of_result(self, outcome: Outcome) -> Callable[[SendFailure], Item | None]:
        def instead(failure: SendFailure) -> Item | None:
            if failure.too_large:
                refused = result_too_large(failure.reason, self._sink.path)
            elif failure.no_topic and self._sink.names_topics:
                refused = no_topic(failure.reason, self._sink.path)
            else:
                return None
            self._tally.produce_failures["too_large" if failure.too_large else "no_topic"] += 1
            outcome.slot.outputs.append(refused)
            return self._letter(outcome, refused)

        return instead


def _fitting(run: PartitionRun, outcomes: list[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    """(those that a commit can name beside what it names already, the others). The lowest offsets first, so
    that none overtakes one of its own key."""
    if not outcomes:
        return outcomes, []
    offsets = sorted(outcome.slot.offset for outcome in outcomes)
    count = nameable(run.position(), offsets)
    if count == len(offsets):
        return outcomes, []
    limit = offsets[count]
    return (
        [outcome for outcome in outcomes if outcome.slot.offset < limit],
        [outcome for outcome in outcomes if outcome.slot.offset >= limit],
    )
