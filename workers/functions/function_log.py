"""The function log: one entry a call, in a ring in memory, read by `GET /logs` and `penstock functions logs`.

A stream of its own: it holds arguments (cut, unless the manifest says `disable_arg_logs`), what functions
print, and their errors, and none of it ever goes into the process's own log. It is gone with the process:
who wants to keep it follows it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

import orjson

from workers.functions.call import Outcome
from workers.functions.context import CallContext
from workers.functions.manifest import FunctionEntry

MAX_ENTRIES: Final = 1_000
"""With 512 bytes of arguments, 4 KB of lines and 2 KB of error: under 7 MB."""
MAX_ARGUMENT_BYTES: Final = 512
MAX_ERROR_BYTES: Final = 2_048
MAX_LINES: Final = 25
"""App Services keeps the last 25 lines of a call, 512 bytes of each."""
MAX_LINE_BYTES: Final = 512
MAX_PAGE: Final = 500

Status = Literal["ok", "error", "denied", "refused"]


class Seen(NamedTuple):
    """What a call came with. `args` is a JSON array."""

    context: CallContext
    args: bytes
    request_id: str


class Entry(NamedTuple):
    """What is known of one call when it ends; a tuple, because one is made for every call. `args` is None
    when it must not be logged."""

    number: int
    at: float
    function: str
    request_id: str
    status: Status
    seconds: float
    context: CallContext
    args: bytes | None
    args_bytes: int
    lines: bytes
    error: bytes

    def as_data(self) -> dict[str, Any]:
        """The entry as JSON, with the arguments as text."""
        user = self.context.user
        shown: dict[str, Any] = {
            "number": self.number,
            "time": datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds"),
            "function": self.function,
            "requestId": self.request_id,
            "status": self.status,
            "durationMs": round(self.seconds * 1000, 3),
            "user": None if user is None else {"id": user.id, "type": user.type},
            "runsAsSystem": self.context.runs_as_system,
            "depth": self.context.depth,
        }
        if self.context.request.remote_address:
            shown["remoteIPAddress"] = self.context.request.remote_address
        if self.args is not None:
            shown["arguments"] = _text(self.args)
            shown["argumentsBytes"] = self.args_bytes
        if self.error:
            shown["error"] = _text(self.error)
        shown["logs"] = [_text(line[:MAX_LINE_BYTES]) for line in self.lines.splitlines()[-MAX_LINES:]]
        return shown


class FunctionLog:
    """The last entries, oldest first. Numbers grow by one and never repeat within a process."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._entries: deque[Entry] = deque(maxlen=max_entries)
        self._next = 1

    def ended(self, entry: FunctionEntry, seen: Seen, outcome: Outcome) -> None:
        """A call has run."""
        self._add(entry, seen, "error" if outcome.failed else "ok", outcome)

    def denied(self, entry: FunctionEntry, seen: Seen, why: str) -> None:
        """The manifest did not let a call run."""
        self._add(entry, seen, "denied", Outcome(why.encode(), failed=True))

    def refused(self, entry: FunctionEntry, seen: Seen, why: str) -> None:
        """There was no room for a call."""
        self._add(entry, seen, "refused", Outcome(why.encode(), failed=True))

    def page(self, after: int, function: str | None, limit: int) -> bytes:
        """`{"entries": [...], "last": n}`: at most `limit` entries with a number above `after`, oldest first;
        with `after` 0 the newest ones. `last` is the number to go on from."""
        found = [one for one in self._matching(function) if one.number > after]
        limit = max(1, min(limit, MAX_PAGE))
        chosen = found[:limit] if after else found[-limit:]
        last = chosen[-1].number if chosen else max(after, 0 if after else self._next - 1)
        return orjson.dumps({"entries": [one.as_data() for one in chosen], "last": last})

    def _matching(self, function: str | None) -> Iterator[Entry]:
        return (one for one in self._entries if function is None or one.function == function)

    def _add(self, entry: FunctionEntry, seen: Seen, status: Status, outcome: Outcome) -> None:
        self._entries.append(
            Entry(
                self._next,
                time.time(),
                entry.name,
                seen.request_id,
                status,
                outcome.seconds,
                seen.context,
                None if entry.access.disable_arg_logs else seen.args[:MAX_ARGUMENT_BYTES],
                len(seen.args),
                outcome.log,
                outcome.body[:MAX_ERROR_BYTES] if outcome.failed else b"",
            )
        )
        self._next += 1


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
