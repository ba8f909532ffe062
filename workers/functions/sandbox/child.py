"""What both worker programs share: the channel to the host, the bounds of the process, its end with the
host."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from workers.functions import frames

# How often, and for how long, a source that is empty is looked at again: 1 s in all.
_EMPTY_LOOKS: Final = 50
_EMPTY_LOOK_SECONDS: Final = 0.02
_READ_BYTES: Final = 65_536
# A call's arguments (6 MiB) or the host's answers; the host bounds both before it sends them.
_MAX_FRAME_BYTES: Final = 256 << 20
_UNKNOWN_BASELINE_BYTES: Final = 256 << 20  # where there is no /proc: more than any bare interpreter maps
_WATCH_STACK_BYTES: Final = 256 << 10


class Call(NamedTuple):
    """One call, as the host sent it. `client_context` is JSON or empty, `context` what
    `context.CallContext.encoded` holds or empty, `args` a JSON array."""

    number: int
    request_id: str
    client_context: bytes
    context: bytes
    args: bytes


class LoadFailure(Exception):
    """The source cannot be run. `error` is what the caller gets."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error.get("errorMessage"))
        self.error = error


class Channel:
    """The worker's ends of the pipes from and to the host. Blocking: a worker does one thing at a time."""

    def __init__(self, calls: int, results: int) -> None:
        self._calls, self._results = calls, results
        for fd in (calls, results):
            os.set_inheritable(fd, False)
        self._reader = frames.FrameReader(_MAX_FRAME_BYTES)
        self._arrived: list[frames.Frame] = []
        # Not `select`: a host with many connections hands out descriptors above its 1,023.
        self._poll = select.poll()
        self._poll.register(calls, select.POLLIN)
        watch_host(calls)

    def receive(self, timeout_seconds: float | None = None) -> frames.Frame | None:
        """The next frame, or None when none came within the time. Ends the process when the host is gone."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while not self._arrived:
            if deadline is not None:
                left = max(0.0, deadline - time.monotonic())
                if not self._poll.poll(left * 1000):
                    return None
            data = os.read(self._calls, _READ_BYTES)
            if not data:
                end()
            self._arrived = self._reader.feed(data)
        return self._arrived.pop(0)

    def calls(self) -> Iterator[Call]:
        """The calls, one after the other, for ever. Host answers nobody waits for any more are passed
        over."""
        while True:
            frame = self.receive()
            assert frame is not None, "no time was set"
            if frame.kind == frames.CALL:
                yield Call(frame.call, *frames.unpack_call(frame.payload))

    def send(self, kind: int, call: int, payload: bytes) -> None:
        """Send one frame. Ends the process when the host is gone."""
        try:
            data = memoryview(frames.pack(kind, call, payload))
            while data:
                data = data[os.write(self._results, data) :]
        except OSError:
            end()

    def load_message(self) -> dict[str, Any]:
        """What to load: the first frame."""
        frame = self.receive()
        assert frame is not None, "no time was set"
        assert frame.kind == frames.LOAD, f"the first frame is {frame.kind}"
        message: dict[str, Any] = json.loads(frame.payload)
        return message


def watch_host(calls: int) -> None:
    """End this process and all it started as soon as the host's end of the pipe closes, also while the
    function spins: a thread waits for the hang-up in the kernel and costs nothing until then."""

    def wait() -> None:
        poll = select.poll()
        poll.register(calls, 0)  # nothing but POLLHUP and POLLERR, which are always reported
        poll.poll()
        end()

    before = threading.stack_size(_WATCH_STACK_BYTES)
    threading.Thread(target=wait, name="host-watch", daemon=True).start()
    threading.stack_size(before)


def end(status: int = 0) -> NoReturn:
    """End the process without running the function's own exit hooks, and all processes of its group."""
    if os.getpgrp() == os.getpid():  # never the group of somebody who started this program by hand
        with contextlib.suppress(OSError):
            os.killpg(0, signal.SIGKILL)
    os._exit(status)


def bound_memory(memory_bytes: int) -> None:
    """Let the process map `memory_bytes` more than it has mapped now."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        baseline = pages * resource.getpagesize()
    except OSError:
        baseline = _UNKNOWN_BASELINE_BYTES
    bound(resource.RLIMIT_AS, baseline + memory_bytes)


def bound_tasks(spare: int) -> None:
    """Let the user run `spare` threads more than now; root, whom RLIMIT_NPROC does not bound, what it likes.
    Counted here and not in the host: where much runs, it takes milliseconds that other calls would wait."""
    user = os.getuid()
    if user == 0:
        return
    running = tasks_of(user, "/proc")
    if running:
        bound(resource.RLIMIT_NPROC, running + spare)


def tasks_of(user: int, proc: str) -> int:
    """How many threads a user runs, which is what RLIMIT_NPROC counts; 0 where the system does not tell."""
    count = 0
    with contextlib.suppress(OSError):
        for name in os.listdir(proc):
            with contextlib.suppress(OSError):  # gone meanwhile
                if name.isdigit() and os.stat(f"{proc}/{name}").st_uid == user:
                    count += len(os.listdir(f"{proc}/{name}/task"))
    return count


def peak_memory_kib() -> int | None:
    """The most memory this process ever held, or None where the system does not tell. Not `ru_maxrss`: that
    one starts at what the host held when it started this process."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return None
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), None)


def bound(what: int, most: int) -> None:
    """Set a resource limit for good, never above what the process was given."""
    _, hard = resource.getrlimit(what)
    limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (limit, limit))


def read_source(message: Mapping[str, Any]) -> str:
    """The function's source: `text` of the message, else what the file holds. Raises LoadFailure in Lambda's
    words."""
    if message.get("text") is not None:
        return str(message["text"])
    try:
        source = Path(message["source"]).read_text("utf-8")
        for _ in range(_EMPTY_LOOKS):
            if source:
                break
            # Most editors empty a file before they write it anew; one that is saved right now is not empty.
            time.sleep(_EMPTY_LOOK_SECONDS)
            source = Path(message["source"]).read_text("utf-8")
        return source
    except OSError as problem:
        text = f"Unable to read {message['file']}: {problem.strerror}"
        raise LoadFailure({"errorType": "Runtime.ImportModuleError", "errorMessage": text}) from problem
    except UnicodeDecodeError as problem:
        text = f"{message['file']} is no UTF-8 text: {problem.reason} at byte {problem.start}"
        raise LoadFailure({"errorType": "Runtime.UserCodeSyntaxError", "errorMessage": text}) from problem


def dump(value: Mapping[str, Any]) -> bytes:
    """JSON of an error; ASCII, so that no half surrogate pair of a message can stop it."""
    return json.dumps(value).encode("ascii")


def too_large(size: int, most: int) -> bytes | None:
    """The error of an answer that is too large for the Invoke API, or None."""
    if size <= most:
        return None
    text = f"Response payload size exceeded maximum allowed payload size ({most} bytes)."
    return dump({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": text})
