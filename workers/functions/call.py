"""One call on its way through the host, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from workers.functions.answers import ApiError
from workers.functions.context import CallContext

Failure: TypeAlias = Callable[[str], bytes]
"""Request id -> the JSON error of a call that met this failure."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call that ran. `body` is the answer or, when `failed`, the error; `log` the tail of
    what it printed, only when the caller asked for it."""

    body: bytes
    failed: bool = False
    log: bytes = b""
    seconds: float = 0.0


@dataclass(slots=True, eq=False)
class Call:
    """One call on its way. `args` is a JSON array, `client_context` JSON or empty, `arrived` is loop time,
    `context` who calls and by which request."""

    request_id: str
    args: bytes
    client_context: bytes
    outcome: asyncio.Future[Outcome]
    arrived: float
    wants_log: bool = False
    context: CallContext | None = None

    def finish(self, outcome: Outcome) -> None:
        """Hand over the outcome, unless the caller is gone."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def refuse(self, error: ApiError) -> None:
        """The call will not be run."""
        if not self.outcome.done():
            self.outcome.set_exception(error)
