"""What one processor did, as plain integers. Added to on the hot path, handed to the metrics once a
second."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from workers.counting import Metrics
from workers.metrics import (
    BYTES_CONSUMED,
    BYTES_PRODUCED,
    DEAD_LETTERS,
    OTHER,
    PRODUCE_FAILURES,
    RECORDS,
    RECORDS_ABANDONED,
    RECORDS_CONSUMED,
    RECORDS_PRODUCED,
    RECORDS_REPEATED,
    RECORDS_SKIPPED,
    SEGMENT_SECONDS,
)

MAX_CLASSES: Final = 300


@dataclass(slots=True)
class Tally:
    """Counts since the processor started. Only ever grows, so a status can show it and metrics take the
    difference."""

    consumed: Counter[str] = field(default_factory=Counter)
    consumed_bytes: Counter[str] = field(default_factory=Counter)
    produced: Counter[str] = field(default_factory=Counter)
    produced_bytes: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[tuple[str, str]] = field(default_factory=Counter)
    produce_failures: Counter[str] = field(default_factory=Counter)
    abandoned: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    skipped: int = 0
    calls: int = 0
    segment_seconds: float = 0.0

    def dead_lettered(self, error_class: str, scope: str) -> None:
        """Count one dead letter. Functions name their own errors: past MAX_CLASSES they count as `other`."""
        kind = (error_class, scope)
        if kind not in self.dead_letters and len(self.dead_letters) >= MAX_CLASSES:
            kind = (OTHER, scope)
        self.dead_letters[kind] += 1


class TallyReport:
    """Moves the growth of a tally into the metrics."""

    def __init__(self, processor: str, tally: Tally, metrics: Metrics) -> None:
        self._processor, self._tally, self._metrics = processor, tally, metrics
        self._shown: Counter[tuple[str, ...]] = Counter()
        self._seconds_shown = 0.0

    def report(self) -> None:
        """Add what came since the last report."""
        tally, metrics, name = self._tally, self._metrics, self._processor
        for metric, counts in (
            (RECORDS_CONSUMED, tally.consumed),
            (BYTES_CONSUMED, tally.consumed_bytes),
            (RECORDS_PRODUCED, tally.produced),
            (BYTES_PRODUCED, tally.produced_bytes),
            (RECORDS, tally.outcomes),
            (PRODUCE_FAILURES, tally.produce_failures),
            (RECORDS_ABANDONED, tally.abandoned),
        ):
            for label, count in counts.items():
                grown = self._grown((metric.name, label), count)
                if grown:
                    metrics.counter(metric, name, label).inc(grown)
        for (error_class, scope), count in tally.dead_letters.items():
            grown = self._grown((DEAD_LETTERS.name, error_class, scope), count)
            if grown:
                metrics.counter(DEAD_LETTERS, name, error_class, scope).inc(grown)
        for metric, count in ((RECORDS_REPEATED, tally.repeated), (RECORDS_SKIPPED, tally.skipped)):
            grown = self._grown((metric.name,), count)
            if grown:
                metrics.counter(metric, name).inc(grown)
        metrics.counter(SEGMENT_SECONDS, name).inc(tally.segment_seconds - self._seconds_shown)
        self._seconds_shown = tally.segment_seconds

    def _grown(self, key: tuple[str, ...], count: int) -> int:
        grown = count - self._shown[key]
        self._shown[key] = count
        return grown
