"""What a processor looks like from outside: the status of a frame, and its gauges."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from workers.calls.scale_hint import scale_hint
from workers.counting import Metrics
from workers.engine.partition import PartitionRun
from workers.engine.sites import Site
from workers.engine.tally import Tally, TallyReport
from workers.metrics import (
    BUFFERED_BYTES,
    BUFFERED_RECORDS,
    COMMITS,
    COMMITTED_OFFSET,
    CONSUMER_LAG,
    CONSUMERS_REPLACED,
    FRONTIER_LAG,
    MAP_CHARACTERS,
    MAPS_UNREADABLE,
    OLDEST_OPEN,
    PARTITIONS_ASSIGNED,
    PARTITIONS_PAUSED,
    RECORDS_FETCHED,
    RECORDS_LOST,
    SCALE_HINT,
)
from workers.ports import SourceCounts, SourceStatus


@dataclass(frozen=True, slots=True)
class ProcessorStatus:
    """One processor in a status frame. Counts are since the process started."""

    name: str
    state: str
    error: str
    ready: bool
    trouble: str
    protocol: str
    assigned: int
    paused: int
    lag: int
    in_flight: int
    waiting: int
    buffered: int
    consumed: int
    emitted: int
    dead_lettered: int
    dropped: int
    ignored: int
    calls: int


class ProcessorReport:
    """Collects a processor's state and brings its metrics up to date while doing so. Called about once a
    second."""

    def __init__(self, name: str, tally: Tally, metrics: Metrics) -> None:
        self._name, self._tally, self._metrics = name, tally, metrics
        self._growth = TallyReport(name, tally, metrics)
        # (partition's frontier, since when it stands there): the age of the oldest open record, without a
        # clock a record.
        self._counted = SourceCounts()
        self._standing: dict[PartitionRun, tuple[int, float]] = {}

    def status(
        self, state: str, error: str, source: SourceStatus | None,
        partitions: Collection[PartitionRun], fanouts: Sequence[Site],
    ) -> ProcessorStatus:  # fmt: skip
        self._growth.report()
        for fanout in fanouts:
            fanout.report()
        buffered = self._gauges(source, partitions)
        lag = sum(source.lag.values()) if source is not None else 0
        hint = scale_hint(lag, [fanout.destination() for fanout in fanouts], is_running=state == "STARTED")
        self._metrics.gauge(SCALE_HINT, self._name).set(hint)
        outcomes = self._tally.outcomes
        return ProcessorStatus(
            name=self._name,
            state=state,
            error=error,
            ready=state != "STARTED"
            or (source is not None and source.ready and all(fanout.is_ready for fanout in fanouts)),
            trouble=source.trouble if source is not None else "",
            protocol=source.protocol if source is not None else "",
            assigned=len(partitions),
            paused=source.paused if source is not None else 0,
            lag=lag,
            in_flight=sum(fanout.in_flight for fanout in fanouts),
            waiting=sum(fanout.waiting for fanout in fanouts),
            buffered=buffered,
            consumed=self._tally.consumed.total(),
            emitted=outcomes["emitted"],
            dead_lettered=outcomes["dead_lettered"],
            dropped=outcomes["dropped"],
            ignored=outcomes["ignored"],
            calls=sum(fanout.calls for fanout in fanouts),
        )

    def _gauges(self, source: SourceStatus | None, partitions: Collection[PartitionRun]) -> int:
        metrics, name, now = self._metrics, self._name, time.monotonic()
        buffered, oldest = 0, 0.0
        standing: dict[PartitionRun, tuple[int, float]] = {}
        for run in partitions:
            labels = (name, run.key.topic, str(run.key.partition))
            open_records, committable = run.frontier.open_records(), run.frontier.committable()
            buffered += open_records
            metrics.gauge(FRONTIER_LAG, *labels).set(run.frontier.position - committable)
            metrics.gauge(MAP_CHARACTERS, *labels).set(run.map_characters)
            if open_records:
                where, since = self._standing.get(run, (committable, now))
                standing[run] = (committable, now if where != committable else since)
                oldest = max(oldest, now - standing[run][1])
            if source is not None:
                metrics.gauge(CONSUMER_LAG, *labels).set(source.lag.get(run.key, 0))
                if run.key in source.committed:
                    metrics.gauge(COMMITTED_OFFSET, *labels).set(source.committed[run.key])
        self._standing = standing
        metrics.gauge(OLDEST_OPEN, name).set(oldest)
        metrics.gauge(BUFFERED_RECORDS, name).set(buffered)
        metrics.gauge(PARTITIONS_ASSIGNED, name).set(len(partitions))
        metrics.gauge(PARTITIONS_PAUSED, name).set(source.paused if source is not None else 0)
        metrics.gauge(BUFFERED_BYTES, name).set(source.buffered_bytes if source is not None else 0)
        if source is not None:
            self._source_counts(source.counts)
        return buffered

    def _source_counts(self, counts: SourceCounts) -> None:
        metrics, name, before = self._metrics, self._name, self._counted
        metrics.counter(COMMITS, name, "ok").inc(counts.commits_ok - before.commits_ok)
        metrics.counter(COMMITS, name, "failed").inc(counts.commits_failed - before.commits_failed)
        metrics.counter(RECORDS_FETCHED, name).inc(counts.records_fetched - before.records_fetched)
        metrics.counter(RECORDS_LOST, name).inc(counts.records_lost - before.records_lost)
        metrics.counter(CONSUMERS_REPLACED, name).inc(counts.replaced - before.replaced)
        metrics.counter(MAPS_UNREADABLE, name).inc(counts.maps_unreadable - before.maps_unreadable)
        self._counted = counts
