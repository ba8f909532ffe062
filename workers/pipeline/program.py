"""What compiling a processor yields: segments and call sites, in turn, then a sink.

    segment 0 -> call site 0 -> segment 1 -> ... -> segment n -> emit

`len(segments) == len(call_sites) + 1`. A segment is a plain synchronous function over a batch of documents;
only call sites (and throttles, which stand in their place) await, and that is the engine's work. Nothing in
here does I/O or reads a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from topics.codecs.registered import WriteSchema
from workers.model import Document, Dropped, Emission, Headers, Many, Meta, Refused
from workers.settings import HOLD_TIMEOUT_SECONDS

Outcome = Document | Dropped | Refused | Many
OnError = Literal["dlq", "ignore", "fail"]
OnUnknown = Literal["retry", "onError"]
SourceKeyFormat = Literal["binData", "string", "json", "int", "long", "schemaRegistry"]
SinkKeyFormat = Literal["binData", "string", "json", "int", "long", "double"]
Acks = Literal["all", "1", "0"]
Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]


class SegmentFunction(Protocol):
    """(documents, one Meta each or None) -> one outcome for each document, in order.

    Never raises for a document's sake: a document that cannot pass comes back as `Refused`. Never changes a
    document or anything in it: what it returns shares what it did not change.
    """

    def __call__(self, docs: Sequence[Document], metas: Sequence[Meta] | None, /) -> list[Outcome]: ...


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of stages without a call, compiled to one function.

    `is_identity` means that documents come back unchanged, all of them; `keeps_documents` that one which
    passes is the very document that came in (`$match` alone), so the engine may pass raw bytes on;
    `needs_meta` that `metas` must be given; `source_text` is the generated Python, for `penstock explain`.
    `is_whole`: it takes every document there is at once, and its outcomes are not those of each document in
    turn: only `penstock eval` has such segments.
    """

    run: SegmentFunction
    stages: tuple[str, ...]
    source_text: str
    is_identity: bool = False
    needs_meta: bool = False
    is_whole: bool = False
    keeps_documents: bool = False


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """`$source`. `auto_offset_reset` is for a group that never committed; None names the default group.

    `key_format` is how `{$meta: "stream.source.key"}` sees the key, `key_format_error` what becomes of a
    record whose key is none of that format; `ts_field` is the field that gets the record's time, if any.
    """

    connection: str
    topics: tuple[str, ...]
    auto_offset_reset: Literal["earliest", "latest"] = "latest"
    group_id: str | None = None
    key_format: SourceKeyFormat = "binData"
    key_format_error: Literal["dlq", "passThrough"] = "dlq"
    ts_field: str | None = None
    schema_registry: str | None = None
    """The connection by which records name their schemas."""


Reading = Callable[[Document | None, Meta], Refused | None]
"""What `$source` does with a record before the first segment: (document or None for a tombstone, meta) ->
Refused, or None where it may go on. Sets the meta's key and ts, and its own field of the document, in place:
both were just made for this record and nobody else holds them."""


@dataclass(frozen=True, slots=True)
class RetrySpec:
    """`retry` of a call site: attempts in all (the first included) and the time they may take together.

    `on_unknown` onError: what may have been worked on without our having the answer is never sent again.
    `retry_on`: types of the function's own errors that are tried again, too."""

    max_attempts: int = 5
    max_elapsed_seconds: float = 120.0
    base_seconds: float = 0.1
    cap_seconds: float = 20.0
    on_unknown: OnUnknown = "retry"
    retry_on: frozenset[str] = frozenset()


AfterHold = Literal["onError", "fail", "wait"]


@dataclass(frozen=True, slots=True)
class HoldSpec:
    """`hold` of a call site: how long documents wait for a function that cannot be called, and what becomes
    of them then."""

    timeout_seconds: float = HOLD_TIMEOUT_SECONDS
    after: AfterHold = "onError"


@dataclass(frozen=True, slots=True)
class BreakerSpec:
    """`breaker` of a call site: a hold begins when at least `error_rate` of the last `window_calls` calls
    ended with an error of the function's own."""

    error_rate: float
    window_calls: int


Contract = Literal["records", "array", "kafkaEvent"]


@dataclass(frozen=True, slots=True)
class BatchSpec:
    """`batch` of a call site. `max_bytes` is of the encoded request; `max_delay_seconds` the time from the
    first record of a batch until it goes, full or not."""

    max_records: int
    max_bytes: int
    max_delay_seconds: float
    contract: Contract = "records"


Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
RetryOn = frozenset[int | str]
"""What is tried again: statuses, `4xx` and `5xx`, and `connection`, `timeout`, `unknown`."""


