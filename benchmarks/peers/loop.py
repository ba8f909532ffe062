"""The peer to measure the engine against: what a good engineer writes by hand with confluent-kafka and
orjson.

decode -> match -> add a field -> emit, with the engine's guarantees and no more: idempotent producer,
delivery callbacks, key, headers and timestamp passed on, each second a commit of what is acked without a
gap. Run: python -m benchmarks.peers.loop BOOTSTRAP IN_TOPIC OUT_TOPIC GROUP EXPECTED [stay]
With `stay` it lives on until SIGTERM, so that its CPU can still be read from outside.
"""

from __future__ import annotations

import collections
import json
import resource
import signal
import sys
import time
from typing import Any, Final

import orjson
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

BATCH_RECORDS: Final = 2_000
MAX_OUTSTANDING_RECORDS: Final = 100_000
COMMIT_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 60.0


class Batch:
    """Records taken at once. Done when every record of it that was produced is acked."""

    __slots__ = ("left", "positions")

    def __init__(self, positions: dict[tuple[str, int], int]) -> None:
        self.positions = positions
        self.left = 0

    def delivered(self, error: KafkaError | None, _record: Message) -> None:
        """The delivery callback of all records of the batch."""
        if error is not None:
            raise SystemExit(f"a record was not written: {error}")
        self.left -= 1


class Loop:
    """One consumer, one producer, one thread."""

    def __init__(self, bootstrap: str, group: str) -> None:
        self.consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "group.protocol": "consumer",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "fetch.queue.backoff.ms": 10,
            }
        )
        self.producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 5,
                "acks": "all",
                "enable.idempotence": True,
                "queue.buffering.max.messages": 2 * MAX_OUTSTANDING_RECORDS,
                "queue.buffering.max.kbytes": 262_144,
            }
        )
        self.open: collections.deque[Batch] = collections.deque()
        self.emitted = 0

    def run(self, source: str, target: str, expected: int) -> dict[str, Any]:
        """Take `expected` records; returns the CPU between the first record and the last ack and commit."""
        self.consumer.subscribe([source])
        taken, commit_at, idle_since = 0, time.monotonic() + COMMIT_SECONDS, time.monotonic()
        cpu = wall = 0.0
        while taken < expected:
            messages = self.consumer.consume(BATCH_RECORDS, 0.1)
            now = time.monotonic()
            if messages:
                if not taken:
                    cpu, wall = _cpu(), now
                idle_since = now
                taken += self.work(messages, target)
            elif now - idle_since > IDLE_SECONDS:
                raise SystemExit(f"{taken} of {expected} records, then none for {IDLE_SECONDS:g} s")
            self.producer.poll(0)
            while len(self.producer) > MAX_OUTSTANDING_RECORDS:
                self.producer.poll(0.01)
            if now >= commit_at:
                commit_at = now + COMMIT_SECONDS
                self.commit(wait=False)
        self.producer.flush()
        self.commit(wait=True)
        spent, took = _cpu() - cpu, time.monotonic() - wall
        self.consumer.close()
        return {
            "events": taken, "emitted": self.emitted, "cpu_us_per_event": spent / taken * 1e6,
            "cpu_us_per_output": spent / self.emitted * 1e6, "events_per_second": taken / took,
        }  # fmt: skip

    def work(self, messages: list[Any], target: str) -> int:
        """Decode, match, add, emit one batch; returns how many records it had."""
        loads, dumps, produce = orjson.loads, orjson.dumps, self.producer.produce
        positions: dict[tuple[str, int], int] = {}
        batch = Batch(positions)
        delivered = batch.delivered
        count = 0
        for message in messages:
            if message.error() is not None:
                raise SystemExit(f"consuming failed: {message.error()}")
            positions[message.topic(), message.partition()] = message.offset() + 1
            count += 1
            order = loads(message.value())
            if order["channel"] == "test":
                continue
            order["total"] = order["amount"] * order["quantity"]
            while True:
                try:
                    produce(
                        target, dumps(order), message.key(), -1, delivered, None,
                        message.timestamp()[1], message.headers(),
                    )  # fmt: skip
                    break
                except BufferError:
                    self.producer.poll(0.01)
            batch.left += 1
        self.emitted += batch.left
        self.open.append(batch)
        return count

    def commit(self, *, wait: bool) -> None:
        """Commit up to the first batch that is not acked as a whole."""
        acked: dict[tuple[str, int], int] = {}
        while self.open and self.open[0].left == 0:
            acked |= self.open.popleft().positions
        if acked:
            offsets = [TopicPartition(topic, number, offset) for (topic, number), offset in acked.items()]
            if wait:
                self.consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self.consumer.commit(offsets=offsets, asynchronous=True)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run to the end and print one line of JSON."""
    bootstrap, source, target, group, expected = sys.argv[1:6]
    stays = sys.argv[6:] == ["stay"]
    if stays:  # before librdkafka starts its threads, which would take the signal
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    print(json.dumps(Loop(bootstrap, group).run(source, target, int(expected))), flush=True)
    if stays:
        signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    main()
