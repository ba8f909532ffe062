"""What functions start beside themselves, as the system tells: counted, measured, ended. Linux; elsewhere
nothing is found, and only the process group of a worker is ended with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Collection
from pathlib import Path
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36
_SWEEPS: Final = 20  # processes that fork while they are ended are looked for again so often
_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


def adopt_orphans() -> bool:
    """Make this process the parent of every process below it that loses its own: what leaves a worker's
    process group stays in sight. False where the system has no such thing."""
    try:
        return bool(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def children(pid: int) -> list[int]:
    """The processes that `pid` started, or adopted, and that are not reaped yet."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/task/{thread}/children").read_text("ascii")
                found += map(int, text.split())
    return found


def descendants(pid: int, most: int) -> list[int]:
    """All below `pid`; not much further than `most`, which is enough to see that they are too many."""
    found: list[int] = []
    layer = children(pid)
    while layer and len(found) <= most:
        found += layer
        layer = [below for one in layer for below in children(one)]
    return found


def cpu_seconds(pids: Collection[int]) -> float:
    """The CPU time that these processes have used, and those they have reaped."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / _TICKS_A_SECOND


def end_strangers(known: Collection[int]) -> int:
    """End every child of this process that is not in `known`, and what they started; how many those were.

    Only for a program that starts nothing but workers: they are orphans that left a worker's group."""
    ended = 0
    for _ in range(_SWEEPS):
        strangers = [pid for pid in children(os.getpid()) if pid not in known]
        for pid in strangers:
            for one in (pid, *descendants(pid, 10_000)):
                with contextlib.suppress(OSError):
                    os.kill(one, signal.SIGKILL)
        for pid in strangers:
            with contextlib.suppress(OSError):
                ended += os.waitpid(pid, os.WNOHANG)[0] == pid
        if not strangers:
            break
    return ended
