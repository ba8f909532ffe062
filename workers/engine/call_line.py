"""What call sites have in common, whatever goes into one call: a document or a batch."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import Any, ClassVar, Generic, TypeVar

from workers.calls.contract import CallFailure
from workers.calls.gate import Gate
from workers.calls.retry import Decision
from workers.calls.scale_hint import Destination
from workers.engine.calling import Caller, Calls, Job
from workers.engine.flow import Flow
from workers.engine.holding import Holding
from workers.engine.partition import PartitionRun
from workers.engine.places import Places
from workers.pipeline.program import CallSite
from workers.ports import Invoker

W = TypeVar("W")


class CallLine(ABC, Generic[W]):
    """Documents come in by `put`, wait, and are worked on by the places, unless the function is held.

    Keeps `sites.Site`, `places.Line` and `holding.Held`, but for what its two kinds say for themselves.
    """

    CALLS: ClassVar[Any] = Calls

    def __init__(
        self, index: int, site: CallSite, invoker: Invoker, caller: Caller, *, is_first: bool
    ) -> None:
        """`is_first`: no call stands before it, so nothing was done with what waits here."""
        self.site = site
        self.standing: set[PartitionRun] = set()
        self.shares_function = False
        """Whether an earlier call site of the processor calls the same function."""
        self._is_first = is_first
        self._calls: Calls = self.CALLS(index, site, invoker, caller)
        self._done = self._calls.done
        self._stop, self._on_crash = caller.stop, caller.on_crash
        self._gate: Gate[Job] = Gate()
        self._places: Places[W] = Places(site.path, site.parallelism, self, caller.on_crash)
        self._room = asyncio.Event()
        self._hold: Holding[W] = Holding(caller.processor, site, self, caller.metrics, caller.pace)
        self._probe: W | None = None
        self._is_parted = False
        callee = caller.callees.of(site.connection, site.function)
        self._flow: Flow[W] = Flow(callee, f"{caller.processor} {site.path}", site)
        self._metrics = caller.metrics

    @property
    def in_flight(self) -> int:
        """Calls that are open now."""
        return self._calls.in_flight

    @property
    def calls(self) -> int:
        """Finished calls since the start."""
        return self._calls.tally.finished

    @property
    @abstractmethod
    def waiting(self) -> int:
        """Documents that wait for their turn."""

    @property
    def is_held(self) -> bool:
        """Whether nothing is called now but for probes."""
        return not self._hold.is_open

    @property
    def is_ready(self) -> bool:
        """Whether the worker's own keys and clock are taken."""
        return not self._hold.is_not_ready

    def destination(self) -> Destination:
        """What stands between the documents and what they are called with."""
        callee = self._flow.callee
        return Destination(
            callee.limit.limit, callee.most, callee.limit.was_cut, self.is_held, self._flow.was_paced(),
            self.waiting + callee.share.waiting,
        )  # fmt: skip

    @abstractmethod
    def has_room(self) -> bool:
        """Whether more documents may be taken up."""

    async def room(self) -> None:
        """Returns when `has_room`, or when the function is held: other partitions may go on then."""
        while not (self.has_room() or self.standing):
            self._room.clear()
            await self._room.wait()

    def report(self) -> None:
        """Bring the metrics up to date."""
        self._calls.tally.report(self.in_flight, self.waiting, is_more=self.shares_function)
        self._hold.report(is_more=self.shares_function)
        self._flow.callee.report(self._metrics)

    async def close(self) -> None:
        """Abandon every call."""
        self._hold.close()
        await self._places.close()
        if not self._is_parted:
            self._is_parted = True
            self._flow.part()

    # For the places.

    @abstractmethod
    async def work(self, item: W) -> None:
        """Call with it until it is done with or waits in the hold."""

    def following(self) -> W | None:
        """What a free place takes up: the probe of a held function, else what waits."""
        probe, self._probe = self._probe, None
        if probe is not None:
            return probe
        item = self._take() if self._hold.is_open else None
        if not self._room.is_set() and self.has_room():
            self._room.set()
        return item

    def idled(self) -> None:
        """A place has nothing to do."""

    # For the hold.

    def probe_with(self) -> W | None:
        """The next one."""
        return self._take()

    def probe(self, item: W) -> None:
        """Make this one call now."""
        if self._places.has_free:
            self._places.give(item)
        else:
            self._probe = item

    def resume(self, items: list[W]) -> None:
        """Calls go again, these first."""
        self.standing.clear()
        self._flow.restart()
        self._put_first(items)
        self._fill()
        self._room.set()

    def given_up(self, reason: str) -> None:
        """`hold.after` is fail."""
        seconds = self.site.hold.timeout_seconds
        self._stop(f"{self.site.path}: {self.site.function} could not be called for {seconds:g} s: {reason}")

    def later(self, wait_seconds: float, do: Callable[[], None]) -> asyncio.TimerHandle:
        """`do` it after that time. A bug in it would leave partitions standing for good, unseen."""
        return asyncio.get_running_loop().call_later(wait_seconds, self._do, do)

    def _do(self, do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as error:
            self._on_crash(error)

    # What the kinds say.

    @abstractmethod
    def _take(self) -> W | None: ...

    @abstractmethod
    def _put_first(self, items: list[W]) -> None: ...

    def _fill(self) -> None:
        """Give what waits to free places."""
        while self._places.has_free and (item := self.following()) is not None:
            self._places.give(item)

    def _is_gone(self, job: Job) -> bool:
        """Whether the next owner of its partition takes the document up. What waits for a held function is
        not worth a drain's waiting."""
        partition = job.slot.partition
        if not partition.alive:
            return True
        return partition.draining and (not self._hold.is_open or (self._is_first and not job.began))

    def _holds(self, item: W, jobs: Collection[Job], failure: CallFailure, decision: Decision) -> bool:
        """The function is to be held. True: the call waits for it."""
        entry = failure.entry
        after = None
        not_ready = decision.action == "notReady"
        if not_ready:
            after = "wait"
        elif entry is not None and entry.reaction == "hold" and entry.then in ("fail", "onError"):
            after = entry.then
        begins = self._hold.is_open
        if not self._hold.fault(item, failure, after):  # type: ignore[arg-type]
            return False
        self._hold.is_not_ready = not_ready
        self._stand(jobs, begins=begins)
        return True

    def _wait(self, item: W, jobs: Collection[Job]) -> None:
        """The function was held while the call waited for its next attempt."""
        self._hold.wait(item)
        self._stand(jobs, begins=False)

    def _stand(self, jobs: Collection[Job], *, begins: bool) -> None:
        """Documents wait in the hold: no more of their partitions are taken up. What led to it is no attempt
        of theirs."""
        # A hold that begins may do so within the drain of any partition, which would wait for its end.
        is_drained = begins
        for job in jobs:
            self._calls.forgive(job)
            self.standing.add(job.slot.partition)
            is_drained = is_drained or job.slot.partition.draining
        self._room.set()
        if is_drained:
            self.drop_waiting()

    @abstractmethod
    def drop_waiting(self) -> None:
        """Forget documents that the next owner takes up: of released partitions, and of draining ones what no
        call was made with at the first call site, and what waits for a held function."""
