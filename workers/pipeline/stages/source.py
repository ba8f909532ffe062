"""`$source`: which topics of which connection, where a new group begins, and how keys and times are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from bson.datetime_ms import DatetimeMS

from workers.pipeline.check import Checker, Fields
from workers.pipeline.nodes import Const, Node
from workers.pipeline.parse import describe
from workers.pipeline.program import SourceKeyFormat, SourceSpec
from workers.pipeline.registered import source_registry
from workers.pipeline.values import type_name
from workers.pipeline.wire import TOPIC_RULE, is_topic

_RESETS: Final[Mapping[str, Literal["earliest", "latest"]]] = {
    "latest": "latest",
    "end": "latest",
    "largest": "latest",
    "earliest": "earliest",
    "beginning": "earliest",
    "smallest": "earliest",
}
_KEY_FORMATS: Final[Mapping[str, SourceKeyFormat]] = {
    "binData": "binData",
    "string": "string",
    "json": "json",
    "int": "int",
    "long": "long",
    "schemaRegistry": "schemaRegistry",
}
_KEY_ERRORS: Final[Mapping[str, Literal["dlq", "passThrough"]]] = {"dlq": "dlq", "passThrough": "passThrough"}
_TIME_OPERATORS: Final = ("$toDate", "$dateFromString")
_NOT_YET: Final[Mapping[str, str]] = {
    "partitionIdleTimeout": "it belongs to windows",
    "initialSync": "only Kafka is a source",
    "parallelism": "use more partitions, --processes or replicas",
}
_OTHER_SOURCES: Final[Mapping[str, str]] = {
    "db": "a change stream",
    "coll": "a change stream",
    "stream": "a Kinesis stream",
    "documents": "an array of documents: use `penstock eval`",
}


@dataclass(frozen=True, slots=True)
class ReadSpec:
    """`$source`, checked. `time_field` is the expression of the record's time; None: Kafka's."""

    source: SourceSpec
    path: str
    time_field: Node | None = None
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Config:
    """What `config` says, with its defaults."""

    reset: Literal["earliest", "latest"] = "latest"
    group_id: str | None = None
    key_format: SourceKeyFormat = "binData"
    key_error: Literal["dlq", "passThrough"] = "dlq"
    warnings: tuple[str, ...] = ()


def parse_source(checker: Checker, spec: Any, path: str) -> ReadSpec | None:
    """The source as checked data; None when something is wrong."""
    before = len(checker.problems)
    fields = Fields(checker, spec, path, "$source")
    for name, what in _OTHER_SOURCES.items():
        if fields.has(name):
            fields.take(name)
            checker.wrong(fields.at(name), f"{what} as a source is not in Penstock yet", "a Kafka topic")
    connection = fields.text("connectionName", required=True)
    topics = _topics(checker, fields)
    time_field = _time_field(checker, fields)
    ts_field = _ts_field(checker, fields)
    has_registry, registry = fields.has("schemaRegistry"), source_registry(fields)
    fields.refuse(_NOT_YET)
    config = _config(checker, fields.inner("config"))
    if config.key_format == "schemaRegistry" and not has_registry:
        checker.wrong(path, "the field 'schemaRegistry' is missing", "keyFormat schemaRegistry needs it")
    fields.done()
    if len(checker.problems) > before or connection is None:
        return None
    source = SourceSpec(
        connection, topics, config.reset, config.group_id, config.key_format, config.key_error, ts_field,
        registry,
    )  # fmt: skip
    return ReadSpec(source, path, time_field, config.warnings)


def _config(checker: Checker, fields: Fields | None) -> _Config:
    found = _Config()
    if fields is None:
        return found
    found.reset = fields.choice("auto_offset_reset", _RESETS, found.reset)
    found.group_id = fields.text("group_id")
    found.key_format = fields.choice("keyFormat", _KEY_FORMATS, found.key_format)
    found.key_error = fields.choice("keyFormatError", _KEY_ERRORS, found.key_error)
    commit = fields.take("enable_auto_commit", False)
    place = fields.at("enable_auto_commit")
    if not isinstance(commit, bool):
        checker.wrong(place, describe(commit), "true or false")
    elif commit:
        # Atlas may commit early because it resumes from its checkpoint; we resume from these very offsets.
        found.warnings = (
            f"{place}: offsets are committed behind acknowledged output all the same; committed when read, "
            "they would lose what a crash interrupts. Write false, or leave it out",
        )
    fields.done()
    return found


def _topics(checker: Checker, fields: Fields) -> tuple[str, ...]:
    """One topic or several, each once."""
    given = fields.take("topic")
    if given is None:
        if fields.is_document:
            checker.wrong(
                fields.path, "the field 'topic' is missing", "the name of a topic, or an array of names"
            )
        return ()
    many = given if isinstance(given, list) else [given]
    if not many:
        checker.wrong(fields.at("topic"), "an empty array", "at least one topic")
    for number, topic in enumerate(many):
        place = f"{fields.at('topic')}[{number}]" if isinstance(given, list) else fields.at("topic")
        if topic.__class__ is not str or not topic:
            checker.wrong(place, describe(topic), "the name of a topic")
        elif not is_topic(topic):
            # The client would take a name that begins with '^' as a pattern of names.
            checker.wrong(place, describe(topic), f"the name of a topic: {TOPIC_RULE}")
        elif topic in many[:number]:
            checker.wrong(place, f"the topic {topic!r} a second time", "each topic once")
    return tuple(str(topic) for topic in many)


def _time_field(checker: Checker, fields: Fields) -> Node | None:
    """`{$toDate: ...}` or `{$dateFromString: ...}`, as Atlas has it, and nothing else."""
    if not fields.has("timeField"):
        fields.take("timeField")
        return None
    given, place = fields.take("timeField"), fields.at("timeField")
    if not isinstance(given, Mapping) or len(given) != 1 or next(iter(given)) not in _TIME_OPERATORS:
        checker.wrong(place, describe(given), "{$toDate: <expression>} or {$dateFromString: {...}}")
        return None
    node = checker.expression(given, place)
    if isinstance(node, Const) and not _is_refused(checker, place):
        if not isinstance(node.value, datetime | DatetimeMS):
            checker.wrong(place, f"{type_name(node.value)} for every record", "a date")
    return node


def _is_refused(checker: Checker, place: str) -> bool:
    """Whether the constant only stands in for what was wrong."""
    return any(problem.path.startswith(place) for problem in checker.problems)


def _ts_field(checker: Checker, fields: Fields) -> str | None:
    name = fields.text("tsFieldName")
    if name is not None and (name.startswith("$") or "." in name or "\0" in name):
        checker.wrong(fields.at("tsFieldName"), describe(name), "the name of a field, without '.' and '$'")
        return None
    return name
