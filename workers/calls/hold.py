"""Keeps documents back from a function on which nothing can work now. Pure: time is an argument.

    OPEN      calls go. A failure that says hold -> HELD
    HELD      nothing is called. A probe is due after 5 s, 10 s, 20 s ... 60 s -> PROBING
    PROBING   one call of the oldest document. It went well -> OPEN; it says hold again -> HELD
    SPENT     `timeout` is over and `after` is onError: calls go again, and what says hold is `onError`'s,
              until one goes well -> OPEN. So no document is given up without its own call. What is not
              `onError`'s, whatever the stage says, is held anew
    FAILED    `timeout` is over and `after` is fail: the processor stops

With `after: wait` it stays HELD and PROBING for ever. The documents wait here in the order in which they
came; how many is the caller's to bound: it takes up no more while they wait, so their offsets stay where they
are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Final, Generic, Literal, TypeVar

from workers.settings import HOLD_PROBE_CAP_SECONDS, HOLD_PROBE_FIRST_SECONDS, HOLD_TIMEOUT_SECONDS

T = TypeVar("T")
After = Literal["onError", "fail", "wait"]


class HoldState(Enum):
    """Where a hold stands."""

    OPEN = "open"
    HELD = "held"
    PROBING = "probing"
    SPENT = "spent"
    FAILED = "failed"


class HoldEvent(Enum):
    """What moves it."""

    FAULT = "fault"
    PROBE_DUE = "probe due"
    WENT_WELL = "went well"
    GIVEN_UP = "given up"
    FAILED = "failed"
    LEFT = "left"
    EMPTY = "empty"


_TABLE: Final[Mapping[HoldState, Mapping[HoldEvent, HoldState]]] = {
    HoldState.OPEN: {HoldEvent.FAULT: HoldState.HELD, HoldEvent.WENT_WELL: HoldState.OPEN},
    HoldState.HELD: {
        # Calls that were open when the hold began still come back, well or not.
        HoldEvent.FAULT: HoldState.HELD,
        HoldEvent.WENT_WELL: HoldState.OPEN,
        HoldEvent.PROBE_DUE: HoldState.PROBING,
        HoldEvent.EMPTY: HoldState.OPEN,
        HoldEvent.GIVEN_UP: HoldState.SPENT,
        HoldEvent.FAILED: HoldState.FAILED,
    },
    HoldState.PROBING: {
        HoldEvent.FAULT: HoldState.HELD,
        HoldEvent.WENT_WELL: HoldState.OPEN,
        HoldEvent.LEFT: HoldState.HELD,
    },
    HoldState.SPENT: {HoldEvent.FAULT: HoldState.HELD, HoldEvent.WENT_WELL: HoldState.OPEN},
    HoldState.FAILED: {HoldEvent.FAULT: HoldState.FAILED, HoldEvent.WENT_WELL: HoldState.FAILED},
}


def step(state: HoldState, event: HoldEvent) -> HoldState:
    """The state after `event`."""
    target = _TABLE[state].get(event)
    assert target is not None, f"{event.value} cannot happen while {state.value}"
    return target


@dataclass(frozen=True, slots=True)
class HoldSettings:
    """`hold` of a stage."""

    timeout_seconds: float = HOLD_TIMEOUT_SECONDS
    after: After = "onError"
    first_probe_seconds: float = HOLD_PROBE_FIRST_SECONDS
    probe_cap_seconds: float = HOLD_PROBE_CAP_SECONDS


class Hold(Generic[T]):
    """The hold of one call site on one function. `reason` says why it is held.

    Each call ends with `fault` (a failure whose decision is hold) or `went_well` (any other end: whatever the
    function said of the document, it can be called), or its document is dropped. A probe without an end would
    keep the others waiting for ever.
    """

    __slots__ = (
        "_after",
        "_pause",
        "_probe",
        "_probe_at",
        "_settings",
        "_waiting",
        "reason",
        "since",
        "state",
    )

    def __init__(self, settings: HoldSettings) -> None:
        self.state = HoldState.OPEN
        self.reason = ""
        self.since = inf
        self._settings = settings
        self._after: After = settings.after
        self._pause = settings.first_probe_seconds
        self._probe_at = inf
        self._probe: T | None = None
        self._waiting: deque[T] = deque()

    @property
    def waiting(self) -> int:
        """Documents that wait; the one that is probed with is not among them."""
        return len(self._waiting)

    @property
    def is_open(self) -> bool:
        """Whether calls may begin."""
        return self.state in (HoldState.OPEN, HoldState.SPENT)

    def wait(self, item: T) -> None:
        """`item` came while nothing is called: it waits behind all others."""
        assert not self.is_open, "nothing waits for an open function"
        self._waiting.append(item)

    def fault(
        self, item: T, now_seconds: float, reason: str, after: After | None = None, asked: float | None = None
    ) -> bool:
        """The call of `item` failed in a way that says hold. True: it waits here; False: it is `onError`'s.

        `after`: what the error table has for this error in place of the stage's; `asked` seconds: the next
        probe comes no sooner.
        """
        is_probe = self._probe is item
        after = after or self._settings.after
        if self.state is HoldState.SPENT and after == "onError":
            return False
        if self.is_open:
            self.since, self._pause = now_seconds, self._settings.first_probe_seconds
            self._probe_at = now_seconds + max(self._pause, asked or 0.0)
        elif is_probe:
            self._pause = min(2 * self._pause, self._settings.probe_cap_seconds)
            self._probe_at = now_seconds + max(self._pause, asked or 0.0)
            self._probe = None
        if self.state is not HoldState.PROBING or is_probe:
            self.state = step(self.state, HoldEvent.FAULT)
        self._after = after
        self.reason = reason
        if is_probe:
            self._waiting.appendleft(item)
        else:
            self._waiting.append(item)
        return True

    def went_well(self, began_seconds: float) -> list[T]:
        """A call that began then went well, whatever the state. Returns who may go now, in order. One that
        began before the hold says nothing of the function since."""
        if self.state is HoldState.OPEN or began_seconds < self.since:
            return []
        self.state = step(self.state, HoldEvent.WENT_WELL)
        return [] if self.state is HoldState.FAILED else self._leave()

    def turn(self, now_seconds: float) -> tuple[T | None, list[T]]:
        """What time brings: (the document to probe with, or None; those that go because the hold was given
        up). Ask again at `next_at`."""
        if self.state is not HoldState.HELD:
            return None, []
        is_over = now_seconds - self.since >= self._settings.timeout_seconds
        if is_over and self._after != "wait":
            if self._after == "fail":
                self.state = step(self.state, HoldEvent.FAILED)
                return None, []
            self.state = step(self.state, HoldEvent.GIVEN_UP)
            return None, self._leave()
        if now_seconds < self._probe_at:
            return None, []
        if not self._waiting:
            # Nobody is there to probe with: the next one that comes is called with at once.
            self.state = step(self.state, HoldEvent.EMPTY)
            self._leave()
            return None, []
        self.state = step(self.state, HoldEvent.PROBE_DUE)
        self._probe = self._waiting.popleft()
        return self._probe, []

    def next_at(self) -> float:
        """When `turn` has something to do; inf while nothing but an answer moves the hold."""
        if self.state is not HoldState.HELD:
            return inf
        end = inf if self._after == "wait" else self.since + self._settings.timeout_seconds
        return min(self._probe_at, end)

    def drop(self, is_gone: Callable[[T], bool], now_seconds: float) -> list[T]:
        """Take out those whose partition moved away, and return them. A probe that is gone is none any more:
        the next one is due at once."""
        gone = [item for item in self._waiting if is_gone(item)]
        if gone:
            self._waiting = deque(item for item in self._waiting if not is_gone(item))
        if self._probe is not None and is_gone(self._probe):
            gone.insert(0, self._probe)
            self._probe, self._probe_at = None, now_seconds
            self.state = step(self.state, HoldEvent.LEFT)
        return gone

    def end(self) -> list[T]:
        """The processor stops: all that wait, in order."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def _leave(self) -> list[T]:
        self._probe, self._probe_at = None, inf
        if self.state is HoldState.OPEN:
            self.since, self.reason = inf, ""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting
