"""What all call sites of a process share: of one function its limit, rate and retry budget, of one connection
the account's rate, of the process the bytes that are on their way."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from workers.calls.budget import RetryBudget
from workers.calls.fair import FairShare
from workers.calls.limiter import AdaptiveLimit, LimitBounds, share_the_cut
from workers.calls.rate import RateLimit
from workers.counting import Metrics
from workers.metrics import (
    FUNCTION_IN_FLIGHT,
    FUNCTION_LIMIT,
    FUNCTION_PARALLELISM,
    FUNCTION_RATE,
    FUNCTION_WAITING,
    LIMIT_CHANGED,
    OUTSTANDING_BYTES,
    OUTSTANDING_BYTES_LIMIT,
    RETRY_BUDGET,
    THROTTLES,
)
from workers.settings import LIMIT_START, MAX_OUTSTANDING_BYTES

MAX_LEARNED: Final = 10_000
"""Functions whose limits are remembered; a process calls as many at most."""


class Turn:
    """A call that waits for a permit: `granted` is False where it was given up."""

    __slots__ = ("granted", "item", "of")

    def __init__(self, of: object, item: Any, granted: asyncio.Future[bool]) -> None:
        self.of, self.item, self.granted = of, item, granted


class Paced:
    """A rate for whoever calls. Those who wait stand in line, so that only one looks at the clock."""

    __slots__ = ("_line", "rate", "waits")

    def __init__(self, rate: RateLimit) -> None:
        self.rate = rate
        self.waits = 0
        self._line: deque[asyncio.Event] = deque()

    @property
    def is_waited_for(self) -> bool:
        """Whether a call waits now."""
        return bool(self._line)

    def admits(self, now_seconds: float) -> bool:
        """Whether a call may begin now; then it counts."""
        return not self._line and not self.rate.admit(now_seconds)

    async def wait(self, is_gone: Callable[[], bool]) -> None:
        """Returns when the call may begin, or is gone: a drain does not wait for a rate. Whoever lets it be
        gone says `look`."""
        self.waits += 1
        looks = asyncio.Event()
        self._line.append(looks)
        try:
            while not is_gone():
                wait = self.rate.admit(time.monotonic()) if self._line[0] is looks else None
                if wait == 0.0:
                    return
                looks.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await looks.wait()
        finally:
            self._line.remove(looks)
            if self._line:
                self._line[0].set()

    def look(self) -> None:
        """Calls that wait may be gone."""
        for looks in self._line:
            looks.set()


class Outstanding:
    """Bytes of requests that were sent or wait to be sent again. A single one passes whatever its size."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.used_bytes = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def take(self, size_bytes: int) -> bool:
        """Whether there is room; then it is taken."""
        if self._waiting or not self._fits(size_bytes):
            return False
        self.used_bytes += size_bytes
        return True

    async def wait(self, size_bytes: int) -> None:
        """Returns when there is room, which is then taken."""
        entry = (size_bytes, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            await entry[1]
        except asyncio.CancelledError:
            if entry[1].done() and not entry[1].cancelled():
                self.give_back(size_bytes)
            elif entry in self._waiting:
                self._waiting.remove(entry)
            raise

    def give_back(self, size_bytes: int) -> None:
        """A request is over."""
        self.used_bytes -= size_bytes
        while self._waiting and self._fits(self._waiting[0][0]):
            size, room = self._waiting.popleft()
            # Of those that are cancelled together the first may end before the next has noticed.
            if not room.done():
                self.used_bytes += size
                room.set_result(None)

    def _fits(self, size_bytes: int) -> bool:
        return not self.used_bytes or self.used_bytes + size_bytes <= self.most_bytes


class Account:
    """What the functions of one connection share."""

    def __init__(self, now_seconds: float) -> None:
        self.pace = Paced(RateLimit(None, now_seconds))
        self.callees: list[Callee] = []
        self._cut_at = float("-inf")

    def full(self, began_seconds: float, now_seconds: float) -> None:
        """The account's concurrency is used up. What was sent before the last cut says nothing new."""
        if began_seconds < self._cut_at:
            return
        self._cut_at = now_seconds
        before = [callee.limit.limit for callee in self.callees]
        share_the_cut([callee.limit for callee in self.callees], now_seconds)
        for callee, limit in zip(self.callees, before, strict=True):
            callee.changed(limit, "account")


class Callee:
    """One function, or one URL, as this process calls it. A call has a permit from its first attempt to its
    end, its retries and their waits included."""

    def __init__(self, labels: tuple[str, str], account: Account, bytes_: Outstanding, learned: Any) -> None:
        """`learned`: what its limit exported, here or in an earlier process."""
        now = time.monotonic()
        self.labels = labels
        self.account, self.bytes = account, bytes_
        self.pace = Paced(RateLimit(None, now))
        self.budget = RetryBudget(now)
        self.throttles: Counter[str] = Counter()
        self._learned = learned
        self._changes: Counter[str] = Counter()
        self._takers: dict[str, int] = {}
        self._names = 0
        self._is_used = False
        self._retrying: deque[asyncio.Future[None]] = deque()
        self.limit = AdaptiveLimit(LimitBounds(LIMIT_START), learned)
        self.share: FairShare[Turn] = FairShare(self.limit)
        account.callees.append(self)

    @property
    def most(self) -> int:
        """`parallelism` of all who call it."""
        return sum(self._takers.values())

    def join(self, name: str, parallelism: int) -> str:
        """A call site calls it from now on. Returns by which name."""
        self._names += 1
        taker = f"{name} {self._names}"
        self._takers[taker] = parallelism
        if self._is_used:
            self.limit.allow(self.most)
        else:
            self.limit = AdaptiveLimit(LimitBounds(self.most), self._learned)
            self.share = FairShare(self.limit)
            for one in self._takers:
                self.share.join(one)
            return taker
        self.share.join(taker)
        return taker

    def part(self, taker: str) -> None:
        """It calls no more, and has given back what it had. What the limit learned stays: its successor joins
        in a moment, or the limit is written for the next process."""
        self.share.part(taker)
        del self._takers[taker]

    def take(self, taker: str) -> bool:
        """Whether a permit is free; then it is taken."""
        self._is_used = True
        return self.share.take(taker)

    def give_back(self, taker: str) -> None:
        """A call is over."""
        self.share.give_back(taker)
        self.wake()

    def wake(self) -> None:
        """A permit was given back, an attempt ended, or the limit changed: let those go who may."""
        while self.share.waiting and (granted := self.share.grants()):
            for taker, turn in granted:
                if turn.granted.done():
                    self.share.give_back(taker)
                else:
                    turn.granted.set_result(True)
        while self._retrying and self.limit.has_room:
            waiting = self._retrying.popleft()
            if not waiting.done():
                waiting.set_result(None)
                break

    async def room(self) -> None:
        """Returns when a retry may begin: what had a permit before a cut waits until less is open."""
        while not self.limit.has_room:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._retrying.append(waiting)
            await waiting

    def changed(self, before: int, reason: str) -> None:
        """The limit may not be what it was."""
        if self.limit.limit != before:
            self._changes[reason] += 1

    def report(self, metrics: Metrics) -> None:
        """Bring the metrics up to date."""
        labels, rate = self.labels, self.pace.rate.per_second
        metrics.gauge(FUNCTION_LIMIT, *labels).set(self.limit.limit)
        metrics.gauge(FUNCTION_PARALLELISM, *labels).set(self.most)
        metrics.gauge(FUNCTION_IN_FLIGHT, *labels).set(self.limit.open)
        metrics.gauge(FUNCTION_WAITING, *labels).set(self.share.waiting)
        metrics.gauge(FUNCTION_RATE, *labels).set(rate or 0.0)
        metrics.gauge(RETRY_BUDGET, *labels).set(self.budget.share_left)
        for metric, counts in ((THROTTLES, self.throttles), (LIMIT_CHANGED, self._changes)):
            for label, count in counts.items():
                metrics.counter(metric, *labels, label).inc(count)
            counts.clear()
        metrics.gauge(OUTSTANDING_BYTES).set(self.bytes.used_bytes)
        metrics.gauge(OUTSTANDING_BYTES_LIMIT).set(self.bytes.most_bytes)


class Callees:
    """All that a process calls, by connection and function."""

    def __init__(
        self, learned: Callable[[], Mapping[str, Any]] = dict, max_bytes: int = MAX_OUTSTANDING_BYTES
    ) -> None:
        """`learned` gives what `export` gave, here or in an earlier process; asked once."""
        self._found = dict(learned())
        self._bytes = Outstanding(max_bytes)
        self._accounts: dict[str, Account] = {}
        self._callees: dict[tuple[str, str], Callee] = {}

    def of(self, connection: str, function: str) -> Callee:
        """The one of this name."""
        key = (connection, function)
        if key not in self._callees:
            if connection not in self._accounts:
                self._accounts[connection] = Account(time.monotonic())
            learned = self._found.get(_name(key))
            self._callees[key] = Callee(key, self._accounts[connection], self._bytes, learned)
        return self._callees[key]

    def export(self) -> dict[str, Any]:
        """What was learned of each, as JSON. What an earlier process knew of others stays known."""
        now = {_name(key): callee.limit.export() for key, callee in self._callees.items()}
        found = ((name, learned) for name, learned in self._found.items() if name not in now)
        return dict([*found, *now.items()][-MAX_LEARNED:])


def _name(key: tuple[str, str]) -> str:
    return " ".join(key)
