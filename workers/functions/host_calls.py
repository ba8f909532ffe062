"""What a function may ask of the host while it runs: `context.<name>(...)` in JavaScript.

A table of names: `functions.execute` and `http.send` are the host's own entries, others are given to it when
it is made. All of them appear in the functions' `context`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from workers.functions.context import CallContext
from workers.functions.manifest import FunctionEntry


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the function, and the call of it that runs."""

    entry: FunctionEntry
    context: CallContext
    request_id: str


class HostCallFailed(Exception):
    """A host call that fails with an error of its own name, such as what another function has thrown."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


HostFunction: TypeAlias = Callable[[Asker, list[Any]], Awaitable[Any]]
"""Gets the call that asks and the arguments as JSON values; its answer must be JSON again. What it raises
reaches the function as a rejected promise with the exception's type and text: it must not quote secrets."""

MAX_CALLS_OF_A_BATCH: Final = 256  # one turn of a function; `Promise.all` over more is refused, not queued


async def answer(
    batch: bytes, table: Mapping[str, HostFunction], asker: Asker, timeout_seconds: float
) -> bytes:
    """Run the host calls of one batch side by side: the payload of the HOST_ANSWERS frame, in the batch's
    order.

    Each ends within `timeout_seconds`. Raises ValueError when the batch is no batch: the worker is not to be
    trusted."""
    calls = orjson.loads(batch)
    if not isinstance(calls, list) or not all(isinstance(call, dict) and "id" in call for call in calls):
        raise ValueError("no list of host calls")
    if len(calls) > MAX_CALLS_OF_A_BATCH:
        text = f"{len(calls)} host calls at once, at most {MAX_CALLS_OF_A_BATCH} are allowed"
        return orjson.dumps([_failed(call, "RangeError", text) for call in calls])
    return b"[%b]" % b",".join(
        await asyncio.gather(*(_one(call, table, asker, timeout_seconds) for call in calls))
    )


async def _one(
    call: Mapping[str, Any], table: Mapping[str, HostFunction], asker: Asker, timeout_seconds: float
) -> bytes:
    name, args = call.get("name"), call.get("args")
    function = table.get(name) if isinstance(name, str) else None
    if function is None or not isinstance(args, list):
        return orjson.dumps(_failed(call, "TypeError", "this host does not offer that"))
    try:
        async with asyncio.timeout(timeout_seconds):
            value = await function(asker, args)
        return orjson.dumps({"id": call["id"], "ok": True, "value": value})
    except HostCallFailed as problem:
        return orjson.dumps(_failed(call, problem.error_type, str(problem)))
    except Exception as problem:  # whatever it is, it belongs to the function that asked
        return orjson.dumps(_failed(call, type(problem).__name__, str(problem)))


def _failed(call: Mapping[str, Any], error_type: str, message: str) -> dict[str, Any]:
    return {"id": call["id"], "ok": False, "value": {"errorType": error_type, "errorMessage": message}}
