"""`$throttle`: how fast documents pass on to what follows."""

from __future__ import annotations

from typing import Any, Final

from workers.pipeline.check import Checker, Fields
from workers.pipeline.program import ThrottleSpec

# 1 TB/s, or as many documents: beyond what any machine does, so a larger number is a mistake.
MAX_RATE: Final = 10**12


def parse_throttle(checker: Checker, spec: Any, path: str) -> ThrottleSpec | None:
    """The limits as checked data; None when something is wrong."""
    before = len(checker.problems)
    fields = Fields(checker, spec, path, "$throttle")
    given = {name: fields.has(name) for name in ("bytesPerSec", "messagesPerSec")}
    per_second = {name: fields.whole(name, 1, 1, MAX_RATE) for name in given}
    fields.done()
    if len(checker.problems) == before and not any(given.values()):
        checker.wrong(
            path,
            "neither of its fields",
            "$throttle requires at least one of 'bytesPerSec' or 'messagesPerSec'",
        )
    if len(checker.problems) > before:
        return None
    sizes, messages = (per_second[name] if there else None for name, there in given.items())
    return ThrottleSpec(path, messages, sizes)
