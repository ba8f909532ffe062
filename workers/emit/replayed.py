"""Records on `<processor>.replay`: dead letters on their second way. Pure.

    dead letter -> `penstock dlq replay` -> record of the replay topic -> ReplayedRecord -> the engine

The record carries the original's coordinates in two headers. Seen through `ReplayedRecord` it is the original
again, so calls have the id that they had, and a new dead letter names the source's record.
"""

from __future__ import annotations

import re
from typing import Final

from topics.headers import RECORD_ID, REPLAYS
from workers.model import Headers
from workers.ports import SourceRecord

_RECORD_ID: Final = re.compile(rb"([A-Za-z0-9._-]{1,249})/(\d{1,10})/(\d{1,19})")
_REPLAYS: Final = re.compile(rb"\d{1,9}")


def replay_headers(headers: Headers | None, record_id: str, replays: int) -> Headers:
    """The original's headers and, behind them, the two of the replay."""
    ours = [(RECORD_ID.name, record_id.encode()), (REPLAYS.name, str(replays).encode())]
    return [*(headers or ()), *ours]


class ReplayedRecord:
    """A record of a replay topic as the record that it was. Keeps `ports.SourceRecord`.

    `replays` counts how often it was replayed, this time included.
    """

    __slots__ = ("_headers", "_offset", "_partition", "_record", "_topic", "replays")

    def __init__(self, record: SourceRecord, place: tuple[str, int, int], replays: int) -> None:
        self._record = record
        self._topic, self._partition, self._offset = place
        headers = record.headers()
        self._headers: Headers | None = None if headers is None else headers[:-2] or None
        self.replays = replays

    def topic(self) -> str | None:
        return self._topic

    def partition(self) -> int | None:
        return self._partition

    def offset(self) -> int | None:
        return self._offset

    def key(self) -> bytes | None:
        return self._record.key()

    def value(self) -> bytes | None:
        return self._record.value()

    def headers(self) -> Headers | None:
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        return self._record.timestamp()


def as_original(record: SourceRecord) -> SourceRecord:
    """What a record of a replay topic stands for; itself when it does not end with our two headers, because
    somebody else wrote it."""
    headers = record.headers() or ()
    if len(headers) < 2 or [name for name, _ in headers[-2:]] != [RECORD_ID.name, REPLAYS.name]:
        return record
    place = _RECORD_ID.fullmatch(headers[-2][1] or b"")
    count = _REPLAYS.fullmatch(headers[-1][1] or b"")
    if place is None or count is None:
        return record
    return ReplayedRecord(record, (place[1].decode(), int(place[2]), int(place[3])), int(count[0]))


def replays_of(record: SourceRecord) -> int:
    """How often a record was replayed: 0 for one of a source topic."""
    return record.replays if isinstance(record, ReplayedRecord) else 0
