"""Refusals of a run, summed up: how many, where, why, and on which line first."""

from __future__ import annotations

from typing import Any, Final

from workers.cli.report import table
from workers.cli.run_pipeline import Outcome

# Reasons may name what is in a document: past this many kinds, refusals are counted by their place alone.
MAX_KINDS: Final = 1_000
SHOWN_KINDS: Final = 20

_OTHER: Final = "(other reasons)"


class Refusals:
    """Counts by (path, reason)."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._first: dict[tuple[str, str], int] = {}

    def count(self, outcome: Outcome) -> None:
        """One outcome; only refusals count."""
        if outcome.kind != "refused":
            return
        kind = (outcome.path, outcome.reason)
        if kind not in self._counts and len(self._counts) >= MAX_KINDS:
            kind = (outcome.path, _OTHER)
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._first.setdefault(kind, outcome.line)

    def as_data(self) -> list[dict[str, Any]]:
        """All kinds, the most frequent first."""
        return [
            {"path": path, "reason": reason, "count": count, "firstLine": self._first[path, reason]}
            for (path, reason), count in sorted(self._counts.items(), key=lambda item: -item[1])
        ]

    def as_table(self) -> list[str]:
        """The most frequent kinds for a person; no lines without refusals."""
        if not self._counts:
            return []
        kinds = self.as_data()
        rows = [
            (kind["count"], kind["firstLine"], kind["path"], kind["reason"]) for kind in kinds[:SHOWN_KINDS]
        ]
        rest = len(kinds) - SHOWN_KINDS
        return [
            "refusals by place and reason:",
            *(f"  {line}" for line in table(("count", "first line", "path", "reason"), rows)),
            *([f"  and {rest} more kinds; --json has them all"] if rest > 0 else []),
        ]
