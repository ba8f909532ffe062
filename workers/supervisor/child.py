"""One engine process after another in one place: started, listened to, stopped, killed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import time
from asyncio.subprocess import Process
from collections.abc import Callable
from typing import Final, Literal

from workers.logs import log_event
from workers.supervisor.frames import STOP_LINE, Frame, Lines, first_line, parse
from workers.supervisor.options import WorkerOptions

logger = logging.getLogger(__name__)

Refusal = Literal["too_long", "not_a_status"]

CHUNK_BYTES: Final = 65_536

# A grandchild may hold the pipe open after the engine has ended; what the engine itself wrote is there by
# then.
LAST_WORDS_SECONDS: Final = 1.0

# asyncio's wait() may last as long as somebody holds the pipes; the exit code is looked at this often.
EXIT_CHECK_SECONDS: Final = 0.25


class Child:
    """The engine process number `number`, over all its lives. All methods run on the event loop.

    `frame` is the last status of the present life, None before the first. `said_at` is when it last spoke
    or, before that, when it was started (monotonic seconds).
    """

    def __init__(self, number: int, options: WorkerOptions, on_refusal: Callable[[Refusal], None]) -> None:
        self.number = number
        self.frame: Frame | None = None
        self.said_at = 0.0
        self.lives = 0
        self.has_spoken = asyncio.Event()
        self._options = options
        self._on_refusal = on_refusal
        self._process: Process | None = None
        self._is_stopping = False

    @property
    def pid(self) -> int | None:
        """The process id while a process runs."""
        return None if self._process is None else self._process.pid

    async def live(self) -> int:
        """Start a process and listen until it has ended. Returns its exit code, negative for a signal.

        Raises OSError when it cannot be started.
        """
        options = self._options
        self.said_at = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *options.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=None if options.env is None else dict(options.env),
            process_group=0,  # Ctrl-C in a terminal goes to a whole group; the supervisor alone passes it on
        )
        self._process, self.lives = process, self.lives + 1
        log_event(logger, logging.INFO, "engine started", process=self.number, pid=process.pid)
        self._write(first_line(str(options.app_dir), options.processors, self.number, options.processes))
        if self._is_stopping:
            self._write(STOP_LINE)
        listening = asyncio.create_task(self._listen(process))
        try:
            code = await _exit_code(process)
            await asyncio.wait({listening}, timeout=LAST_WORDS_SECONDS)
            return code
        finally:
            self.kill()
            if process.stdin is not None:
                process.stdin.close()
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
            self._process, self.frame = None, None

    def stop(self) -> None:
        """Ask the process to drain and end, now or, when it is just being started, as soon as it listens."""
        self._is_stopping = True
        self._write(STOP_LINE)

    def kill(self) -> None:
        """kill -9, by process id. Nothing happens when no process runs."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def _write(self, line: bytes) -> None:
        # Two short lines in a life: they fit in the pipe, so nothing waits here. A process that is gone is
        # noticed by its exit code.
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(line)

    async def _listen(self, process: Process) -> None:
        assert process.stdout is not None
        lines = Lines()
        while chunk := await process.stdout.read(CHUNK_BYTES):
            for line in lines.feed(chunk):
                frame = None if line is None else parse(line)
                if frame is None:
                    self._on_refusal("too_long" if line is None else "not_a_status")
                    continue
                self.frame, self.said_at = frame, time.monotonic()
                self.has_spoken.set()


async def _exit_code(process: Process) -> int:
    waiting = asyncio.create_task(process.wait())
    try:
        while process.returncode is None:
            await asyncio.wait({waiting}, timeout=EXIT_CHECK_SECONDS)
        return process.returncode
    finally:
        waiting.cancel()
