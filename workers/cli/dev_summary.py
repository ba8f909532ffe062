"""What the topics hold when `penstock dev` ends, and whether it adds up: read back, not remembered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from topics.headers import DEAD_LETTER
from workers.appfolder import App, KafkaConnection, ProcessorSpec
from workers.assembly import client_config, default_group
from workers.cli.dev_live import Status
from workers.cli.report import table
from workers.local.orders import KIND_HEADER
from workers.local.readback import Places, Reader

# Reasons differ by numbers (offsets, quantities): they are counted as one. More than so many kinds is a log.
_NUMBER: Final = re.compile(r"\d+")
MAX_REASONS: Final = 30
REASON_CHARACTERS: Final = 90

Reason = tuple[str, str, str]
"""(kind of the sample record or empty, operator, reason where the kind is not known)"""


class Record(Protocol):
    """What is read of a record."""

    def value(self) -> bytes | None: ...
    def headers(self) -> list[tuple[str, bytes | None]] | None: ...


@dataclass(slots=True)
class Summary:
    """One processor: what it read, and where those records are. `unchecked` says why no sum is made."""

    name: str
    records: int = 0
    results: int = 0
    tombstones: int = 0
    dead_letters: int = 0
    dropped: int = 0
    left: int = 0
    reasons: dict[Reason, tuple[int, str]] = field(default_factory=dict)
    unchecked: str = ""

    @property
    def adds_up(self) -> bool:
        """Whether every record is in exactly one place."""
        return bool(self.unchecked) or self.records == self.results + self.dead_letters + self.dropped

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "processor": self.name, "input": self.records, "results": self.results,
            "tombstones": self.tombstones, "deadLetters": self.dead_letters, "dropped": self.dropped,
            "left": self.left, "addsUp": self.adds_up, "unchecked": self.unchecked,
            "reasons": [
                {"kind": kind, "operator": operator, "reason": example, "count": count}
                for (kind, operator, _), (count, example) in sorted(self.reasons.items())
            ],
        }  # fmt: skip

    def count_result(self, record: Record) -> None:
        """A record of the results topic."""
        self.results += 1
        self.tombstones += record.value() is None

    def count_dead_letter(self, record: Record) -> None:
        """A record of the dead-letter topic; those of other processors are passed over."""
        headers = dict(record.headers() or ())
        why = _why(headers.get(DEAD_LETTER.name) or record.value())
        if why.get("processorName") != self.name:
            return
        self.dead_letters += 1
        kind = (headers.get(KIND_HEADER) or b"").decode(errors="replace")
        reason = str(why.get("errInfo", {}).get("reason", ""))[:REASON_CHARACTERS]
        # Reasons quote the record. Those of one kind are one; where it is not known, all but their numbers.
        key = (kind, str(why.get("operatorName", "")), "" if kind else _NUMBER.sub("N", reason))
        if key not in self.reasons and len(self.reasons) >= MAX_REASONS:
            key = ("", "", "other reasons")
        count, example = self.reasons.get(key, (0, reason))
        self.reasons[key] = (count + 1, example)


@dataclass(slots=True)
class Ledger:
    """Where one processor's topics stood when `penstock dev` began."""

    spec: ProcessorSpec
    connection: Mapping[str, str]
    sources: Places
    outputs: Places

    @classmethod
    def open(cls, app: App, spec: ProcessorSpec) -> Ledger:
        """Look now, before anything runs."""
        source = spec.program.source
        assert source is not None
        config = _config(app, source.connection)
        with Reader(config, source.group_id or default_group(spec.name)) as reader:
            starts = reader.starts(source.topics, source.auto_offset_reset)
        outputs: Places = {}
        for connection, topic in _outputs(spec):
            with Reader(_config(app, connection), _READING) as reader:
                outputs |= reader.ends([topic])
        return cls(spec, config, starts, outputs)

    def left(self) -> int:
        """Records that the group has not committed yet."""
        committed, ends = self._now()
        return sum(max(0, end - committed[place]) for place, end in ends.items() if place in committed)

    def taken(self) -> int:
        """Offsets that the group has committed since: records, and markers of transactions where there are
        some."""
        committed, _ = self._now()
        return sum(place - self.sources.get(partition, 0) for partition, place in committed.items())

    def close(self, app: App, status: Status | None) -> Summary:
        """Read everything back. `status` is the processor's last: what it dropped is in no topic."""
        summary = Summary(self.spec.name, unchecked=_why_unchecked(self.spec))
        committed, ends = self._now()
        summary.left = sum(max(0, end - committed.get(place, end)) for place, end in ends.items())
        source, sink, letters = self.spec.program.source, self.spec.program.sink, self.spec.dead_letters
        assert source is not None
        with Reader(self.connection, _READING) as reader:
            summary.records = reader.read(self.sources, committed, lambda record: None)
        if sink is not None and sink.topic is not None:
            self._read(app, (sink.connection, sink.topic), summary.count_result)
        self._read(app, (letters.connection, letters.topic), summary.count_dead_letter)
        if status is not None:
            summary.dropped = status["dropped"]
        return summary

    def _read(self, app: App, output: tuple[str, str], count: Any) -> None:
        connection, topic = output
        with Reader(_config(app, connection), _READING) as reader:
            reader.read(self.outputs, reader.ends([topic]), count)

    def _now(self) -> tuple[Places, Places]:
        """(committed, ends), asked for in this order: what is committed by then is below the ends."""
        source = self.spec.program.source
        assert source is not None
        with Reader(self.connection, source.group_id or default_group(self.spec.name)) as reader:
            committed = {**self.sources, **reader.committed(source.topics)}
            return committed, reader.ends(source.topics)


