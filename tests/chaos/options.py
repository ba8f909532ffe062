"""What one chaos run is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tests.chaos.function import FUNCTION
from tests.chaos.judge import Ordering

Delivery = Literal["at-least-once", "exactly-once"]
Protocol = Literal["consumer", "classic"]

PROCESSOR = "chaos"


@dataclass(frozen=True, slots=True)
class ChaosOptions:
    """One run. `every_seconds` lie between two kills; `batch` 0 calls with one document each."""

    seed: int
    records: int = 100_000
    kills: int = 8
    broker_restarts: int = 2
    every_seconds: float = 10.0
    ordering: Ordering = "partition"
    delivery: Delivery = "at-least-once"
    protocol: Protocol = "consumer"
    batch: int = 0
    partitions: int = 8
    workers: int = 3

    @property
    def feeding_seconds(self) -> float:
        """Records come in until a moment after the last kill, so that each kill meets some under way."""
        return (self.kills + 0.5) * self.every_seconds

    def describe(self) -> str:
        batch = f", batches of {self.batch}" if self.batch else ""
        return f"{self.ordering}, {self.delivery}, {self.protocol}{batch}, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one run."""

    source: str
    results: str
    dead: str


def processor(options: ChaosOptions, topics: Topics) -> dict[str, Any]:
    """The processor under test. Its retries outlast what a seed plans, and what a busy machine and the kills
    add to it; a time-out of 1 s is far above a latency of 50 ms and far below the time between kills."""
    call: dict[str, Any] = {
        "connectionName": "functions",
        "functionName": FUNCTION,
        "as": "answer",
        "timeout": "1s",
        "retry": {"maxAttempts": 40, "maxElapsed": "5m", "base": "20ms", "cap": "500ms"},
    }
    if options.batch:
        call["batch"] = {"maxRecords": options.batch, "maxDelay": "20ms"}
    config = {"auto_offset_reset": "earliest", "group_id": group_of(topics)}
    said: dict[str, Any] = {"dlq": {"connectionName": "kafka", "topic": topics.dead}}
    if options.ordering != "partition":
        said["ordering"] = options.ordering
    if options.delivery != "at-least-once":
        said["delivery"] = options.delivery
    return {
        "pipeline": [
            {"$source": {"connectionName": "kafka", "topic": topics.source, "config": config}},
            {"$match": {"keep": True}},
            {"$externalFunction": call},
            {"$match": {"answer.drop": {"$ne": True}}},
            {"$emit": {"connectionName": "kafka", "topic": topics.results}},
        ],
        "options": said,
    }


def group_of(topics: Topics) -> str:
    """The consumer group of a run."""
    return f"chaos-{topics.source}"
