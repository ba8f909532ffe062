"""What a worker process prints, as the host reads it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import termios
from typing import Final

from workers.functions.settings import LOG_TAIL_BYTES

_READ_BYTES: Final = 65_536  # what a pipe holds
_READS_AT_ONCE: Final = 16  # 1 MiB: a process that prints faster than it is read must not hold the loop
# A process that prints for ever would keep the host busy with reading: 256 KiB each 20 ms are 13 MB a second.
# Beyond that the process waits for its reader, within its own time-out.
_BURST_BYTES: Final = 256 << 10
_PAUSE_SECONDS: Final = 0.02
_NOTHING: Final = bytes(4)  # a C int


class LogPipe:
    """The reading end of a process's stdout and stderr. Emptied so fast that only a flood waits for it; kept
    only between `begin` and `finish`, and of that the last 4 KB."""

    __slots__ = ("_burst", "_burst_since", "_fd", "_keeps", "_loop", "_pause", "_tail")

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._keeps = False
        self._tail = bytearray()
        self._loop = asyncio.get_running_loop()
        self._burst, self._burst_since = 0, 0.0
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(fd, self._readable)

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
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _empty(self) -> None:
        """Most calls print nothing: to ask how much is there costs a third of a read that finds nothing."""
        if self._fd < 0 or fcntl.ioctl(self._fd, termios.FIONREAD, _NOTHING) == _NOTHING:
            return
        for _ in range(_READS_AT_ONCE):
            if not self._read():
                return

    def _readable(self) -> None:
        now = self._loop.time()
        if now - self._burst_since >= _PAUSE_SECONDS:
            self._burst, self._burst_since = 0, now
        if self._read() and self._burst >= _BURST_BYTES:
            self._loop.remove_reader(self._fd)
            self._pause = self._loop.call_later(_PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._fd, self._readable)

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
        self._burst += len(data)
        if self._keeps:
            self._tail += data
            del self._tail[:-LOG_TAIL_BYTES]
        return True
