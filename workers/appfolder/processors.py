"""processors/<name>.*: read, compiled, and held against the connections that they name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from topics.replay import replay_topic
from workers.appfolder.app import DeadLetterTarget, ProcessorSpec
from workers.appfolder.connections import Connection, Connections, LambdaConnection, LaterConnection
from workers.appfolder.delivery import delivery_problems
from workers.appfolder.https import HttpsConnection
from workers.appfolder.kafka import KafkaConnection
from workers.appfolder.literals import with_literals
from workers.appfolder.nearest import suggest
from workers.appfolder.refusals import build, shown
from workers.appfolder.schema_registry import SchemaRegistryConnection
from workers.appfolder.sources import FORMATS, Sources
from workers.appfolder.supply import SYSTEM
from workers.errors import Invalid
from workers.pipeline import compile_processor
from workers.pipeline.program import Program
from workers.pipeline.wire import TOPIC_RULE, is_topic
from workers.settings import Model, ProcessorOptions

# It becomes part of group ids, client ids and topic names (Kafka: 249 characters) beside what we add.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NAME_RULE: Final = "letters, digits and . _ - (at most 128)"
# The placeholder `region` of the documentation's examples is no region.
_ARN_REGION: Final = re.compile(r"arn:aws[a-z-]*:lambda:(?!region:)([a-z0-9-]+):")

# Which type of connection a stage takes.
_TAKES: Final[Mapping[str, tuple[str, type[Connection]]]] = {
    "$source": ("Kafka", KafkaConnection),
    "$emit": ("Kafka", KafkaConnection),
    "$externalFunction": ("AWSLambda", LambdaConnection),
    "$https": ("Https", HttpsConnection),
}


class ProcessorFile(Model):
    """The content of a processor's file."""

    name: str | None = None
    pipeline: list[Any] = Field(min_length=1, description="pipeline, a list of stages")
    options: ProcessorOptions = Field(default_factory=ProcessorOptions)


