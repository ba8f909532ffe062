"""What holds of any `Registry`: the fake, and confluent's client in front of a stub over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from pydantic import SecretStr

from tests.fakes.certificate import server_context
from tests.fakes.registry import FakeRegistry
from tests.fakes.registry_stub import RegistryStub, basic, registry_stub
from topics.codecs.avro import Reader, Writer
from topics.codecs.errors import NotADocument
from topics.codecs.registered import (
    NotRegistered,
    Registry,
    RegistryAway,
    RegistryDenied,
    RegistryRefused,
    Subject,
    WriteSchema,
)
from workers.adapters.schema_registry import SchemaRegistry
from workers.adapters.trust import ca_bundle
from workers.appfolder import SchemaRegistryConnection, registry_client_config

SCHEMA = {"type": "record", "name": "Order", "namespace": "shop", "fields": [{"name": "id", "type": "long"}]}
WRITE = WriteSchema("AVRO", json.dumps(SCHEMA), "shop.Order")


class World(Protocol):
    """A registry, and the hand that a test has on it."""

    registry: Registry

    def add(self, subject: str, schema: Any) -> int: ...
    def go_away(self) -> None: ...
    def come_back(self) -> None: ...
    def deny(self) -> None: ...
    def refuse(self, subject: str) -> None: ...
    def reader(self) -> Reader: ...
    def writer(self, value: WriteSchema) -> Writer: ...


class FakeWorld:
    def __init__(self) -> None:
        self.fake = FakeRegistry()
        self.registry: Registry = self.fake
        self.add, self.go_away, self.come_back = self.fake.add, self.fake.go_away, self.fake.come_back
        self.deny, self.reader, self.writer = self.fake.deny, self.fake.reader, self.fake.writer
        self.refuse = self.fake.refuses.add


class RealWorld:
    def __init__(self, stub: RegistryStub) -> None:
        self.stub = stub
        self.real = SchemaRegistry("registry", config(stub))
        self.registry: Registry = self.real
        self.add, self.go_away, self.come_back = stub.add, stub.stop, stub.start
        self.reader = self.real.reader
        self.refuse = stub.incompatible.add

    def writer(self, value: WriteSchema) -> Writer:
        return self.real.writer(value, None)

    def deny(self) -> None:
        self.stub.authorization = "somebody else"


def config(stub: RegistryStub, **more: Any) -> dict[str, Any]:
    """What the app folder makes of a connection."""
    said = {"name": "registry", "type": "SchemaRegistry", "urls": [stub.url], "timeout": "5s", **more}
    return registry_client_config(SchemaRegistryConnection.model_validate(said), ca_bundle({}))


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    with registry_stub() as stub:
        made = RealWorld(stub)
        yield made
        made.real.close()


async def test_what_an_id_names_is_learnt(world: World) -> None:
    """A reader lacks it before, and reads by it afterwards."""
    number, reader = world.add("orders-value", SCHEMA), world.reader()
    value = b"\0" + number.to_bytes(4, "big") + b"\x0a"
    assert reader.lacks([value, b"{}", None]) == {number}
    await world.registry.fetch(number)
    assert reader.lacks([value]) == set()
    assert reader.decode_many([value, b'{"a":1}', None], 100) == [{"id": 5}, {"a": 1}, None]


async def test_an_id_that_nobody_knows_is_an_answer(world: World) -> None:
    """Its values are poison, with the id and the registry's word."""
    await world.registry.fetch(77)
    (found,) = world.reader().decode_many([b"\0\0\0\0\x4dx"], 100)
    assert isinstance(found, NotADocument)
    assert found.kind == "unknown-schema"
    assert found.reason == "the registry has no schema 77: Schema not found (HTTP 404)"


async def test_a_schema_is_registered_under_its_subject(world: World) -> None:
    """Once it is, a writer has its id; before, it asks for it."""
    writer = world.writer(WRITE)
    with pytest.raises(NotRegistered) as caught:
        writer.write("orders", {"id": 5}, b"k")
    assert caught.value.subject == Subject("orders-value", WRITE)
    await world.registry.register(caught.value.subject)
    value, key = writer.write("orders", {"id": 5}, b"k")
    assert (value, key) == (b"\0\0\0\0\x01\x0a", b"k")
    assert writer.write("orders", None, None) == (None, None)


