"""One call site that a program of somebody else's defines, as an app folder with one processor. Pure.

$source (whatever is handed over) -> $externalFunction -> $emit (to a topic, or back to the program)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from workers.appfolder.app import App, DeadLetterTarget, ProcessorSpec
from workers.appfolder.connections import Connection, LambdaConnection
from workers.appfolder.kafka import KafkaConnection
from workers.appfolder.literals import with_literals
from workers.appfolder.refusals import build, shown
from workers.appfolder.supply import SYSTEM
from workers.errors import Invalid, Problem
from workers.pipeline import compile_processor
from workers.pipeline.program import Program
from workers.settings import ProcessorOptions

FUNCTIONS: Final = "functions"
"""The connection that is called."""
KAFKA: Final = "kafka"
"""The connection that dead letters go to, and results where a topic takes them."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# What of a processor's options the one who reads the records decides.
_NOT_OURS: Final[Mapping[str, str]] = {
    "delivery": "at-least-once is what there is: whoever reads the records commits them",
    "onDataLoss": "whoever reads the records decides it",
    "onUnreadableProgress": "whoever reads the records commits them, without a map",
    "drainTimeout": "revokeDrain is how long open calls may end, at a stop too",
    "restartWindow": "the process ends when the function cannot be called at all",
}
_STAGES: Final = ("pipeline[0].", "pipeline[1].", "pipeline[2].")


def embedded_app(
    name: str, call: Mapping[str, Any], options: Mapping[str, Any], connections: Mapping[str, Any],
    emit: Mapping[str, Any] | None = None,
) -> App:  # fmt: skip
    """The app of one `$externalFunction`.

    `call` holds the stage's fields without `connectionName`, `options` a processor's options, `connections`
    the fields of the connections FUNCTIONS and KAFKA as connections.yaml has them, `emit` those of `$emit`
    without `connectionName`; without it the results come back. Raises Invalid with every problem.
    """
    file = f"external_function {name}"
    problems: list[Problem] = []
    if not _NAME.fullmatch(name):
        problems.append(Problem(file, "name", f"found {name!r}", "letters, digits and . _ - (at most 128)"))
    functions, wrong = build(
        LambdaConnection, {**connections[FUNCTIONS], "name": FUNCTIONS}, file, "connection"
    )
    problems += wrong
    kafka, wrong = build(KafkaConnection, {**connections[KAFKA], "name": KAFKA}, file, "kafka")
    problems += wrong
    problems += [
        Problem(file, key, f"found {shown(options[key])}", why)
        for key, why in _NOT_OURS.items()
        if key in options
    ]
    settings, wrong = build(ProcessorOptions, dict(options), file, "")
    problems += wrong
    program = _program(name, file, {**call}, emit, problems)
    if problems or functions is None or kafka is None or settings is None or program is None:
        raise Invalid(replace(problem, path=_place(problem.path)) for problem in problems)
    topic = settings.dlq.topic or f"{name}.dlq"
    letters = DeadLetterTarget(KAFKA, topic, settings.dlq.format)
    spec = ProcessorSpec(name, file, [], settings, program, letters)
    found: dict[str, Connection] = {FUNCTIONS: functions, KAFKA: kafka}
    return App(Path(), found, (spec,), {}, Path("functions"), program.warnings)


def _program(
    name: str, file: str, call: dict[str, Any], emit: Mapping[str, Any] | None, problems: list[Problem]
) -> Program | None:
    pipeline = [
        {"$source": {"connectionName": KAFKA, "topic": name}},
        {"$externalFunction": {"connectionName": FUNCTIONS, **call}},
        {"$emit": {"connectionName": KAFKA, **(emit or {"topic": name})}},
    ]
    read, wrong = with_literals(pipeline, file, "pipeline")
    problems += wrong
    try:
        return compile_processor(read, file=file, supply=SYSTEM)
    except Invalid as error:
        problems += error.problems
        return None


def _place(path: str) -> str:
    """Of the three stages only the fields are the program's own words."""
    return next((path[len(stage) :] for stage in _STAGES if path.startswith(stage)), path)