# A group that is never joined: the client needs one to be made.
_READING: Final = "penstock-dev-readback"


def lines(summaries: Sequence[Summary], produced: Mapping[str, int]) -> list[str]:
    """The summary for a person. `produced` counts sample records by kind."""
    rows = [
        (one.name, one.records, one.results, one.dead_letters, one.dropped, one.left, _verdict(one))
        for one in summaries
    ]
    headings = ("processor", "read", "results", "dead letters", "dropped", "left", "")
    found = table(headings, rows)
    for one in summaries:
        if one.tombstones:
            found.append(f"{one.name}: {one.tombstones} of the results are tombstones")
        if one.reasons:
            found += ["", f"dead letters of {one.name}:"]
            found += table(
                ("  count", "kind of record", "at", "for example"),
                [
                    (_of(count, produced.get(kind)), kind or "-", operator, example)
                    for (kind, operator, _), (count, example) in sorted(one.reasons.items())
                ],
            )
    if produced:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(produced.items()))
        found += ["", f"the sample produced {sum(produced.values())} records: {kinds}"]
    return found


def _of(count: int, produced: int | None) -> str:
    return f"  {count}" if produced is None else f"  {count} of {produced}"


def _verdict(one: Summary) -> str:
    if one.unchecked:
        return f"not added up: {one.unchecked}"
    total = one.results + one.dead_letters + one.dropped
    return "adds up" if one.adds_up else f"DOES NOT ADD UP: {total} found of {one.records} read"


def _why_unchecked(spec: ProcessorSpec) -> str:
    sink = spec.program.sink
    if sink is None:
        return "the last stage is a call, results are in no topic"
    if sink.topic is None:
        return "an expression names the topic of each result"
    stages = {stage for segment in spec.program.segments for stage in segment.stages}
    return "$unwind makes several results of one record" if "$unwind" in stages else ""


def _outputs(spec: ProcessorSpec) -> Iterable[tuple[str, str]]:
    """(connection, topic) of the topics that are read back."""
    sink = spec.program.sink
    if sink is not None and sink.topic is not None:
        yield sink.connection, sink.topic
    yield spec.dead_letters.connection, spec.dead_letters.topic


def _config(app: App, name: str) -> dict[str, Any]:
    connection = app.connections[name]
    assert isinstance(connection, KafkaConnection)
    return client_config(connection, "consumer")


def _why(text: bytes | None) -> Mapping[str, Any]:
    try:
        found = json.loads(text or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
