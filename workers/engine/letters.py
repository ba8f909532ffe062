"""Writes the dead letters of one processor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from topics.codecs.errors import CodecError, NotADocument
from workers.emit.dead_letter import DeadLetter, DeadLetterPolicy, dead_letter, truncated
from workers.engine.meta import origin_of
from workers.engine.output import Output, Sending
from workers.engine.tally import Tally
from workers.model import Document, Refused
from workers.ports import SourceRecord


@dataclass(frozen=True, slots=True)
class LetterSettings:
    """Where dead letters go and how they look."""

    topic: str
    policy: DeadLetterPolicy


class Letters:
    """Turns refusals into records on the dead-letter topic. A record counts as dead-lettered once that is
    acked."""

    def __init__(self, settings: LetterSettings, output: Output, tally: Tally) -> None:
        self._settings, self._output, self._tally = settings, output, tally

    def send(self, record: SourceRecord, refused: Refused, on_acked: Callable[[], None]) -> None:
        """Write why `record` was refused. `on_acked` is called once, when the broker has it."""
        origin, now = (
            origin_of(record),
            datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        )
        policy = self._settings.policy

        def counted() -> None:
            self._tally.dead_letters[(refused.error_class, refused.scope)] += 1
            on_acked()

        def without_content(_reason: str) -> None:
            # Under 16 KiB; a topic that refuses even that is asked again until somebody mends it.
            self._write(
                truncated(origin, refused, policy, now), origin.timestamp_ms, counted, without_content
            )

        self._write(dead_letter(origin, refused, policy, now), origin.timestamp_ms, counted, without_content)

    def _write(
        self,
        letter: DeadLetter,
        timestamp_ms: int,
        on_acked: Callable[[], None],
        on_too_large: Callable[[str], None],
    ) -> None:
        item = (self._settings.topic, letter.value, letter.key, letter.headers, timestamp_ms)
        self._output.send(Sending(self._output, item, on_acked, on_too_large))


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


def tombstone(reason: str, path: str = "") -> Refused:
    """A null value that may not pass."""
    return Refused(reason, "$emit" if path else "$source", path, error_class="Tombstone")
