"""Produces results and dead letters of one processor, and knows when they are acked.

Nothing is given up: what the producer's queue has no room for, and what came back unwritten, waits here in
order and is sent again. It is bounded by the processor's room, because every record in here is taken and not
settled.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from workers.engine.tally import Tally
from workers.logs import log_event
from workers.model import Headers
from workers.ports import Producer, SendFailure

log = logging.getLogger(__name__)

# The producer's own linger is 5 ms: looking again sooner cannot find more room.
FULL_SECONDS: Final = 0.005
FAILED_FIRST_SECONDS: Final = 0.2
FAILED_CAP_SECONDS: Final = 5.0


Produced: TypeAlias = "tuple[str, bytes | None, bytes | None, Headers | None, int]"
"""What to produce: (topic, value, key, headers, timestamp in ms)."""


class Sending:
    """One record on its way out, whatever became of it so far."""

    __slots__ = ("headers", "key", "on_acked", "on_too_large", "output", "timestamp_ms", "topic", "value")

    def __init__(
        self,
        output: Output,
        record: Produced,
        on_acked: Callable[[], None],
        on_too_large: Callable[[str], None],
    ) -> None:
        self.output = output
        self.topic, self.value, self.key, self.headers, self.timestamp_ms = record
        self.on_acked = on_acked
        self.on_too_large = on_too_large

    def delivered(self, error: Any, _message: Any) -> None:
        if error is None:
            self.output.acked(self.topic, 1, len(self.value or b"") + len(self.key or b""))
            self.on_acked()
        else:
            self.output.failed(self, self.output.producer.failure(error))


class Output:
    """The way out to one connection."""

    def __init__(self, processor: str, producer: Producer, tally: Tally) -> None:
        self.producer = producer
        self._processor = processor
        self._tally = tally
        self._waiting: deque[Sending] = deque()
        self._failed_wait = FAILED_FIRST_SECONDS
        self._timer: asyncio.TimerHandle | None = None
        self._complained = ""

    def send(self, sending: Sending) -> None:
        """Queue one record behind all that wait already."""
        if self._waiting or not self._offer(sending):
            self._wait_with(sending)

    def is_backed_up(self) -> bool:
        """Records wait here: nothing new should be begun."""
        return bool(self._waiting)

    def acked(self, topic: str, records: int, size_bytes: int) -> None:
        self._tally.produced[topic] += records
        self._tally.produced_bytes[topic] += size_bytes
        self._failed_wait = FAILED_FIRST_SECONDS

    def failed(self, sending: Sending, failure: SendFailure) -> None:
        """A record came back unwritten."""
        if failure.too_large:
            self._tally.produce_failures["too_large"] += 1
            sending.on_too_large(failure.reason)
            return
        self._tally.produce_failures["fatal" if failure.fatal else "retried"] += 1
        if failure.reason != self._complained:
            # Once a reason: a topic without permission would say it for every record, every 5 s.
            log_event(
                log, logging.WARNING, "produce_failed",
                processor=self._processor, topic=sending.topic, reason=failure.reason,
            )  # fmt: skip
            self._complained = failure.reason
        self._waiting.append(sending)
        if self._timer is None:
            self._wake_in(self._failed_wait)
            self._failed_wait = min(self._failed_wait * 2, FAILED_CAP_SECONDS)
        if failure.fatal:
            # Not from here: this runs inside the client's own poll.
            asyncio.get_running_loop().call_soon(self.producer.replace)

    def close(self) -> None:
        """Stop trying. What waits was not committed and is read again by the next owner."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting.clear()

    def _offer(self, sending: Sending) -> bool:
        """False when the queue is full."""
        answer = self.producer.send(
            sending.topic,
            sending.value,
            sending.key,
            sending.headers,
            sending.timestamp_ms,
            sending.delivered,
        )
        if answer is True:
            return True
        if answer is False:
            return False
        self.failed(sending, answer)
        return True

    def _wait_with(self, sending: Sending) -> None:
        self._waiting.append(sending)
        if self._timer is None:
            self._wake_in(FULL_SECONDS)

    def _wake_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._try_waiting)

    def _try_waiting(self) -> None:
        self._timer = None
        self.producer.poll()
        for _ in range(len(self._waiting)):
            sending = self._waiting.popleft()
            if not self._offer(sending):
                self._waiting.appendleft(sending)
                break
        if self._waiting and self._timer is None:
            self._wake_in(FULL_SECONDS)
