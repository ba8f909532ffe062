"""What scenarios of holds and limits look at: samples of /metrics, counts of one moment, and who got what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.scenarios.world import WorkerProcess, World

ECHO = {"outcome": "echo", "latency_ms": 5}
CONFLICT = {"outcome": "error", "status": 409, "error_type": "ResourceConflictException"}
MISSING = {"outcome": "error", "status": 404, "error_type": "ResourceNotFoundException"}


class Samples:
    """/metrics of one moment."""

    def __init__(self, worker: WorkerProcess) -> None:
        families = text_string_to_metric_families(worker.get("/metrics")[1])
        self._samples = [sample for family in families for sample in family.samples]

    def sum(self, name: str, **labels: str) -> float:
        """Of all samples of this name that have these labels; 0 where there is none."""
        return sum(
            sample.value
            for sample in self._samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


def samples_until(worker: WorkerProcess, holds: Callable[[Samples], object]) -> Callable[[], bool]:
    """A condition on the samples, for `until`."""
    return lambda: bool(holds(Samples(worker)))


def calls_of(worker: WorkerProcess) -> Counter[str]:
    """Finished calls by processor, all as of the same moment."""
    code, text = worker.get("/status")
    processors = json.loads(text)["processors"] if code == 200 else []
    return Counter({entry["name"]: entry["calls"] for entry in processors})


def documents(first: int, last: int) -> list[dict[str, Any]]:
    """Documents with the ids from `first` to below `last`."""
    return [{"id": number} for number in range(first, last)]


def ids_in(world: World, topic: str) -> list[int]:
    """The ids of all results, in order within their partition."""
    return [seen.json["id"] for seen in world.read(topic)]
