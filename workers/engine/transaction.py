"""The transactions of one processor under exactly-once: results, dead letters and offsets go out together.

One loop makes one transaction after the other; nobody else commits anything.

    wait for the interval -> membership from the poll thread -> take outcomes -> run -> committed: give room
                                                                             \\-> aborted: the same again

An abort keeps the outcomes in its hand and runs them again before anything else, so no call is repeated for
it. While partitions are revoked the poll thread stands still, and the membership is the one that it read
before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from workers.counting import Metrics
from workers.engine.outcomes import Outcome, Outcomes
from workers.engine.partition import PartitionRun
from workers.logs import log_event
from workers.metrics import OUTCOMES_WAITING, TRANSACTION_SECONDS, TRANSACTIONS, TRANSACTIONS_FENCED
from workers.model import Position, TopicPartition
from workers.ports import Membership, Source, TransactionEnd, Transactions

log = logging.getLogger(__name__)

T = TypeVar("T")

# The poll thread answers within one turn, unless its broker is away.
ASK_SECONDS: Final = 20.0
FAILED_FIRST_SECONDS: Final = 0.1
FAILED_CAP_SECONDS: Final = 5.0
# The group moves on within some heartbeats.
STALE_SECONDS: Final = 0.05
# Two that take each other's id away would do it for ever: each time is waited for twice as long.
FENCED_FIRST_SECONDS: Final = 0.5
FENCED_CAP_SECONDS: Final = 30.0
FENCED_MEMORY_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class TransactionSettings:
    """Bounds of one processor's transactions. One opens `interval_seconds` after the last, or as soon as
    `early_records` wait, and holds at most `max_records` and about `max_bytes`."""

    processor: str
    interval_seconds: float
    early_records: int
    max_records: int
    max_bytes: int


class TransactionLoop:
    """Keeps `commits.Commits`. Everything runs on the event loop."""

    def __init__(
        self, settings: TransactionSettings, outcomes: Outcomes, transactions: Transactions,
        partitions: Mapping[TopicPartition, PartitionRun], metrics: Metrics,
    ) -> None:  # fmt: skip
        """`partitions`: those that are ours, kept up to date by the processor."""
        self._settings, self._outcomes, self._transactions = settings, outcomes, transactions
        self._partitions, self._metrics = partitions, metrics
        self._source: Source | None = None
        self._hand: list[Outcome] = []
        """Taken and not known to be committed."""
        self._committed: dict[PartitionRun, Position] = {}
        self._doubt: dict[PartitionRun, Position] | None = None
        self._given: Membership | None = None
        self._began = 0.0
        self._wait_seconds = FAILED_FIRST_SECONDS
        self._fenced: list[float] = []
        self._complained = ""
        self._due = asyncio.Event()
        self._moved = asyncio.Event()
        outcomes.on_add = self._added

    async def run(self, source: Source) -> None:
        """Make transactions until cancelled."""
        self._source = source
        # Before the first partition comes: this aborts what an earlier owner of the id left open. Until then
        # the offsets of its partitions are not to be had, for up to 20 s.
        if why := await self._transactions.recover():
            self._complain("transaction_failed", why)
        while True:
            await self._until_due()
            self._began = time.monotonic()
            delay = await self._resolve() if self._doubt is not None else await self._next()
            self._metrics.gauge(OUTCOMES_WAITING, self._settings.processor).set(self.waiting)
            self._tell()
            await asyncio.sleep(delay)

    @property
    def waiting(self) -> int:
        """Outcomes that no transaction has committed."""
        return self._outcomes.records + len(self._hand)

    async def settle(self, runs: Sequence[PartitionRun], limit_seconds: float) -> None:
        """Returns when everything that these partitions came to is committed, or after the limit. What is not
        is made again by their next owners."""
        deadline = time.monotonic() + limit_seconds
        self.hurry()
        while not self._is_settled(runs) and (left := deadline - time.monotonic()) > 0:
            self._moved.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), left)

    def hurry(self) -> None:
        self._due.set()

    def last(self, runs: Sequence[PartitionRun]) -> Mapping[TopicPartition, Position]:
        return {}  # whatever was not in a transaction is not committed

    def give(self, membership: Membership | None) -> None:
        self._given = membership
        self._due.set()

    def stop_adding(self) -> None:
        self._outcomes.close()

    def forget(self) -> None:
        """Partitions were released: their outcomes are the next owners'."""
        self._outcomes.forget()
        self._committed = {run: position for run, position in self._committed.items() if run.alive}
        self._tell()

    async def close(self) -> None:
        """Abandon what is open."""
        await self._transactions.close()

    def _added(self) -> None:
        if self._outcomes.records >= self._settings.early_records or self._is_draining():
            self._due.set()

    def _tell(self) -> None:
        self._moved.set()

    async def _until_due(self) -> None:
        left = self._began + self._settings.interval_seconds - time.monotonic()
        if left > 0 and self._outcomes.records < self._settings.early_records and not self._is_hurried():
            self._due.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), left)

    def _is_draining(self) -> bool:
        return any(run.draining for run in self._partitions.values())

    def _is_hurried(self) -> bool:
        return self._is_draining() and bool(self._outcomes.records or self._hand or self._changed())

    def _is_settled(self, runs: Sequence[PartitionRun]) -> bool:
        if self._outcomes.has(runs) or any(outcome.slot.partition in runs for outcome in self._hand):
            return False
        return all(not run.alive or self._committed.get(run) == run.position() for run in runs)

    def _changed(self) -> dict[PartitionRun, Position]:
        """Positions that no transaction has committed yet."""
        now = {run: run.position() for run in self._partitions.values()}
        return {run: position for run, position in now.items() if self._committed.get(run) != position}

    async def _next(self) -> float:
        """One transaction, if there is something for one. Returns how long to wait before the next."""
        self._drop_dead()
        if not (self._outcomes.records or self._hand or self._changed()):
            return 0.0
        membership = await self._membership()
        if membership is None:
            return FAILED_FIRST_SECONDS
        self._drop_dead()
        self._take(membership)
        positions = {run: at for run, at in self._changed().items() if membership.owns(run.key)}
        outcomes = self._hand
        if any(not membership.owns(outcome.slot.partition.key) for outcome in outcomes):
            return STALE_SECONDS  # it was lost, and the loop hears of it soon
        if not positions and not outcomes:
            return STALE_SECONDS
        items = [item for outcome in outcomes for item in outcome.items]
        began = time.monotonic()
        end = await self._transactions.run(
            [item.record for item in items],
            frozenset(at for at, item in enumerate(items) if item.is_alone),
            membership.offsets({run.key: position for run, position in positions.items()}),
        )
        name = self._settings.processor
        self._metrics.counter(TRANSACTIONS, name, end.result).inc()
        self._metrics.histogram(TRANSACTION_SECONDS, name).observe(time.monotonic() - began)
        if end.result == "committed":
            self._has_committed(positions)
            return 0.0
        if end.result == "in_doubt":
            self._doubt = positions
        return 0.0 if self._mend(outcomes, end) else self._delay(end)

    def _take(self, membership: Membership) -> None:
        settings = self._settings
        room = settings.max_records - len(self._hand)
        # While the same fails again and again, it does not grow.
        if room > 0 and not (self._hand and self._complained):
            self._hand += self._outcomes.take(
                lambda run: run.alive and membership.owns(run.key), room, settings.max_bytes
            )

    def _drop_dead(self) -> None:
        """Forget what belongs to partitions that moved away."""
        for outcome in self._hand:
            if not outcome.slot.partition.alive:
                outcome.slot.partition.end()
        self._hand = [outcome for outcome in self._hand if outcome.slot.partition.alive]

    def _has_committed(self, positions: Mapping[PartitionRun, Position]) -> None:
        assert self._source is not None
        self._wait_seconds, self._complained = FAILED_FIRST_SECONDS, ""
        self._committed |= {run: position for run, position in positions.items() if run.alive}
        hand, self._hand = self._hand, []
        for outcome in hand:
            self._outcomes.committed(outcome)
        self._source.transacted({run.key: position for run, position in positions.items()})

    def _mend(self, outcomes: Sequence[Outcome], end: TransactionEnd) -> bool:
        """Put dead letters in the places of what was refused for good. False when the same would be sent
        again."""
        at, is_changed = 0, False
        for outcome in outcomes:
            for place, item in enumerate(outcome.items):
                if at in end.suspects and not item.is_alone:
                    item.is_alone = is_changed = True
                if at in end.refused and (instead := item.instead(end.refused[at])) is not None:
                    outcome.items[place], is_changed = instead, True
                at += 1
        return is_changed

    def _delay(self, end: TransactionEnd) -> float:
        """What an end that was no commit means for the next try, said once a reason."""
        now = time.monotonic()
        if end.is_fenced:
            self._fenced = [at for at in self._fenced if now - at < FENCED_MEMORY_SECONDS] + [now]
            self._metrics.counter(TRANSACTIONS_FENCED, self._settings.processor).inc()
            self._complain("transactional_id_taken", end.reason)
            return min(FENCED_FIRST_SECONDS * 2.0 ** (len(self._fenced) - 1), FENCED_CAP_SECONDS)
        if end.is_stale:
            return STALE_SECONDS
        self._complain("transaction_failed", end.reason)
        delay, self._wait_seconds = self._wait_seconds, min(self._wait_seconds * 2, FAILED_CAP_SECONDS)
        return delay

    def _complain(self, event: str, reason: str) -> None:
        if reason != self._complained:
            log_event(log, logging.WARNING, event, processor=self._settings.processor, reason=reason)
            self._complained = reason

    async def _resolve(self) -> float:
        """Whether a transaction in doubt was committed: the group's offsets tell, once none is open any
        more."""
        assert self._doubt is not None
        assert self._source is not None
        why = await self._transactions.recover()
        if why:
            self._complain("transaction_in_doubt", why)
            delay, self._wait_seconds = self._wait_seconds, min(self._wait_seconds * 2, FAILED_CAP_SECONDS)
            return delay
        sent = {
            run: position
            for run, position in self._doubt.items()
            if run.alive and not _says_the_same(self._committed.get(run), position)
        }
        found = await self._ask(self._source.positions([run.key for run in sent])) if sent else {}
        if found is None:
            return FAILED_FIRST_SECONDS
        # It was all or nothing, so one partition that is still ours tells for all.
        if any(_says_the_same(found.get(run.key), at) for run, at in sent.items() if run.alive):
            self._has_committed(self._doubt)
        self._doubt = None
        return 0.0

    async def _membership(self) -> Membership | None:
        assert self._source is not None
        if self._given is not None:
            return self._given
        found = await self._ask(self._source.membership())
        return self._given or found

    async def _ask(self, asked: Future[T]) -> T | None:
        """The poll thread's answer; None when it does not come in time, or while that thread stands still."""
        answer = asyncio.wrap_future(asked)
        deadline = time.monotonic() + ASK_SECONDS
        while not answer.done():
            left = deadline - time.monotonic()
            if self._given is not None or left <= 0:
                answer.cancel()
                return None
            self._due.clear()
            woken = asyncio.create_task(self._due.wait())
            either: set[asyncio.Future[Any]] = {answer, woken}
            await asyncio.wait(either, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()
        return answer.result()


def _says_the_same(found: Position | None, sent: Position) -> bool:
    """Attempts aside: they may be left out of what is committed."""
    return found is not None and (found.offset, found.settled) == (sent.offset, sent.settled)
