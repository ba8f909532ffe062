"""What an app folder holds, checked as a whole. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from topics.contract import TopicContract
from workers.appfolder.connections import Connection
from workers.pipeline.program import Program
from workers.settings import ProcessorOptions


@dataclass(frozen=True, slots=True)
class DeadLetterTarget:
    """Where a processor's dead letters go: a topic of a Kafka connection."""

    connection: str
    topic: str
    format: Literal["header", "document"]


@dataclass(frozen=True, slots=True)
class ProcessorSpec:
    """One processor: as written (`pipeline`, key order kept, BSON values in place) and as a `program`."""

    name: str
    file: str
    pipeline: list[dict[str, Any]]
    options: ProcessorOptions
    program: Program
    dead_letters: DeadLetterTarget


@dataclass(frozen=True, slots=True)
class App:
    """An app folder without a problem. Every connection that a processor names exists and has the right type.

    `contracts` maps topics to their contracts; `functions` is the folder of functions, which may not exist;
    `warnings` are for a person and stop nothing.
    """

    folder: Path
    connections: Mapping[str, Connection]
    processors: tuple[ProcessorSpec, ...]
    contracts: Mapping[str, TopicContract]
    functions: Path
    warnings: tuple[str, ...] = ()