def load_processors(
    sources: Sources, connections: Connections, env: Mapping[str, str]
) -> tuple[list[ProcessorSpec], list[str]]:
    """The processors without a problem, and warnings; problems go to `sources`."""
    checker = _Checker(sources, connections, env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION"))
    specs: list[ProcessorSpec] = []
    files: dict[str, str] = {}
    warnings: list[str] = []
    for path in sources.files("processors", tuple(FORMATS)):
        file = sources.relative(path)
        if path.stem in files:
            sources.refuse(
                file, "", f"a second processor {path.stem!r}", f"keep this file or {files[path.stem]}"
            )
            continue
        files[path.stem] = file
        value, is_read = sources.read(path)
        spec = checker.processor(path, file, value) if is_read else None
        if spec is not None:
            specs.append(spec)
            warnings += [f"{file}: {text}" for text in (*spec.program.warnings, *_loops(spec))]
    if not files and not sources.problems:
        sources.refuse("processors", "", "no processor", "at least one file such as processors/orders.yaml")
    checker.groups(specs)
    return specs, warnings


@dataclass(frozen=True, slots=True)
class _Checker:
    """Makes one processor after the other. `region` is the environment's, for connections that name none."""

    sources: Sources
    connections: Connections
    region: str | None

    def processor(self, path: Path, file: str, value: Any) -> ProcessorSpec | None:
        before = len(self.sources.problems)
        if isinstance(value, list):
            value = {"pipeline": value}
        if not isinstance(value, dict):
            found = "is empty" if value is None else f"found {shown(value)}"
            self.sources.refuse(file, "", found, "a list of stages, or name, pipeline and options")
            return None
        self._name(file, path.stem, value.get("name", path.stem))
        written, problems = build(ProcessorFile, value, file, "")
        self.sources.problems += problems
        raw = value.get("pipeline")
        pipeline, problems = with_literals(raw if isinstance(raw, list) else [], file, "pipeline")
        self.sources.problems += problems
        for place, operator, argument in _stages(pipeline):
            self._stage(file, place, operator, argument)
        program = self._compiled(file, pipeline) if pipeline else None
        if written is None or program is None or program.source is None:
            return None
        letters = self._dead_letters(file, path.stem, written.options, program)
        if len(self.sources.problems) > before or letters is None:
            return None
        spec = ProcessorSpec(path.stem, file, pipeline, written.options, program, letters)
        connection = self.connections.found.get(program.source.connection)
        problems = (
            list(delivery_problems(spec, connection)) if isinstance(connection, KafkaConnection) else []
        )
        self.sources.problems += problems
        return None if problems else spec

    def _name(self, file: str, stem: str, name: Any) -> None:
        if not _NAME.fullmatch(stem):
            self.sources.refuse(file, "", f"the file name makes the processor {stem!r}", _NAME_RULE)
        elif name != stem and isinstance(name, str):
            self.sources.refuse(
                file, "name", f"found {shown(name)}", f"{stem}, as the file is called, or no name"
            )

    def _compiled(self, file: str, pipeline: list[Any]) -> Program | None:
        try:
            program = compile_processor(pipeline, file=file, supply=SYSTEM)
        except Invalid as error:
            self.sources.problems += error.problems
            return None
        if program.source is None:
            self.sources.refuse(file, "pipeline[0]", "no $source", "$source as the first stage")
        return program

    def _stage(self, file: str, place: str, operator: str, argument: dict[str, Any]) -> None:
        """The connection that a stage names exists and has its type; an ARN is of its region."""
        name = argument.get("connectionName")
        if not isinstance(name, str):
            return  # the compiler says what it misses
        kind, model = _TAKES[operator]
        connection = self._connection(file, f"{place}.connectionName", name, kind, model)
        registry = argument.get("schemaRegistry")
        if isinstance(registry, dict) and isinstance(registry.get("connectionName"), str):
            path, kind = f"{place}.schemaRegistry.connectionName", "SchemaRegistry"
            self._connection(file, path, registry["connectionName"], kind, SchemaRegistryConnection)
        function = argument.get("functionName")
        if not isinstance(connection, LambdaConnection) or not isinstance(function, str):
            return
        region = connection.region or self.region
        found = _ARN_REGION.match(function)
        if found and region and found[1] != region:
            self.sources.refuse(
                file, f"{place}.functionName", f"a function in the region {found[1]}",
                f"one in {region}, which the connection {name} calls",
            )  # fmt: skip

    def _connection(
        self, file: str, path: str, name: str, kind: str, model: type[Connection]
    ) -> Connection | None:
        connection = self.connections.found.get(name)
        if connection is None:
            if not self.connections.is_refused(name):
                expected = suggest(name, self.connections.found)
                self.sources.refuse(file, path, f"no connection {name!r}", expected)
        elif isinstance(connection, LaterConnection):
            self.sources.refuse(
                file, path, f"the connection {name} of type {connection.type}",
                f"{_a(kind)} connection; {connection.type} is not in Penstock yet",
            )  # fmt: skip
        elif not isinstance(connection, model):
            self.sources.refuse(
                file, path, f"the connection {name} of type {connection.type}", f"{_a(kind)} connection"
            )
        else:
            return connection
        return None

    def _dead_letters(
        self, file: str, name: str, options: ProcessorOptions, program: Program
    ) -> DeadLetterTarget | None:
        assert program.source is not None
        said = options.dlq
        topic = said.topic or f"{name}.dlq"
        connection = said.connection_name or program.source.connection
        if said.connection_name is not None:
            path = "options.dlq.connectionName"
            if self._connection(file, path, connection, "Kafka", KafkaConnection) is None:
                return None
        if not is_topic(topic):
            self.sources.refuse(file, "options.dlq.topic", f"found {topic!r}", f"a topic: {TOPIC_RULE}")
            return None
        if connection == program.source.connection and topic in (*program.source.topics, replay_topic(name)):
            self.sources.refuse(
                file, "options.dlq.topic", f"{topic}, a topic that this processor reads",
                "another topic: each dead letter would come back for ever",
            )  # fmt: skip
            return None
        return DeadLetterTarget(connection, topic, said.format)

    def groups(self, specs: list[ProcessorSpec]) -> None:
        """Two processors in one group would each get a part of the other's records."""
        owners: dict[str, str] = {}
        for spec in specs:
            group = spec.program.source.group_id if spec.program.source is not None else None
            if group is None:
                continue
            if group in owners:
                self.sources.refuse(
                    spec.file, "pipeline[0].$source.config.group_id",
                    f"the group {group!r} of {owners[group]}", "a group of its own, or none",
                )  # fmt: skip
            owners.setdefault(group, spec.file)


def _a(kind: str) -> str:
    """`an AWSLambda`, `a Kafka`."""
    return f"{'an' if kind.startswith('A') else 'a'} {kind}"


def _stages(pipeline: list[Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(path, operator, argument) of each stage that names a connection. Malformed ones are the compiler's."""
    for at, stage in enumerate(pipeline):
        if isinstance(stage, dict):
            for operator, argument in stage.items():
                if operator in _TAKES and isinstance(argument, dict):
                    yield f"pipeline[{at}].{operator}", operator, argument


def _loops(spec: ProcessorSpec) -> Iterator[str]:
    """A processor that writes where it reads: sometimes meant (with a $match in front), mostly not."""
    source, sink = spec.program.source, spec.program.sink
    if source is not None and sink is not None and sink.connection == source.connection:
        if sink.topic is not None and sink.topic in (*source.topics, replay_topic(spec.name)):
            yield f"{sink.path}: writes to {sink.topic}, which the processor reads; results come back"
