"""What an app folder holds, checked as a whole. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from topics.contract import TopicContract
from workers.appfolder.connections import Connection
from workers.appfolder.nearest import suggest
from workers.errors import Invalid, Problem
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


def chosen(app: App, names: tuple[str, ...]) -> tuple[ProcessorSpec, ...]:
    """The processors to run: those named, or all. Raises Invalid for a name that is not there, or when there
    is none."""
    known = {spec.name for spec in app.processors}
    problems = [_unknown(app, name) for name in names if name not in known]
    if not app.processors:
        problems.append(Problem("processors", "", "holds no processor", "write processors/<name>.yaml"))
    if problems:
        raise Invalid(problems)
    return tuple(spec for spec in app.processors if not names or spec.name in names)


def processor_of(app: App, name: str) -> ProcessorSpec:
    """The processor of that name. Raises Invalid."""
    for spec in app.processors:
        if spec.name == name:
            return spec
    raise Invalid([_unknown(app, name)])


def _unknown(app: App, name: str) -> Problem:
    expected = suggest(name, (spec.name for spec in app.processors))
    return Problem("processors", name, "no such processor", expected)
