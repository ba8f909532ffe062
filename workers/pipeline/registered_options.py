"""The options of `schemaRegistry` as data: for editors and for the docs."""

from __future__ import annotations

from typing import Final

from workers.pipeline.option import TEXT, Option, choice

_CONNECTION: Final = Option("connectionName", "text", "A SchemaRegistry connection.", TEXT, is_required=True)
_WRITE_SCHEMA: Final = (
    Option(
        "type", "avro / json", "What the schema is.",
        {"enum": ["avro", "AVRO", "json", "JSON", "jsonSchema"]}, is_required=True,
    ),
    Option(
        "schema", "document, array, or JSON text", "The schema itself.",
        {"type": ["object", "array", "string"]}, is_required=True,
    ),
    Option(
        "options",
        "document",
        "How it is registered.",
        {},
        inner=(
            Option(
                "autoRegisterSchemas", "boolean",
                "Whether it is registered under its subject; else the subject must have it.",
                {"type": "boolean"}, default="true",
            ),
            choice(
                "subjectNameStrategy",
                (
                    "TopicName", "RecordName", "TopicRecordName",
                    "TopicNameStrategy", "RecordNameStrategy", "TopicRecordNameStrategy",
                ),
                "What the subject is called; both spellings mean the same.",
                "TopicName",
            ),
        ),
    ),
)  # fmt: skip

SOURCE_REGISTRY: Final = Option(
    "schemaRegistry",
    "document",
    "Values may name their schema: Avro and JSON Schema (docs/schema-registry.md).",
    {},
    inner=(_CONNECTION,),
)
SINK_REGISTRY: Final = Option(
    "schemaRegistry",
    "document",
    "Values, and keys, are written by a schema (docs/schema-registry.md).",
    {},
    inner=(
        _CONNECTION,
        Option("valueSchema", "document", "The schema of values.", {}, inner=_WRITE_SCHEMA),
        Option(
            "keySchema", "document", "The schema of keys, beside `key` and without `keyFormat`.", {},
            inner=_WRITE_SCHEMA,
        ),
    ),
)  # fmt: skip
