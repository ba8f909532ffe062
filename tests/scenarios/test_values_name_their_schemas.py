"""A schema registry on a real broker: Avro and JSON Schema in and out, ids that nobody knows, a registry that
is away or does not let us in."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.fakes.registry_stub import RegistryStub, basic, registry_stub
from tests.scenarios.stories import group_of, story
from tests.scenarios.world import Seen, World, until

ORDER: Final[dict[str, Any]] = {
    "type": "record", "name": "Order", "namespace": "shop",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "placed", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "note", "type": ["null", "string"], "default": None},
    ],
}  # fmt: skip
PRICED: Final = {
    **ORDER, "name": "Priced",
    "fields": [*ORDER["fields"], {"name": "gross", "type": ORDER["fields"][2]["type"]}],
}  # fmt: skip
PLACED: Final = datetime(2026, 11, 21, 18, 30, 0, 250_000, tzinfo=UTC)
PRICE: Final = {"$addFields": {"gross": {"$multiply": ["$total", {"$numberDecimal": "1.1"}]}}}
SOURCE: Final = {"schemaRegistry": {"connectionName": "registry"}}


def client(stub: RegistryStub) -> SchemaRegistryClient:
    """Somebody else's client, who sees what we write and writes what we see."""
    return SchemaRegistryClient({"url": stub.url})


def avro(stub: RegistryStub, topic: str, docs: list[dict[str, Any]], schema: Any = ORDER) -> list[bytes]:
    conf = {"subject.name.strategy": topic_subject_name_strategy}
    write = AvroSerializer(client(stub), json.dumps(schema), conf=conf)
    return [write(doc, SerializationContext(topic, MessageField.VALUE)) or b"" for doc in docs]


def order(number: int) -> dict[str, Any]:
    return {"id": number, "placed": PLACED, "total": Decimal(number), "note": None}


def reading(
    world: World,
    names: tuple[str, str, str],
    stages: list[dict[str, Any]],
    emit: dict[str, Any],
    **options: Any,
) -> dict[str, Any]:
    """A story whose source and sink have a registry."""
    made = story(world, names[0], names[1], names[2], stages, **options)
    made["pipeline"][0]["$source"] |= SOURCE
    made["pipeline"][-1]["$emit"] |= emit
    return made


def writing(schema: Any, kind: str = "avro", **options: Any) -> dict[str, Any]:
    """`$emit.schemaRegistry` as Atlas writes it."""
    value = {"type": kind, "schema": schema, "options": options}
    return {"schemaRegistry": {"connectionName": "registry", "valueSchema": value}}


def connection(stub: RegistryStub, **more: Any) -> dict[str, Any]:
    return {"type": "SchemaRegistry", "urls": [stub.url], "timeout": "5s", **more}


def ended(world: World, source: str) -> Callable[[], bool]:
    return lambda: world.lag(group_of(source), source) == 0


def by_avro(stub: RegistryStub, topic: str, seen: list[Seen]) -> list[Any]:
    """What somebody else reads."""
    conf = {"subject.name.strategy": lambda _ctx, _name: None}
    read = AvroDeserializer(client(stub), conf=conf)
    return [read(one.value, SerializationContext(topic, MessageField.VALUE)) for one in seen]


