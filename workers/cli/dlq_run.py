"""One run of a replay: what is written when, and what cannot be."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from workers.adapters.kafka_replay_writer import ReplayWriter
from workers.appfolder import ProcessorSpec
from workers.cli.dlq_source import Enough
from workers.emit.dead_letter import Origin
from workers.emit.letters import Letter
from workers.emit.replay import Ledger, Outgoing, ledger_entry, restored, to_replay_topic, to_source
from workers.errors import Invalid, Problem
from workers.local.readback import Places, Reader
from workers.ports import SourceRecord

# One transaction: some 20 ms of committing for 500 records, and no more memory than one large record takes.
MAX_BATCH_RECORDS: Final = 500
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
# How often a slow replay writes: half a second's worth at once.
PACE_SECONDS: Final = 0.5
_RATE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*(?:/\s*([sm]))?")
_UNIT_SECONDS: Final = {"s": 1.0, "m": 60.0}


class Pace:
    """`--rate`: not more than so many a second, without catching up."""

    def __init__(self, text: str | None) -> None:
        """Raises Invalid. None: as fast as it goes."""
        self.per_second: float | None = None
        self._next_at = 0.0
        if text is None:
            return
        found = _RATE.fullmatch(text.strip())
        if found is None or not float(found[1]):
            raise Invalid([Problem("--rate", "", f"found {text!r}", "a number above 0: 100/s or 30/m")])
        self.per_second = float(found[1]) / _UNIT_SECONDS[found[2] or "s"]

    def batch_records(self) -> int:
        """How many go into one transaction."""
        if self.per_second is None:
            return MAX_BATCH_RECORDS
        return max(1, min(MAX_BATCH_RECORDS, int(self.per_second * PACE_SECONDS)))

    def wait(self, records: int) -> None:
        """Until that many may be written."""
        if self.per_second is None:
            return
        now = time.monotonic()
        time.sleep(max(0.0, self._next_at - now))
        self._next_at = max(now, self._next_at) + records / self.per_second


@dataclass(frozen=True, slots=True)
class Route:
    """Where records go: the replay topic with its partitions, or (None) the sources."""

    spec: ProcessorSpec
    topic: str | None
    partitions: int
    ledger_topic: str

    @property
    def sources(self) -> tuple[str, ...]:
        """The topics that the processor reads."""
        return self.spec.program.source.topics if self.spec.program.source is not None else ()


class Originals:
    """Records of source topics, by their places: for letters that were written without their content."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._ranges: dict[str, tuple[Places, Places]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()

    def of(self, letter: Letter) -> Origin | None:
        """The original with key, value and headers; None when the source has it no more."""
        origin = letter.original
        if origin.topic not in self._ranges:
            topics = [origin.topic]
            self._ranges[origin.topic] = (self._reader.begins(topics), self._reader.ends(topics))
        begins, ends = self._ranges[origin.topic]
        where = (origin.topic, origin.partition)
        if not begins.get(where, 0) <= origin.offset < ends.get(where, 0):
            return None
        found: list[SourceRecord] = []
        self._reader.read({where: origin.offset}, {where: origin.offset + 1}, found.append)
        return restored(letter, found[0]) if found else None


@dataclass(slots=True)
class Replay:
    """Counts, and the letters of the next transaction. Without a writer nothing is written."""

    route: Route
    ledger: Ledger
    originals: Originals
    writer: ReplayWriter | None
    pace: Pace
    matched: int = 0
    skipped: int = 0
    written: int = 0
    lost: list[str] = field(default_factory=list)
    _batch: list[tuple[Outgoing, Letter]] = field(default_factory=list)
    _batch_bytes: int = 0

    def take(self, letter: Letter, limit: int | None) -> None:
        """One letter that matches. Raises Enough once `limit` are written or wait to be."""
        self.matched += 1
        if not self.ledger.admits(letter):
            self.skipped += 1
            return
        original = self.originals.of(letter) if letter.is_truncated else letter.original
        if original is None:
            where = f"{letter.original.topic} {letter.original.partition}:{letter.original.offset}"
            self.lost.append(f"{letter.place}: it holds no value, and its source has {where} no more")
            return
        if self.route.topic is None and original.topic not in self.route.sources:
            self.lost.append(f"{letter.place}: {original.topic} is no source of {self.route.spec.name}")
            return
        outgoing = (
            to_source(original)
            if self.route.topic is None
            else to_replay_topic(original, self.route.topic, self.route.partitions)
        )
        if self._batch and self._batch_bytes + outgoing.size_bytes > MAX_BATCH_BYTES:
            self.flush()
        self._batch.append((outgoing, letter))
        self._batch_bytes += outgoing.size_bytes
        if len(self._batch) >= self.pace.batch_records():
            self.flush()
        if limit is not None and self.written + len(self._batch) >= limit:
            raise Enough

    def flush(self) -> None:
        """Write what waits. Raises ReplayFailed."""
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        if batch and self.writer is not None:
            self.pace.wait(len(batch))
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            ledger = self.route.ledger_topic
            records = [outgoing for outgoing, _ in batch]
            records += [ledger_entry(letter, ledger, outgoing.topic, now) for outgoing, letter in batch]
            self.writer.write(records)
        self.written += len(batch)
