"""The catalogue of record headers that Penstock writes. Every name is here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Header:
    """One header: its name on the wire, what its value holds, and what it means."""

    name: str
    value: str
    meaning: str


DEAD_LETTER: Final = Header(
    name="penstock-dead-letter",
    value="JSON object {processorName, operatorName, dlqTime, errInfo, _stream_meta, doc}",
    meaning="Why and where the record was dead-lettered. Key, value and other headers are the original's.",
)

RECORD_ID: Final = Header(
    name="penstock-record-id",
    value="text topic/partition/offset",
    meaning="On <processor>.replay: the source's record that this one is. Calls of it carry this id again.",
)

REPLAYS: Final = Header(
    name="penstock-replays",
    value="a whole number in decimal, from 1",
    meaning="On <processor>.replay: how often that record was replayed, this time included.",
)

ALL: Final = tuple(value for value in list(globals().values()) if isinstance(value, Header))
PREFIX: Final = "penstock-"
