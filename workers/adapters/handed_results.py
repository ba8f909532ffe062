"""Keeps the port `Producer` for results that are handed to somebody in this process instead of a topic."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from topics.codecs import json as codec
from workers.adapters.handed_source import HandedRecord, OriginHeaders
from workers.model import Headers
from workers.ports import Delivered, SendFailure, SourceRecord


@dataclass(frozen=True, slots=True)
class HandedResult:
    """One result and the record that it came of."""

    record: HandedRecord
    raw: bytes | None
    key: bytes | None
    headers: Headers
    delivered: Delivered

    @property
    def document(self) -> Any:
        """The document; None of a tombstone."""
        return None if self.raw is None else codec.decode(self.raw)

    @property
    def is_gone(self) -> bool:
        """Its partition was given up: whoever owns it next makes the result again."""
        return self.record.is_gone

    def settle(self) -> None:
        """Whoever got it is done with it."""
        self.delivered(None, None)


class HandedResults:
    """A line of results in the order they leave. Bounded by the source: each is of a record that is taken and
    not acknowledged."""

    def __init__(self) -> None:
        self._waiting: deque[HandedResult] = deque()
        self._more = asyncio.Event()

    async def next(self) -> HandedResult:
        """The next result of a partition that is ours. Its taker calls `settle`."""
        while True:
            while self._waiting:
                result = self._waiting.popleft()
                if not result.is_gone:
                    return result
            self._more.clear()
            await self._more.wait()

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers | None,
        timestamp_ms: int,
        delivered: Delivered,
    ) -> SendFailure | bool:
        assert isinstance(headers, OriginHeaders), "a result has the headers of its record"
        # Of partitions that moved while nobody took results: they would be in here beside the room's.
        while self._waiting and self._waiting[0].is_gone:
            self._waiting.popleft()
        self._waiting.append(HandedResult(headers.record, value, key, list(headers), delivered))
        self._more.set()
        return True

    def send_many(
        self, topic: str, values: Sequence[bytes | None], records: Sequence[SourceRecord], places: range,
        delivered: Delivered,
    ) -> int:  # fmt: skip
        for place in places:
            value, record = values[place], records[place]
            if value is not None:
                headers, moment = record.headers(), record.timestamp()[1]
                self.send(topic, value, record.key(), headers, moment, delivered)
        return places.stop

    def send_alone(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers | None,
        timestamp_ms: int,
        delivered: Delivered,
    ) -> SendFailure | bool:
        return self.send(topic, value, key, headers, timestamp_ms, delivered)

    def poll(self) -> int:
        """Nothing is due: who takes a result settles it."""
        return 0

    def outstanding(self) -> int:
        return len(self._waiting)

    def failure(self, error: Any) -> SendFailure:
        return SendFailure(str(error))

    def replace(self) -> None:
        """Nothing breaks here."""

    def close(self) -> None:
        self._waiting.clear()
