"""A schema registry in memory. Keeps the port `topics.codecs.registered.Registry`; its readers and writers
are the true ones."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka.schema_registry import Schema

from topics.codecs.avro import Reader, Writer
from topics.codecs.registered import RegistryAway, RegistryDenied, Subject, WriteSchema
from topics.codecs.registry_client import Shelf, usable


@dataclass(slots=True)
class FakeRegistry:
    """`trouble` is raised for every question, `gates` hold back those about one id, `refuses` names subjects
    that take nothing."""

    shelf: Shelf = field(default_factory=lambda: Shelf(time.monotonic))
    schemas: dict[int, tuple[str, str]] = field(default_factory=dict)
    subjects: dict[str, set[int]] = field(default_factory=dict)
    trouble: Exception | None = None
    gates: dict[object, asyncio.Event] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)
    asked: list[object] = field(default_factory=list)

    def reader(self) -> Reader:
        return Reader(self.shelf)

    def writer(self, value: WriteSchema | None, key: WriteSchema | None = None) -> Writer:
        return Writer(self.shelf, value, key)

    def add(self, subject: str, schema: Any, kind: str = "AVRO") -> int:
        """Register by hand. Returns the id."""
        found = (kind, schema if isinstance(schema, str) else json.dumps(schema))
        number = next((n for n, one in self.schemas.items() if one == found), len(self.schemas) + 1)
        self.schemas[number] = found
        self.subjects.setdefault(subject, set()).add(number)
        return number

    def go_away(self) -> None:
        self.trouble = RegistryAway("nobody answers")

    def deny(self) -> None:
        self.trouble = RegistryDenied("Unauthorized (HTTP 401)")

    def come_back(self) -> None:
        self.trouble = None

    async def fetch(self, schema_id: int) -> None:
        await self._answer(schema_id)
        found = self.schemas.get(schema_id)
        if found is None:
            self.shelf.put(schema_id, "Schema not found (HTTP 404)")
        else:
            self.shelf.put(schema_id, usable(Schema(found[1], found[0], []), {}, []))

    async def register(self, subject: Subject) -> None:
        await self._answer(subject.name)
        wanted = (subject.schema.kind, subject.schema.text)
        there = {n for n in self.subjects.get(subject.name, ()) if self.schemas[n] == wanted}
        if subject.name in self.refuses:
            self.shelf.put_id(subject, "Schema being registered is incompatible (HTTP 409)")
        elif there:
            self.shelf.put_id(subject, there.pop())
        elif subject.schema.auto_register:
            self.shelf.put_id(subject, self.add(subject.name, wanted[1], wanted[0]))
        else:
            self.shelf.put_id(subject, f"Subject '{subject.name}' not found. (HTTP 404)")

    async def _answer(self, what: object) -> None:
        self.asked.append(what)
        if what in self.gates:
            await self.gates[what].wait()
        await asyncio.sleep(0)
        if self.trouble is not None:
            raise self.trouble
