"""From the poll thread to the event loop. Keeps the port `SourceEvents`; every method runs on the poll
thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Final, Protocol

from workers.model import Position, TopicPartition
from workers.ports import Batch, Membership

# What the loop may take beyond the drain itself to answer, before the partitions are given up without its
# word.
GRACE_SECONDS: Final = 5.0


class Takes(Protocol):
    """What the loop's side does with the events. Every method runs on the loop, in the order of the
    events."""

    def take_assigned(self, positions: Mapping[TopicPartition, Position]) -> None: ...
    def take_records(self, batches: Sequence[Batch]) -> None: ...
    def take_end(self, partition: TopicPartition, next_offset: int) -> None: ...
    async def give_up(
        self, partitions: Sequence[TopicPartition], membership: Membership | None
    ) -> Mapping[TopicPartition, Position]: ...
    def take_lost(self, partitions: Sequence[TopicPartition]) -> None: ...
    def take_failure(self, reason: str) -> None: ...
    def take_crash(self, error: BaseException) -> None: ...


class Intake:
    """One `call_soon_threadsafe` for each answer of the consumer: the queue between is bounded by the
    room."""

    def __init__(self, loop: asyncio.AbstractEventLoop, takes: Takes, revoke_drain_seconds: float) -> None:
        self._loop, self._takes, self._drain_seconds = loop, takes, revoke_drain_seconds

    def assigned(self, positions: Mapping[TopicPartition, Position]) -> None:
        self._hand_over(self._takes.take_assigned, positions)

    def records(self, batches: Sequence[Batch]) -> None:
        self._hand_over(self._takes.take_records, batches)

    def end_of_partition(self, partition: TopicPartition, next_offset: int) -> None:
        self._hand_over(self._takes.take_end, partition, next_offset)

    def revoking(
        self, partitions: Sequence[TopicPartition], membership: Membership | None = None
    ) -> Mapping[TopicPartition, Position]:
        """Everything the poll thread handed over before this call is taken by the loop before it, too."""
        answer = asyncio.run_coroutine_threadsafe(self._takes.give_up(partitions, membership), self._loop)
        try:
            return answer.result(self._drain_seconds + GRACE_SECONDS)
        except FutureTimeout:
            self.lost(partitions)
            return {}

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        self._hand_over(self._takes.take_lost, partitions)

    def failed(self, reason: str) -> None:
        self._hand_over(self._takes.take_failure, reason)

    def _hand_over(self, take: Callable[..., None], *event: object) -> None:
        self._loop.call_soon_threadsafe(self._take, take, event)

    def _take(self, take: Callable[..., None], event: tuple[object, ...]) -> None:
        """An event that is lost to a bug would be committed past: the loop alone would only log it."""
        try:
            take(*event)
        except Exception as error:
            self._takes.take_crash(error)