async def test_without_permission_to_register_it_is_looked_up(world: World) -> None:
    """There it is found, else it is refused for good."""
    looked_up = WriteSchema("AVRO", json.dumps(SCHEMA), "shop.Order", "RecordNameStrategy", False)
    writer = world.writer(looked_up)
    (subject,) = writer.subjects("orders")
    assert subject.name == "shop.Order"
    await world.registry.register(subject)
    assert "not found" in writer.refusal(subject)
    with pytest.raises(RegistryRefused, match="not found"):
        writer.write("orders", {"id": 5}, None)
    number = world.add("shop.Order", SCHEMA)
    await world.registry.register(subject)
    assert writer.refusal(subject) == ""
    assert writer.write("orders", {"id": 5}, None)[0] == b"\0" + number.to_bytes(4, "big") + b"\x0a"


async def test_an_incompatible_schema_is_refused(world: World) -> None:
    """With the registry's word."""
    world.refuse("orders-value")
    writer = world.writer(WRITE)
    (subject,) = writer.subjects("orders")
    await world.registry.register(subject)
    assert "incompatible" in writer.refusal(subject)


async def test_a_registry_that_is_away_knows_nothing(world: World) -> None:
    """The question fails, and nothing is learnt; it works again when the registry is back."""
    number, reader = world.add("orders-value", SCHEMA), world.reader()
    world.go_away()
    with pytest.raises(RegistryAway):
        await world.registry.fetch(number)
    with pytest.raises(RegistryAway):
        await world.registry.register(Subject("orders-value", WRITE))
    value = b"\0" + number.to_bytes(4, "big") + b"\x0a"
    assert reader.lacks([value]) == {number}
    world.come_back()
    await world.registry.fetch(number)
    assert reader.decode_many([value], 100) == [{"id": 5}]


async def test_who_is_not_let_in_is_told_apart(world: World) -> None:
    """That is for somebody to mend; what is asked says nothing of the schema."""
    world.deny()
    with pytest.raises(RegistryDenied, match="401"):
        await world.registry.fetch(1)


@pytest.fixture
def stub() -> Iterator[RegistryStub]:
    with registry_stub() as made:
        yield made


async def asked(stub: RegistryStub, **more: Any) -> None:
    registry = SchemaRegistry("registry", config(stub, **more))
    try:
        await registry.fetch(1)
    finally:
        registry.close()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_answers_that_may_change_are_waited_for(stub: RegistryStub, status: int) -> None:
    """The registry is overloaded or broken."""
    stub.broken = status
    with pytest.raises(RegistryAway) as caught:
        await asked(stub)
    assert not isinstance(caught.value, RegistryDenied)


@pytest.mark.parametrize("status", [400, 403, 302])
async def test_other_refusals_are_for_somebody_to_mend(stub: RegistryStub, status: int) -> None:
    """Such as a redirect to a page where people sign in."""
    stub.broken = status
    with pytest.raises(RegistryDenied):
        await asked(stub)


async def test_a_404_of_another_server_is_not_an_unknown_schema(stub: RegistryStub) -> None:
    """The URL leads to something that is no registry: nothing is dead-lettered for that."""
    with pytest.raises(RegistryDenied, match="no such place"):
        await asked(stub, urls=[f"{stub.url}/elsewhere"])


async def test_a_registry_that_is_slow_is_away(stub: RegistryStub) -> None:
    """The connection's time-out bounds a question."""
    stub.gate = threading.Event()
    with pytest.raises(RegistryAway, match="Timeout"):
        await asked(stub, timeout="100ms")


async def test_the_next_url_is_tried(stub: RegistryStub) -> None:
    """Where nobody answers at the first."""
    stub.add("s", SCHEMA)
    await asked(stub, urls=["http://127.0.0.1:9", stub.url])
    assert stub.asked == [("GET", "/schemas/ids/1")]


@pytest.mark.parametrize(
    ("who", "header"),
    [
        ({"username": "me", "password": "correct:horse"}, basic("me", "correct:horse")),
        ({"type": "BEARER", "token": "abc.def"}, "Bearer abc.def"),
    ],
)
async def test_credentials_are_sent(stub: RegistryStub, who: dict[str, Any], header: str) -> None:
    """And wrong ones are not let in."""
    stub.authorization = header
    await asked(stub, authentication=who)
    with pytest.raises(RegistryDenied):
        await asked(stub)


