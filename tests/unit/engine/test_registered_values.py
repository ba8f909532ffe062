"""Values that name their schema, in a processor on fakes: what waits for the registry, and what does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import pytest

from tests.fakes.registry import FakeRegistry
from tests.unit.engine import rig as rigs
from tests.unit.engine.rig import DEAD, FIRST, RESULTS, SECOND, TOPIC, Rig, running
from workers.engine import registered
from workers.engine.processor import Parts
from workers.engine.registered import SchemaParts
from workers.metrics import SCHEMA_REQUESTS
from workers.pipeline import compile_processor
from workers.pipeline.program import Program

SCHEMA: Final = {"type": "record", "name": "Doc", "fields": [{"name": "id", "type": "long"}]}
READ: Final = {"schemaRegistry": {"connectionName": "registry"}}


def program(
    *stages: dict[str, Any], source: dict[str, Any] | None = None, emit: dict[str, Any] | None = None
) -> Program:
    """From the fakes' topic to theirs."""
    return compile_processor(
        [
            {"$source": {"connectionName": "kafka", "topic": TOPIC, **(source or {})}},
            *stages,
            {"$emit": {"connectionName": "kafka", "topic": RESULTS, **(emit or {})}},
        ]
    )


def writing(schema: Any = SCHEMA, kind: str = "avro", **options: Any) -> dict[str, Any]:
    value = {"type": kind, "schema": schema, "options": options}
    return {"schemaRegistry": {"connectionName": "registry", "valueSchema": value}}


@asynccontextmanager
async def on(
    monkeypatch: pytest.MonkeyPatch, registry: FakeRegistry, made: Program, **how: Any
) -> AsyncIterator[Rig]:
    """The program at work with this registry at both ends."""
    reads = made.source is not None and made.source.schema_registry is not None
    schemas = made.sink.schemas if made.sink is not None else None
    parts = SchemaParts(
        registry.reader() if reads else None,
        registry if reads else None,
        registry.writer(schemas.value, schemas.key) if schemas is not None else None,
        registry if schemas is not None else None,
    )
    monkeypatch.setattr(rigs, "Parts", partial(Parts, schemas=parts))
    monkeypatch.setattr(registered, "SCHEMA_RETRY_FIRST_SECONDS", 0.001)
    monkeypatch.setattr(registered, "SCHEMA_RETRY_CAP_SECONDS", 0.002)
    async with running(made, **how) as rig:
        yield rig


def framed(number: int, doc_id: int) -> bytes:
    """A document of `SCHEMA`; ids below 64 are one byte."""
    return b"\0" + number.to_bytes(4, "big") + bytes([doc_id * 2])


def values(rig: Rig, topic: str = RESULTS) -> list[Any]:
    return list((rig.transactions or rig.producer).values(topic))


def counted(rig: Rig, operation: str, result: str) -> float:
    return rig.metrics.counter(SCHEMA_REQUESTS, "orders", operation, result)._value.get()  # type: ignore[no-any-return]


@pytest.mark.parametrize("exactly_once", [False, True])
async def test_documents_come_in_and_go_out_by_their_schemas(
    monkeypatch: pytest.MonkeyPatch, exactly_once: bool
) -> None:
    """One question for each schema, however many records; tombstones and plain JSON pass beside them."""
    registry = FakeRegistry()
    number = registry.add("in-value", {**SCHEMA, "name": "In"})
    made = program({"$set": {"id": {"$add": ["$id", 1]}}}, source=READ, emit=writing())
    async with on(monkeypatch, registry, made, exactly_once=exactly_once) as rig:
        rig.give(*(framed(number, n) for n in range(30)), {"id": 30}, None)
        await rig.all_committed(32)
        assert values(rig) == [*(framed(2, n + 1) for n in range(31)), None]
        assert rig.letters() == []
        assert sorted(map(str, registry.asked)) == ["1", "results-value"]
        assert counted(rig, "schema", "answered") == 1


