"""How many calls of one function may be open at once: learned from what gets lost. Pure: time is an argument.

Additive increase, multiplicative decrease, driven by losses alone (throttles, time-outs, dropped
connections), never by latency: Lambda scales out, so cold starts look like queueing to a limit by latency,
and time-outs that all take as long look calm to it.

    a loss                              limit x 0.9, once for all that was sent before the cut
    most of what was open gets lost     limit x 0.5 instead
    a round without loss                limit + 1, and only if the limit was reached
    rounds above the last loss          + 1, + 2, + 4 ...: the function has room again

A round is as many good answers as the limit. The first rounds double the limit, up to the first loss. A
permit is held over retries and their waits, so a function that refuses is asked less, not more. Where the
loss names a fixed limit, what the function had open is remembered as a ceiling: one call above it is tried
every `CEILING_PROBE_SECONDS`, and it is forgotten when a whole round above it passes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any, Final, TypeGuard

from workers.calls.contract import CallFailure
from workers.calls.error_table import LimiterKind
from workers.settings import LIMIT_START

DECREASE: Final = 0.9
"""A function that takes 50 sees 45 to 51: a smaller factor wastes more, a larger one loses more."""
COLLAPSE: Final = 0.5
"""The limit is far off, as when a function lost most of its concurrency: 200 is 1 after eight rounds."""
FIRST_CUT: Final = 0.75
"""At the first loss the limit has just doubled: what the function takes lies between a half and all of it."""
CEILING_PROBE_SECONDS: Final = 5.0
"""Room is noticed soon, and one refused call in five seconds is nothing to speak of."""
MAX_STEP: Final = 64.0
"""Lambda gains 1,000 environments in 10 s: a round of a second that adds 64 stays below."""
MAX_CEILINGS: Final = 16
"""AWS knows six reasons."""
# Between the worker and the function stands something that is full or waited too long.
_FULL: Final = frozenset({"HTTP 503", "HTTP 504"})


def pressure_of(failure: CallFailure) -> LimiterKind | None:
    """Which limit a failure says was met; None where it says nothing of load, as a function's own error."""
    entry = failure.entry
    if entry is None:
        return None
    if entry.reaction == "throttle":
        return entry.limiter
    is_lost = entry.section == "transport" and entry.outcome != "ran"
    return "functionConcurrency" if is_lost or entry.name in _FULL else None


@dataclass(frozen=True, slots=True)
class LimitBounds:
    """`most` is the stage's `parallelism`; `least` stays open whatever is lost, so that room is noticed."""

    most: int
    start: int = LIMIT_START
    least: int = 1

    def __post_init__(self) -> None:
        assert 1 <= self.least <= self.most


