"""The sample source: produces generated records to a topic, as many and as fast as asked."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from confluent_kafka import KafkaError, Message, Producer

from workers.local.failure import LocalFailure
from workers.local.orders import Fate, Kind, SampleRecord, count_fates, orders

SAMPLES: Final[Mapping[str, Callable[[int], Iterator[SampleRecord]]]] = {"orders": orders}
"""The data sets that a connection of type Sample can name."""

# Records wait at most this long between being due and being sent; also how soon `stop` is noticed.
TICK_SECONDS: Final = 0.02
FLUSH_SECONDS: Final = 30.0
# At full speed: between two looks at the clock and the callbacks.
SLICE_RECORDS: Final = 500
PRODUCER: Final[Mapping[str, Any]] = {
    "enable.idempotence": True,
    "partitioner": "murmur2_random",
    "compression.type": "lz4",
    "linger.ms": 5,
    "message.max.bytes": 64 * 1024 * 1024,
    "log_level": 0,
}


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """What to produce. `records` None: without end; `per_second` None: as fast as the broker takes them."""

    topic: str
    data_set: str = "orders"
    seed: int = 1
    records: int | None = None
    per_second: float | None = None

    def __post_init__(self) -> None:
        assert self.data_set in SAMPLES, f"no sample {self.data_set!r}; there are {', '.join(SAMPLES)}"
        assert self.records is None or self.records >= 0
        assert self.per_second is None or self.per_second > 0


@dataclass(slots=True)
class SampleReport:
    """What was produced so far. `kinds` counts acknowledged records; `failures` holds the first reasons."""

    sent: int = 0
    acked: int = 0
    failed: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def fates(self) -> Counter[Fate]:
        """Where the acknowledged records must end."""
        return count_fates(self.kinds)


class SampleSource:
    """Produces one sample to one topic. `run` blocks: give it a thread; `report` may be read by others."""

    def __init__(self, connection: Mapping[str, Any], settings: SampleSettings) -> None:
        self.settings = settings
        self.report = SampleReport()
        self._producer = Producer({**PRODUCER, **connection})
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ask `run` to flush and return. From any thread."""
        self._stopping.set()

    def run(self) -> SampleReport:
        """Produce until all are sent or `stop` is called, then wait until the broker has them.

        Raises LocalFailure when records were refused or are not acknowledged 30 s after the last one.
        """
        settings, report = self.settings, self.report
        records = islice(SAMPLES[settings.data_set](settings.seed), settings.records)
        begun = time.monotonic()
        while not self._stopping.is_set() and not report.failed:
            room = due(report.sent, settings.per_second, time.monotonic() - begun)
            taken = list(islice(records, min(room, SLICE_RECORDS)))
            for record in taken:
                self._send(record)
            self._producer.poll(0)
            if report.sent == settings.records:
                break
            if not taken:
                self._stopping.wait(TICK_SECONDS)
        unacknowledged = self._producer.flush(FLUSH_SECONDS)
        if report.failed or unacknowledged:
            first = f": {report.failures[0]}" if report.failures else ""
            raise LocalFailure(
                f"producing the sample to {settings.topic}: {report.failed} records refused, "
                f"{unacknowledged} without an answer{first}"
            )
        return report

    def _send(self, record: SampleRecord) -> None:
        kind, report = record.kind, self.report

        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                report.acked += 1
                report.kinds[kind] += 1
            else:
                report.failed += 1
                if len(report.failures) < 5:
                    report.failures.append(error.str())

        while not report.failed and not self._stopping.is_set():
            try:
                self._producer.produce(
                    self.settings.topic,
                    record.value,
                    record.key,
                    headers=record.headers,
                    on_delivery=delivered,
                )
            except BufferError:  # 100,000 records wait for the broker: let it catch up
                self._producer.poll(TICK_SECONDS)
            else:
                report.sent += 1
                return


def due(sent: int, per_second: float | None, elapsed_seconds: float) -> int:
    """How many records may be sent now. Pure.

    >>> due(10, 100.0, 0.5), due(60, 100.0, 0.5)
    (40, 0)
    """
    if per_second is None:
        return SLICE_RECORDS
    return max(0, int(per_second * elapsed_seconds) - sent)
