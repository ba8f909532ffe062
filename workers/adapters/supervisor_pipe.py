"""An engine process's two pipes to its supervisor: commands come on stdin, status frames go to stdout."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from workers.errors import Fatal

# The last frame is worth more than those before it, so few are kept while a supervisor does not read.
FRAMES_KEPT: Final = 4
CLOSE_SECONDS: Final = 2.0
MAX_FIRST_LINE_BYTES: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class FirstLine:
    """What the supervisor says first: which app folder, which processors (none: all), which of how many
    processes this is."""

    app: str
    processors: tuple[str, ...]
    process: int
    processes: int


def read_first_line() -> FirstLine:
    """Blocks until the supervisor has spoken. Raises Fatal when it is gone or says something else.

    Read byte by byte from the descriptor: what a buffer takes too much of would be lost to `listen`.
    """
    line = bytearray()
    while not line.endswith(b"\n") and len(line) < MAX_FIRST_LINE_BYTES:
        byte = os.read(sys.stdin.fileno(), 1)
        if not byte:
            break
        line += byte
    try:
        said = orjson.loads(line)
        return FirstLine(said["app"], tuple(said["processors"]), said["process"], said["processes"])
    except (ValueError, KeyError, TypeError) as error:
        raise Fatal(f"the first line on stdin is no engine configuration: {error!r}") from None


def listen(loop: asyncio.AbstractEventLoop, on_stop: Callable[[], None]) -> None:
    """Call `on_stop` on the loop when the supervisor asks for it, or when it is gone: an engine does not
    outlive it."""
    descriptor = sys.stdin.fileno()
    said = bytearray()

    def read() -> None:
        some = os.read(descriptor, 4_096)
        said.extend(some)
        if not some or b'"stop"' in said:
            loop.remove_reader(descriptor)
            on_stop()
        del said[:-64]  # a command that is not known is passed over; a word may come in two pieces

    loop.add_reader(descriptor, read)


class Frames:
    """Writes frames from a thread of its own: a supervisor that does not read must not stop the event
    loop."""

    def __init__(self) -> None:
        self._queue: queue.Queue[bytes | None] = queue.Queue(FRAMES_KEPT)
        # stdout is the supervisor's: whatever a library prints must not get in between.
        self._out = os.dup(sys.stdout.fileno())
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._thread = threading.Thread(target=self._write, name="frames", daemon=True)
        self._thread.start()

    def publish(self, frame: Mapping[str, Any]) -> None:
        """Write one frame soon. Drops it when nobody reads."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(orjson.dumps(frame) + b"\n")

    def close(self) -> None:
        """Write what is queued, for a moment at most."""
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=CLOSE_SECONDS)
            self._thread.join(CLOSE_SECONDS)

    def _write(self) -> None:
        while (line := self._queue.get()) is not None:
            rest = memoryview(line)
            try:
                while rest:
                    rest = rest[os.write(self._out, rest) :]
            except OSError:
                return  # the supervisor is gone; stdin says so, too
