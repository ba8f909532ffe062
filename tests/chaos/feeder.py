"""Writes the records of a run at an even pace, each exactly once, while the broker comes and goes."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from confluent_kafka import KafkaError, Message, Producer

from tests.chaos.fates import key_of, value_of

# The first part at once, so that there is a backlog from the beginning.
AT_ONCE_SHARE: Final = 0.15
PACE_SECONDS: Final = 0.05
# A broker that is killed on purpose is nothing to tell about.
QUIET: Final = logging.getLogger("tests.chaos.client")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


class Feeder(threading.Thread):
    """Produces `count` records within `seconds`, idempotently."""

    def __init__(self, bootstrap: str, topic: str, seed: int, count: int, seconds: float) -> None:
        super().__init__(name="feeder", daemon=True)
        self._topic, self._seed, self._count, self._seconds = topic, seed, count, seconds
        self.acked = 0
        self.failure = ""
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": 0,
                "queue.buffering.max.messages": 1_000_000,
            },
            logger=QUIET,
        )

    @property
    def is_done(self) -> bool:
        """Every record is written. Raises AssertionError when that will never be."""
        assert not self.failure, self.failure
        return self.acked == self._count

    def run(self) -> None:
        try:
            began, sent = time.monotonic(), 0
            while sent < self._count:
                passed = (time.monotonic() - began) / self._seconds if self._seconds else 1.0
                due = min(self._count, int(self._count * max(AT_ONCE_SHARE, passed)))
                for number in range(sent, due):
                    self._produce(number)
                sent = due
                self._producer.poll(PACE_SECONDS)
            while self.acked < self._count and not self.failure:
                self._producer.poll(PACE_SECONDS)
        except Exception as error:
            self.failure = f"the feeder ended: {error!r}"

    def _produce(self, number: int) -> None:
        value, key = value_of(self._seed, number), key_of(self._seed, number)
        self._producer.produce(self._topic, value, key, on_delivery=self._delivered)
        if number % 500 == 0:
            self._producer.poll(0)

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.acked += 1
        else:
            self.failure = f"writing a source record: {error}"
