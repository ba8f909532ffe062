"""The values that cross the borders between layers. Data only: no rules, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

Document: TypeAlias = dict[str, Any]
"""A decoded record: JSON values, and `bson` types where Extended JSON named one."""

Headers: TypeAlias = "list[tuple[str, bytes | None]]"
"""Kafka headers as they came: order, duplicates and null values kept."""


@dataclass(frozen=True, slots=True)
class TopicPartition:
    """One partition of one topic, as a key of dictionaries."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]"


Runs: TypeAlias = tuple[tuple[int, int], ...]
"""Ranges of offsets, [first, after the last), rising and apart."""

Tries: TypeAlias = tuple[tuple[int, int, int, int], ...]
"""Attempts made so far: (first offset, after the last, call site, attempts), rising and apart."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far one partition has come, as a commit says it and the next owner takes it up.

    Everything delivered below `offset` has settled, and of what is above it the offsets in `settled`, holes
    between them included. `tried` names what was attempted for records that have not settled.
    """

    offset: int
    settled: Runs = ()
    tried: Tries = ()


class Dropped:
    """A segment's answer for a document that the pipeline filtered out."""

    __slots__ = ()


DROPPED: Final = Dropped()


PROCESSOR_SCOPE: Final = "processor"
"""The scope of a refusal that stops the processor as FAILED (`$validate` with `validationAction: error`)."""


@dataclass(slots=True)
class Refused:
    """A segment's or call's answer for a document that can never pass: it is dead-lettered. With the scope
    PROCESSOR_SCOPE it stops its processor instead.

    `operator` is the stage as the dead letter names it (`$project`), `path` the exact place
    (`pipeline[3].$project.total`), `doc` the document as it entered the failing stage (None when the
    record never became a document). `https` is `stream.https` of a request that failed.
    """

    reason: str
    operator: str
    path: str
    doc: Any = None
    error_class: str = "record"
    scope: str = "record"
    attempts: int = 0
    request_id: str | None = None
    executed_version: str | None = None
    stack: tuple[str, ...] = ()
    https: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Many:
    """A segment's answer where one document became several, in order (`$unwind`); a stage after it may have
    refused some. `metas`: one for each, where a stage gave them meta of their own."""

    docs: list[Document | Refused]
    metas: list[Meta] | None = None


@dataclass(frozen=True, slots=True)
class Emission:
    """One record to produce, as the `$emit` stage's expressions made it for one document. Value and key are
    bytes, or, where they have a schema, what its serializer takes."""

    topic: str
    value: Any
    key: Any
    headers: Headers | None


@dataclass(slots=True)
class Meta:
    """What is known of a document beside its body; `{$meta: "stream..."}` reads it."""

    source: Mapping[str, Any]
    user: dict[str, Any] = field(default_factory=dict)
    external_function: dict[str, Any] = field(default_factory=dict)
    https: dict[str, Any] = field(default_factory=dict)