@pytest.mark.kafka
@pytest.mark.timeout(180)
def test_avro_goes_round_with_each_subject_strategy(world: World) -> None:
    """Orders in Avro are priced and written in Avro, as decimals and dates on the other side, under the
    subject of each strategy; a schema that may not be registered is found where it is. A value that names a
    schema which the registry has not, and one that is cut off, are dead-lettered as they came."""
    with registry_stub() as stub:
        source, dead = world.topic("in"), world.topic("dead")
        outs = {name: world.topic("out") for name in ("TopicName", "RecordName", "TopicRecordName")}
        processors: dict[str, Any] = {}
        for name, out in outs.items():
            emit = writing(PRICED, subjectNameStrategy=name, autoRegisterSchemas=name != "RecordName")
            made = reading(world, (source, out, dead), [PRICE], emit)
            made["pipeline"][0]["$source"]["config"]["group_id"] = f"{group_of(source)}-{name}"
            made["options"]["dlq"]["topic"] = dead if name == "TopicName" else world.topic("other")
            processors[name] = made
        stub.add("shop.Priced", json.dumps(PRICED, separators=(",", ":")))
        app = world.write_app(world.connections(registry=connection(stub)), processors)
        good = avro(stub, source, [order(number) for number in range(200)])
        unknown, cut = b"\0\0\0\x03\xe7" + good[5][5:], good[6][:-3]
        world.produce(source, [*good[:100], unknown, cut, *good[100:], None])
        world.ready_worker(app)
        for name in outs:
            group = f"{group_of(source)}-{name}"
            until(lambda group=group: world.lag(group, source) == 0, 40, f"{name} ended")  # type: ignore[misc]
        letters = world.read(dead)
        found = {name: world.read(out) for name, out in outs.items()}

        for name, out in outs.items():
            docs = by_avro(stub, out, found[name])
            assert docs[-1] is None
            assert [doc["id"] for doc in docs[:-1]] == list(range(200))
            assert docs[10] == {**order(10), "gross": Decimal("11.00")}
    assert {subject for subject in stub.subjects if "Priced" in subject or "out" in subject} == {
        f"{outs['TopicName']}-value", "shop.Priced", f"{outs['TopicRecordName']}-shop.Priced",
    }  # fmt: skip
    assert ("POST", "/subjects/shop.Priced") in stub.asked
    assert [letter.value for letter in letters] == [unknown, cut]
    assert "no schema 999" in letters[0].why["errInfo"]["reason"]
    assert letters[0].why["errInfo"]["class"] == "Poison(unknown-schema)"
    assert letters[1].why["errInfo"]["class"] == "Poison(not-of-its-schema)"


@pytest.mark.kafka
@pytest.mark.timeout(180)
def test_json_schemas_are_held_to_and_keys_have_schemas_too(world: World) -> None:
    """JSON behind a schema's id is validated on the way in and on the way out; plain JSON passes beside it. A
    key in Avro is read, and written with a schema of its own. A pipeline without a registry reads the JSON
    and leaves the frame."""
    schema = {
        "title": "Reading", "type": "object", "required": ["n"],
        "properties": {"n": {"type": "integer", "maximum": 100}},
    }  # fmt: skip
    with registry_stub() as stub:
        source, out, dead = world.topic("in"), world.topic("out"), world.topic("dead")
        plain, bare = world.topic("out"), world.topic("dead")
        emit = writing(schema, "json")
        emit["schemaRegistry"]["keySchema"] = {"type": "avro", "schema": "long"}
        emit["config"] = {"key": {"$add": [{"$meta": "stream.source.key"}, 1]}}
        made = reading(world, (source, out, dead), [{"$set": {"n": {"$multiply": ["$n", 10]}}}], emit)
        made["pipeline"][0]["$source"]["config"]["keyFormat"] = "schemaRegistry"
        without = story(world, source, plain, bare, [{"$match": {"n": {"$lt": 3}}}])
        without["pipeline"][0]["$source"]["config"]["group_id"] = f"{group_of(source)}-plain"
        app = world.write_app(world.connections(registry=connection(stub)), {"p": made, "without": without})
        conf = {"subject.name.strategy": topic_subject_name_strategy}
        write = JSONSerializer(json.dumps(schema), client(stub), conf=conf)
        value = SerializationContext(source, MessageField.VALUE)
        framed = [write({"n": n}, value) or b"" for n in range(5)]
        bad = framed[0][:5] + b'{"n":"secret"}'
        write_key = AvroSerializer(client(stub), '"long"', conf=conf)
        key = write_key(41, SerializationContext(source, MessageField.KEY))
        world.produce(source, [*framed, bad, b'{"n":5}', b'{"n":50}'], key=lambda _value: key)
        world.ready_worker(app)
        until(ended(world, source), 40, "the registry's reader ended")
        until(lambda: world.lag(f"{group_of(source)}-plain", source) == 0, 40, "the plain one ended")
        seen, letters = world.read(out), world.read(dead)
        read = JSONDeserializer(
            None, schema_registry_client=client(stub), conf={"subject.name.strategy": lambda _c, _n: None}
        )
        docs = [read(one.value, SerializationContext(out, MessageField.VALUE)) for one in seen]
        keys = AvroDeserializer(client(stub), conf={"subject.name.strategy": lambda _c, _n: None})
        assert {keys(one.key, SerializationContext(out, MessageField.KEY)) for one in seen} == {42}
    assert docs == [{"n": n} for n in (0, 10, 20, 30, 40, 50)]
    assert set(stub.subjects) >= {f"{out}-value", f"{out}-key"}
    assert [letter.value for letter in letters] == [bad, b'{"n":50}']
    reasons = [letter.why["errInfo"]["reason"] for letter in letters]
    assert "breaks 'type' of the schema" in reasons[0]
    assert "secret" not in reasons[0]
    assert "breaks 'maximum' of its schema at $.n" in reasons[1]
    assert [one.value for one in world.read(plain)] == [b'{"n":0}', b'{"n":1}', b'{"n":2}']