async def test_a_slice_waits_for_its_schema_and_no_other_partition_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its own partition stands still in order; the other one goes on."""
    registry = FakeRegistry()
    known, late = registry.add("a", SCHEMA), registry.add("b", {**SCHEMA, "name": "Late"})
    registry.gates[late] = asyncio.Event()
    async with on(monkeypatch, registry, program(source=READ), partitions=2) as rig:
        rig.give(framed(known, 1), framed(late, 2), framed(known, 3), to=FIRST)
        rig.give(*(framed(known, n) for n in range(10, 30)), to=SECOND)
        await rig.all_committed(20, SECOND)
        await rig.rest()
        assert rig.ids() == list(range(10, 30))
        assert rig.committed(FIRST) == 0
        registry.gates[late].set()
        await rig.all_committed(3, FIRST)
        assert rig.ids()[20:] == [1, 2, 3]


async def test_an_unknown_id_is_dead_lettered_with_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """And with the id in the reason; the next record goes on."""
    registry = FakeRegistry()
    number = registry.add("a", SCHEMA)
    async with on(monkeypatch, registry, program(source=READ)) as rig:
        rig.give(framed(99, 1), framed(number, 2))
        await rig.all_committed(2)
        assert rig.ids() == [2]
        (letter,) = rig.letters()
        assert "no schema 99" in letter["errInfo"]["reason"]
        assert values(rig, DEAD) == [framed(99, 1)]


async def test_a_registry_that_is_away_holds_back_and_dead_letters_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The processor says so and is not ready, asks again, and goes on."""
    registry = FakeRegistry()
    number = registry.add("a", SCHEMA)
    registry.go_away()
    async with on(monkeypatch, registry, program(source=READ, emit=writing())) as rig:
        rig.give(framed(number, 1))
        await rig.until(lambda: len(registry.asked) > 5, "asked again and again")
        status = rig.processor.status()
        assert (status.ready, status.trouble) == (False, "schema registry: nobody answers")
        assert rig.committed() == 0
        assert counted(rig, "schema", "away") > 0
        registry.come_back()
        await rig.all_committed(1)
        assert rig.letters() == []
        assert "registry" not in rig.processor.status().trouble


async def test_documents_wait_at_emit_for_their_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of another topic leave before them where the order allows, and in a partition's order else."""
    registry = FakeRegistry()
    registry.gates["slow-value"] = asyncio.Event()
    emit = {**writing({**SCHEMA, "name": "Out"}), "topic": "$to"}
    made = program({"$unset": "other"}, emit=emit)
    async with on(monkeypatch, registry, made, settings={"ordering": "none"}) as rig:
        rig.give({"id": 1, "to": "slow"}, {"id": 2, "to": "quick"})
        await rig.until(lambda: values(rig, "quick") == [framed(1, 2)], "the quick one")
        assert values(rig, "slow") == []
        registry.gates["slow-value"].set()
        await rig.all_committed(2)
        assert values(rig, "slow") == [framed(1, 1)]


async def test_a_partitions_order_holds_over_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing behind a document that waits for its subject leaves before it."""
    registry = FakeRegistry()
    registry.gates["slow-value"] = asyncio.Event()
    async with on(monkeypatch, registry, program(emit={**writing(), "topic": "$to"})) as rig:
        rig.give({"id": 1, "to": "quick"}, {"id": 2, "to": "slow"}, {"id": 3, "to": "quick"})
        await rig.until(lambda: values(rig, "quick") == [framed(1, 1)], "the one before it")
        await rig.rest()
        assert len(values(rig, "quick")) == 1
        registry.gates["slow-value"].set()
        await rig.all_committed(3)
        assert values(rig, "quick") == [framed(1, 1), framed(1, 3)]
        assert values(rig, "slow") == [framed(1, 2)]


async def test_what_waits_of_a_partition_that_moves_is_the_next_owners(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither a slice nor a document at $emit leaves once the partition has gone."""
    registry = FakeRegistry()
    registry.gates["results-value"] = asyncio.Event()
    async with on(monkeypatch, registry, program(emit=writing())) as rig:
        rig.give({"id": 1})
        await rig.until(lambda: bool(rig.processor.partitions) and "results-value" in registry.asked)
        await rig.rest()
        await rig.revoke(FIRST)
        registry.gates["results-value"].set()
        await rig.rest()
        assert values(rig) == []
        assert rig.committed() == 0