async def test_rotated_credentials_count_from_the_next_question_on(stub: RegistryStub) -> None:
    """What was learnt before stays known."""
    stub.authorization = basic("me", "old")
    number = stub.add("s", SCHEMA)
    registry = SchemaRegistry("registry", config(stub, authentication={"username": "me", "password": "old"}))
    try:
        await registry.fetch(number)
        stub.authorization = basic("me", "new")
        with pytest.raises(RegistryDenied):
            await registry.fetch(99)
        registry.rotated(config(stub, authentication={"username": "me", "password": "new"}))
        await registry.fetch(99)
        assert registry.reader().lacks([b"\0\0\0\0\1x"]) == set()
    finally:
        registry.close()


async def test_tls_is_checked(tmp_path: Path) -> None:
    """A certificate of an authority that is not trusted keeps us away; its own file lets us in."""
    context, authority = server_context(tmp_path)
    with registry_stub(tls=context) as stub:
        with pytest.raises(RegistryAway, match="certificate"):
            await asked(stub)
        await asked(stub, security={"caFile": str(authority)})
        with pytest.raises(RegistryDenied, match="no client"):
            await asked(stub, security={"caFile": str(tmp_path / "gone")})


async def test_references_are_learnt_with_a_schema(stub: RegistryStub) -> None:
    """Those of referred schemas, too; each once."""
    money = {"type": "record", "name": "shop.Money", "fields": [{"name": "cents", "type": "long"}]}
    line = {"type": "record", "name": "shop.Line", "fields": [{"name": "price", "type": "shop.Money"}]}
    order = {"type": "record", "name": "shop.Bill", "fields": [
        {"name": "total", "type": "shop.Money"}, {"name": "line", "type": "shop.Line"}]}  # fmt: skip
    to_money = {"name": "shop.Money", "subject": "money", "version": 1}
    to_line = {"name": "shop.Line", "subject": "line", "version": 1}
    stub.add("money", money)
    stub.add("line", line, references=[to_money])
    number = stub.add("bill", order, references=[to_money, to_line])
    registry = SchemaRegistry("registry", config(stub))
    try:
        await registry.fetch(number)
        value = b"\0" + number.to_bytes(4, "big") + b"\x02\x04"
        assert registry.reader().decode_many([value], 100) == [
            {"total": {"cents": 1}, "line": {"price": {"cents": 2}}}
        ]
    finally:
        registry.close()
    assert len(stub.asked) == 3


async def test_a_schema_that_leads_out_of_the_registry_is_not_followed(stub: RegistryStub) -> None:
    """A validator would fetch it, in the middle of the loop."""
    number = stub.add("s", {"type": "object", "properties": {"a": {"$ref": f"{stub.url}/x.json"}}}, "JSON")
    registry = SchemaRegistry("registry", config(stub))
    try:
        await registry.fetch(number)
        (found,) = registry.reader().decode_many([b"\0\0\0\0\1{}"], 100)
    finally:
        registry.close()
    assert isinstance(found, NotADocument)
    assert found.kind == "unusable-schema"
    assert len(stub.asked) == 1


def test_secrets_do_not_show() -> None:
    """Neither in a connection nor in what is made of it."""
    who = {"username": "me", "password": SecretStr("correct-horse")}
    said = {"name": "r", "type": "SchemaRegistry", "urls": ["http://r:1"], "authentication": who}
    found = SchemaRegistryConnection.model_validate(said)
    assert "correct-horse" not in repr(found)
    assert "correct-horse" not in repr(SchemaRegistry("r", registry_client_config(found, ca_bundle({}))))


async def test_the_reason_names_the_connection(stub: RegistryStub) -> None:
    """Reader and writer may ask two registries: one that is away, or lets nobody in, is told by its name."""
    registry = SchemaRegistry("eu-schemas", {"url": stub.url, "max.retries": 0})
    stub.broken = 401
    with pytest.raises(RegistryDenied, match=r"401\) \(connection eu-schemas\)$"):
        await registry.fetch(1)
    stub.stop()
    with pytest.raises(RegistryAway, match=r"\(connection eu-schemas\)$"):
        await registry.fetch(1)
    registry.close()