@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_a_registry_that_is_away_is_waited_for(world: World) -> None:
    """Started without its registry a worker says so and is not ready; then everything flows. Away again, what
    needs a schema that is not known waits, with its partition in order; the other partition goes on. Nothing
    is dead-lettered."""
    newer = {**ORDER, "fields": [*ORDER["fields"], {"name": "more", "type": "int", "default": 0}]}
    with registry_stub() as stub:
        source, out, dead = world.topic("in", 2), world.topic("out"), world.topic("dead")
        first = avro(stub, source, [order(number) for number in range(100)])
        later = avro(stub, source, [{**order(number), "more": 1} for number in range(100, 150)], newer)
        app = world.write_app(
            world.connections(registry=connection(stub)),
            {"p": reading(world, (source, out, dead), [], writing(ORDER))},
        )
        stub.stop()
        world.produce(source, first[:50], partition=0)
        world.produce(source, first[50:], partition=1)
        worker = world.start_worker(app)
        until(lambda: "schema_registry_trouble" in worker.log(), 40, "a word about the registry")
        until(lambda: "schema registry" in str(worker.status("p")), 20, "it shows")
        assert worker.get("/readyz")[0] == 503
        assert world.count(out) == 0

        stub.start()
        until(worker.is_ready, 40, "ready once the registry is there")
        until(lambda: world.count(out) == 100, 40, "all written")

        stub.stop()
        world.produce(source, [*later[:25], *first[:25]], partition=0)
        world.produce(source, first[50:75], partition=1)
        until(lambda: world.count(out) == 125, 40, "the other partition goes on")
        world.produce(source, later[25:], partition=0)
        stub.start()
        until(ended(world, source), 60, "lag 0")
        docs = by_avro(stub, out, world.read(out))
    assert [doc["id"] for doc in docs if doc["id"] < 50 or doc["id"] >= 100] == [
        *range(50), *range(100, 125), *range(25), *range(125, 150),
    ]  # fmt: skip
    assert world.count(dead) == 0
    assert "schema_registry_back" in worker.log()


@pytest.mark.kafka
@pytest.mark.timeout(180)
def test_wrong_credentials_hold_back_until_they_are_right(world: World) -> None:
    """A password that the registry refuses is a trouble that names the registry and not the password; nothing
    is dead-lettered. Once the file has the right one everything flows."""
    with registry_stub() as stub:
        source, out, dead = world.topic("in"), world.topic("out"), world.topic("dead")
        values = avro(stub, source, [order(number) for number in range(20)])
        stub.authorization = basic("penstock", "right-horse")
        secret = world.folder / "registry-password"
        secret.write_text("wrong-horse\n")
        who = {"username": "penstock", "password": {"file": str(secret)}}
        app = world.write_app(
            world.connections(registry=connection(stub, authentication=who)),
            {"p": reading(world, (source, out, dead), [], writing(ORDER))},
        )
        world.produce(source, values)
        worker = world.start_worker(app)
        until(lambda: "HTTP 401" in str(worker.status("p")), 40, "the trouble shows")
        assert world.count(dead) == 0
        secret.write_text("right-horse\n")
        until(ended(world, source), 60, "lag 0")
    assert world.count(out) == 20
    assert world.count(dead) == 0
    assert "wrong-horse" not in worker.log()


@pytest.mark.kafka
@pytest.mark.timeout(120)
def test_a_schema_that_the_registry_refuses_fails_its_processor(world: World) -> None:
    """Where the subject takes no such schema nothing is dead-lettered: the processor is FAILED before its
    first document, and says why."""
    with registry_stub() as stub:
        source, out, dead = world.topic("in"), world.topic("out"), world.topic("dead")
        stub.incompatible = {f"{out}-value"}
        app = world.write_app(
            world.connections(registry=connection(stub)),
            {"p": reading(world, (source, out, dead), [], writing(ORDER))},
        )
        world.produce(source, avro(stub, source, [order(1)]))
        worker = world.start_worker(app)
        until(lambda: worker.status("p").get("state") == "FAILED", 40, "the processor failed")
        assert "incompatible" in str(worker.status("p"))
        assert world.count(dead) == 0
        assert world.lag(group_of(source), source) == 1
