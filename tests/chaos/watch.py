"""What a run is seen to do while it runs: commits and ends of topics, the workers' own counts."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from tests.chaos.feeder import QUIET
from tests.chaos.judge import Sample
from tests.chaos.options import Topics, group_of
from tests.scenarios.world import WorkerProcess
from workers.progress import checkpoint

ASK_SECONDS: Final = 5.0
COUNTED: Final = (
    "penstock_records_abandoned_total",
    "penstock_records_repeated_total",
    "penstock_transactions_total",
    "penstock_call_retries_total",
)


class Asker:
    """Asks the broker about the group and the topics without ever joining the group."""

    def __init__(self, bootstrap: str, topics: Topics, partitions: int) -> None:
        self._topics = topics
        self._numbers = range(partitions)
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": group_of(topics)}, logger=QUIET
        )

    def sample(self) -> Sample | None:
        """The commits first, then the ends; None while the broker does not answer."""
        try:
            committed, settled = self._commits()
            results = {number: self._ends(self._topics.results, number)[1] for number in self._numbers}
            dead = {number: self._ends(self._topics.dead, number)[1] for number in self._numbers}
        except KafkaException:
            return None
        return Sample(committed, settled, results, dead)

    def lag(self) -> int | None:
        """Source records that are not committed; None while the broker does not answer."""
        try:
            committed, _ = self._commits()
            return sum(
                self._ends(self._topics.source, number)[1] - committed.get(number, 0)
                for number in self._numbers
            )
        except KafkaException:
            return None

    def close(self) -> None:
        self._consumer.close()

    def _commits(self) -> tuple[dict[int, int], dict[int, frozenset[int]]]:
        asked = [TopicPartition(self._topics.source, number) for number in self._numbers]
        committed: dict[int, int] = {}
        settled: dict[int, frozenset[int]] = {}
        for found in self._consumer.committed(asked, timeout=ASK_SECONDS):
            if found.error is not None:
                raise KafkaException(found.error)
            if found.offset >= 0:
                committed[found.partition] = found.offset
                settled[found.partition] = settled_above(found.metadata, found.offset)
        return committed, settled

    def _ends(self, topic: str, number: int) -> tuple[int, int]:
        low, high = self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=ASK_SECONDS)
        return low, high


def settled_above(metadata: str | None, offset: int) -> frozenset[int]:
    """The offsets above the committed `offset` that the map beside it names as settled."""
    found = checkpoint.decode(metadata, offset)
    if found is None:
        return frozenset()
    assert not isinstance(found, checkpoint.Unreadable), f"at {offset}: {found.reason}: {metadata!r}"
    return frozenset(one for start, stop in found.settled for one in range(start, stop))


@dataclass(slots=True)
class Lives:
    """The counts of every worker that ran, also of those that were killed since: each as last seen."""

    last: dict[int, Counter[str]] = field(default_factory=dict)
    partitions: dict[int, frozenset[int]] = field(default_factory=dict)

    def look(self, number: int, worker: WorkerProcess) -> None:
        """Read the metrics of the worker started as `number`; one that does not answer keeps its counts."""
        status, text = worker.get("/metrics")
        if status != 200:
            return
        counts: Counter[str] = Counter()
        owned = set()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name in COUNTED:
                    labels = ",".join(
                        value
                        for name, value in sorted(sample.labels.items())
                        if name not in ("processor", "process", "function")
                    )
                    counts[f"{sample.name}:{labels}"] += int(sample.value)
                elif sample.name == "penstock_frontier_lag_records":
                    owned.add(int(sample.labels["partition"]))
        self.last[number] = counts
        self.partitions[number] = frozenset(owned)

    def total(self, name: str, label: str = "") -> int:
        """The sum over all lives of a metric, for one value of its label or all."""
        wanted = f"{name}:{label}" if label else f"{name}:"
        return sum(
            count
            for counts in self.last.values()
            for key, count in counts.items()
            if (key == wanted if label else key.startswith(wanted))
        )


class Diary:
    """What happened when, in a file of the run."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._began = time.monotonic()

    def note(self, what: str, **fields: object) -> None:
        line = {"at_seconds": round(time.monotonic() - self._began, 2), "what": what, **fields}
        with self._file.open("a") as out:
            out.write(json.dumps(line, default=str) + "\n")
