"""Which broker runs in a data folder: written by its start, read by the next, which cleans up."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil

from workers.local.distribution import write_whole
from workers.local.failure import LocalFailure

# Two readings of one process's start time differ by rounding; a reused pid differs by seconds at least.
SAME_START_SECONDS: Final = 0.05
# The kernel ends a killed process in milliseconds unless it hangs in a disk operation.
KILLED_WITHIN_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """A process as it can be found again: a pid alone may have been given to somebody else since."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> ProcessMark:
        """The mark of a running process. Raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """The process when it still runs and is still the same one."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) <= SAME_START_SECONDS
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


@dataclass(frozen=True, slots=True)
class RunningBroker:
    """The broker of a data folder. `starter` is None for a detached one, which nobody's end should stop."""

    broker: ProcessMark
    starter: ProcessMark | None
    address: str
    secure_address: str | None = None


def read(file: Path) -> RunningBroker | None:
    """What the file says; None when there is none or it cannot be read (written by a killed process)."""
    try:
        data = json.loads(file.read_text())
        starter = data["starter"]
        return RunningBroker(
            ProcessMark(**data["broker"]),
            ProcessMark(**starter) if starter else None,
            data["address"],
            data["secure_address"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(file: Path, running: RunningBroker) -> None:
    """Say which broker runs here."""
    write_whole(file, json.dumps(asdict(running), indent=1))


def end(mark: ProcessMark, timeout_seconds: float) -> bool:
    """SIGTERM, wait, SIGKILL. Returns False when there was nothing to end. Never touches a reused pid.

    Raises LocalFailure when even SIGKILL does not help.
    """
    process = mark.find()
    if process is None:
        return False
    for ask, wait_seconds in ((process.terminate, timeout_seconds), (process.kill, KILLED_WITHIN_SECONDS)):
        with contextlib.suppress(psutil.NoSuchProcess):
            ask()
        deadline = time.monotonic() + wait_seconds
        while time.monotonic() < deadline:
            if mark.find() is None:
                return True
            time.sleep(0.02)
    raise LocalFailure(f"process {mark.pid} did not end {KILLED_WITHIN_SECONDS:g} s after SIGKILL")
