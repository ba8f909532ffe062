"""What one answer of a consumer holds: runs of records by partition, and events between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from confluent_kafka import Message

Run = dict[tuple[str, int], list[Any]]
"""Records by (topic, partition), in offset order."""


def runs_of(messages: Sequence[Message]) -> Iterator[tuple[Run, Message | None]]:
    """Records that came together, each time with the event that followed them: what came before an event of a
    partition must be known before the event. The last has none."""
    runs: Run = {}
    topic: Any = ""
    number: Any = -1
    append: Any = None
    for message in messages:
        if message.error() is not None:
            yield runs, message
            runs, topic = {}, ""
            continue
        if message.partition() != number or message.topic() != topic:
            topic, number = message.topic(), message.partition()
            append = runs.setdefault((topic, number), []).append
        append(message)
    yield runs, None


def fresh(run: list[Any], expected: int) -> tuple[list[Any], list[int]]:
    """The records from offset `expected` on, and their offsets. The others were fetched before a seek or an
    earlier life of the partition here, and were delivered then."""
    offsets: list[int] = [message.offset() for message in run]
    if offsets[0] >= expected:
        return run, offsets
    at = next((index for index, offset in enumerate(offsets) if offset >= expected), len(offsets))
    return run[at:], offsets[at:]
