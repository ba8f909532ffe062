"""One way for every call of a function, wherever it comes from: decide, run, write the function log."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import orjson

from workers.functions import answers
from workers.functions.access import Access, Denied, Wanted
from workers.functions.answers import ApiError
from workers.functions.call import Call, Outcome
from workers.functions.context import CallContext
from workers.functions.function_log import FunctionLog, Seen
from workers.functions.host_calls import Asker, HostCallFailed
from workers.functions.manifest import FunctionEntry
from workers.functions.measures import Measures
from workers.functions.pool import Pool

log = logging.getLogger("penstock.functions")


Answering: TypeAlias = Callable[[str, "asyncio.Future[Outcome]"], None]
"""Gets the request id of a call and its outcome."""


class Pools(Protocol):
    """Where the pools are; kept by `host.FunctionHost`."""

    def pool(self, name: str) -> Pool:
        """The pool of a function. Raises ApiError 404."""
        ...

    def script_pool(self, entry: FunctionEntry) -> Pool:
        """The pool of a `run_as_user_id_script_source`."""
        ...


class Dispatch:
    """Decides, runs and logs calls. Every method is called on the event loop."""

    def __init__(self, pools: Pools, function_log: FunctionLog, measures: Measures) -> None:
        self._pools = pools
        self._log = function_log
        self._measures = measures
        self._access = Access(self)
        self._loop = asyncio.get_running_loop()
        # UUIDs by shape: a random half for the process, a counter for the call. A fresh uuid4 for each call
        # costs more than reading all headers.
        self._id_prefix = str(uuid.uuid4())[:24]
        self._count = 0

    def new_id(self) -> str:
        """A request id."""
        self._count += 1
        return f"{self._id_prefix}{self._count:012x}"

    async def admit(self, entry: FunctionEntry, wanted: Wanted, request_id: str) -> CallContext:
        """The context of a call that may run. Raises ApiError: 403 when the manifest does not let it."""
        try:
            return await self._access.admit(entry, wanted)
        except Denied as denied:
            context = CallContext(
                entry.name, wanted.user, wanted.runs_as_system, wanted.request, wanted.depth
            )
            self._log.denied(entry, Seen(context, wanted.args, request_id), denied.reason)
            self._measures.denied(entry.name)
            log.info("call denied", extra={"function": entry.name, "request_id": request_id})
            raise answers.denied(entry.name, is_for_arguments=denied.is_for_arguments) from denied

    def call(self, entry: FunctionEntry, wanted: Wanted, context: CallContext, request_id: str) -> Call:
        """A call that was admitted, ready for its pool; the function log has it when it ends."""
        call = self._call(wanted.args, wanted.client_context, context, request_id)
        seen = Seen(context, wanted.args, request_id)
        call.outcome.add_done_callback(lambda outcome: self._ended(entry, seen, outcome))
        return call

    def start(self, entry: FunctionEntry, client_context: bytes, seen: Seen, answer: Answering) -> Call:
        """The same from its parts; `answer` is called with what became of it, after the log."""
        call = self._call(seen.args, client_context, seen.context, seen.request_id)

        def ended(outcome: asyncio.Future[Outcome]) -> None:
            self._ended(entry, seen, outcome)
            answer(seen.request_id, outcome)

        call.outcome.add_done_callback(ended)
        return call

    async def run(self, name: str, wanted: Wanted) -> Outcome:
        """Run a function by its name. Raises ApiError."""
        return (await self.run_with_context(name, wanted))[0]

    async def run_script(self, entry: FunctionEntry, wanted: Wanted) -> Outcome:
        """Run the script that names the user of a function. Raises ApiError."""
        context = CallContext(entry.name, wanted.user, False, wanted.request, wanted.depth)
        call = self._call(wanted.args, wanted.client_context, context, self.new_id())
        self._pools.script_pool(entry).submit(call)
        return await call.outcome

    async def run_with_context(self, name: str, wanted: Wanted) -> tuple[Outcome, CallContext]:
        """The same as `run`, and whom the function ran as."""
        pool = self._pools.pool(name)
        request_id = self.new_id()
        context = await self.admit(pool.entry, wanted, request_id)
        call = self.call(pool.entry, wanted, context, request_id)
        submit(pool, call)
        return await call.outcome, context

    async def execute(self, asker: Asker, args: list[Any]) -> Any:
        """`context.functions.execute(name, ...args)`: private functions too, as the user of who asks."""
        if not args or not isinstance(args[0], str):
            raise HostCallFailed("TypeError", "context.functions.execute needs the name of a function")
        context = asker.context
        wanted = Wanted(
            args=orjson.dumps(args[1:]),
            origin="function",
            user=context.user,
            runs_as_system=context.runs_as_system,
            request=context.request,
            depth=context.depth + 1,
        )
        try:
            outcome = await self.run(args[0], wanted)
        except ApiError as error:
            raise HostCallFailed(error.code, error.message) from error
        if outcome.failed:
            raise _thrown(args[0], outcome)
        return orjson.Fragment(outcome.body)

    def _call(self, args: bytes, client_context: bytes, context: CallContext, request_id: str) -> Call:
        return Call(
            request_id=request_id,
            args=args,
            client_context=client_context,
            outcome=self._loop.create_future(),
            arrived=self._loop.time(),
            wants_log=True,
            context=context,
        )

    def _ended(self, entry: FunctionEntry, seen: Seen, outcome: asyncio.Future[Outcome]) -> None:
        if outcome.cancelled():  # the caller is gone; what the call did is in nobody's answer
            self._log.refused(entry, seen, "the caller did not wait for the answer")
            self._measures.refused(entry.name)
            return
        problem = outcome.exception()
        if problem is None:
            self._log.ended(entry, seen, outcome.result())
            self._measures.ran(entry.name, outcome.result())
        else:
            self._measures.refused(entry.name)
            self._log.refused(entry, seen, problem.code if isinstance(problem, ApiError) else "failed")


def submit(pool: Pool, call: Call) -> None:
    """Hand a call to its pool. Raises ApiError when there is no room; the function log says so too."""
    try:
        pool.submit(call)
    except ApiError as error:
        call.refuse(error)
        raise


def _thrown(name: str, outcome: Outcome) -> HostCallFailed:
    """What the function that was called has thrown, as it reaches the one that called it."""
    try:
        error = orjson.loads(outcome.body)
        return HostCallFailed(str(error["errorType"]), str(error["errorMessage"]))
    except (ValueError, KeyError, TypeError):
        return HostCallFailed("Error", f"the function {name} failed")