class RequestLine(NamedTuple):
    """What a document makes of a request beside its body: `target` is path and query, percent-encoded, as it
    goes behind the connection's URL; header names are unique without regard to case."""

    target: str
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class HttpsSpec:
    """What `$https` has beside other calls.

    `line` makes the request's path, query and headers out of a document (a Refused is always dead-lettered).
    `sends_body`: the request has one. `retry_on` None is Atlas's status table.
    """

    method: Method
    line: Callable[[Document, Meta | None], RequestLine | Refused]
    sends_body: bool
    connect_timeout_seconds: float = 30.0
    parse_json_strings: bool = False
    retry_on: RetryOn | None = None


@dataclass(frozen=True, slots=True)
class CallSite:
    """One `$externalFunction`, or one `$https`: then `https` is there, and `function` is the connection's
    name.

    `payload` makes the document to send out of the document at hand (a Refused is always dead-lettered);
    None sends the document itself. `set_result` gives a copy of the document with the answer set at `as`.
    `partition_by` gives a hashable key, equal for values that BSON calls equal, or Refused where its
    expression fails: that document is dead-lettered and not called. `sets_meta`: a later stage reads
    `stream.externalFunction`, which the call must leave in the document's meta. `identity_field` is the field
    of what is sent that gets the record's id. `sends_source`: what is sent is the record's value as it came,
    because nothing before the call changes documents. `rate_per_second` bounds the calls that begin, in one
    process; None is no bound.
    """

    path: str
    connection: str
    function: str
    execution: Literal["sync", "async"] = "sync"
    on_error: OnError = "dlq"
    as_path: str | None = None
    payload: Callable[[Document, Meta | None], Document | Refused] | None = None
    set_result: Callable[[Document, Any], Document] | None = None
    parallelism: int = 64
    timeout_seconds: float = 60.0
    retry: RetrySpec = field(default_factory=RetrySpec)
    response: Literal["body", "envelope"] = "body"
    operator: str = "$externalFunction"
    partition_by: Callable[[Document, Meta | None], Any] | None = None
    sets_meta: bool = False
    batch: BatchSpec | None = None
    identity_field: str | None = None
    sends_source: bool = False
    https: HttpsSpec | None = None
    hold: HoldSpec = field(default_factory=HoldSpec)
    breaker: BreakerSpec | None = None
    rate_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class ThrottleSpec:
    """One `$throttle`: documents and bytes that may pass in a second; None is no limit."""

    path: str
    messages_per_second: int | None = None
    bytes_per_second: int | None = None
    operator: str = "$throttle"


@dataclass(frozen=True, slots=True)
class ProducerOptions:
    """What `$emit` asks of the client that writes; None leaves it to the connection."""

    acks: Acks | None = None
    compression: Compression | None = None


@dataclass(frozen=True, slots=True)
class Sink:
    """`$emit` to Kafka.

    `topic` is the static topic, or None when an expression names it for each document. `emission` answers
    what to produce for one document and its source's key and headers, or `Refused`; it is only needed where
    `is_plain` is False. Plain means: static topic, key and headers of the source, relaxed Extended JSON.
    """

    connection: str
    topic: str | None
    is_plain: bool
    emission: Callable[[Document, Meta | None, bytes | None, Headers | None], Emission | Refused]
    operator: str = "$emit"
    path: str = ""
    producer: ProducerOptions = ProducerOptions()
    schemas: SinkSchemas | None = None


@dataclass(frozen=True, slots=True)
class SinkSchemas:
    """Which schemas `$emit` writes with. None: as without a registry.

    Where there is one, `emission` gives what the schema's serializer takes in the place of bytes."""

    connection: str
    value: WriteSchema | None
    key: WriteSchema | None


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled processor. `sink` is None when the last stage is a call site (or, in `eval`, absent).

    `call_sites` are the places where documents wait between segments: calls and throttles.
    `reading` is None where `$source` leaves records as they are; else it needs each record's meta.
    """

    source: SourceSpec | None
    segments: tuple[Segment, ...]
    call_sites: tuple[CallSite | ThrottleSpec, ...]
    sink: Sink | None
    warnings: tuple[str, ...] = ()
    reading: Reading | None = None

    def __post_init__(self) -> None:
        assert len(self.segments) == len(self.call_sites) + 1

    @property
    def calls(self) -> tuple[CallSite, ...]:
        """The call sites that call a function or make a request."""
        return tuple(site for site in self.call_sites if isinstance(site, CallSite))
