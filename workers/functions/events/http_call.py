"""An HTTP request and its answer as data, between `http_functions` and the events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from workers.functions.call import Outcome
from workers.functions.context import User


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request for a function. `path` and `query` are percent-encoded as sent, the query without `event`;
    `headers` are those that do not authenticate, in order; `now_seconds` counts from the epoch."""

    function: str
    method: str
    path: str
    query: str
    protocol: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    remote_address: str
    request_id: str
    now_seconds: float
    user: User | None = None

    def header(self, name: str) -> str:
        """A header's first value, by its name in lower case; "" when there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


class HttpAnswer(NamedTuple):
    """What goes back. `headers` are names and values without line ends."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


class Event(Protocol):
    """One way to make an event of a request, and an answer of an outcome."""

    def wrap(self, call: HttpCall) -> Any:
        """The event, as JSON values. Raises ApiError 400."""
        ...

    def unwrap(self, outcome: Outcome) -> HttpAnswer:
        """The HTTP answer of a call that ran."""
        ...
