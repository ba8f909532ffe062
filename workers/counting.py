"""Counts the metrics of the catalogue, with prometheus-client.

The hot path keeps the child that `Metrics.counter(...)` returned and adds to it once a batch, never once a
record.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import platform
import threading
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from workers.metrics import BUILD_INFO, ENGINE, OTHER, PROCESSOR_STATE, STATES, Metric


class Metrics:
    """Counts the metrics of a catalogue in a registry of its own. Safe to use from several threads.

    `with_process` adds what is true of the process: its CPU and memory, and what is running.

    `counter`, `gauge` and `histogram` return a child to keep and use again: adding to it costs
    about 1 us. A child that `forget` removed goes on counting but is no longer shown.
    """

    def __init__(self, catalogue: Iterable[Metric] = ENGINE, *, with_process: bool = True) -> None:
        # For the whole process: without it each counter and histogram shows a second sample, `_created`.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        if with_process:
            ProcessCollector(registry=self.registry)
        self._catalogue = tuple(catalogue)
        self._parents = {metric.name: _collector(metric, self.registry) for metric in self._catalogue}
        self._children: dict[tuple[str, ...], Any] = {}
        self._series = dict.fromkeys(self._parents, 0)
        self._lock = threading.Lock()
        if with_process and BUILD_INFO.name in self._parents:
            self.gauge(BUILD_INFO, importlib.metadata.version("penstock"), platform.python_version()).set(1)

    def counter(self, metric: Metric, *values: str) -> Counter:
        """The counter of these label values, in the order of `metric.labels`."""
        child = self._child(metric, values)
        assert isinstance(child, Counter), f"{metric.name} is a {metric.kind}"
        return child

    def gauge(self, metric: Metric, *values: str) -> Gauge:
        """The gauge of these label values, in the order of `metric.labels`."""
        child = self._child(metric, values)
        assert isinstance(child, Gauge), f"{metric.name} is a {metric.kind}"
        return child

    def histogram(self, metric: Metric, *values: str) -> Histogram:
        """The histogram of these label values, in the order of `metric.labels`."""
        child = self._child(metric, values)
        assert isinstance(child, Histogram), f"{metric.name} is a {metric.kind}"
        return child

    def start_processor(self, processor: str) -> None:
        """Show a processor's series at 0, so that the first failure is an increase and not a new series."""
        for metric in self._catalogue:
            if metric.labels[:1] == ("processor",) and all(
                label in metric.values for label in metric.labels[1:]
            ):
                for values in itertools.product(*(metric.values[label] for label in metric.labels[1:])):
                    self._child(metric, (processor, *values))

    def set_state(self, processor: str, state: str) -> None:
        """Make `state` the one state of the processor that reads 1."""
        assert state in STATES, f"{state} is not one of {STATES}"
        for name in STATES:
            self.gauge(PROCESSOR_STATE, processor, name).set(name == state)

    def forget(self, **labels: str) -> None:
        """Stop showing every series with these labels: of a partition that moved, of a dropped processor."""
        with self._lock:
            for metric in self._catalogue:
                if not labels.keys() <= set(metric.labels):
                    continue
                wanted = [(metric.labels.index(label) + 1, value) for label, value in labels.items()]
                gone = [
                    key
                    for key in self._children
                    if key[0] == metric.name and all(key[index] == value for index, value in wanted)
                ]
                for key in gone:
                    del self._children[key]
                    self._series[metric.name] -= 1
                    self._parents[metric.name].remove(*key[1:])

    def text(self) -> str:
        """All samples in Prometheus' text format, version 0.0.4."""
        return prometheus_client.generate_latest(self.registry).decode()

    def _child(self, metric: Metric, values: tuple[str, ...]) -> Any:
        child = self._children.get((metric.name, *values))
        return child if child is not None else self._new_child(metric, values)

    def _new_child(self, metric: Metric, values: tuple[str, ...]) -> Any:
        assert len(values) == len(metric.labels), (
            f"{metric.name} has the labels {metric.labels}, not {values}"
        )
        for label, value in zip(metric.labels, values, strict=True):
            assert value in metric.values.get(label, (value,)), f"{metric.name}: {value} is no {label}"
        parent = self._parents[metric.name]
        if not metric.labels:
            return parent
        with self._lock:
            if self._series[metric.name] >= metric.max_series:
                # The first label is a processor, connection or engine: bounded by what the user configured.
                values = (values[0], *(v if n in metric.values else OTHER for n, v in _rest(metric, values)))
            key = (metric.name, *values)
            if key not in self._children:
                self._children[key] = parent.labels(*values)
                self._series[metric.name] += 1
            return self._children[key]


def _rest(metric: Metric, values: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    return zip(metric.labels[1:], values[1:], strict=True)


def _collector(metric: Metric, registry: CollectorRegistry) -> Any:
    if metric.kind == "counter":
        return Counter(metric.name, metric.meaning, metric.labels, registry=registry)
    if metric.kind == "gauge":
        return Gauge(metric.name, metric.meaning, metric.labels, registry=registry)
    return Histogram(metric.name, metric.meaning, metric.labels, registry=registry, buckets=metric.buckets)


class Observations:
    """Observations of one histogram, kept as plain numbers until `flush`: 0.2 us each, against 2 us in the
    histogram itself. Used by one thread."""

    __slots__ = ("_bounds", "_child", "_counts", "_sum")

    def __init__(self, metric: Metric, metrics: Metrics, *values: str) -> None:
        self._child: Any = metrics.histogram(metric, *values)
        self._bounds = metric.buckets
        # One more than there are bounds: what is above the last.
        self._counts = [0] * (len(metric.buckets) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one observation."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def flush(self) -> None:
        """Move what was observed into the histogram.

        The client library has no call for many observations at once, so this adds to its buckets, which are
        not cumulative, and to its sum; a test holds the samples against those of `observe`.
        """
        for bucket, count in zip(self._child._buckets, self._counts, strict=True):  # noqa: SLF001
            if count:
                bucket.inc(count)
        if self._sum:
            self._child._sum.inc(self._sum)  # noqa: SLF001
        self._counts = [0] * len(self._counts)
        self._sum = 0.0
