"""An invoker in memory: keeps the port `Invoker`, answers as programmed, in virtual time.

The vocabulary is that of the stub (tests/fakes/lambda_behaviour.py). Delays pass without waiting: answers
arrive in the order of their virtual times. With `hold()` time stands still until `advance`.
"""

from __future__ import annotations

import asyncio
import base64
import heapq
import itertools
from collections import deque
from collections.abc import Callable
from typing import Final

from tests.fakes import batch_functions
from tests.fakes.lambda_behaviour import (
    MAX_ASYNC_BYTES,
    TOO_LARGE,
    UNKNOWN,
    Behaviour,
    Function,
    answer_body,
    api_error_body,
    behaviour_of_call,
    count_call,
    throttled,
)
from workers.errors import NotSent, TimedOut, UnknownOutcome
from workers.ports import InvokeAnswer, InvokeRequest

MAX_REQUESTS_KEPT: Final = 100_000
Script = Callable[[InvokeRequest], bytes | InvokeAnswer | Exception]
_Waiting = tuple[float, int, "asyncio.Future[InvokeAnswer]", InvokeAnswer | Exception]


class FakeInvoker:
    """Functions that nobody programmed echo at once, or are unknown with `known_only`."""

    def __init__(self, *, known_only: bool = False) -> None:
        self.known_only = known_only
        self.now_seconds = 0.0
        self.requests: deque[InvokeRequest] = deque(maxlen=MAX_REQUESTS_KEPT)
        self.closed = False
        self._functions: dict[str, Function] = {}
        self._scripts: dict[str, Script] = {}
        self._waiting: list[_Waiting] = []
        self._numbers = itertools.count(1)
        self._held = False
        self._pumping = False

    def program(self, name: str, behaviour: Behaviour) -> None:
        """Give one function its behaviour. `drop_before` means that the request is never sent."""
        self.function(name).behaviour = behaviour

    def script(self, name: str, script: Script) -> None:
        """Let Python answer for one function: a body, a whole answer, or an error to raise."""
        self._scripts[name] = script

    def function(self, name: str) -> Function:
        """The behaviour and the counts of one function."""
        if name not in self._functions:
            self._functions[name] = Function(UNKNOWN if self.known_only else Behaviour())
        return self._functions[name]

    def hold(self) -> None:
        """Let time stand still."""
        self._held = True

    def advance(self, seconds: float) -> None:
        """Let that much virtual time pass: calls that are due by then end, in order."""
        until = self.now_seconds + seconds
        while self._waiting and self._waiting[0][0] <= until:
            self._end_next()
        self.now_seconds = until

    def open_calls(self) -> int:
        """Calls that have not ended."""
        return sum(1 for _, _, future, _ in self._waiting if not future.done())

    async def invoke(self, request: InvokeRequest) -> InvokeAnswer:
        """See `ports.Invoker`."""
        if self.closed:
            raise NotSent("closed")
        self.requests.append(request)
        name, _, qualifier = request.function.partition(":")
        function = self.function(request.function if ":" in qualifier else name)
        behaviour = self._behaviour(function, request)
        outcome = self._outcome(behaviour, request)
        if name in self._scripts:
            outcome = self._scripted(self._scripts[name](request))
        elif behaviour.outcome == "batch":
            batch_functions.begin(function, behaviour, request.body)
            outcome = self._scripted(batch_functions.answer(function, behaviour, request.body))
        delay = behaviour.latency_ms / 1000
        if behaviour.outcome == "hang" or delay >= request.timeout_seconds:
            delay = request.timeout_seconds
            outcome = TimedOut(f"{request.function}: no answer within {delay:g} s")
        future: asyncio.Future[InvokeAnswer] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self.now_seconds + delay, next(self._numbers), future, outcome))
        self._pump_soon()
        try:
            return await future
        finally:
            function.running -= 1
            if behaviour.outcome == "batch":
                batch_functions.end(function, behaviour, request.body)

    async def close(self) -> None:
        """See `ports.Invoker`."""
        self.closed = True
        for _, _, future, _ in self._waiting:
            if not future.done():
                future.set_exception(UnknownOutcome("closed"))
        self._waiting.clear()

    def _behaviour(self, function: Function, request: InvokeRequest) -> Behaviour:
        behaviour, identity = behaviour_of_call(function, request.body)
        limit = MAX_ASYNC_BYTES if request.invocation_type == "Event" else behaviour.max_body_bytes
        if len(request.body) > limit:
            behaviour = TOO_LARGE
        elif behaviour.concurrency and function.running >= behaviour.concurrency:
            behaviour = throttled(behaviour)
        ran = request.invocation_type != "DryRun" and behaviour.outcome not in ("error", "drop_before")
        count_call(function, behaviour, identity, ran=ran)
        return behaviour

    def _outcome(self, behaviour: Behaviour, request: InvokeRequest) -> InvokeAnswer | Exception:
        request_id = f"{next(self._numbers):08x}-0000-4000-8000-000000000000"
        match behaviour.outcome:
            case "drop_before":
                return NotSent(f"{request.function}: reset before the request was written")
            case "drop_after" | "half":
                return UnknownOutcome(f"{request.function}: reset before the whole answer came")
            case "error":
                return InvokeAnswer(
                    behaviour.status, api_error_body(behaviour), request_id=request_id,
                    error_type=behaviour.error_type, retry_after_seconds=behaviour.retry_after_seconds,
                )  # fmt: skip
        if request.invocation_type != "RequestResponse":
            return InvokeAnswer(
                202 if request.invocation_type == "Event" else 204, b"", request_id=request_id
            )
        log = base64.b64encode(behaviour.log.encode()[-4096:]).decode() if request.log_tail else None
        return InvokeAnswer(
            200, answer_body(behaviour, request.body), request_id=request_id,
            function_error="Unhandled" if behaviour.outcome == "function_error" else None,
            executed_version=behaviour.executed_version, log_tail=log,
        )  # fmt: skip

    def _scripted(self, answer: bytes | InvokeAnswer | Exception) -> InvokeAnswer | Exception:
        if isinstance(answer, bytes):
            request_id = f"{next(self._numbers):08x}-0000-4000-8000-000000000000"
            return InvokeAnswer(200, answer, executed_version="$LATEST", request_id=request_id)
        return answer

    def _pump_soon(self) -> None:
        if not self._held and not self._pumping:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        if self._waiting and not self._held:
            self.now_seconds = max(self.now_seconds, self._waiting[0][0])
            self._end_next()
            self._pump_soon()

    def _end_next(self) -> None:
        _, _, future, outcome = heapq.heappop(self._waiting)
        if future.done():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
