"""Processors that failed of something that may be mended start again, alone, until it is or time is over."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from workers.counting import Metrics
from workers.engine.partition import PartitionRun
from workers.engine.processor import Processor
from workers.engine.report import ProcessorStatus
from workers.logs import log_event
from workers.metrics import PROCESSOR_RESTARTS
from workers.model import TopicPartition
from workers.settings import RESTART_CAP_SECONDS, RESTART_FIRST_SECONDS

log = logging.getLogger(__name__)

Build = Callable[[str], Processor]
"""Builds the processor of this name once more and starts it on a source of its own."""
# What a status counts since the process started, whichever start it was.
_COUNTS: Final = ("consumed", "emitted", "dead_lettered", "dropped", "ignored", "calls")


@dataclass(slots=True)
class _Stuck:
    """Where a partition stands still, since when, and how often it was begun again there."""

    offset: int
    since: float
    starts: int = 0


class RestartWindow:
    """Whether a processor that failed is started again, and when. Pure: time and jitter are arguments.

    It may fail at one place for `window_seconds`. Each partition has its own place: one that goes on does not
    give another one time.
    """

    def __init__(self, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._stuck: dict[TopicPartition, _Stuck] = {}

    def failed(self, key: TopicPartition, offset: int, now: float, jitter: float) -> float | None:
        """Seconds until the next start, with `jitter` in [0, 1); None when it is not started any more.
        `offset`: the first of the partition that has not settled."""
        stuck = self._stuck.get(key)
        if stuck is None or stuck.offset != offset:
            stuck = self._stuck[key] = _Stuck(offset, now)
        left = stuck.since + self._window_seconds - now
        if left <= 0:
            return None
        wait = min(RESTART_CAP_SECONDS, RESTART_FIRST_SECONDS * 2.0 ** min(stuck.starts, 16))
        stuck.starts += 1
        # The last start is at the end of the window, not up to a minute before it.
        return min(wait * (1 + jitter) / 2, left)


@dataclass(slots=True)
class _Life:
    """One processor of a worker through all of its starts."""

    processor: Processor
    window: RestartWindow
    counted: Counter[str] = field(default_factory=Counter)
    """What was counted before the last start."""
    again: asyncio.Task[None] | None = None
    due_at: float = 0.0


class Restarts:
    """The processors of a worker as they are now. Everything runs on the loop."""

    def __init__(
        self, processors: Sequence[Processor], build: Build | None, metrics: Metrics,
        on_crash: Callable[[BaseException], None],
    ) -> None:  # fmt: skip
        """Without `build` nothing is started again."""
        self._lives = [_Life(one, RestartWindow(one.settings.restart_window_seconds)) for one in processors]
        self._build, self._metrics, self._on_crash = build, metrics, on_crash
        if build is not None:
            for life in self._lives:
                self._watch(life)

    def __iter__(self) -> Iterator[Processor]:
        return (life.processor for life in self._lives)

    def statuses(self) -> list[ProcessorStatus]:
        """One for each. A processor that waits for its next start is STARTED and not ready; what it waits for
        is its trouble."""
        return [self._status(life) for life in self._lives]

    def waits(self, name: str) -> bool:
        """Whether this processor waits for its next start."""
        return any(life.again is not None for life in self._lives if life.processor.settings.name == name)

    def cease(self) -> None:
        """Start nothing more from now on."""
        self._build = None

    async def end(self) -> None:
        """The same, and return when no start is under way."""
        self.cease()
        waiting = [life.again for life in self._lives if life.again is not None]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for life in self._lives:
            life.again = None

    def _watch(self, life: _Life) -> None:
        life.processor.on_failed = lambda reason, at: self._failed(life, reason, at)

    def _failed(self, life: _Life, reason: str, at: PartitionRun) -> bool:
        if self._build is None:
            return False
        now = time.monotonic()
        jitter = random.random()  # noqa: S311 - spreads starts, guards nothing
        wait = life.window.failed(at.key, at.frontier.committable(), now, jitter)
        if wait is None:
            return False
        name = life.processor.settings.name
        log_event(
            log, logging.WARNING, "processor_starts_again",
            processor=name, in_seconds=round(wait, 1), reason=reason,
        )  # fmt: skip
        life.due_at = now + wait
        life.again = asyncio.create_task(self._again(life))
        life.again.add_done_callback(self._ended)
        return True

    async def _again(self, life: _Life) -> None:
        old = life.processor
        # Its consumer leaves the group first: two of one processor would share its partitions.
        await old.stop()
        await asyncio.sleep(max(0.0, life.due_at - time.monotonic()))
        build = self._build
        if build is None:
            return
        status = old.status()
        life.counted.update({name: getattr(status, name) for name in _COUNTS})
        name = old.settings.name
        life.processor = build(name)
        self._watch(life)
        life.again = None
        self._metrics.counter(PROCESSOR_RESTARTS, name).inc()

    def _status(self, life: _Life) -> ProcessorStatus:
        status = life.processor.status()
        counts = {name: getattr(status, name) + life.counted[name] for name in _COUNTS}
        if life.again is None:
            return replace(status, **counts)
        trouble = f"starts again after: {status.error}"
        return replace(status, **counts, state="STARTED", ready=False, error="", trouble=trouble)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_crash(error)
