"""Writes the dead letters of one processor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from topics.codecs.errors import CodecError, NotADocument
from workers.emit.dead_letter import DeadLetter, DeadLetterPolicy, dead_letter, truncated
from workers.engine.meta import origin_of
from workers.engine.output import Output, Sending
from workers.engine.partition import PartitionRun
from workers.engine.tally import Tally
from workers.model import PROCESSOR_SCOPE, Document, Refused
from workers.ports import Produced, SourceRecord


@dataclass(frozen=True, slots=True)
class LetterSettings:
    """Where dead letters go and how they look."""

    topic: str
    policy: DeadLetterPolicy


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter to produce; `smaller` makes the one without content, for a topic that refuses it."""

    item: Produced
    smaller: Callable[[], Produced]


class Letters:
    """Turns refusals into records on the dead-letter topic. A record counts as dead-lettered once that is
    acked. A refusal that stops the processor is handed to `on_fail` instead: its record never settles."""

    def __init__(
        self, settings: LetterSettings, output: Output, tally: Tally, on_fail: Callable[[str], None]
    ) -> None:
        self._settings, self._output, self._tally, self._on_fail = settings, output, tally, on_fail

    def send(
        self, partition: PartitionRun, record: SourceRecord, refused: Refused, on_acked: Callable[[], None]
    ) -> None:
        """Write why `record` was refused. `on_acked` is called once, when the broker has it."""
        if self.stops(record, refused):
            return
        letter = self.letter(record, refused)

        def counted() -> None:
            self._tally.dead_lettered(refused.error_class, refused.scope)
            on_acked()

        def without_content(_reason: str) -> None:
            # A topic that refuses even this is asked again, with a growing wait, until somebody mends it.
            self._output.send(Sending(self._output, partition, letter.smaller(), counted, None))

        self._output.send(Sending(self._output, partition, letter.item, counted, without_content))

    def stops(self, record: SourceRecord, refused: Refused) -> bool:
        """Whether this refusal stops the processor; it is told to, then."""
        if refused.scope != PROCESSOR_SCOPE:
            return False
        where = f"{record.topic()}[{record.partition()}]@{record.offset()}"
        self._on_fail(f"{refused.path}: {refused.reason} (record {where})")
        return True

    def letter(self, record: SourceRecord, refused: Refused) -> Letter:
        """The dead letter of a refusal, as of now."""
        origin, policy = origin_of(record), self._settings.policy
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

        def produced(letter: DeadLetter) -> Produced:
            return self._settings.topic, letter.value, letter.key, letter.headers, origin.timestamp_ms

        return Letter(
            produced(dead_letter(origin, refused, policy, now)),
            lambda: produced(truncated(origin, refused, policy, now)),
        )


def internal(error: Exception, operator: str, path: str, doc: Document | None) -> Refused:
    """A document that met a bug of Penstock's own. It is dead-lettered like any other that cannot pass:
    ending the process would bring the same record back to the next one."""
    return Refused(
        f"an error in Penstock itself: {error!r}"[:500],
        operator,
        path,
        doc,
        error_class="Internal",
        scope="worker",
    )


def poison(error: NotADocument) -> Refused:
    """A record whose value is no document."""
    return Refused(error.reason, "$source", "", error_class=f"Poison({error.kind})")


def not_encodable(error: CodecError, doc: Document, path: str) -> Refused:
    """A result that cannot be written as JSON."""
    return Refused(error.reason, "$emit", path, doc, error_class="NotEncodable")


def result_too_large(reason: str, path: str) -> Refused:
    """A result that its topic does not take."""
    return Refused(
        f"the result was not taken by its topic: {reason}", "$emit", path, error_class="ResultTooLarge"
    )


def no_topic(reason: str, path: str) -> Refused:
    """A result for a topic that a document named and that cannot be written to."""
    return Refused(f"the result has no topic: {reason}", "$emit", f"{path}.topic", error_class="NoTopic")


def too_many_topics(limit: int, path: str, doc: Document) -> Refused:
    """A topic beyond those that one `$emit` may name."""
    reason = f"a new topic after {limit} others: $emit names at most {limit} by expression"
    return Refused(reason, "$emit", f"{path}.topic", doc, error_class="TooManyTopics")


def tombstone(reason: str, path: str = "") -> Refused:
    """A null value that may not pass."""
    return Refused(reason, "$emit" if path else "$source", path, error_class="Tombstone")
