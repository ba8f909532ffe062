"""One worker process as the host sees it: start, calls one after the other, time-out, end.

The process has a pipe each way (frames; a socket pair costs 3 us more a call) and one pipe (what it prints).
Everything runs on the event loop without a thread hop: a call is one `send` and one `recv`. The wall clock is
watched here and not in the process, because code that spins never looks at its own clock; the answer to a
process that is late, lies or talks too much is SIGKILL to its whole process group, and a new process.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import itertools
import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from typing import Final, Protocol

from workers.functions import answers, frames, host_calls, launch, processes
from workers.functions.call import Call, Failure, Outcome
from workers.functions.context import CallContext
from workers.functions.log_pipe import LogPipe
from workers.functions.manifest import FunctionEntry
from workers.functions.settings import MAX_FRAME_BYTES, HostSettings

log = logging.getLogger("penstock.functions")

_READ_BYTES: Final = 65_536  # under malloc's mmap threshold of 128 KiB: no mmap and munmap for each read
_EXIT_POLL_SECONDS: Final = 0.002  # a process whose pipe closed is gone within a few of these
_EXIT_SECONDS: Final = 1.0  # how long it may keep running without its pipe before it is killed
_KILL_SECONDS: Final = 5.0  # SIGKILL takes effect at once, but for a process stuck in the kernel
# Answers of the host that a process does not read: more than a few of the largest, and it never will.
_UNSENT_BYTES: Final = 64 << 20
_IDLE_SECONDS: Final = 1.0  # a process that works on for longer after its call has answered ...
_IDLE_CPU: Final = 0.1  # ... with more of a core than this runs away; on a full machine it gets no more
_OPEN_BATCHES: Final = (
    64  # host calls of one call that wait for the host; a function that asks for more is ended
)


class State(enum.Enum):
    """LOADING -> FREE <-> BUSY, and from each of them ENDED, for good."""

    LOADING = "loading"
    FREE = "free"
    BUSY = "busy"
    ENDED = "ended"


class Owner(Protocol):
    """Whom a worker tells; kept by `pool.Pool`. Every method is called on the event loop."""

    def worker_free(self, worker: Worker) -> None:
        """It is loaded, or has answered, and takes a call now."""
        ...

    def worker_failed_to_load(self, worker: Worker, failure: Failure) -> None:
        """The source cannot be run; `worker_gone` follows."""
        ...

    def worker_gone(self, worker: Worker) -> None:
        """The process is dead and reaped."""
        ...


class Worker:
    """One process. Not started until `start`; `ended` is done when the process is dead and reaped."""

    def __init__(
        self,
        entry: FunctionEntry,
        settings: HostSettings,
        owner: Owner,
        table: Mapping[str, host_calls.HostFunction],
    ) -> None:
        self.entry = entry
        self.state = State.LOADING
        self.free_since = 0.0
        self._settings, self._owner, self._table = settings, owner, table
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._reader = frames.FrameReader(MAX_FRAME_BYTES)
        self._unsent = bytearray()
        self.call: Call | None = None
        self._number = 0
        self._started = 0.0
        self._deadline: float | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._batches: set[asyncio.Task[None]] = set()
        self._idle_cpu: tuple[float, float] | None = None

    def start(self) -> None:
        """Start the process and hand it its source. Raises OSError when the system has no room for it."""
        (calls, self._to), (self._from, results), (log_pipe, prints) = _pipes(3)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, started without a shell
                launch.command(self.entry, calls, results),
                stdin=subprocess.DEVNULL,
                stdout=prints,
                stderr=prints,
                pass_fds=(calls, results),
                start_new_session=True,
                cwd=self.entry.source.parent,
                # One malloc arena: a second one reserves 64 MiB of the address space that RLIMIT_AS counts.
                env={"MALLOC_ARENA_MAX": "1"},
            )
        except OSError:
            for fd in (self._to, self._from, log_pipe):
                os.close(fd)
            raise
        finally:
            for fd in (calls, results, prints):
                os.close(fd)
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        self._logs = LogPipe(log_pipe)
        self._loop.add_reader(self._from, self._readable)
        self._expect_within(self._settings.load_seconds)
        self._send(frames.pack(frames.LOAD, 0, launch.load_message(self.entry, self._settings, self._table)))

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its process group."""
        return self._process.pid

    def take(self, call: Call) -> None:
        """Run one call. Only while FREE."""
        assert self.state is State.FREE, f"a call for a worker that is {self.state.value}"
        self.state = State.BUSY
        self.call = call
        self._number = (self._number + 1) & 0xFFFFFFFF
        if call.wants_log:
            self._logs.begin()
        self._started = time.perf_counter()  # uvloop's own clock counts whole milliseconds
        self._expect_within(self.entry.timeout_seconds)
        context = b"" if call.context is None else call.context.encoded
        request_id = call.request_id.encode("ascii")
        self._send(frames.pack_call(self._number, request_id, call.client_context, context, call.args))

    def kill(self) -> None:
        """End the process and all it started. A call it runs fails with Runtime.ExitError. Idempotent."""
        self._end("stopped", lambda request_id: answers.exited(request_id, -signal.SIGKILL))

    def look(self) -> None:
        """See what the process does that no frame tells: end it when it started too many others, or when it
        works on although its call has answered. Python alone: a script can do neither."""
        if self.entry.language != "python" or self.state is State.ENDED:
            return
        most = self._settings.child_processes
        below = processes.descendants(self.pid, most)
        if len(below) > most:
            self._end("too many processes", lambda request_id: answers.too_many_processes(request_id, most))
            return
        now = self._loop.time()
        if self.state is not State.FREE or now - self.free_since < _IDLE_SECONDS:
            self._idle_cpu = None
            return
        used = processes.cpu_seconds([self.pid, *below])
        if self._idle_cpu is None or self._idle_cpu[0] < self.free_since:
            self._idle_cpu = now, used
        elif now - self._idle_cpu[0] >= _IDLE_SECONDS:
            if used - self._idle_cpu[1] > _IDLE_CPU * (now - self._idle_cpu[0]):
                self._end("runs on after its call", lambda request_id: answers.exited(request_id, None))
            self._idle_cpu = now, used

    # --- the wall clock

    def _expect_within(self, seconds: float) -> None:
        """Set the deadline. The timer is not moved for each call: it looks at the deadline when it fires, so
        a worker with 10,000 calls a second re-arms it once per time-out and not 10,000 times a second."""
        self._deadline = self._loop.time() + seconds
        if self._watch is not None and self._watch.when() > self._deadline:
            self._watch.cancel()
            self._watch = None
        if self._watch is None:
            self._watch = self._loop.call_at(self._deadline, self._check_deadline)

    def _check_deadline(self) -> None:
        self._watch = None
        if self._deadline is None:
            return
        if self._loop.time() < self._deadline:
            self._watch = self._loop.call_at(self._deadline, self._check_deadline)
            return
        loading = self.state is State.LOADING
        seconds = self._settings.load_seconds if loading else self.entry.timeout_seconds
        self._end("timed out", lambda request_id: answers.timed_out(request_id, seconds))

    # --- frames

    def _send(self, data: bytes) -> None:
        if self._unsent:
            self._unsent += data
            if len(self._unsent) > _UNSENT_BYTES:
                self._end("does not read", lambda request_id: answers.exited(request_id, None))
            return
        try:
            sent = os.write(self._to, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # the process is gone: the reader sees the end of the stream and says so
        if sent < len(data):
            self._unsent += memoryview(data)[sent:]
            self._loop.add_writer(self._to, self._writable)

    def _writable(self) -> None:
        try:
            sent = os.write(self._to, self._unsent)
        except BlockingIOError:
            return
        except OSError:
            sent = len(self._unsent)
        del self._unsent[:sent]
        if not self._unsent:
            self._loop.remove_writer(self._to)

    def _readable(self) -> None:
        try:
            data = os.read(self._from, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._closed_by_process()
            return
        try:
            arrived = self._reader.feed(data)
        except frames.FrameTooLarge:
            self._end("talks nonsense", lambda request_id: answers.exited(request_id, None))
            return
        for frame in arrived:
            if self.state is State.ENDED:
                return
            self._take_frame(frame)

    def _take_frame(self, frame: frames.Frame) -> None:
        kind = frame.kind
        if self.state is State.BUSY and frame.call == self._number:
            if kind in (frames.SUCCEEDED, frames.FAILED):
                self._finish(frame.payload, failed=kind == frames.FAILED)
                self._become_free()
                return
            if kind == frames.FAILED_LAST:
                self._finish(frame.payload, failed=True)
                self._end("used up", lambda request_id: answers.exited(request_id, None))
                return
            if kind == frames.HOST_CALLS and len(self._batches) < _OPEN_BATCHES:
                task = self._loop.create_task(self._answer_batch(frame))
                self._batches.add(task)
                task.add_done_callback(self._batches.discard)
                return
        if self.state is State.LOADING and kind == frames.READY:
            self._become_free()
            return
        if self.state is State.LOADING and kind == frames.LOAD_FAILED:
            self._end("does not load", lambda _: frame.payload)
            return
        self._end("talks nonsense", lambda request_id: answers.exited(request_id, None))

    def _become_free(self) -> None:
        self.state = State.FREE
        self._deadline = None
        self.free_since = self._loop.time()
        self._owner.worker_free(self)

    def _finish(self, body: bytes, *, failed: bool) -> None:
        call, self.call = self.call, None
        assert call is not None, "a busy worker has a call"
        tail = self._logs.finish() if call.wants_log else b""
        call.finish(Outcome(body, failed, tail, time.perf_counter() - self._started))

    async def _answer_batch(self, frame: frames.Frame) -> None:
        call = self.call
        assert call is not None, "a frame is taken for the call that runs"
        asker = host_calls.Asker(self.entry, call.context or CallContext(self.entry.name), call.request_id)
        try:
            payload = await host_calls.answer(frame.payload, self._table, asker, self.entry.timeout_seconds)
        except ValueError:
            self._end("talks nonsense", lambda request_id: answers.exited(request_id, None))
            return
        if self.state is not State.ENDED:
            self._send(frames.pack(frames.HOST_ANSWERS, frame.call, payload))

    # --- the end

    def _closed_by_process(self) -> None:
        """The pipe closed before we closed it: the process is exiting, and its status belongs into the
        error."""
        loading = self.state is State.LOADING
        self._detach()
        self._await_status(self._loop.time() + _EXIT_SECONDS, loading)

    def _await_status(self, deadline: float, loading: bool) -> None:
        if not self._has_exited() and self._loop.time() < deadline:
            self._loop.call_later(_EXIT_POLL_SECONDS, self._await_status, deadline, loading)
            return
        self._kill_group()
        status = self._process.poll()  # None: it closed its pipe and went on, and was killed a moment ago
        log.info("worker exited", extra={"function": self.entry.name, "pid": self.pid, "status": status})
        self._fail(lambda request_id: answers.exited(request_id, status), loading)
        self._reap(self._loop.time() + _KILL_SECONDS)

    def _end(self, why: str, failure: Failure) -> None:
        """Kill the process; its call, or what waits for its start, gets `failure` at once."""
        if self.state is State.ENDED:
            return
        log.info("worker ended", extra={"function": self.entry.name, "pid": self.pid, "why": why})
        loading = self.state is State.LOADING
        self._detach()
        self._kill_group()
        self._fail(failure, loading)
        self._reap(self._loop.time() + _KILL_SECONDS)

    def _detach(self) -> None:
        self.state = State.ENDED
        self._deadline = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for task in self._batches:
            task.cancel()
        self._loop.remove_reader(self._from)
        self._loop.remove_writer(self._to)
        os.close(self._from)
        os.close(self._to)

    def _fail(self, failure: Failure, loading: bool) -> None:
        if loading:
            self._owner.worker_failed_to_load(self, failure)
        elif self.call is not None:
            self._finish(failure(self.call.request_id), failed=True)

    def _reap(self, deadline: float) -> None:
        """Collect the dead process without blocking; SIGKILL was sent, so this takes milliseconds."""
        if not self._has_exited() and self._loop.time() < deadline:
            self._loop.call_later(_EXIT_POLL_SECONDS, self._reap, deadline)
            return
        self._kill_group()
        if self._process.poll() is None:
            log.error("worker survives SIGKILL", extra={"function": self.entry.name, "pid": self.pid})
        self._logs.close()
        self._owner.worker_gone(self)
        self.ended.set_result(None)

    def _has_exited(self) -> bool:
        """Whether the process is dead, without reaping it: until then its process group's number cannot go to
        a stranger, so what the function forked can be killed by that number."""
        if self._process.returncode is not None:
            return True
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def _kill_group(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)


def _pipes(count: int) -> list[tuple[int, int]]:
    """So many pipes, or none: raises OSError when there is no room for all of them."""
    made: list[tuple[int, int]] = []
    try:
        while len(made) < count:
            made.append(os.pipe())
    except OSError:
        for fd in itertools.chain(*made):
            os.close(fd)
        raise
    return made
