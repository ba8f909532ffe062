"""The short way of a pipeline without calls and with a plain sink: a slice is produced in one loop and
settles as a whole.

Nothing is kept for a single record but its encoded value, and that only until the slice is acked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from topics.codecs import json as codec
from topics.codecs.errors import CodecError, NotADocument
from workers.engine.letters import Letters, not_encodable, poison, result_too_large, tombstone
from workers.engine.outcomes import Outcomes
from workers.engine.output import Output, Sending
from workers.engine.partition import PartitionRun
from workers.engine.tally import Tally
from workers.model import DROPPED, Document, Many, Refused
from workers.pipeline.program import Sink
from workers.ports import SourceRecord
from workers.progress.frontier import Span

Tombstones = Literal["pass", "drop", "dlq"]


@dataclass(frozen=True, slots=True)
class Ends:
    """Where documents end: results, dead letters, counts."""

    results: Output
    letters: Letters
    tally: Tally
    tombstones: Tombstones
    outcomes: Outcomes | None = None
    """Where everything goes instead under exactly-once."""


class Slice:
    """Records of one partition that are produced together. `open` counts those that are not done."""

    __slots__ = (
        "_at_loss",
        "_ends",
        "_first",
        "_otherwise",
        "_partition",
        "_records",
        "_sink",
        "_span",
        "_values",
        "open",
    )

    def __init__(
        self, partition: PartitionRun, records: list[SourceRecord], span: Span, sink: Sink, ends: Ends
    ) -> None:
        self._partition, self._records, self._span, self._sink, self._ends = (
            partition,
            records,
            span,
            sink,
            ends,
        )
        self._values: list[bytes | None] = [None] * len(records)
        self._at_loss: set[int] = set()
        self._otherwise = 0  # records that ended without a result
        self._first = ends.results.places(len(records))
        self.open = len(records)
        partition.begin()

    def produce(self, outcomes: Sequence[Any], first: int) -> None:
        """Send what became of the records from `first` on, in order: runs of results go straight to the
        producer, what is neither a result nor filtered out goes the long way between them. The loop is what
        an event costs in a pipeline without calls, so it holds nothing that a good record does not need."""
        values, encode = self._values, codec.encode
        run, dropped = first, 0
        for index, outcome in enumerate(outcomes, first):
            if outcome.__class__ is dict:
                try:
                    values[index] = encode(outcome)
                except CodecError as error:
                    self._refuse(index, not_encodable(error, outcome, self._sink.path))
            elif outcome.__class__ is bytes:  # a document that did not change, as it came
                values[index] = outcome
            elif outcome is DROPPED:
                dropped += 1
            else:
                self._send_run(run, index)
                run = index + 1
                self._one(index, outcome)
        self._send_run(run, first + len(outcomes))
        if dropped:
            self._done("dropped", dropped)

    def _send_run(self, start: int, stop: int) -> None:
        """Send the values of [start, stop) that there are."""
        topic, results, values = self._sink.topic, self._ends.results, self._values
        assert topic is not None
        while start < stop:
            if not results.is_backed_up():
                start = results.producer.send_many(
                    topic, values, self._records, range(start, stop), self.delivered
                )
            if start < stop:
                # Full, or this one is refused: it waits, or ends, by itself, and the rest behind it.
                value, values[start] = values[start], None
                if value is not None:
                    done = partial(self._done, "emitted")
                    self._send(start, value, done, partial(self._too_large, start))
                start += 1

    def delivered(self, error: Any, message: Any) -> None:
        """The producer's callback for every record that went straight to it."""
        if error is None:
            self.open -= 1
            if not self.open:
                self._close()
        else:
            self._failed(error, message)

    def _one(self, index: int, outcome: Any) -> None:
        """The long way for one record: with headers, refused, filtered out, or when the producer is full."""
        if outcome.__class__ is dict:
            self._documents(index, [outcome])
        elif isinstance(outcome, Many):
            self._documents(index, outcome.docs)
        elif isinstance(outcome, Refused):
            self._refuse(index, outcome)
        elif isinstance(outcome, NotADocument):
            self._refuse(index, poison(outcome))
        elif outcome is None and self._ends.tombstones != "drop":
            if self._ends.tombstones == "dlq":
                self._refuse(index, tombstone("the value is null (a tombstone)"))
            else:
                self._send(index, None, partial(self._done, "emitted"), partial(self._too_large, index))
        else:
            assert outcome is None or outcome is DROPPED, f"a segment answered {type(outcome).__name__}"
            self._done("dropped")

    def _documents(self, index: int, docs: Sequence[Document | Refused]) -> None:
        if not docs:
            self._done("dropped")
            return
        ends: list[bytes | Refused] = []
        for doc in docs:
            if isinstance(doc, Refused):
                ends.append(doc)
                continue
            try:
                ends.append(codec.encode(doc))
            except CodecError as error:
                ends.append(not_encodable(error, doc, self._sink.path))
        left = len(ends)
        outcome = "dead_lettered" if any(isinstance(end, Refused) for end in ends) else "emitted"

        def acked() -> None:
            nonlocal left
            left -= 1
            if not left:
                self._done(outcome)

        def too_large(reason: str) -> None:
            nonlocal outcome
            outcome = "dead_lettered"
            refused = result_too_large(reason, self._sink.path)
            self._ends.letters.send(self._partition, self._records[index], refused, acked)

        for end in ends:
            if isinstance(end, Refused):
                self._ends.letters.send(self._partition, self._records[index], end, acked)
            else:
                self._send(index, end, acked, too_large)

    def _send(
        self,
        index: int,
        value: bytes | None,
        on_acked: Callable[[], None],
        on_too_large: Callable[[str], None],
    ) -> None:
        record = self._records[index]
        assert self._sink.topic is not None
        item = (self._sink.topic, value, record.key(), record.headers(), record.timestamp()[1])
        results = self._ends.results
        sending = Sending(results, self._partition, item, on_acked, on_too_large)
        sending.place = self._first + index
        results.send(sending)

    def _refuse(self, index: int, refused: Refused) -> None:
        done = partial(self._done, "dead_lettered")
        self._ends.letters.send(self._partition, self._records[index], refused, done)

    def _too_large(self, index: int, reason: str) -> None:
        self._refuse(index, result_too_large(reason, self._sink.path))

    def _done(self, outcome: str, count: int = 1) -> None:
        if outcome != "emitted":
            self._ends.tally.outcomes[outcome] += count
            self._otherwise += count
        self.open -= count
        if not self.open:
            self._close()

    def _close(self) -> None:
        ends, count = self._ends, len(self._records)
        ends.tally.outcomes["emitted"] += count - self._otherwise
        straight = [value for value in self._values if value is not None]
        if straight:
            assert self._sink.topic is not None
            ends.results.acked(self._sink.topic, len(straight), sum(map(len, straight)))
        self._partition.settled_some(self._span, count, sum(map(len, self._records)))  # type: ignore[arg-type]
        self._partition.end()

    def _failed(self, error: Any, message: Any) -> None:
        """A record that went straight to the producer came back. The client names it by its content only, and
        a record that never left has lost its time: of two with the same key and value either may be the one,
        the one with the same time before others, and sending either again is right."""
        value, key, moment = message.value(), message.key(), message.timestamp()[1]
        alike = [
            i
            for i, record in enumerate(self._records)
            if self._values[i] == value and i not in self._at_loss and record.key() == key
        ]
        assert alike, f"a record came back that was not sent: {error}"
        index = next((i for i in alike if self._records[i].timestamp()[1] == moment), alike[0])
        self._at_loss.add(index)
        self._values[index] = None
        results, record = self._ends.results, self._records[index]
        assert self._sink.topic is not None
        item = (self._sink.topic, value, record.key(), record.headers(), record.timestamp()[1])
        sending = Sending(
            results, self._partition, item, partial(self._done, "emitted"), partial(self._too_large, index)
        )
        sending.place = self._first + index
        results.failed(sending, results.producer.failure(error))
