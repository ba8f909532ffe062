"""`schemaRegistry` of `$source` and `$emit`: where schemas are, and which ones `$emit` writes with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from topics.codecs.avro_schema import AvroType, BadSchema, parse_avro, record_name
from topics.codecs.avro_unfit import Unfit
from topics.codecs.avro_write import writer
from topics.codecs.errors import NotEncodable
from topics.codecs.json_keywords import keyword_fault
from topics.codecs.registered import SchemaKind, SubjectStrategy, WriteSchema
from workers.errors import Poison
from workers.pipeline.check import Checker, Fields
from workers.pipeline.parse import describe
from workers.pipeline.program import SinkSchemas
from workers.pipeline.values import is_nullish

_KINDS: Final[Mapping[str, SchemaKind]] = {
    "avro": "AVRO", "AVRO": "AVRO", "json": "JSON", "JSON": "JSON", "jsonSchema": "JSON",
}  # fmt: skip
_STRATEGIES: Final[Mapping[str, SubjectStrategy]] = {
    "TopicName": "TopicNameStrategy", "TopicNameStrategy": "TopicNameStrategy",
    "RecordName": "RecordNameStrategy", "RecordNameStrategy": "RecordNameStrategy",
    "TopicRecordName": "TopicRecordNameStrategy", "TopicRecordNameStrategy": "TopicRecordNameStrategy",
}  # fmt: skip
_SCHEMA: Final = "the schema itself: a document, an array, or JSON text"
_NAMED: Final = {"AVRO": "a record, which has a name", "JSON": "a schema with a title"}


def source_registry(fields: Fields) -> str | None:
    """The connection of `$source.schemaRegistry`."""
    inner = fields.inner("schemaRegistry")
    if inner is None:
        return None
    connection = inner.text("connectionName", required=True)
    for name in ("valueSchema", "keySchema"):
        if inner.has(name):
            inner.take(name)
            fields.checker.wrong(inner.at(name), f"{name} of $source", "nothing: each record names its own")
    inner.done()
    return connection


def sink_schemas(checker: Checker, fields: Fields) -> SinkSchemas | None:
    """`$emit.schemaRegistry`, checked; None where there is none, or something is wrong."""
    inner = fields.inner("schemaRegistry")
    if inner is None:
        return None
    connection = inner.text("connectionName", required=True)
    value = _write_schema(checker, inner.inner("valueSchema"))
    key = _write_schema(checker, inner.inner("keySchema"))
    if not (inner.is_document and (value or key)) and not _said(checker, inner.path):
        checker.wrong(inner.path, "the field 'valueSchema' is missing", "{type, schema, options}")
    inner.done()
    if value is not None and value.kind == "AVRO":
        _check_takes_documents(checker, value, f"{inner.at('valueSchema')}.schema")
    return None if connection is None else SinkSchemas(connection, value, key)


def _said(checker: Checker, path: str) -> bool:
    return any(problem.path.startswith(path) for problem in checker.problems)


def _write_schema(checker: Checker, fields: Fields | None) -> WriteSchema | None:
    if fields is None:
        return None
    before = len(checker.problems)
    if fields.is_document and not fields.has("type"):
        checker.wrong(fields.path, "the field 'type' is missing", "avro or json")
    kind = fields.choice("type", _KINDS, "AVRO")
    there, given = fields.has("schema"), fields.take("schema")
    options = fields.inner("options")
    auto_register, strategy = True, _STRATEGIES["TopicName"]
    if options is not None:
        found = options.take("autoRegisterSchemas", True)
        if not isinstance(found, bool):
            checker.wrong(options.at("autoRegisterSchemas"), describe(found), "true or false")
        auto_register = found is not False
        strategy = options.choice("subjectNameStrategy", _STRATEGIES, strategy)
        options.done()
    fields.done()
    if not there:
        if fields.is_document:
            checker.wrong(fields.path, "the field 'schema' is missing", _SCHEMA)
        return None
    schema = _parsed(checker, given, fields.at("schema"), kind)
    if len(checker.problems) > before:
        return None
    title = schema.get("title") if isinstance(schema, Mapping) else None
    record = record_name(schema) if kind == "AVRO" else title if isinstance(title, str) and title else None
    if record is None and strategy != "TopicNameStrategy":
        checker.wrong(fields.at("schema"), f"no name for {strategy}", _NAMED[kind])
        return None
    return WriteSchema(kind, orjson.dumps(schema).decode(), record, strategy, auto_register)


def _parsed(checker: Checker, given: Any, path: str, kind: SchemaKind) -> Any:
    """The schema as plain JSON; problems are noted."""
    schema = given
    if given.__class__ is str:
        try:
            schema = orjson.loads(given)
        except ValueError:
            if kind == "AVRO" and given.isidentifier():
                schema = given  # the name of a primitive type
            else:
                checker.wrong(path, "a text that is no JSON", _SCHEMA)
                return None
    try:
        orjson.dumps(schema)
        if kind == "AVRO":
            parse_avro(schema)
        else:
            _check_json_schema(schema)
    except TypeError:
        checker.wrong(path, "values that JSON does not have", _SCHEMA)
    except RecursionError:
        checker.wrong(path, "a schema nested too deep", _SCHEMA)
    except BadSchema as error:
        checker.wrong(f"{path}.{error.path}" if error.path else path, error.found, error.expected)
    return schema


def _check_json_schema(schema: Any) -> None:
    if not isinstance(schema, Mapping):
        raise BadSchema("", "no JSON Schema", "a document of its keywords")
    waiting: list[Any] = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            target = node.get("$ref")
            if isinstance(target, str) and not target.startswith("#"):
                raise BadSchema("", f"a reference to {target!r}", "references within the schema alone: #/...")
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    fault = keyword_fault(schema)
    if fault is not None:
        raise BadSchema(fault[0], fault[1], "a JSON Schema")


def _check_takes_documents(checker: Checker, schema: WriteSchema, path: str) -> None:
    root = parse_avro(orjson.loads(schema.text))
    kinds = {part.kind for part in root.parts} if root.kind == "union" else {root.kind}
    if not kinds & {"record", "map"}:
        checker.wrong(path, f"a schema of {root.branch}, and values are documents", "a record, or a map")


def value_writer(schema: WriteSchema, encode: Callable[[Any], bytes]) -> Callable[[Any], Any]:
    """What makes of a document what the schema's serializer takes. Raises NotEncodable."""
    if schema.kind == "JSON":
        return encode
    convert = writer(_root(schema))

    def write(document: Any) -> Any:
        try:
            return convert(document)
        except Unfit as error:
            raise NotEncodable(f"the document does not fit its schema: {error.where()}") from None

    return write


def key_writer(schema: WriteSchema, encode: Callable[[Any], bytes]) -> Callable[[Any], Any]:
    """The same for a key; null and missing are no key. Raises Poison."""
    convert: Callable[[Any], Any] = encode if schema.kind == "JSON" else writer(_root(schema))

    def write(value: Any) -> Any:
        if is_nullish(value):
            return None
        try:
            return convert(value)
        except Unfit as error:
            raise Poison(f"the key does not fit its schema: {error.where()}") from None
        except NotEncodable as error:
            raise Poison(f"the key cannot be written: {error.reason}") from None

    return write


def _root(schema: WriteSchema) -> AvroType:
    return parse_avro(orjson.loads(schema.text))
