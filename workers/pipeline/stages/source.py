"""`$source`: which topics of which connection, and where a new group begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from workers.pipeline.check import Checker, Fields
from workers.pipeline.parse import describe
from workers.pipeline.program import SourceSpec

_RESETS: Final[Mapping[str, Literal["earliest", "latest"]]] = {
    "latest": "latest",
    "end": "latest",
    "largest": "latest",
    "earliest": "earliest",
    "beginning": "earliest",
    "smallest": "earliest",
}
_NOT_YET: Final[Mapping[str, str]] = {
    "timeField": "records have Kafka's timestamp",
    "partitionIdleTimeout": "it belongs to windows",
    "schemaRegistry": "values are JSON",
    "tsFieldName": "read {$meta: ...} instead once it is there",
    "initialSync": "only Kafka is a source",
    "parallelism": "use more partitions, --processes or replicas",
}
_CONFIG_NOT_YET: Final[Mapping[str, str]] = {
    "enable_auto_commit": "offsets are committed when what they led to is acked",
    "keyFormat": "keys are bytes",
    "keyFormatError": "keys are bytes",
}
_OTHER_SOURCES: Final[Mapping[str, str]] = {
    "db": "a change stream",
    "coll": "a change stream",
    "stream": "a Kinesis stream",
    "documents": "an array of documents: use `penstock eval`",
}


def parse_source(checker: Checker, spec: Any, path: str) -> SourceSpec | None:
    """The source as the program has it; None when something is wrong."""
    before = len(checker.problems)
    fields = Fields(checker, spec, path, "$source")
    for name, what in _OTHER_SOURCES.items():
        if fields.has(name):
            fields.take(name)
            checker.wrong(fields.at(name), f"{what} as a source is not in Penstock yet", "a Kafka topic")
    connection = fields.text("connectionName", required=True)
    topics = _topics(checker, fields)
    fields.refuse(_NOT_YET)
    reset: Literal["earliest", "latest"] = "latest"
    group_id = None
    config = fields.inner("config")
    if config is not None:
        reset = config.choice("auto_offset_reset", _RESETS, "latest")
        group_id = config.text("group_id")
        config.refuse(_CONFIG_NOT_YET)
        config.done()
    fields.done()
    if len(checker.problems) > before or connection is None:
        return None
    return SourceSpec(connection, topics, reset, group_id)


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
        if not isinstance(topic, str) or not topic:
            checker.wrong(place, describe(topic), "the name of a topic")
        elif topic in many[:number]:
            checker.wrong(place, f"the topic {topic!r} a second time", "each topic once")
    return tuple(str(topic) for topic in many)
