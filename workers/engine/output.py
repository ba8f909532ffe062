"""Produces results and dead letters of one processor, and knows when they are acked.

Nothing is given up: what the producer's queue has no room for, and what came back unwritten, waits here in
order and is sent again. It is bounded by the processor's room, because every record in here is taken and not
settled. Only what belongs to a partition that moved away is forgotten: its next owner produces it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from workers.engine.partition import PartitionRun
from workers.engine.tally import Tally
from workers.logs import log_event
from workers.ports import Produced, Producer, SendFailure

log = logging.getLogger(__name__)

# The producer's own linger is 5 ms: looking again sooner cannot find more room.
FULL_SECONDS: Final = 0.005
FAILED_FIRST_SECONDS: Final = 0.2
FAILED_CAP_SECONDS: Final = 5.0


class Sending:
    """One record on its way out, whatever became of it so far.

    `place` is where it stands in the order. Without `on_too_large` a record that is too large is sent again
    until it is taken; without `on_no_topic` one whose topic is not there waits until somebody makes it.
    """

    __slots__ = (
        "headers",
        "is_alone",
        "key",
        "on_acked",
        "on_no_topic",
        "on_too_large",
        "output",
        "partition",
        "place",
        "timestamp_ms",
        "topic",
        "value",
    )

    def __init__(
        self,
        output: Output,
        partition: PartitionRun,
        record: Produced,
        on_acked: Callable[[], None],
        on_too_large: Callable[[str], None] | None,
    ) -> None:
        self.output = output
        self.partition = partition
        self.place = output.places(1)
        self.topic, self.value, self.key, self.headers, self.timestamp_ms = record
        self.on_acked = on_acked
        self.on_too_large = on_too_large
        self.on_no_topic: Callable[[str], None] | None = None
        self.is_alone = False

    def delivered(self, error: Any, _message: Any) -> None:
        if self.is_alone:
            self.output.alone -= 1
        if error is None:
            self.output.acked(self.topic, 1, len(self.value or b""))
            self.on_acked()
        else:
            self.output.failed(self, self.output.producer.failure(error))


class Output:
    """The way out to one connection."""

    def __init__(self, processor: str, producer: Producer, tally: Tally) -> None:
        self.producer = producer
        self.alone = 0
        """Records under way by themselves: what follows waits, or it would overtake them."""
        self._processor = processor
        self._tally = tally
        self._waiting: deque[Sending] = deque()
        self._failed_wait = FAILED_FIRST_SECONDS
        self._timer: asyncio.TimerHandle | None = None
        self._complained = ""
        self._places = 0

    def places(self, count: int) -> int:
        """The first of `count` places in the order, behind all that were given out before."""
        first = self._places
        self._places += count
        return first

    def send(self, sending: Sending) -> None:
        """Queue one record behind all that wait already."""
        if sending.partition.alive and (self._waiting or not self._offer(sending)):
            self._hold(sending)
            if self._timer is None:
                self._wake_in(FULL_SECONDS)

    def is_backed_up(self) -> bool:
        """Records wait here: nothing new should be begun."""
        return bool(self._waiting) or self.alone > 0

    def acked(self, topic: str, records: int, size_bytes: int) -> None:
        self._tally.produced[topic] += records
        self._tally.produced_bytes[topic] += size_bytes
        self._failed_wait = FAILED_FIRST_SECONDS

    def failed(self, sending: Sending, failure: SendFailure) -> None:
        """A record came back unwritten."""
        if failure.fatal:
            # Whoever's record it was: what else is under way hears nothing of a broken client. Not from here:
            # this runs inside the client's own poll.
            asyncio.get_running_loop().call_soon(self.producer.replace)
        if not sending.partition.alive:
            return
        if failure.too_large and not sending.is_alone:
            # A broker refuses whole batches: 50 KB in a batch with 10 bytes, for a topic that takes 20 KB,
            # sent the 10 bytes back, too. Only a record that was sent by itself is known to be the large one.
            sending.is_alone = True
            self._hold(sending)
            if self._timer is None:
                self._wake_in(FULL_SECONDS)
            return
        if failure.too_large and sending.on_too_large is not None:
            self._tally.produce_failures["too_large"] += 1
            sending.on_too_large(failure.reason)
            return
        if failure.no_topic and sending.on_no_topic is not None:
            self._tally.produce_failures["no_topic"] += 1
            sending.on_no_topic(failure.reason)
            return
        self._tally.produce_failures["fatal" if failure.fatal else "retried"] += 1
        if failure.reason != self._complained:
            # Once a reason: a topic without permission would say it for every record, every 5 s.
            log_event(
                log, logging.WARNING, "produce_failed",
                processor=self._processor, topic=sending.topic, reason=failure.reason,
            )  # fmt: skip
            self._complained = failure.reason
        self._hold(sending)
        if self._timer is None:
            self._wake_in(self._failed_wait)
            self._failed_wait = min(self._failed_wait * 2, FAILED_CAP_SECONDS)

    def close(self) -> None:
        """Stop trying. What waits was not committed and is read again by the next owner."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting.clear()

    def _offer(self, sending: Sending) -> bool:
        """False when the queue is full, or a record that left before is under way by itself."""
        if self.alone and not sending.is_alone:
            return False
        send = self.producer.send_alone if sending.is_alone else self.producer.send
        answer = send(
            sending.topic,
            sending.value,
            sending.key,
            sending.headers,
            sending.timestamp_ms,
            sending.delivered,
        )
        if answer is True:
            self.alone += sending.is_alone
            return True
        if answer is False:
            return False
        # What the client itself refuses as too large is refused for its own size; a fatal error or a topic
        # that is not there has nothing to do with its neighbours.
        sending.is_alone = sending.is_alone or answer.too_large
        self.failed(sending, answer)
        return True

    def _hold(self, sending: Sending) -> None:
        """Keep a record at its place: what comes back from a broken client left before what waits for
        room."""
        waiting = self._waiting
        at = len(waiting)
        while at and waiting[at - 1].place > sending.place:
            at -= 1
        waiting.insert(at, sending)

    def _wake_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._try_waiting)

    def _try_waiting(self) -> None:
        self._timer = None
        self.producer.poll()
        trying, self._waiting = self._waiting, deque()
        while trying:
            sending = trying.popleft()
            if sending.partition.alive and not self._offer(sending):
                trying.appendleft(sending)
                break
        if not self._waiting:
            self._waiting = trying
        else:
            # What failed on the way is older than what was not tried: each of these belongs at the end.
            for sending in trying:
                self._hold(sending)
        if self._waiting and self._timer is None:
            self._wake_in(FULL_SECONDS)
