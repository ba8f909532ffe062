"""The options of `$source`, `$externalFunction`, `$https` and `$emit` as data: for editors and for the docs.

The stages' own modules read and judge them; a test holds the names here against the names that they know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from workers.pipeline.call_fields import DEFAULT_PARALLELISM, MAX_PARALLELISM, PAYLOAD_STAGES
from workers.pipeline.flow_fields import (
    DEFAULT_ERROR_RATE,
    DEFAULT_WINDOW_CALLS,
    LEAST_WINDOW_CALLS,
    MAX_WINDOW_CALLS,
)
from workers.pipeline.option import EXPRESSION, TEXT, Option, Schema, choice, duration
from workers.pipeline.program import HoldSpec, RetrySpec
from workers.pipeline.registered_options import SINK_REGISTRY, SOURCE_REGISTRY
from workers.pipeline.stages.external_function import (
    DEFAULT_BATCH_DELAY_SECONDS,
    DEFAULT_BATCH_RECORDS,
    MAX_BATCH_RECORDS,
)
from workers.pipeline.stages.https import (
    DEFAULT_CONNECT_SECONDS,
    DEFAULT_REQUEST_SECONDS,
    MAX_REQUEST_SECONDS,
    RETRY_WORDS,
)
from workers.pipeline.stages.throttle import MAX_RATE
from workers.pipeline.wire import KEY_WRITERS

_RETRY: Final = RetrySpec()
_HOLD: Final = HoldSpec()

SOURCE: Final = (
    Option("connectionName", "text", "A Kafka connection.", TEXT, is_required=True),
    Option(
        "topic",
        "text, or array of texts",
        "The topics to read.",
        {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]},
        is_required=True,
    ),
    Option(
        "timeField",
        "expression",
        "The time of a record: `{$toDate: ...}` or `{$dateFromString: ...}` of its document.",
        {
            "type": "object",
            "properties": {"$toDate": EXPRESSION, "$dateFromString": EXPRESSION},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        },
        default="Kafka's",
    ),
    Option("tsFieldName", "text", "The field to put the record's time in.", TEXT),
    SOURCE_REGISTRY,
    Option(
        "config",
        "document",
        "How records are read.",
        {},
        inner=(
            choice(
                "auto_offset_reset",
                ("latest", "end", "largest", "earliest", "beginning", "smallest"),
                "Where a group without a committed offset begins.",
                "latest",
            ),
            Option("group_id", "text", "The consumer group.", TEXT, default="one for the processor"),
            choice(
                "keyFormat",
                ("binData", "string", "json", "int", "long", "schemaRegistry"),
                'What `{$meta: "stream.source.key"}` gives.',
                "binData",
            ),
            choice(
                "keyFormatError",
                ("dlq", "passThrough"),
                "A record whose key is of another format is dead-lettered, or gets its key as binData.",
                "dlq",
            ),
            Option(
                "enable_auto_commit",
                "boolean",
                "Read and ignored: offsets are committed behind acknowledged output.",
                {"type": "boolean"},
                default="false",
            ),
        ),
    ),
)

EXTERNAL_FUNCTION: Final = (
    Option("connectionName", "text", "An AWSLambda connection.", TEXT, is_required=True),
    Option("functionName", "text", "A name, name:alias, or a partial or full ARN.", TEXT, is_required=True),
    choice("execution", ("sync", "async"), "Whether the answer is waited for.", "sync"),
    Option("as", "path", "The field to set to the answer; not with async.", TEXT),
    choice(
        "onError",
        ("dlq", "ignore", "fail"),
        "What becomes of a document whose call failed: dead-lettered, passed on without `as`, or a processor "
        "that stops.",
        "dlq",
    ),
    Option(
        "payload",
        "array of stages",
        f"Makes the document to send: {', '.join(f'`{name}`' for name in sorted(PAYLOAD_STAGES))}.",
        {"type": "array", "items": {"$ref": "#/$defs/payloadStage"}},
        default="the whole document",
    ),
    Option(
        "parallelism",
        "whole number",
        "Calls at once.",
        {"type": "integer", "minimum": 1, "maximum": MAX_PARALLELISM},
        default=str(DEFAULT_PARALLELISM),
    ),
    Option("partitionBy", "expression", "Calls of one value never overlap.", EXPRESSION),
    duration("timeout", "What one attempt may take; left out, the function's own, where known.", "900s"),
    Option(
        "retry",
        "document",
        "Attempts after failures that may pass.",
        {},
        inner=(
            Option(
                "maxAttempts",
                "whole number",
                "Attempts in all, the first included.",
                {"type": "integer", "minimum": 1, "maximum": 100},
                default=str(_RETRY.max_attempts),
            ),
            duration("maxElapsed", "What they may take together.", f"{_RETRY.max_elapsed_seconds:g}s"),
            duration("base", "The first wait.", f"{_RETRY.base_seconds:g}s"),
            duration("cap", "The longest wait.", f"{_RETRY.cap_seconds:g}s"),
            choice(
                "onUnknown",
                ("retry", "onError"),
                "A call that may have been worked on, though no answer came: sent again, or never "
                "(docs/errors.md).",
                _RETRY.on_unknown,
            ),
            Option(
                "retryOn",
                "array of texts",
                "Types of the function's own errors that are tried again.",
                {"type": "array", "items": TEXT},
            ),
        ),
    ),
    Option(
        "hold",
        "document",
        "While nothing can work on the function, documents wait for it (docs/calls.md). With $https: beside "
        "retryOn with connection.",
        {},
        inner=(
            duration("timeout", "How long; unused with `after: wait`.", f"{_HOLD.timeout_seconds / 60:g}m"),
            choice(
                "after",
                ("onError", "fail", "wait"),
                "Then each document follows `onError`, or the processor stops. wait: there is no end.",
                _HOLD.after,
            ),
        ),
    ),
    Option(
        "breaker",
        "document",
        "A hold also begins when so many calls end with errors of the function's own.",
        {},
        default="none",
        inner=(
            Option(
                "errorRate",
                "number",
                "The share of the window that failed.",
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
                default=f"{DEFAULT_ERROR_RATE:g}",
            ),
            Option(
                "window",
                "whole number",
                "The last calls that count.",
                {"type": "integer", "minimum": LEAST_WINDOW_CALLS, "maximum": MAX_WINDOW_CALLS},
                default=str(DEFAULT_WINDOW_CALLS),
            ),
        ),
    ),
    Option(
        "rate",
        "text",
        'Calls that may begin, as `"500/s"` or `"30/m"`, in each engine process.',
        {"type": "string", "pattern": r"^\s*\d{1,6}(\.\d{1,3})?\s*/\s*[sm]\s*$"},
        default="no limit",
    ),
    choice("response", ("body", "envelope"), "The function's answer, or all that Lambda answered.", "body"),
    Option(
        "batch",
        "document",
        "Many documents in one call (docs/calls.md).",
        {},
        default="one document a call",
        inner=(
            Option(
                "maxRecords",
                "whole number",
                "Records in one call.",
                {"type": "integer", "minimum": 1, "maximum": MAX_BATCH_RECORDS},
                default=str(DEFAULT_BATCH_RECORDS),
            ),
            Option(
                "maxBytes",
                "size",
                "Bytes of one encoded request, its framing included.",
                {"type": ["integer", "string"]},
                default="what Lambda takes: 6,291,456 sync, 1,048,576 async",
            ),
            duration(
                "maxDelay",
                "From the first record of a batch until it is sent, full or not.",
                f"{DEFAULT_BATCH_DELAY_SECONDS * 1000:g}ms",
            ),
            choice(
                "contract",
                ("records", "array", "kafkaEvent"),
                "What request and answer look like.",
                "records",
            ),
        ),
    ),
    Option(
        "idempotency",
        "document",
        "Where the payload carries the record's id.",
        {},
        inner=(Option("field", "text", "The field that gets `{id, site}`.", TEXT, is_required=True),),
    ),
)

_NAMED: Final[Schema] = {"type": "object", "additionalProperties": EXPRESSION}
_SECONDS: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": MAX_REQUEST_SECONDS}


def _as_in_calls(name: str) -> Option:
    """An option that `$https` takes as `$externalFunction` does."""
    return next(option for option in EXTERNAL_FUNCTION if option.name == name)


def _retry_of_requests() -> Option:
    """Without the types of errors that only functions name."""
    retry = _as_in_calls("retry")
    return replace(retry, inner=[option for option in retry.inner if option.name != "retryOn"])


HTTPS: Final = (
    Option("connectionName", "text", "An Https connection.", TEXT, is_required=True),
    Option("path", "expression", "Goes behind the connection's URL; must give a string.", EXPRESSION),
    Option("parameters", "document", "The query: names with numbers, strings or booleans.", _NAMED),
    choice("method", ("GET", "POST", "PUT", "PATCH", "DELETE"), "The request's method.", "GET"),
    Option("headers", "document", "Names with strings, before the connection's of the same name.", _NAMED),
    Option("as", "path", "The field to set to the answer; required unless the stage is the last.", TEXT),
    Option(
        "onError",
        "dlq / ignore / fail",
        "What becomes of a document whose request failed: dead-lettered, passed on without `as`, or a "
        "processor that stops. For which failures: docs/https.md.",
        {"enum": ["dlq", "ignore", "fail", "DLQ", "Ignore", "Fail"]},
        default="dlq",
    ),
    replace(_as_in_calls("payload"), default="the whole document with POST, PUT and PATCH, else no body"),
    Option(
        "config",
        "document",
        "Bounds, and how the answer is read.",
        {},
        inner=(
            Option(
                "connectionTimeoutSec", "whole number", "Seconds to connect.", _SECONDS,
                default=str(DEFAULT_CONNECT_SECONDS),
            ),
            Option(
                "requestTimeoutSec", "whole number", "Seconds for one attempt, connecting included.",
                _SECONDS, default=str(DEFAULT_REQUEST_SECONDS),
            ),
            Option(
                "parseJsonStrings", "boolean", "Texts in the answer that are JSON objects or arrays become "
                "those.", {"type": "boolean"}, default="false",
            ),
        ),
    ),
    replace(_as_in_calls("parallelism"), meaning="Requests at once."),
    replace(_as_in_calls("partitionBy"), meaning="Requests of one value never overlap."),
    duration("timeout", "`config.requestTimeoutSec` as a duration.", f"{DEFAULT_REQUEST_SECONDS}s"),
    _retry_of_requests(),
    _as_in_calls("hold"),
    _as_in_calls("rate"),
    Option(
        "retryOn",
        "array",
        f"What is tried again: statuses, or {', '.join(f'`{word}`' for word in RETRY_WORDS)}. All other "
        "failures but 401, 403, 407 and redirects are `onError`'s.",
        {
            "type": "array",
            "items": {
                "anyOf": [{"enum": list(RETRY_WORDS)}, {"type": "integer", "minimum": 300, "maximum": 599}]
            },
        },
        default="Atlas's status table (docs/https.md)",
    ),
)  # fmt: skip

_RATE: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": MAX_RATE}

THROTTLE: Final = (
    Option("messagesPerSec", "whole number", "Documents that pass in a second.", _RATE, default="no limit"),
    Option(
        "bytesPerSec",
        "whole number",
        "Bytes of documents in relaxed Extended JSON that pass in a second. A document larger than that "
        "passes, and those after it wait until it is paid for.",
        _RATE,
        default="no limit",
    ),
)

_EMIT_CONFIG: Final = (
    Option("key", "expression", "The record's key.", EXPRESSION, default="the source's"),
    choice("keyFormat", tuple(KEY_WRITERS), "How the key is written.", "by the value's type"),
    Option(
        "headers",
        "expression",
        "The record's headers: a document, or an array of documents of k and v.",
        EXPRESSION,
        default="the source's",
    ),
    Option("tombstoneWhen", "expression", "Where it is true, the value is null.", EXPRESSION),
    choice(
        "outputFormat",
        ("relaxedJson", "canonicalJson", "basicJson"),
        "How values that JSON does not have are written.",
        "relaxedJson",
    ),
    choice("dateFormat", ("default", "ISO8601"), "How dates are written.", "default"),
    choice(
        "compression_type", ("none", "gzip", "snappy", "lz4", "zstd"), "Of the producer's batches.", "lz4"
    ),
    Option(
        "acks",
        "all / -1 / 1 / 0",
        "Whose acknowledgement counts. Only `all` loses nothing.",
        {"enum": ["all", "-1", "1", "0", -1, 1, 0]},
        default="all",
    ),
)

EMIT: Final = (
    Option("connectionName", "text", "A Kafka connection.", TEXT, is_required=True),
    Option("topic", "expression", "The topic, fixed or by document.", EXPRESSION, is_required=True),
    Option(
        "config",
        "document",
        "How records are written. Its options may also stand beside the topic.",
        {},
        inner=_EMIT_CONFIG,
    ),
    SINK_REGISTRY,
)
EMIT_BESIDE: Final = _EMIT_CONFIG
"""Options of `$emit` that older pages of Atlas write beside the topic."""

OPTIONS: Final[Mapping[str, Sequence[Option]]] = {
    "$source": SOURCE,
    "$externalFunction": EXTERNAL_FUNCTION,
    "$https": HTTPS,
    "$throttle": THROTTLE,
    "$emit": EMIT,
}
"""By stage, in the order the docs print them."""
