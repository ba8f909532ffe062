"""One `$throttle` at work: documents wait in a line, in the order they came, and pass at its rate."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

from topics.codecs import json as codec
from topics.codecs.errors import CodecError
from workers.calls.scale_hint import Destination
from workers.calls.throttle import Throttle
from workers.engine.calling import Caller, Job
from workers.engine.partition import PartitionRun
from workers.metrics import THROTTLE_SECONDS, THROTTLE_WAITING, THROTTLE_WAITS
from workers.model import Document
from workers.pipeline.program import ThrottleSpec
from workers.settings import MAX_THROTTLED_RECORDS, THROTTLE_SLICE_RECORDS

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class Throttled:
    """Kept: `sites.Site`."""

    in_flight = 0
    calls = 0
    at_once = THROTTLE_SLICE_RECORDS
    is_ready = True
    standing: frozenset[PartitionRun] = frozenset()

    def __init__(
        self, index: int, spec: ThrottleSpec, caller: Caller, *, is_first: bool,
        clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep,
    ) -> None:  # fmt: skip
        """`is_first`: no call stands before it, so nothing was done with what waits here."""
        self.spec = spec
        self._is_first = is_first
        self._clock, self._sleep = clock, sleep
        self._throttle = Throttle(spec.messages_per_second, spec.bytes_per_second, clock())
        self._weighs = spec.bytes_per_second is not None
        self._done = caller.done(index)
        self._on_crash = caller.on_crash
        self._waiting: deque[tuple[Job, int]] = deque()
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._metrics, self._labels = caller.metrics, (caller.processor, spec.path)
        self._waits, self._waited_seconds = 0, 0.0
        self._is_short = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def destination(self) -> Destination:
        """Its rate is what the user wants: more workers would pass it by."""
        return Destination(limit=1, most=1, is_paced=self._is_short, waiting=len(self._waiting))

    def put(self, job: Job) -> None:
        """Stand in line."""
        job.slot.partition.begin()
        self._waiting.append((job, _size_bytes(job.doc) if self._weighs else 0))
        self._more.set()
        if self._task is None:
            self._task = asyncio.create_task(self._pass_for_ever(), name=self.spec.path)
            self._task.add_done_callback(self._ended)

    def has_room(self) -> bool:
        return len(self._waiting) < MAX_THROTTLED_RECORDS

    async def room(self) -> None:
        while not self.has_room():
            self._room.clear()
            await self._room.wait()

    def drop_waiting(self) -> None:
        """Forget documents of released partitions, and of draining ones where no call was made for them."""
        keep: deque[tuple[Job, int]] = deque()
        for job, size_bytes in self._waiting:
            partition = job.slot.partition
            if not partition.alive or (partition.draining and self._is_first):
                partition.end()
            else:
                keep.append((job, size_bytes))
        self._waiting = keep
        self._room.set()

    def report(self) -> None:
        metrics, labels = self._metrics, self._labels
        metrics.counter(THROTTLE_WAITS, *labels).inc(self._waits)
        metrics.counter(THROTTLE_SECONDS, *labels).inc(self._waited_seconds)
        metrics.gauge(THROTTLE_WAITING, *labels).set(len(self._waiting))
        self._waits, self._waited_seconds = 0, 0.0

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _pass_for_ever(self) -> None:
        while True:
            wait = self._pass_some()
            self._is_short = wait > 0
            if wait:
                began = self._clock()
                self._waits += 1
                await self._sleep(wait)
                self._waited_seconds += self._clock() - began
            elif self._waiting:
                await asyncio.sleep(0)
            else:
                self._more.clear()
                await self._more.wait()

    def _pass_some(self) -> float:
        """Let a slice pass, or as many as may; the seconds to wait where the next one may not yet."""
        for _ in range(THROTTLE_SLICE_RECORDS):
            if not self._waiting:
                break
            job, size_bytes = self._waiting[0]
            partition = job.slot.partition
            wait = self._throttle.admit(size_bytes, self._clock()) if partition.alive else 0.0
            if wait:
                self._room_again()
                return wait
            self._waiting.popleft()
            if partition.alive:
                self._done.passed(job, job.doc)
            partition.end()
        self._room_again()
        return 0.0

    def _room_again(self) -> None:
        if not self._room.is_set() and self.has_room():
            self._room.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_crash(error)


def _size_bytes(doc: Document) -> int:
    """As calls and `$emit` send it; what cannot be written is refused there, and weighs nothing here."""
    try:
        return len(codec.encode(doc))
    except CodecError:
        return 0
