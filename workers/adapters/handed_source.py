"""Keeps the port `Source` for records that somebody else's consumer hands over, one by one, on the event
loop: a stream of Faust.

    take -> the processor -> commit -> acknowledge, in the order of the offsets

What was taken stays here until it is acknowledged, so that memory is bounded however far one record stands
behind the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from workers.model import Headers, Position, TopicPartition
from workers.ports import Batch, Membership, SourceStatus


class OriginHeaders(list[tuple[str, bytes | None]]):
    """Headers that know their record: they go with a result all the way to who takes it."""

    __slots__ = ("record",)

    def __init__(self, headers: Iterable[tuple[str, bytes | None]], record: HandedRecord) -> None:
        super().__init__(headers)
        self.record = record


class HandedRecord:
    """One record as it was read, with what acknowledges it. Keeps the port `SourceRecord`.

    `generation` tells apart assignments of the same partition; `handle` is the caller's own. `is_gone`: its
    partition was given up, and it is read again by whoever owns it next.
    """

    __slots__ = (
        "_headers", "_key", "_offset", "_timestamp_ms", "_value", "generation", "handle", "is_gone",
        "partition_key",
    )  # fmt: skip

    def __init__(
        self, partition: TopicPartition, offset: int, content: tuple[bytes | None, bytes | None, Headers],
        timestamp_ms: int, generation: object, handle: Any,
    ) -> None:  # fmt: skip
        """`content` is (key, value, headers), byte for byte."""
        self.partition_key = partition
        self._offset = offset
        self._key, self._value, headers = content
        self._headers = OriginHeaders(headers, self)
        self._timestamp_ms = timestamp_ms
        self.generation = generation
        self.handle = handle
        self.is_gone = False

    def topic(self) -> str:
        return self.partition_key.topic

    def partition(self) -> int:
        return self.partition_key.partition

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> Headers:
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        return (1 if self._timestamp_ms else 0), self._timestamp_ms

    def __len__(self) -> int:
        return len(self._value or b"")


class Takes(Protocol):
    """What the processor does with it all. Everything runs on the loop."""

    def take_assigned(self, positions: Mapping[TopicPartition, Position]) -> None: ...
    def take_records(self, batches: Sequence[Batch]) -> None: ...
    async def give_up(
        self, partitions: Sequence[TopicPartition], membership: Membership | None
    ) -> Mapping[TopicPartition, Position]: ...
    def take_lost(self, partitions: Sequence[TopicPartition]) -> None: ...


class _Held:
    """What was taken of one partition in one generation and is not acknowledged, by rising offset."""

    __slots__ = ("generation", "next_offset", "records")

    def __init__(self, generation: object, offset: int) -> None:
        self.generation, self.next_offset = generation, offset
        self.records: deque[HandedRecord] = deque()


class HandedSource:
    """One stream of records. Everything runs on the loop.

    Records are acknowledged in the order of their offsets only, each when it and all that were taken before
    it in its partition have settled: Faust's consumer commits past a record that was not acknowledged when
    one behind it was (seen in 0.15.3: an open record right at the committed offset, or anything open before
    the first commit).
    """

    def __init__(
        self, max_records: int, max_bytes: int, acknowledge: Callable[[Any], None],
        forget: Callable[[Any], None],
    ) -> None:  # fmt: skip
        """`acknowledge` and `forget` get a record's handle: it is done with, or it is given up."""
        self._max_records, self._max_bytes = max_records, max_bytes
        self._acknowledge, self._forget = acknowledge, forget
        self._takes: Takes | None = None
        self._held: dict[TopicPartition, _Held] = {}
        self._left = object()
        """The generation that was given up last."""
        self._records = self._bytes = 0
        self._is_quiet = False
        self._room = asyncio.Event()

    def feed(self, takes: Takes) -> None:
        """Hand everything to this processor."""
        self._takes = takes

    # What the one who reads calls.

    def take(self, record: HandedRecord) -> None:
        """Take one record. One of a generation that was given up, or that was taken in its generation
        already, is forgotten; one of a new generation begins its partition anew."""
        assert self._takes is not None
        key, offset = record.partition_key, record.offset()
        held = self._held.get(key)
        if record.generation == self._left or self._is_quiet:
            self._give_back(record)
            return
        if held is not None and held.generation != record.generation:
            self._takes.take_lost([key])
            self._drop([key])
            held = None
        if held is None:
            held = self._held[key] = _Held(record.generation, offset)
            self._takes.take_assigned({key: Position(offset)})
        elif offset < held.next_offset:
            self._give_back(record)
            return
        held.records.append(record)
        held.next_offset = offset + 1
        self._records += 1
        self._bytes += len(record)
        self._takes.take_records([Batch(key, [record], [offset], len(record))])

    async def room(self) -> None:
        """Returns when one more record may be taken."""
        while self._records >= self._max_records or self._bytes >= self._max_bytes:
            self._room.clear()
            await self._room.wait()

    def lose(self) -> None:
        """The partitions are somebody else's: everything that is left is forgotten. Records of their
        generation are not taken any more."""
        assert self._takes is not None
        if self._held:
            self._left = next(iter(self._held.values())).generation
            self._takes.take_lost(list(self._held))
            self._drop(list(self._held))

    async def leave(self) -> None:
        """The partitions are about to move: what has begun may end within the revoke drain and is
        acknowledged, the rest is forgotten. Records of their generation are not taken any more."""
        assert self._takes is not None
        leaving = dict(self._held)
        if not leaving:
            return
        self._left = next(iter(leaving.values())).generation
        positions = await self._takes.give_up(list(leaving), None)
        # One that came back meanwhile, in a new generation, has been begun anew.
        left = [key for key, held in leaving.items() if self._held.get(key) is held]
        self.commit({key: position for key, position in positions.items() if key in left})
        self._drop(left)

    # The port.

    def commit(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Acknowledge what is below the frontier. What settled above it is not named anywhere: a successor
        does it again."""
        for key, position in positions.items():
            held = self._held.get(key)
            while held is not None and held.records and held.records[0].offset() < position.offset:
                self._acknowledge(self._removed(held).handle)
        self._room.set()

    def freed(self, partition: TopicPartition, records: int, size_bytes: int) -> None:
        """Room is given back when a record is acknowledged."""

    def quiesce(self) -> None:
        self._is_quiet = True

    def membership(self) -> Future[Membership | None]:
        return _done(None)

    def positions(
        self, partitions: Sequence[TopicPartition]
    ) -> Future[Mapping[TopicPartition, Position] | None]:
        return _done(None)

    def transacted(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Transactions are not offered here."""

    def stop(self) -> Future[None]:
        self.quiesce()
        self._drop(list(self._held))
        return _done(None)

    def status(self) -> SourceStatus:
        return SourceStatus(
            ready=True, trouble="", protocol="handed", lag={}, committed={}, paused=0,
            buffered_bytes=self._bytes,
        )  # fmt: skip

    def _drop(self, keys: Iterable[TopicPartition]) -> None:
        for key in keys:
            held = self._held.pop(key)
            while held.records:
                self._give_back(self._removed(held))
        self._room.set()

    def _removed(self, held: _Held) -> HandedRecord:
        record = held.records.popleft()
        self._records -= 1
        self._bytes -= len(record)
        return record

    def _give_back(self, record: HandedRecord) -> None:
        record.is_gone = True
        self._forget(record.handle)


def _done(value: Any) -> Future[Any]:
    done: Future[Any] = Future()
    done.set_result(value)
    return done
