"""Which of the transactional ids of a host a process takes: the first one that no live process holds.

A crashed process's number is free at once, so its successor finds it, takes the same ids and ends the
transactions that were left open. A lock of the operating system, not a file's content: it cannot outlive its
process.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import socket
from pathlib import Path
from typing import Final

from workers.adapters.own_folder import own_folder
from workers.logs import log_event

log = logging.getLogger(__name__)

# As many processes as a host can run of one release, and more.
MAX_SLOTS: Final = 1_024
_NOT_IN_IDS: Final = re.compile(r"[^A-Za-z0-9._-]")


class SlotClaim:
    """The number of this process on its host, held until it ends."""

    def __init__(self, release: str, slot: str, process: int, folder: Path | None = None) -> None:
        """`slot` names the host, empty: what it calls itself. `process` is taken for the number where no lock
        can be had, such as on a read-only file system: it is right while one worker runs there."""
        self.name = f"{release}-{slot or _NOT_IN_IDS.sub('-', socket.gethostname())}"
        self._descriptor: int | None = None
        try:
            self.number = self._claim(folder or own_folder("slots"))
        except OSError as error:
            self.number = process
            log_event(
                log, logging.WARNING, "slot_not_locked",
                slot=self.name, number=process, reason=str(error),
            )  # fmt: skip

    def transactional_id(self, processor: str) -> str:
        """Of one processor in this process."""
        return f"{self.name}-{self.number}-{processor}"

    def release(self) -> None:
        """Let another process have it. Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _claim(self, folder: Path) -> int:
        for number in range(MAX_SLOTS):
            descriptor = os.open(
                folder / f"{self.name}-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
            return number
        raise OSError(f"{MAX_SLOTS} processes hold the slots of {self.name}")
