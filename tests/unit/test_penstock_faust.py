"""`penstock.faust`: what is refused, where, and that each argument reaches its place."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import faust
import pytest
from faust.types import TP
from faust.types.tuples import Message

import penstock.faust
from penstock import Invalid
from penstock.faust import ExternalFunction, external_function
from workers.appfolder import App


def new_app(**settings: Any) -> faust.App:
    return faust.App("unit", broker="kafka://127.0.0.1:1", store="memory://", **settings)


def made(app: faust.App | None = None, **fields: Any) -> ExternalFunction:
    connection = {"region": "eu-central-1", "endpointUrl": "http://127.0.0.1:1"}
    return external_function(app or new_app(), "enrich", connection=connection, **fields)


def problems(**fields: Any) -> list[str]:
    with pytest.raises(Invalid) as caught:
        made(**fields)
    return [str(problem) for problem in caught.value.problems]


def definition(function: ExternalFunction) -> App:
    """What it runs once the app's broker is known."""
    return function._define({"bootstrapServers": "k:9092"})


def test_the_promised_names_are_there() -> None:
    """And none but these."""
    assert set(penstock.faust.__all__) == {"ExternalFunction", "Result", "Results", "external_function"}
    assert all(hasattr(penstock.faust, name) for name in penstock.faust.__all__)


def test_nothing_else_imports_faust() -> None:
    """Neither the rest of the public names nor an engine process."""
    program = "import sys, penstock, workers.assembly; sys.exit('faust' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=50).returncode == 0


def test_fields_in_snake_case_are_those_of_the_stage_and_of_a_processor() -> None:
    """What is inside of a field stays as in a file."""
    function = made(
        function_name="f:live", as_="resp.body", on_error="ignore", parallelism=8, timeout="2s",
        batch={"maxRecords": 7, "contract": "array"}, partition_by="$customer",
        ordering="key", max_buffered_records=9, dead_letters="dead", sink="out",
    )  # fmt: skip
    (spec,) = definition(function).processors
    (site,) = spec.program.calls
    assert (site.function, site.as_path, site.on_error) == ("f:live", "resp.body", "ignore")
    assert (site.parallelism, site.timeout_seconds) == (8, 2.0)
    assert site.batch is not None
    assert (site.batch.max_records, site.batch.contract) == (7, "array")
    assert site.partition_by is not None
    assert (spec.options.ordering, spec.options.max_buffered_records) == ("key", 9)
    assert spec.dead_letters.topic == "dead"
    assert spec.program.sink is not None
    assert spec.program.sink.topic == "out"


def test_dead_letters_may_say_more_than_a_topic() -> None:
    """The fields of `options.dlq`."""
    function = made(function_name="f", as_="a", dead_letters={"topic": "dead", "format": "document"})
    (spec,) = definition(function).processors
    assert (spec.dead_letters.topic, spec.dead_letters.format) == ("dead", "document")


def test_what_is_wrong_is_refused_at_the_definition() -> None:
    """All of it, before the app starts."""
    found = problems(function_name="f", as_="a", parallelism=0, orderin="key", commit_interval="soon")
    assert sorted(text.split(": ")[1] for text in found) == [
        "$externalFunction.orderin", "$externalFunction.parallelism", "commitInterval",
    ]  # fmt: skip


def stream_of(app: faust.App, *, concurrency_index: int | None = None, **topic: Any) -> Any:
    serializers = {"key_serializer": "raw", "value_serializer": "raw", **topic}
    return app.stream(app.topic("in", **serializers), concurrency_index=concurrency_index)


async def begun(function: ExternalFunction, stream: Any) -> list[str]:
    """The problems of a stream; each stops the app, too."""
    with pytest.raises(Invalid) as caught:
        await anext(aiter(function(stream)))
    assert stream.app.crash_reason is caught.value
    return [str(problem) for problem in caught.value.problems]


async def test_a_topic_that_faust_decodes_is_refused() -> None:
    """It would commit, and so lose, what it cannot decode."""
    app = new_app()
    function = made(app, function_name="f", as_="a")
    found = await begun(function, stream_of(app, value_serializer="json", key_type=str))
    assert [text.split("; ")[1] for text in found] == [
        "app.topic(..., key_serializer='raw')", "app.topic(..., value_serializer='raw')",
    ]  # fmt: skip


async def test_concurrency_is_refused_with_what_does_the_same() -> None:
    """Several readers of one partition would acknowledge out of order."""
    app = new_app()
    found = await begun(made(app, function_name="f", as_="a"), stream_of(app, concurrency_index=1))
    assert found == [
        "external_function enrich: stream: an agent with concurrency; parallelism=... of the call instead"
    ]


async def test_what_the_app_promises_must_be_what_is_kept() -> None:
    """Exactly-once would be a word; dead letters without credentials would wait for ever."""
    credentials = faust.SASLCredentials(username="u", password="p")
    app = new_app(processing_guarantee="exactly_once", broker_credentials=credentials)
    found = await begun(made(app, function_name="f", as_="a"), stream_of(app))
    assert [text.split(": ")[1] for text in found] == ["stream", "kafka"]
    app = new_app(processing_guarantee="exactly_once", broker_credentials=credentials)
    own = made(app, function_name="f", as_="a", kafka={"bootstrapServers": "k:9092"})
    assert [text.split(": ")[1] for text in await begun(own, stream_of(app))] == ["stream"]


def test_the_example_is_in_step() -> None:
    """Its definition is right, and its agent is there; docs/faust.md says that it runs as it is."""
    found = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "faust" / "agent.py"))
    (spec,) = definition(found["score"]).processors
    assert (spec.name, spec.program.calls[0].function) == ("faust-orders", "score")
    assert [agent.channel.get_topic_name() for agent in found["app"].agents.values()] == ["faust-orders.in"]


def test_a_record_is_the_event_byte_for_byte() -> None:
    """Whatever Faust made of key and value: the message has what Kafka gave."""
    headers: Any = [("h", b"1"), ("h", None)]
    message = Message("in", 3, 41, 1.234, 1, headers, b"k", b"v", None, tp=TP("in", 3), generation_id=7)
    event = faust.Event(new_app(), "decoded", {"decoded": 1}, dict(headers), message)
    record = penstock.faust._record(event)
    assert (record.topic(), record.partition(), record.offset()) == ("in", 3, 41)
    assert (record.key(), record.value(), record.headers()) == (b"k", b"v", headers)
    assert (record.timestamp(), record.generation, record.handle) == ((1, 1234), 7, event)
