"""What `penstock dev` shows while it runs: a table in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from rich.console import Console
from rich.live import Live
from rich.table import Table

from workers.cli.report import say

ASK_SECONDS: Final = 5.0
LINE_SECONDS: Final = 2.0
# Rates are taken over this long: shorter jumps with the engine's one status a second.
RATE_SECONDS: Final = 3.0

# The supervisor is on this machine: a proxy of the environment has no business in between.
_OPENER: Final = build_opener(ProxyHandler({}))

Status = Mapping[str, Any]
"""One processor as GET /status has it: state, lag, in_flight, consumed, calls, dead_lettered, ..."""


def ask(url: str) -> Any:
    """The JSON at a URL of the supervisor, whatever the HTTP status; None when nothing answers."""
    try:
        with _OPENER.open(url, timeout=ASK_SECONDS) as answer:
            return json.loads(answer.read())
    except URLError as error:
        body = getattr(error, "read", lambda: b"")()  # /readyz answers 503 with the reasons
        return json.loads(body) if body else None
    except (OSError, ValueError):
        return None


def statuses(address: str) -> list[Status]:
    """Every processor's status; empty when the supervisor does not answer."""
    answer = ask(f"{address}/status")
    return list(answer["processors"]) if isinstance(answer, dict) else []


@dataclass(slots=True)
class Rates:
    """Events and calls a second, out of counts that grow."""

    seen: list[tuple[float, dict[str, tuple[int, int]]]] = field(default_factory=list)

    def add(self, now: float, found: Sequence[Status]) -> None:
        """Note the counts at one moment (monotonic seconds)."""
        self.seen.append((now, {one["name"]: (_settled(one), one["calls"]) for one in found}))
        while len(self.seen) > 2 and now - self.seen[1][0] >= RATE_SECONDS:
            self.seen.pop(0)

    def of(self, name: str) -> tuple[float, float]:
        """(events, calls) a second. 0 until there are two moments, or after counts began anew."""
        (then, before), (now, after) = self.seen[0], self.seen[-1]
        if now <= then or name not in before or name not in after:
            return 0.0, 0.0
        events, calls = (max(0, new - old) for old, new in zip(before[name], after[name], strict=True))
        return events / (now - then), calls / (now - then)


def _settled(one: Status) -> int:
    """Events that have reached their end. What was only taken waits for calls, and would come in bursts."""
    return sum(int(one[key]) for key in ("emitted", "dead_lettered", "dropped", "ignored"))


class Display:
    """Shows statuses. A context: the table goes on being refreshed while it is open."""

    def __init__(self) -> None:
        self._rates = Rates()
        self._next_line = 0.0
        self._live: Live | None = None
        if sys.stderr.isatty():
            self._live = Live(console=Console(stderr=True), refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, found: Sequence[Status], produced: int) -> None:
        """Show one moment. `produced` counts sample records."""
        now = time.monotonic()
        self._rates.add(now, found)
        if self._live is not None:
            self._live.update(self._table(found, produced))
        elif now >= self._next_line:
            self._next_line = now + LINE_SECONDS
            say(*(self._line(one) for one in found))

    def _table(self, found: Sequence[Status], produced: int) -> Table:
        table = Table(title=f"penstock dev: {produced:,} sample records produced; Ctrl-C ends it")
        table.add_column("processor")
        table.add_column("state")
        for heading in ("events/s", "calls/s", "in flight", "lag", "dead letters", "dropped", "written"):
            table.add_column(heading, justify="right")
        for one in found:
            events, calls = self._rates.of(one["name"])
            counts = [one[key] for key in ("in_flight", "lag", "dead_lettered", "dropped", "emitted")]
            table.add_row(
                one["name"],
                _state(one),
                f"{events:,.0f}",
                f"{calls:,.0f}",
                *(f"{count:,}" for count in counts),
            )
        return table

    def _line(self, one: Status) -> str:
        events, calls = self._rates.of(one["name"])
        return (
            f"{one['name']} {_state(one)}: {events:,.0f} events/s, {calls:,.0f} calls/s, "
            f"{one['in_flight']:,} in flight, lag {one['lag']:,}, {one['dead_lettered']:,} dead letters, "
            f"{one['dropped']:,} dropped, {one['emitted']:,} written"
        )


def _state(one: Status) -> str:
    troubles = [trouble["trouble"] for trouble in one["troubles"]] + [
        error["error"] for error in one["errors"]
    ]
    return f"{one['state']} ({'; '.join(troubles)})" if troubles else str(one["state"])
