"""The places of a call site: tasks that live as long as the processor and make one call after the other, so
that a call costs no task of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

W = TypeVar("W")


class Line(Protocol[W]):
    """Whose work the places do."""

    async def work(self, item: W) -> None:
        """Do it."""
        ...

    def following(self) -> W | None:
        """What a place that is done takes up at once; None: it idles until `Places.give`."""
        ...

    def idled(self) -> None:
        """A place has nothing to do."""
        ...


class Places(Generic[W]):
    """At most `most` of them, made as they are needed."""

    def __init__(
        self, name: str, most: int, line: Line[W], on_crash: Callable[[BaseException], None]
    ) -> None:
        self._name, self._most, self._line, self._on_crash = name, most, line, on_crash
        self._idle: deque[asyncio.Future[W]] = deque()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def has_free(self) -> bool:
        """Whether `give` finds one."""
        return bool(self._idle) or len(self._tasks) < self._most

    def give(self, item: W) -> None:
        """Let a free place work on it."""
        while self._idle:
            place = self._idle.pop()
            if not place.done():
                place.set_result(item)
                return
        assert len(self._tasks) < self._most, "work is given to free places"
        task = asyncio.create_task(self._place(item), name=f"{self._name} place {len(self._tasks)}")
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    async def close(self) -> None:
        """Abandon what they do."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A place ends only when it is cancelled; anything else is a bug that would leave its partitions
        standing for good."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_crash(error)

    async def _place(self, item: W) -> None:
        loop, work, following = asyncio.get_running_loop(), self._line.work, self._line.following
        while True:
            await work(item)
            found = following()
            if found is None:
                handed: asyncio.Future[W] = loop.create_future()
                self._idle.append(handed)
                self._line.idled()
                found = await handed
            item = found
