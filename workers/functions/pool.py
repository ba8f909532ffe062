"""The workers and the waiting calls of one function.

A call goes to a warm worker, else it waits. The pool grows while calls wait too long, up to the function's
concurrency and the host's room; every queue has a bound, and fullness is an answer (429), not a wait.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Mapping
from typing import Final, Protocol

from workers.functions import answers
from workers.functions.call import Call, Failure, Outcome
from workers.functions.host_calls import HostFunction
from workers.functions.manifest import FunctionEntry
from workers.functions.settings import HostSettings
from workers.functions.worker import State, Worker

log = logging.getLogger("penstock.functions")

# Loading at the same time: a start is 40 ms of CPU, so more than one a core only makes each of them later.
_STARTING_AT_ONCE: Final = max(2, os.cpu_count() or 1)


class Room(Protocol):
    """The host's bound on worker processes; kept by `places.Places`."""

    def try_take(self, pool: Pool) -> bool:
        """Room for one more process, or False (another function's idle worker may then be ended for it)."""
        ...

    def must_yield(self, pool: Pool) -> bool:
        """Whether `pool` has to end a worker that comes free, because another one has far fewer and waits."""
        ...

    def give_back(self) -> None:
        """One process is gone."""
        ...


class Pool:
    """All that runs of one function. Every method is called on the event loop and returns at once."""

    def __init__(
        self, entry: FunctionEntry, settings: HostSettings, room: Room, table: Mapping[str, HostFunction]
    ) -> None:
        self.entry = entry
        self._settings, self._room, self._table = settings, room, table
        self._loop = asyncio.get_running_loop()
        self._workers: set[Worker] = set()
        self._free: list[
            Worker
        ] = []  # the last one is taken first, so that the others grow old and are ended
        self._calls: deque[Call] = deque()
        self._events: deque[Call] = deque()
        self._starting: set[Worker] = set()
        self._retired: set[Worker] = set()
        self._tick: asyncio.TimerHandle | None = None
        self._stopped = False
        self._failure: Failure | None = None
        self._failure_until = 0.0
        self.starts = 0
        """Processes started, ever."""
        self.load_failures = 0
        """Of them, those that could not load the source."""

    # --- what the api asks

    def submit(self, call: Call) -> None:
        """Run a call somebody waits for. Raises ApiError 429 when too many wait already, 503 once stopped."""
        self._refuse_when_stopped()
        if not self._give_to_free(call) and not self._give_failure(call):
            most = self.entry.concurrency + self._settings.waiting_calls
            if len(self._calls) + len(self._workers) >= most and self._open() >= most:
                raise answers.throttled("Rate Exceeded.", "ReservedFunctionConcurrentInvocationLimitExceeded")
            self._calls.append(call)
            self._calls_wait()

    def submit_event(self, call: Call) -> None:
        """Run a call later: when no caller waits. Raises ApiError 429 when too many wait already, 503 once
        stopped."""
        self._refuse_when_stopped()
        if not self._give_to_free(call) and not self._give_failure(call):
            if len(self._events) >= self._settings.waiting_events:
                raise answers.throttled("Rate Exceeded.", "ConcurrentInvocationLimitExceeded")
            self._events.append(call)
            self._calls_wait()

    def status(self) -> dict[str, int]:
        """How many workers there are and how many calls run and wait."""
        return {
            "workers": len(self._workers),
            "running": sum(worker.state is State.BUSY for worker in self._workers),
            "waiting": len(self._calls),
            "waitingEvents": len(self._events),
        }

    def open_calls(self) -> list[asyncio.Future[Outcome]]:
        """The outcomes of all calls that run or wait."""
        running = [worker.call for worker in self._workers if worker.call]
        return [call.outcome for call in (*running, *self._calls, *self._events)]

    # --- what the host asks

    def workers(self) -> list[Worker]:
        """Every process of the function, in whatever state."""
        return list(self._workers)

    def wants_worker(self) -> bool:
        """Whether calls wait for a process that could be started now."""
        return self._wanted() > 0

    def longest_free(self) -> Worker | None:
        """The worker that has been without work for the longest time."""
        return self._free[0] if self._free else None

    def replace(self, entry: FunctionEntry, *, restart: bool) -> None:
        """Go on with another entry. With `restart` no call is given to the processes of the old one any more:
        those that run one end after it, and nothing that waits is lost."""
        self.entry = entry
        if not restart:
            return
        self._failure = None
        self._retired |= self._workers
        for worker in list(self._free):
            worker.kill()

    def end_idle(self, free_before: float) -> None:
        """End the workers that have had no work since `free_before` (loop time)."""
        for worker in [one for one in self._free if one.free_since < free_before]:
            worker.kill()

    async def stop(self) -> None:
        """Refuse what waits, end every worker and wait until they are gone."""
        self._stopped = True
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        for call in self._take_all():
            call.refuse(answers.leaving())
        workers = list(self._workers)
        for worker in workers:
            worker.kill()
        await asyncio.gather(*(worker.ended for worker in workers))

    # --- what the workers tell

    def worker_free(self, worker: Worker) -> None:
        """Hand it the next call, or keep it warm."""
        if worker in self._retired:
            # One that was still loading runs a call first: who saves faster than workers start is answered.
            if worker in self._starting and self._calls:
                self._starting.discard(worker)
                worker.take(self._calls.popleft())
            else:
                worker.kill()
            return
        if worker in self._starting:
            self._starting.discard(worker)
            self._failure = None
        elif self._room.must_yield(self):
            worker.kill()
            return
        if self._calls:
            worker.take(self._calls.popleft())
        elif self._events:
            worker.take(self._events.popleft())
        else:
            self._free.append(worker)

    def worker_failed_to_load(self, worker: Worker, failure: Failure) -> None:
        """Every call that waits fails with it, unless warm workers remain that can still run them."""
        self.load_failures += 1
        if worker in self._retired:
            return
        self._failure = failure
        self._failure_until = self._loop.time() + self._settings.failed_load_seconds
        if not self._has_warm():
            for call in self._take_all():
                call.finish(Outcome(failure(call.request_id), failed=True))

    def worker_gone(self, worker: Worker) -> None:
        """Forget it; start another one when calls wait."""
        self._workers.discard(worker)
        self._starting.discard(worker)
        self._retired.discard(worker)
        if worker in self._free:
            self._free.remove(worker)
        self._room.give_back()
        if not self._stopped and (self._calls or self._events):
            self._calls_wait()

    # --- waiting and growing

    def _refuse_when_stopped(self) -> None:
        if self._stopped:  # the function was taken out of the folder while its caller was being judged
            raise answers.leaving()

    def _open(self) -> int:
        """Calls with somebody who waits for them: a call that a further worker will run is not in the way."""
        return len(self._calls) + sum(worker.state is State.BUSY for worker in self._workers)

    def _give_to_free(self, call: Call) -> bool:
        while self._free:
            worker = self._free.pop()
            if worker.state is State.FREE:  # else it died while idle and is being reaped
                worker.take(call)
                return True
        return False

    def _give_failure(self, call: Call) -> bool:
        """The source did not load a moment ago: say so again instead of starting a process for each call."""
        if self._failure is None or self._loop.time() >= self._failure_until or self._has_warm():
            return False
        call.finish(Outcome(self._failure(call.request_id), failed=True))
        return True

    def _has_warm(self) -> bool:
        return any(worker.state in (State.FREE, State.BUSY) for worker in self._current())

    def _current(self) -> set[Worker]:
        return self._workers - self._retired if self._retired else self._workers

    def _calls_wait(self) -> None:
        if not self._current() or not self._settings.waiting_calls:  # callers that may not wait for 50 ms
            self._grow()
        if self._tick is None and (self._calls or self._events):
            self._tick = self._loop.call_later(self._settings.grow_after_seconds, self._on_tick)

    def _on_tick(self) -> None:
        """While calls wait: refuse those that waited too long, grow when the oldest waited long enough."""
        self._tick = None
        now = self._loop.time()
        while self._calls and now - self._calls[0].arrived >= self._settings.waiting_seconds:
            text = f"No worker was free for {self._settings.waiting_seconds:g} seconds."
            reason: answers.Reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
            self._calls.popleft().refuse(answers.throttled(text, reason))
        oldest = min((queue[0].arrived for queue in (self._calls, self._events) if queue), default=now)
        if now - oldest >= self._settings.grow_after_seconds:
            self._grow()
        self._calls_wait()

    def _wanted(self) -> int:
        return min(
            len(self._calls) + len(self._events) - len(self._starting),
            self.entry.concurrency - len(self._current()),
            _STARTING_AT_ONCE - len(self._starting),
        )

    def _grow(self) -> None:
        for _ in range(self._wanted()):
            if not self._room.try_take(self):
                return
            worker = Worker(self.entry, self._settings, self, self._table)
            try:
                worker.start()
            except OSError as problem:
                self._room.give_back()
                self._cannot_start(problem)
                return
            self.starts += 1
            self._workers.add(worker)
            self._starting.add(worker)

    def _cannot_start(self, problem: OSError) -> None:
        """The system has no room for a process. With warm workers the calls go on waiting for those."""
        log.error("worker not started", extra={"function": self.entry.name, "errno": problem.errno})
        if not self._has_warm():
            for call in self._take_all():
                call.refuse(answers.broken("The function host could not start a worker process."))

    def _take_all(self) -> list[Call]:
        taken = [*self._calls, *self._events]
        self._calls.clear()
        self._events.clear()
        return taken
