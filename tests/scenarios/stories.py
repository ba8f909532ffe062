"""The processors that scenarios run: one call, plain, with the options that make a story short."""

from __future__ import annotations

import re
from typing import Any

from tests.scenarios.world import WorkerProcess, World

GROUP = "penstock-story"


def calling(
    world: World, source: str, results: str, dead: str, call: dict[str, Any], **options: Any
) -> dict[str, Any]:
    """`$source` -> one `$externalFunction` on the stub -> `$emit`."""
    stage = {"connectionName": "functions", "functionName": "f", **call}
    return story(world, source, results, dead, [{"$externalFunction": stage}], **options)


def story(
    world: World, source: str, results: str | None, dead: str, stages: list[dict[str, Any]], **options: Any
) -> dict[str, Any]:
    """A processor around `stages`. Its group is its own: the source topic's name."""
    pipeline: list[dict[str, Any]] = [
        {
            "$source": {
                "connectionName": "kafka",
                "topic": source,
                "config": {"auto_offset_reset": "earliest", "group_id": group_of(source)},
            }
        },
        *stages,
    ]
    if results is not None:
        pipeline.append({"$emit": {"connectionName": "kafka", "topic": results}})
    return {"pipeline": pipeline, "options": {"dlq": {"connectionName": "kafka", "topic": dead}, **options}}


def group_of(source: str) -> str:
    """The consumer group of a story's processor."""
    return f"{GROUP}-{source}"


def restarts_of(worker: WorkerProcess, processor: str) -> int:
    """How often a processor of this worker was started again."""
    labels = rf'\{{process="\d+",processor="{re.escape(processor)}"\}}'
    found = re.findall(rf"^penstock_processor_restarts_total{labels} (\S+)$", worker.get("/metrics")[1], re.M)
    return int(sum(map(float, found)))
