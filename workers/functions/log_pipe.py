"""What a worker process prints, as the host reads it."""

from __future__ import annotations

import asyncio
import os
from typing import Final

from workers.functions.settings import LOG_TAIL_BYTES

_READ_BYTES: Final = 65_536  # what a pipe holds
_READS_AT_ONCE: Final = 16  # 1 MiB: a process that prints faster than it is read must not hold the loop


class LogPipe:
    """The reading end of a process's stdout and stderr. Always emptied, so that the process never waits for
    it; kept only between `begin` and `finish`, and of that the last 4 KB."""

    __slots__ = ("_fd", "_keeps", "_loop", "_tail")

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._keeps = False
        self._tail = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(fd, self._read)

    def begin(self) -> None:
        """Throw away what was printed before and keep what follows."""
        self._empty()
        self._tail.clear()
        self._keeps = True

    def finish(self) -> bytes:
        """The tail of what was printed since `begin`."""
        self._empty()
        self._keeps = False
        return bytes(self._tail)

    def close(self) -> None:
        """Idempotent."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _empty(self) -> None:
        for _ in range(_READS_AT_ONCE):
            if not self._read():
                return

    def _read(self) -> bool:
        """Take what is there; False when there is no more."""
        if self._fd < 0:
            return False
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:  # the function closed its stdout and stderr; a pipe at its end is readable for ever
            self.close()
            return False
        if self._keeps:
            self._tail += data
            del self._tail[:-LOG_TAIL_BYTES]
        return True
