"""Values that name their schema: the wire format, and what readers, writers and the registry say to each
other. Pure.

A value is framed as 0, the schema's id (4 bytes, big-endian), the content.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from topics.codecs.errors import NotADocument

FRAME_BYTES: Final = 5
MAGIC: Final = b"\0"

SchemaKind = Literal["AVRO", "JSON"]
SubjectStrategy = Literal["TopicNameStrategy", "RecordNameStrategy", "TopicRecordNameStrategy"]


def schema_id(value: bytes | None) -> int | None:
    """The id that a framed value names; None for one that is not framed."""
    if value is None or len(value) <= FRAME_BYTES or value[0]:
        return None
    return int.from_bytes(value[1:FRAME_BYTES], "big")


@dataclass(frozen=True, slots=True)
class WriteSchema:
    """A schema that `$emit` writes values or keys with. `text` is JSON, `record` the name that record
    strategies take; `auto_register` false: the subject must have the schema already."""

    kind: SchemaKind
    text: str
    record: str | None
    strategy: SubjectStrategy = "TopicNameStrategy"
    auto_register: bool = True


@dataclass(frozen=True, slots=True)
class Subject:
    """A schema under a name in the registry."""

    name: str
    schema: WriteSchema


class NotRegistered(Exception):
    """The id of this schema under its subject is not known yet: ask the registry, and write again."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject.name)
        self.subject = subject


class RegistryRefused(Exception):
    """The registry's word: it has no such schema, or does not take this one. Asking again changes nothing."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RegistryAway(Exception):
    """No answer, or one that may be another in a moment."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RegistryDenied(RegistryAway):
    """The registry does not let us in, or what stands at its URL is none: somebody has to change it."""


class Registry(Protocol):
    """Asks one registry. Kept by adapters/schema_registry.py and tests/fakes/registry.py."""

    async def fetch(self, schema_id: int) -> None:
        """Learn a schema, or that there is none, so that readers know it. Returns within the connection's
        time-outs. Raises RegistryAway and RegistryDenied."""
        ...

    async def register(self, subject: Subject) -> None:
        """Learn the id of a schema under a subject, registering it where it says so, or that it is refused,
        so that writers know it. Raises RegistryAway and RegistryDenied."""
        ...


class SchemaReader(Protocol):
    """Reads values by what is known of one registry; no I/O. Kept by topics/codecs/avro.py."""

    def lacks(self, values: Iterable[bytes | None]) -> Collection[int]:
        """The ids that these values name and that are not known."""
        ...

    def decode_many(self, values: Sequence[bytes | None], max_bytes: int) -> list[Any]:
        """As `json.decode_many`. A value that is not framed is read as JSON. Ids must be known."""
        ...

    def decode_key(self, key: bytes) -> Any:
        """Any value of a key. Raises NotADocument. The id must be known."""
        ...


class SchemaWriter(Protocol):
    """Writes values by what is known of one registry; no I/O. Kept by topics/codecs/avro.py."""

    def subjects(self, topic: str) -> Sequence[Subject]:
        """The subjects that records of this topic need."""
        ...

    def refusal(self, subject: Subject) -> str:
        """Why the registry refuses it, or an empty text."""
        ...

    def write(self, topic: str, value: Any, key: Any) -> tuple[bytes | None, bytes | None]:
        """Value and key, framed where a schema is given for them; None stays None.

        Raises NotRegistered, RegistryRefused and NotEncodable."""
        ...


def no_such_schema(number: int, reason: str) -> NotADocument:
    """A value that names a schema which the registry has not."""
    return NotADocument(f"the registry has no schema {number}: {reason}", "unknown-schema")
