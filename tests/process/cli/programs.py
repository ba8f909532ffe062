"""`penstock` as a program of its own, and conditions to wait for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PENSTOCK = (sys.executable, "-m", "workers")


def start(
    *arguments: object, env: dict[str, str] | None = None, folder: Path | None = None
) -> subprocess.Popen[str]:
    """Start `penstock <arguments>` with both of its outputs in pipes."""
    return subprocess.Popen(
        [*PENSTOCK, *(str(argument) for argument in arguments)],
        env={**os.environ, **(env or {})}, cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Fails when the condition does not hold within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def children(pid: int) -> list[int]:
    """The processes that a process started, and theirs."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [one for child in map(int, found) for one in (child, *children(child))]
