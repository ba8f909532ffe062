"""Load every function once, as a first call would, and say which ones cannot be run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Final

from workers.errors import Problem
from workers.functions.call import Failure
from workers.functions.manifest import FunctionEntry
from workers.functions.settings import HostSettings
from workers.functions.worker import Worker

_EXPECTED: Final = {
    "javascript": "exports = function (...) { ... };",
    "python": "def handler(event, context): ...",
}
_AT_ONCE: Final = 2  # a start is 40 ms of CPU: more of them only make each other wait


class _Probe:
    """The owner of one worker that is loaded and ended."""

    def __init__(self) -> None:
        self.found: asyncio.Future[Failure | None] = asyncio.get_running_loop().create_future()

    def worker_free(self, worker: Worker) -> None:
        """It is loaded."""
        if not self.found.done():
            self.found.set_result(None)

    def worker_failed_to_load(self, worker: Worker, failure: Failure) -> None:
        """It cannot be run."""
        if not self.found.done():
            self.found.set_result(failure)

    def worker_gone(self, worker: Worker) -> None:
        """The process is dead; `ended` of the worker says so too."""


async def load_problems(entries: Iterable[FunctionEntry], settings: HostSettings) -> list[Problem]:
    """A problem for each function, and each script that names a user, that does not load. Runs what the files
    do at their start. Raises OSError when the system has no room for a process."""
    scripts = (entry.run_as_script for entry in entries if entry.run_as_script is not None)
    room = asyncio.Semaphore(_AT_ONCE)
    found = await asyncio.gather(*(_load(entry, settings, room) for entry in (*entries, *scripts)))
    return [problem for problem in found if problem is not None]


async def _load(entry: FunctionEntry, settings: HostSettings, room: asyncio.Semaphore) -> Problem | None:
    async with room:
        probe = _Probe()
        worker = Worker(entry, settings, probe, {})
        worker.start()
        failure = await probe.found
        worker.kill()
        await worker.ended
    if failure is None:
        return None
    error = json.loads(failure(""))
    if error["errorType"] == "Runtime.HandlerNotFound":
        return Problem(entry.file, "", "exports no function", _EXPECTED[entry.language])
    return Problem(entry.file, "", f"does not load: {error['errorType']}: {error['errorMessage'].strip()}")
