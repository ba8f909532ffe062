"""What supervisor and engine processes say to each other: one JSON object a line. Pure.

To an engine, on its stdin; the end of the file means the same as a stop:

    {"app": DIR, "processors": [...], "process": 0, "processes": 2}            once, first
    {"command": "stop"}

From an engine, on its stdout:

    {"type": "status", "ready": true, "processors": [...], "metrics": "..."}   each second and on changes
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

# 5,000 partitions make about 1 MB of samples and status; past 8 MiB something else is being written.
MAX_LINE_BYTES: Final = 8 * 1024 * 1024

STOP_LINE: Final = b'{"command":"stop"}\n'


@dataclass(frozen=True, slots=True)
class ProcessorStatus:
    """One processor in one engine process. The counts hold since that process started.

    `error` is why it is FAILED, `trouble` what keeps it from working just now (the broker is away); empty:
    nothing.
    """

    name: str
    state: str
    ready: bool = True
    error: str = ""
    trouble: str = ""
    assigned: int = 0
    paused: int = 0
    lag: int = 0
    in_flight: int = 0
    waiting: int = 0
    buffered: int = 0
    consumed: int = 0
    emitted: int = 0
    dead_lettered: int = 0
    dropped: int = 0
    ignored: int = 0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """One status line of an engine process; `metrics` is Prometheus' text format."""

    ready: bool
    processors: tuple[ProcessorStatus, ...]
    metrics: str


# Annotations are texts in this module.
COUNTS: Final = tuple(f.name for f in fields(ProcessorStatus) if f.type == "int")
TEXTS: Final = ("error", "trouble")


def first_line(app: str, processors: tuple[str, ...], process: int, processes: int) -> bytes:
    """What an engine process reads first."""
    said = {"app": app, "processors": list(processors), "process": process, "processes": processes}
    return json.dumps(said).encode() + b"\n"


def parse(line: bytes) -> Frame | None:
    """The status that a line holds; None when it is no status. Fields not known here are passed over."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("type") != "status":
        return None
    ready, listed, metrics = said.get("ready"), said.get("processors"), said.get("metrics")
    if not isinstance(ready, bool) or not isinstance(listed, list) or not isinstance(metrics, str):
        return None
    processors = [_processor(entry) for entry in listed]
    known = tuple(processor for processor in processors if processor is not None)
    return Frame(ready, known, metrics) if len(known) == len(processors) else None


def _processor(entry: Any) -> ProcessorStatus | None:
    if not isinstance(entry, Mapping):
        return None
    name, state, ready = entry.get("name"), entry.get("state"), entry.get("ready", True)
    texts: dict[str, Any] = {text: entry.get(text) or "" for text in TEXTS}
    counts = {count: entry.get(count, 0) for count in COUNTS}
    if not isinstance(name, str) or not isinstance(state, str) or not isinstance(ready, bool):
        return None
    if not all(isinstance(text, str) for text in texts.values()):
        return None
    if any(isinstance(value, bool) or not isinstance(value, int) for value in counts.values()):
        return None
    return ProcessorStatus(name, state, ready, **texts, **counts)


class Lines:
    """Cuts a stream of bytes into lines and holds at most `limit` bytes of an unfinished one."""

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._limit = limit
        self._held = bytearray()
        self._skipping = False

    def feed(self, chunk: bytes) -> Iterator[bytes | None]:
        """The lines that end in `chunk`, without line feeds; None for one that was longer than the limit."""
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._take(end)
            yield None if self._skipping else bytes(self._held)
            self._held.clear()
            self._skipping = False
        self._take(rest)

    def _take(self, part: bytes) -> None:
        if self._skipping or len(self._held) + len(part) > self._limit:
            self._skipping = True
            self._held.clear()
        else:
            self._held += part
