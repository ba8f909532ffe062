"""`$emit` to Kafka: topic, key and headers, fixed or by expression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from workers.pipeline.check import Checker, Fields
from workers.pipeline.nodes import Const, Node
from workers.pipeline.parse import describe
from workers.pipeline.spec import EmitSpec

_NOT_YET: Final[Mapping[str, str]] = {
    "schemaRegistry": "values are written as JSON",
    "timeseries": "only Kafka is a sink",
    "parallelism": "use more partitions, --processes or replicas",
}
_CONFIG_NOT_YET: Final[Mapping[str, str]] = {
    "acks": "all replicas in sync always acknowledge",
    "compression_type": "records are compressed with lz4",
    "dateFormat": "dates are Extended JSON",
    "keyFormat": "a text is written as UTF-8, binData as it is, the rest as JSON",
    "keyFormatError": "a key that cannot be written dead-letters its document",
    "outputFormat": "values are relaxed Extended JSON",
    "tombstoneWhen": "use options.tombstones for null values",
}
_OTHER_SINKS: Final[Mapping[str, str]] = {
    "db": "a time-series collection",
    "coll": "a time-series collection",
    "stream": "a Kinesis stream",
    "path": "a file store",
    "projectId": "Google Pub/Sub",
}


def parse_emit(checker: Checker, spec: Any, path: str) -> EmitSpec | None:
    """The sink as checked data; None when something is wrong."""
    before = len(checker.problems)
    fields = Fields(checker, spec, path, "$emit")
    for name, what in _OTHER_SINKS.items():
        if fields.has(name):
            fields.take(name)
            checker.wrong(fields.at(name), f"{what} as a sink is not in Penstock yet", "a Kafka topic")
    connection = fields.text("connectionName", required=True)
    topic = _topic(checker, fields)
    key = fields.expression("key")
    headers = _headers(checker, fields)
    config = fields.inner("config")
    if config is not None:
        # Atlas documents key and headers within `config`, older pages beside the topic: both are read.
        key = config.expression("key") if key is None else key
        headers = _headers(checker, config) if headers is None else headers
        config.refuse(_CONFIG_NOT_YET)
        config.done()
    fields.refuse(_NOT_YET)
    fields.refuse(_CONFIG_NOT_YET)
    fields.done()
    if len(checker.problems) > before or connection is None or topic is None:
        return None
    return EmitSpec(path, connection, topic, key, headers)


def _topic(checker: Checker, fields: Fields) -> str | Node | None:
    if not fields.has("topic"):
        if fields.is_document:
            checker.wrong(
                fields.path, "the field 'topic' is missing", "the name of a topic, or an expression"
            )
        return None
    node = fields.expression("topic")
    if not isinstance(node, Const):
        return node
    if isinstance(node.value, str) and node.value:
        return node.value
    checker.wrong(
        fields.at("topic"), describe(node.value), "the name of a topic, or an expression that gives one"
    )
    return None


def _headers(checker: Checker, fields: Fields) -> Node | None:
    node = fields.expression("headers")
    if isinstance(node, Const) and not isinstance(node.value, dict | list):
        checker.wrong(
            fields.at("headers"), describe(node.value), "a document of headers, or an array of {k, v}"
        )
    return node