class AdaptiveLimit:
    """The limit of one function in one worker.

    Whoever calls takes a permit (`acquire`), says when each attempt begins (`began`; a retry waits for
    `has_room`) and how it ended (`succeeded`, `lost` or `abandoned`), and gives the permit back when the call
    is over (`release`).
    `in_flight` counts permits, `open` attempts: a call that waits for its retry has a permit alone. An
    answer that says nothing of load is a success. Times are seconds of a clock that never goes back.
    """

    __slots__ = (
        "_bounds", "_ceilings", "_cut_at", "_good", "_is_starting", "_limit", "_mark", "_probe_at", "_stale",
        "_step", "_was_full", "in_flight", "open",
    )  # fmt: skip

    def __init__(self, bounds: LimitBounds, learned: Any = None) -> None:
        """`learned` is what `export` gave, here or in another process; what is none is not looked at."""
        self._bounds = bounds
        self.in_flight = self.open = 0
        self._limit = float(max(bounds.least, min(bounds.start, bounds.most)))
        self._is_starting = True
        # The limit at the last loss: up to it a round adds one.
        self._mark = float(bounds.most)
        self._step = 1.0
        # What began before the last cut says nothing of the limit since; how many of it may still be lost
        # before the cut was too small.
        self._cut_at, self._stale = -inf, inf
        self._good = 0
        self._was_full = False
        self._ceilings: dict[str, int] = {}
        self._probe_at = -inf
        self._restore(learned)

    @property
    def limit(self) -> int:
        """Calls that may be open at once now."""
        return int(self._limit)

    @property
    def ceilings(self) -> dict[str, int]:
        """The fixed limits that are known, by the reason that named them."""
        return dict(self._ceilings)

    @property
    def has_room(self) -> bool:
        """Whether a retry may begin: a call that has a permit from before a cut waits until less is open."""
        return self.open < int(self._limit)

    @property
    def was_cut(self) -> bool:
        """Whether it was learned from losses. False: it is still on its first way up."""
        return not self._is_starting

    def allow(self, most: int) -> None:
        """Whoever calls may have more or fewer calls open from now on."""
        if self._mark >= self._bounds.most:
            self._mark = float(most)
        self._bounds = LimitBounds(most, self._bounds.start, min(self._bounds.least, most))
        self._limit = min(self._limit, float(most))

    def acquire(self) -> bool:
        """Take a permit. False: none is free; one may be after a `release` or a `succeeded`."""
        if self.in_flight >= int(self._limit):
            self._was_full = True
            return False
        self.in_flight += 1
        return True

    def release(self) -> None:
        """Give a permit back."""
        assert self.in_flight > 0, "a permit is given back once"
        self.in_flight -= 1

    def began(self) -> None:
        """An attempt is sent."""
        self.open += 1

    def abandoned(self) -> None:
        """An attempt was given up by us."""
        assert self.open > 0, "an attempt ends once"
        self.open -= 1

    def succeeded(self, began_seconds: float, now_seconds: float) -> None:
        """An attempt had an answer that was no loss."""
        self.abandoned()
        if self.in_flight >= int(self._limit):
            self._was_full = True
        if began_seconds < self._cut_at:
            return
        self._good += 1
        if self._good < int(self._limit):
            return
        if self._was_full:
            self._grow(now_seconds)
        self._new_round()

    def lost(self, began_seconds: float, now_seconds: float, ceiling_reason: str | None = None) -> None:
        """An attempt was throttled, timed out, or its connection broke. `ceiling_reason`: the name of the
        fixed limit that was met, if the error says that it is one."""
        self.abandoned()
        if ceiling_reason is not None:
            self._remember(ceiling_reason, now_seconds)
        if began_seconds < self._cut_at:
            self._stale -= 1
            if self._stale < 0:
                self._limit = max(float(self._bounds.least), self._limit * COLLAPSE / DECREASE)
                self._stale = inf
        elif self.has_room:
            self._cut(FIRST_CUT if self._is_starting else DECREASE, now_seconds)
        # Else more is open than the last cut left: a retry that met it says nothing new.
        self._limit = min(self._limit, self._ceiling())

    def scale(self, factor: float, now_seconds: float) -> None:
        """A limit that this function shares with others was met (the account's): bear a part of it."""
        assert 0 < factor <= 1
        self._cut(factor, now_seconds)

    def restart(self) -> None:
        """After a hold: a function that just came back gets one call, then two, then four."""
        self._limit = float(self._bounds.least)
        self._is_starting, self._step = True, 1.0
        self._new_round()

    def export(self) -> dict[str, Any]:
        """What was learned, as JSON: small enough for a record of the registry."""
        return {"limit": round(self._limit, 1), "mark": round(self._mark, 1), "ceilings": self.ceilings}

    def _restore(self, learned: Any) -> None:
        if not isinstance(learned, dict):
            return
        most, least = float(self._bounds.most), float(self._bounds.least)
        limit, mark, ceilings = (learned.get(name) for name in ("limit", "mark", "ceilings"))
        if _is_number(limit):
            self._limit = min(max(float(limit), least), most)
            self._is_starting = False
        if _is_number(mark):
            self._mark = min(max(float(mark), 1.0), most)
        if isinstance(ceilings, dict):
            for reason, ceiling in list(ceilings.items())[:MAX_CEILINGS]:
                if isinstance(reason, str) and _is_number(ceiling) and ceiling >= 1:
                    self._ceilings[reason] = int(ceiling)

    def _ceiling(self) -> float:
        return float(max(self._bounds.least, min(self._ceilings.values()))) if self._ceilings else inf

    def _grow(self, now_seconds: float) -> None:
        """The limit was reached for a round, and nothing was lost."""
        most, ceiling = float(self._bounds.most), self._ceiling()
        if int(self._limit) > ceiling:
            reached = int(self._limit)
            self._ceilings = {reason: one for reason, one in self._ceilings.items() if one >= reached}
        elif self._limit + 1 > ceiling:
            if now_seconds >= self._probe_at:
                self._probe_at = now_seconds + CEILING_PROBE_SECONDS
                self._limit = min(most, ceiling + 1)
            return
        if self._is_starting:
            step = self._limit
        elif self._limit <= self._mark:
            step = 1.0
        else:
            step, self._step = self._step, min(MAX_STEP, 2 * self._step)
        self._limit = min(self._limit + step, most, self._ceiling())

    def _cut(self, factor: float, now_seconds: float) -> None:
        least = float(self._bounds.least)
        self._mark = self._limit
        ceiling = self._ceiling()
        if ceiling < self._limit:
            # What the function takes is known: no need to grope below it.
            self._limit = ceiling
        else:
            # Where fewer calls were open than the limit allows, it was them that met a limit.
            self._limit = max(least, min(self._limit, float(max(1, self.in_flight))) * factor)
        self._is_starting, self._step = False, 1.0
        self._cut_at, self._stale = now_seconds, max(2.0, self.open / 2)
        self._new_round()

    def _remember(self, reason: str, now_seconds: float) -> None:
        """What is still open is what the function took, or will be refused in a moment and told then."""
        if reason in self._ceilings or len(self._ceilings) < MAX_CEILINGS:
            self._ceilings[reason] = max(1, self.open)
            self._probe_at = now_seconds + CEILING_PROBE_SECONDS

    def _new_round(self) -> None:
        self._good = 0
        self._was_full = False


def _is_number(value: Any) -> TypeGuard[float]:
    # Neither a NaN nor an integer beyond any float is below it.
    return type(value) in (int, float) and abs(value) < 1e9


def share_the_cut(limits: Iterable[AdaptiveLimit], now_seconds: float) -> None:
    """The account's concurrency is used up: every function with open calls gives up a tenth of them, so that
    the larger ones give more."""
    for limit in limits:
        if limit.in_flight:
            limit.scale(DECREASE, now_seconds)
