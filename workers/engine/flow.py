"""How one call site goes about calling a function that others call, too: permits, rates, retries, and what
each end of an attempt says of the function's load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from workers.calls.contract import CallFailure
from workers.calls.limiter import pressure_of
from workers.calls.rate import RateLimit
from workers.engine.callees import Callee, Paced, Turn
from workers.metrics import THROTTLE_REASONS
from workers.metrics.metric import OTHER
from workers.pipeline.program import CallSite

W = TypeVar("W")

# What a service without the error table says of its load: $https.
_LOST: Final = frozenset({"HTTP 429", "HTTP 503", "HTTP 504", "NotSent", "TimedOut", "UnknownOutcome"})
_CHANGES: Final = {"TimedOut": "timed_out", "NotSent": "disconnected", "UnknownOutcome": "disconnected"}


class Flow(Generic[W]):
    """The part of one call site. `W` is what goes into a call."""

    def __init__(self, callee: Callee, name: str, site: CallSite) -> None:
        self.callee = callee
        self._taker = callee.join(name, site.parallelism)
        rate = site.rate_per_second
        own = [] if rate is None else [Paced(RateLimit(rate, time.monotonic()))]
        self._paces = (*own, callee.pace, callee.account.pace)
        self._waits = 0

    def was_paced(self) -> bool:
        """Whether calls wait for a rate, or did since this was asked last."""
        before, self._waits = self._waits, sum(pace.waits for pace in self._paces)
        return self._waits > before or any(pace.is_waited_for for pace in self._paces)

    async def enter(self, item: W, size_bytes: int) -> bool:
        """Returns when the call may begin. False: it was dropped meanwhile. `leave` follows only on True."""
        callee = self.callee
        if not callee.take(self._taker) and not await self._turn(item):
            return False
        if not callee.bytes.take(size_bytes):
            try:
                await callee.bytes.wait(size_bytes)
            except asyncio.CancelledError:
                callee.give_back(self._taker)
                raise
        return True

    def leave(self, size_bytes: int) -> None:
        """The call is over, or waits for a held function."""
        self.callee.bytes.give_back(size_bytes)
        self.callee.give_back(self._taker)

    async def pace(self, is_gone: Callable[[], bool]) -> None:
        """Returns when an attempt may begin, or when the call is gone."""
        now = time.monotonic()
        for pace in self._paces:
            if not pace.admits(now):
                await pace.wait(is_gone)
                now = time.monotonic()

    def began(self) -> None:
        """An attempt is sent. `abandoned`, `went_well` or `failed` follows."""
        self.callee.limit.began()

    def abandoned(self) -> None:
        """It was given up by us."""
        self.callee.limit.abandoned()
        self.callee.wake()

    def went_well(self, began_seconds: float, retries: int) -> None:
        """It had an answer."""
        callee = self.callee
        limit = callee.limit
        before = limit.limit
        limit.succeeded(began_seconds, time.monotonic())
        callee.budget.succeeded(retries)
        if limit.limit != before:
            callee.changed(before, "grew")
        callee.wake()

    def failed(self, failure: CallFailure, began_seconds: float) -> None:
        """It had none, or one that says no."""
        callee, now, entry = self.callee, time.monotonic(), failure.entry
        limit = callee.limit
        before = limit.limit
        kind = pressure_of(failure)
        if kind is None and entry is None and failure.error_class in _LOST:
            kind = "functionConcurrency"
        is_throttle = failure.error_class == "HTTP 429" if entry is None else entry.reaction == "throttle"
        if is_throttle:
            name = "" if entry is None else entry.name
            callee.throttles[name if name in THROTTLE_REASONS else OTHER] += 1
        if kind == "functionConcurrency":
            ceiling = entry.name if entry is not None and entry.ceiling else None
            limit.lost(began_seconds, now, ceiling)
            callee.changed(before, _CHANGES.get(failure.error_class, "throttled"))
        elif kind is None:
            limit.succeeded(began_seconds, now)
            callee.changed(before, "grew")
        else:
            limit.abandoned()
            if kind == "accountConcurrency":
                callee.account.full(began_seconds, now)
            else:
                pace = callee.pace if kind == "functionRate" else callee.account.pace
                pace.rate.throttled(now)
                pace.rate.pause(failure.asked_seconds or 0.0, now)
        callee.wake()

    async def again(self, failure: CallFailure, delay_seconds: float, is_over: Callable[[], bool]) -> None:
        """Returns when the next attempt of a call may begin: its wait is over, the budget pays for it, and no
        more is open than the function takes. The permit stays the call's. `is_over`: none will follow, so
        there is nothing to wait or pay for."""
        await asyncio.sleep(delay_seconds)
        budget = self.callee.budget
        while not is_over():
            wait = budget.spend(time.monotonic(), is_unknown=failure.outcome_unknown)
            if not wait:
                await self.callee.room()
                return
            await asyncio.sleep(wait)

    def restart(self) -> None:
        """The function comes back from a hold: one call, then two, then four."""
        limit = self.callee.limit
        before = limit.limit
        limit.restart()
        self.callee.changed(before, "hold")

    def drop(self, is_gone: Callable[[W], bool]) -> None:
        """Calls that are the next owner's wait no more: for a permit, where their `enter` returns False, or
        for a rate."""
        for pace in self._paces:
            pace.look()
        for turn in self.callee.share.drop(lambda turn: turn.of is self and is_gone(turn.item)):
            if not turn.granted.done():
                turn.granted.set_result(False)

    def part(self) -> None:
        """The call site calls no more; every `enter` has its `leave`."""
        self.callee.part(self._taker)

    async def _turn(self, item: W) -> bool:
        share = self.callee.share
        turn = Turn(self, item, asyncio.get_running_loop().create_future())
        if share.ask(self._taker, turn):
            return True
        try:
            return await turn.granted
        except asyncio.CancelledError:
            if turn.granted.done() and not turn.granted.cancelled():
                if turn.granted.result():
                    self.callee.give_back(self._taker)
            else:
                share.drop(lambda one: one is turn)
            raise
