"""`$emit` to Kafka: topic, key, headers and format of what is written, fixed or by expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from topics.codecs import DateFormat, OutputFormat
from workers.errors import Poison
from workers.pipeline.check import Checker, Fields
from workers.pipeline.nodes import Const, Node
from workers.pipeline.parse import describe
from workers.pipeline.program import Acks, Compression, ProducerOptions, SinkKeyFormat
from workers.pipeline.registered import sink_schemas
from workers.pipeline.spec import EmitSpec
from workers.pipeline.wire import KEY_WRITERS, TOPIC_RULE, header_list, is_topic, key_by_type

_NOT_YET: Final[Mapping[str, str]] = {
    "timeseries": "only Kafka is a sink",
    "parallelism": "use more partitions, --processes or replicas",
}
_OTHER_SINKS: Final[Mapping[str, str]] = {
    "db": "a time-series collection",
    "coll": "a time-series collection",
    "stream": "a Kinesis stream",
    "path": "a file store",
    "projectId": "Google Pub/Sub",
}
_KEY_FORMATS: Final[Mapping[str, SinkKeyFormat]] = {name: name for name in KEY_WRITERS}
_OUTPUT_FORMATS: Final[Mapping[str, OutputFormat]] = {
    "relaxedJson": "relaxedJson",
    "canonicalJson": "canonicalJson",
    "basicJson": "basicJson",
}
_DATE_FORMATS: Final[Mapping[str, DateFormat]] = {"default": "default", "ISO8601": "ISO8601"}
_COMPRESSIONS: Final[Mapping[str, Compression]] = {
    "none": "none",
    "gzip": "gzip",
    "snappy": "snappy",
    "lz4": "lz4",
    "zstd": "zstd",
}
_ACKS: Final[Mapping[str, Acks]] = {"all": "all", "-1": "all", "1": "1", "0": "0"}
_WEAK_ACKS: Final[Mapping[str, str]] = {
    "1": "offsets are committed when the leader alone has the output: a broker that fails loses it",
    "0": "offsets are committed when the output is sent: what the broker never got or refused is lost",
}


class _Options:
    """Options within `config`, where Atlas documents them, or beside the topic, as older pages have them."""

    def __init__(self, fields: Fields) -> None:
        self.checker, self.beside, self.config = fields.checker, fields, fields.inner("config")

    def place_of(self, name: str) -> Fields:
        """The fields to read it from. Both know it from then on."""
        if self.config is None:
            return self.beside
        if not self.config.has(name):
            self.config.take(name)
            return self.beside
        if self.beside.has(name):
            self.checker.wrong(self.beside.at(name), f"{name!r} a second time", "it once, within config")
        self.beside.take(name)
        return self.config

    def expression(self, name: str) -> Node | None:
        return self.place_of(name).expression(name)

    def done(self) -> None:
        """Whatever was not read is unknown."""
        if self.config is not None:
            self.config.done()
        self.beside.done()


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
    options = _Options(fields)
    key, key_format = _key(options)
    headers = options.expression("headers")
    _check_constant(checker, headers, header_list)
    tombstone_when = options.expression("tombstoneWhen")
    if isinstance(tombstone_when, Const) and not _is_refused(checker, tombstone_when):
        if not isinstance(tombstone_when.value, bool):
            checker.wrong(tombstone_when.path, describe(tombstone_when.value), "an expression: true or false")
    output_format = options.place_of("outputFormat").choice("outputFormat", _OUTPUT_FORMATS, "relaxedJson")
    date_format = options.place_of("dateFormat").choice("dateFormat", _DATE_FORMATS, "default")
    producer, warnings = _producer(options)
    schemas = sink_schemas(checker, fields)
    if schemas is not None and schemas.key is not None:
        _check_key(checker, fields, key, key_format)
    fields.refuse(_NOT_YET)
    options.done()
    if len(checker.problems) > before or connection is None or topic is None:
        return None
    return EmitSpec(
        path,
        connection,
        topic,
        key,
        headers,
        key_format=key_format,
        tombstone_when=tombstone_when,
        output_format=output_format,
        date_format=date_format,
        producer=producer,
        schemas=schemas,
        warnings=warnings,
    )


def _check_key(checker: Checker, fields: Fields, key: Node | None, key_format: object) -> None:
    """A key with a schema is made by an expression, and written by the schema alone."""
    place = f"{fields.at('schemaRegistry')}.keySchema"
    if key is None:
        checker.wrong(place, "keySchema without key", "key, the expression to write by it")
    elif key_format is not None:
        checker.wrong(place, "keySchema beside keyFormat", "one of them")


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
    name = node.value
    if name.__class__ is str and is_topic(name):
        return name
    expected = "the name of a topic, or an expression that gives one"
    if name.__class__ is str and name:
        expected = f"{expected}: {TOPIC_RULE}"
    checker.wrong(fields.at("topic"), describe(name), expected)
    return None


def _key(options: _Options) -> tuple[Node | None, SinkKeyFormat | None]:
    """The key's expression and format. Atlas wants both or none; without a format the value's type
    decides."""
    key = options.expression("key")
    place = options.place_of("keyFormat")
    if not place.has("keyFormat"):
        place.take("keyFormat")
        _check_constant(options.checker, key, key_by_type)
        return key, None
    key_format = place.choice("keyFormat", _KEY_FORMATS, "binData")
    if key is None:
        options.checker.wrong(place.at("keyFormat"), "keyFormat without key", "both, or none of them")
    _check_constant(options.checker, key, KEY_WRITERS[key_format])
    return key, key_format


def _producer(options: _Options) -> tuple[ProducerOptions, tuple[str, ...]]:
    """What the client is to do, and a warning where that can lose results."""
    place = options.place_of("compression_type")
    given = place.has("compression_type")
    named: Compression = place.choice("compression_type", _COMPRESSIONS, "none")
    compression = named if given else None
    place = options.place_of("acks")
    if not place.has("acks"):
        place.take("acks")
        return ProducerOptions(None, compression), ()
    acks = place.take("acks")
    # A number in Atlas's table, a text in its prototype.
    known = _ACKS.get(str(acks)) if isinstance(acks, int | str) and not isinstance(acks, bool) else None
    if known is None:
        options.checker.wrong(place.at("acks"), describe(acks), "one of all, -1, 1, 0")
        return ProducerOptions(None, compression), ()
    warnings = (f"{place.at('acks')}: {_WEAK_ACKS[known]}",) if known in _WEAK_ACKS else ()
    return ProducerOptions(known, compression), warnings


def _check_constant(checker: Checker, node: Node | None, write: Callable[[Any], Any]) -> None:
    """What is known to fail for every document is a problem now."""
    if isinstance(node, Const) and not _is_refused(checker, node):
        try:
            write(node.value)
        except Poison as error:
            checker.wrong(node.path, error.reason)


def _is_refused(checker: Checker, node: Node) -> bool:
    """Whether the constant only stands in for what was wrong."""
    return any(problem.path.startswith(node.path) for problem in checker.problems)
