"""What is known of a schema registry, and how it is asked, with confluent-kafka's client.

`Shelf` is what readers and writers use: it has what was learnt, bounded, and asks nobody. `SchemaClient` asks
and blocks: it belongs into a thread.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import orjson
from confluent_kafka.schema_registry import RegisteredSchema, Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from topics.codecs.avro_depth import is_recursive
from topics.codecs.avro_read import reader
from topics.codecs.avro_schema import AvroType, BadSchema, parse_avro
from topics.codecs.avro_unfit import Convert
from topics.codecs.json_references import foreign_reference
from topics.codecs.registered import (
    NotRegistered,
    RegistryAway,
    RegistryDenied,
    RegistryRefused,
    Subject,
    no_such_schema,
)

# A slice has 500 records, each with a schema for its value and one for its key: all of them fit.
MAX_SCHEMAS: Final = 2_000
# Schemas that one refers to, with those that they refer to.
MAX_REFERENCES: Final = 100
# What a registry does not know may be registered a moment later, or on another of its nodes already.
UNKNOWN_SECONDS: Final = 30.0

# Its own words for what it has not, or does not take: 404xx, 409xx, 422xx. A bare 404 is of another server.
_OWN_REFUSALS: Final = (404, 409, 422)
_PASSING: Final = (408, 429)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Learnt:
    """A schema as readers use it. `problem` says why they cannot; `root` is there where depth must be
    checked."""

    schema: Schema
    versions: Mapping[tuple[str, int], RegisteredSchema]
    problem: str = ""
    convert: Convert | None = None
    root: AvroType | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The registry said that it has no such schema, or takes none; it is asked again after `until` of the
    clock."""

    reason: str
    until: float


class Shelf:
    """What is known of one registry. Bounded; asks nobody. Has the methods that serializers call."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: monotonic seconds."""
        self._clock = clock
        self._schemas: OrderedDict[int, Learnt | Unknown] = OrderedDict()
        self._ids: dict[Subject, int | Unknown] = {}
        self._versions: dict[tuple[str, int], RegisteredSchema] = {}

    def lacks(self, number: int) -> bool:
        found = self._schemas.get(number)
        return found is None or (isinstance(found, Unknown) and self._clock() >= found.until)

    def put(self, number: int, found: Learnt | str) -> None:
        """A schema, or why the registry has none."""
        if isinstance(found, str):
            self._schemas[number] = Unknown(found, self._clock() + UNKNOWN_SECONDS)
        else:
            self._schemas[number] = found
            self._versions |= found.versions
        self._schemas.move_to_end(number)
        while len(self._schemas) > MAX_SCHEMAS:
            self._schemas.popitem(last=False)

    def get(self, number: int) -> Learnt:
        """Raises NotADocument for one that is not there."""
        found = self._schemas.get(number)
        if isinstance(found, Learnt):
            return found
        raise no_such_schema(number, "" if found is None else found.reason)

    def put_id(self, subject: Subject, found: int | str) -> None:
        """The id of a subject's schema, or why the registry refuses it."""
        if isinstance(found, str):
            self._ids[subject] = Unknown(found, self._clock() + UNKNOWN_SECONDS)
        else:
            self._ids[subject] = found

    def refusal(self, subject: Subject) -> str:
        """Why the registry refuses it, or an empty text."""
        found = self._ids.get(subject)
        return found.reason if isinstance(found, Unknown) else ""

    def id_of(self, subject: Subject) -> int:
        """Raises NotRegistered and RegistryRefused."""
        found = self._ids.get(subject)
        if found is None or (isinstance(found, Unknown) and self._clock() >= found.until):
            raise NotRegistered(subject)
        if isinstance(found, Unknown):
            raise RegistryRefused(found.reason)
        return found

    # What confluent's serializers ask of a client.

    def config(self) -> dict[str, Any]:
        return {}

    def get_schema(self, number: int, _subject: str | None = None, _format: str | None = None) -> Schema:
        return self.get(number).schema

    def get_version(self, subject: str, version: int, _deleted: bool = False) -> RegisteredSchema:
        return self._versions[subject, version]