async def test_a_refused_schema_fails_the_processor_and_dead_letters_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At its start, with the registry's word."""
    registry = FakeRegistry(refuses={"results-value"})
    async with on(monkeypatch, registry, program(emit=writing())) as rig:
        await rig.until(lambda: rig.processor.state == "FAILED", "the processor failed")
        assert "refuses the schema for results: Schema being registered is incompatible" in (
            rig.processor.error
        )
        assert rig.letters() == []


async def test_a_topic_that_a_document_named_is_that_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its subject has no such schema, it alone is dead-lettered."""
    registry = FakeRegistry(refuses={"bad-value"})
    emit = {**writing(), "topic": "$to"}
    async with on(monkeypatch, registry, program(emit=emit)) as rig:
        rig.give({"id": 1, "to": "bad"}, {"id": 2, "to": "good"})
        await rig.all_committed(2)
        (letter,) = rig.letters()
        assert letter["errInfo"]["class"] == "SchemaRefused"
        assert letter["doc"] == {"id": 1, "to": "bad"}
        assert values(rig, "good") == [framed(1, 2)]


async def test_a_document_that_does_not_fit_is_dead_lettered(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its place, without its value."""
    registry = FakeRegistry()
    async with on(monkeypatch, registry, program(emit=writing())) as rig:
        rig.give({"id": "secret"}, {"id": 2})
        await rig.all_committed(2)
        (letter,) = rig.letters()
        assert letter["errInfo"]["class"] == "NotEncodable"
        assert (
            letter["errInfo"]["reason"]
            == "the document does not fit its schema: id: a string does not fit long"
        )
        assert values(rig) == [framed(1, 2)]


async def test_who_is_not_let_in_for_long_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry's word is the reason; nothing is dead-lettered."""
    monkeypatch.setattr(registered, "SCHEMA_DENIED_SECONDS", 0.01)
    registry = FakeRegistry()
    registry.deny()
    async with on(monkeypatch, registry, program(source=READ)) as rig:
        rig.give(framed(1, 1))
        await rig.until(lambda: rig.processor.state == "FAILED", "the processor failed")
        assert "401" in rig.processor.error
        assert rig.letters() == []


async def test_a_bug_of_a_registrys_ends_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited out."""
    registry = FakeRegistry(trouble=RuntimeError("a planted bug"))
    async with on(monkeypatch, registry, program(source=READ)) as rig:
        rig.give(framed(1, 1))
        with pytest.raises(AssertionError, match="a planted bug"):
            await rig.until(lambda: False)
        rig.crashes.clear()


@pytest.mark.parametrize(("errors", "ids"), [("dlq", [1]), ("passThrough", [1, 2])])
async def test_keys_have_schemas_too(monkeypatch: pytest.MonkeyPatch, errors: str, ids: list[int]) -> None:
    """Read and written by their own; one that cannot be read follows keyFormatError."""
    registry = FakeRegistry()
    number = registry.add("in-key", '"string"')
    source = {**READ, "config": {"keyFormat": "schemaRegistry", "keyFormatError": errors}}
    made = program({"$set": {"key": {"$meta": "stream.source.key"}}}, source=source)
    async with on(monkeypatch, registry, made) as rig:
        rig.give({"id": 1}, key=b"\0" + number.to_bytes(4, "big") + b"\x04hi")
        rig.give({"id": 2}, key=b"\0\0\0\0\x63x")
        await rig.all_committed(2)
        assert rig.ids() == ids
        assert rig.results()[0]["key"] == "hi"
        assert len(rig.letters()) == 2 - len(ids)


async def test_json_behind_a_frame_needs_no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only filters writes it without the frame; what is no JSON is dead-lettered as it came."""
    async with on(monkeypatch, FakeRegistry(), program({"$match": {"id": {"$gt": 0}}})) as rig:
        rig.give(b'\0\0\0\0\x07{"id":1}', {"id": 2}, framed(7, 3))
        await rig.all_committed(3)
        assert values(rig) == [b'{"id":1}', json.dumps({"id": 2}).encode()]
        (letter,) = rig.letters()
        assert "$source.schemaRegistry reads it" in letter["errInfo"]["reason"]
