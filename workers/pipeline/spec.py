"""What stages say, checked, as plain data: the step between the user's text and the compiled program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from topics.codecs import DateFormat, OutputFormat
from workers.model import Document, Refused
from workers.pipeline.nodes import Const, Emitting, Node, Scope
from workers.pipeline.program import (
    BatchSpec,
    BreakerSpec,
    HoldSpec,
    Method,
    OnError,
    ProducerOptions,
    RetryOn,
    RetrySpec,
    SinkKeyFormat,
    SinkSchemas,
    SourceSpec,
)

__all__ = [
    "CallSpec",
    "EmitSpec",
    "QuerySpec",
    "SourceSpec",
    "StageEmitting",
    "StageSpec",
    "StageType",
    "Steps",
    "Whole",
]


class StageEmitting(Emitting, Protocol):
    """What a stage's `emit` may ask for beside what expressions may. Kept by `segment.SegmentEmitter`."""

    doc: str
    """The local that holds the document as it is at this point."""

    doc_is_ours: bool
    """Whether that document was made by a stage before and is held by nobody else: its own fields (nothing
    deeper) may be changed in place, once every expression of the stage has been evaluated."""

    def new_doc(self) -> str:
        """A new local name for a document."""
        ...

    def document_is(
        self, local: str, *, ours: bool, unchanged_from: str = "", changed: frozenset[str] = frozenset()
    ) -> None:
        """The document is in another local from here on. What was read from `unchanged_from` still holds, but
        for the `changed` fields."""
        ...

    def field_is(self, field: str, local: str) -> None:
        """The document has this value (a local, which may hold MISSING) in a field."""
        ...

    def drop(self) -> None:
        """The document goes no further."""
        ...

    def each(self, documents: str, *, changed: frozenset[str]) -> None:
        """From here on everything happens to each document of a list: copies of the one at hand, held by
        nobody else, that differ from it in the `changed` fields alone."""
        ...

    def inline(self, source: str, names: Mapping[str, Any]) -> str:
        """Source over `doc` and these names, made by another compiler, as text that can stand here."""
        ...


@dataclass(frozen=True, slots=True)
class QuerySpec:
    """A query, checked: source over `doc` and its `names`, and what under `$expr` must hold beside it."""

    source: str
    names: Mapping[str, Any]
    expressions: tuple[Node, ...] = ()

    def unless(self, em: StageEmitting, otherwise: Callable[[], object]) -> None:
        """Write source that does what `otherwise` writes where the query does not hold."""
        if self.source != "True":
            with em.block(f"if not {em.inline(self.source, self.names)}:"):
                otherwise()
        for node in self.expressions:
            condition = em.condition(node)
            if condition != "True":
                with em.block(f"if not {condition}:"):
                    otherwise()


Emit = Callable[[StageEmitting], None]

Whole = Callable[[list[Document]], Sequence[Document | Refused]]
"""What a stage makes of all documents there are; it changes none of them."""


def _nothing(_em: StageEmitting) -> None:
    """A stage over a whole list has no source."""


@dataclass(frozen=True, slots=True)
class StageSpec:
    """A stage that is compiled into a segment: its name, its place, and what writes its source.

    `sets_meta`: it changes the document's meta. `whole`: it is a stage over a whole list instead.
    """

    operator: str
    path: str
    emit: Emit = _nothing
    sets_meta: bool = False
    whole: Whole | None = None


@dataclass(frozen=True, slots=True)
class RequestSpec:
    """What `$https` has beside other calls, checked: names with expressions."""

    method: Method
    path: Node | None
    parameters: tuple[tuple[str, Node], ...]
    headers: tuple[tuple[str, Node], ...]
    sends_body: bool
    connect_timeout_seconds: float
    parse_json_strings: bool
    retry_on: RetryOn | None


@dataclass(frozen=True, slots=True)
class CallSpec:
    """`$externalFunction` or `$https`, checked. `https` is what the latter has beside the former."""

    path: str
    connection: str
    function: str
    execution: Literal["sync", "async"]
    on_error: OnError
    as_path: str | None
    payload: tuple[StageSpec, ...] | None
    parallelism: int
    parallelism_given: bool
    partition_by: Node | None
    timeout_seconds: float
    retry: RetrySpec
    response: Literal["body", "envelope"]
    batch: BatchSpec | None = None
    identity_field: str | None = None
    operator: str = "$externalFunction"
    https: RequestSpec | None = None
    warnings: tuple[str, ...] = ()
    hold: HoldSpec = field(default_factory=HoldSpec)
    breaker: BreakerSpec | None = None
    rate_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class EmitSpec:
    """`$emit` to Kafka, checked. None: the source's key or headers; a key written by its value's type."""

    path: str
    connection: str
    topic: str | Node
    key: Node | None = None
    headers: Node | None = None
    operator: str = "$emit"
    key_format: SinkKeyFormat | None = None
    tombstone_when: Node | None = None
    output_format: OutputFormat = "relaxedJson"
    date_format: DateFormat = "default"
    producer: ProducerOptions = field(default_factory=ProducerOptions)
    schemas: SinkSchemas | None = None
    warnings: tuple[str, ...] = ()


class Steps(Protocol):
    """What a stage's `parse` may ask for. Kept by `check.Checker`."""

    def expression(self, spec: Any, path: str, scope: Scope | None = None) -> Node:
        """An expression over the document; problems are noted and a constant stands in. `scope`: what
        variables it may use, where not the usual ones."""
        ...

    def literal(self, spec: Any, path: str) -> Const:
        """A value as it stands."""
        ...

    def wrong(self, path: str, found: str, expected: str = "") -> Const:
        """Note a problem."""
        ...

    def stages(self, spec: Any, path: str, allowed: frozenset[str]) -> tuple[StageSpec, ...]:
        """An inner pipeline of these stages only."""
        ...

    def match(self, query: Any, path: str) -> QuerySpec | None:
        """A compiled query; None when it is wrong."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StageType:
    """One kind of stage that runs within segments, described by data."""

    name: str
    parse: Callable[[Steps, Any, str], StageSpec | None]
    meaning: str
    syntax: str
    example: Mapping[str, Any] = field(default_factory=dict)