class SchemaClient:
    """Asks one registry, and blocks while it does. `config` is confluent's, secrets included: never log
    it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._client = SchemaRegistryClient(dict(config))

    def learn(self, number: int) -> Learnt:
        """A schema with what it refers to. Raises RegistryRefused where there is none, RegistryAway,
        RegistryDenied."""
        return _asked(lambda: self._learn(number))

    def register(self, subject: Subject) -> int:
        """The id of a schema under its subject. Raises as `learn`; refused also where it may not be
        registered."""
        schema = Schema(subject.schema.text, subject.schema.kind)
        ask = self._client.register_schema_full_response
        found = _asked(
            lambda: (ask if subject.schema.auto_register else self._client.lookup_schema)(
                subject.name, schema
            )
        )
        if not isinstance(found.schema_id, int):
            raise RegistryAway("it answered without an id")
        return found.schema_id

    def close(self) -> None:
        self._client.close()

    def _learn(self, number: int) -> Learnt:
        # What comes with a schema beside its text are rules for serializers, which are not Penstock's.
        schema = _bare(self._client.get_schema(number))
        versions: dict[tuple[str, int], RegisteredSchema] = {}
        try:
            texts = self._references(schema, versions)
            return usable(schema, versions, texts)
        except (BadSchema, ValueError, RecursionError) as error:
            return Learnt(schema, {}, str(error) or type(error).__name__)

    def _references(self, schema: Schema, found: dict[tuple[str, int], RegisteredSchema]) -> list[Any]:
        """The schemas that one refers to, those that others need first."""
        texts: list[Any] = []
        for one in schema.references or []:
            if one.subject is None or one.version is None:
                raise RegistryAway("it answered with a reference to nothing")
            place = (one.subject, one.version)
            if place in found:
                continue
            if len(found) >= MAX_REFERENCES:
                raise BadSchema("", f"it refers to more than {MAX_REFERENCES} schemas")
            answer = _asked(partial(self._client.get_version, *place, deleted=True))
            inner = _bare(answer.schema)
            found[place] = RegisteredSchema(
                subject=place[0], version=place[1], schema_id=answer.schema_id, guid=None, schema=inner
            )
            texts += self._references(inner, found)
            texts.append(orjson.loads(inner.schema_str or ""))
        return texts


def _bare(schema: Schema) -> Schema:
    if not isinstance(schema.schema_str, str):
        raise RegistryAway("it answered without a schema")
    return Schema(schema.schema_str, schema.schema_type or "AVRO", schema.references or [])


def usable(
    schema: Schema, versions: Mapping[tuple[str, int], RegisteredSchema], references: list[Any]
) -> Learnt:
    """A schema with those that it refers to, the ones that others need first. Raises BadSchema, ValueError,
    RecursionError."""
    if schema.schema_type == "JSON":
        names = [one.name for one in schema.references or [] if one.name is not None]
        for text in (orjson.loads(schema.schema_str or ""), *references):
            foreign = foreign_reference(text, names)
            if foreign is not None:
                return Learnt(schema, {}, "it refers to a schema outside of the registry")
        return Learnt(schema, versions)
    if schema.schema_type != "AVRO":
        return Learnt(schema, {}, f"its type is {schema.schema_type}; AVRO and JSON are read")
    root = parse_avro(orjson.loads(schema.schema_str or ""), references)
    return Learnt(schema, versions, "", reader(root), root if is_recursive(root) else None)


def _asked(ask: Callable[[], T]) -> T:
    """The answer, or one of three errors. What a registry says of itself may be shown; it has no records."""
    try:
        return ask()
    except SchemaRegistryError as error:
        status, code = error.http_status_code, error.error_code
        said = f"{str(error.error_message)[:300]} (HTTP {status})"
        if status in _OWN_REFUSALS and isinstance(code, int) and str(code).startswith(str(status)):
            raise RegistryRefused(said) from None
        if status >= 500 or status in _PASSING:
            raise RegistryAway(said) from None
        raise RegistryDenied(said) from None
    except (RegistryAway, RegistryRefused):
        raise
    except Exception as error:  # what its HTTP client raises: no connection, no time, no JSON
        raise RegistryAway(f"{type(error).__name__}: {error}"[:300]) from None
