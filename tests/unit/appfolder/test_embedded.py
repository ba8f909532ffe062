"""A call site that a program defines: the rules of the app folder, said in the program's words."""

from __future__ import annotations

from typing import Any

import pytest

from workers.appfolder.app import App, DeadLetterTarget
from workers.appfolder.embedded import FUNCTIONS, KAFKA, embedded_app
from workers.errors import Invalid

CONNECTIONS: dict[str, Any] = {FUNCTIONS: {"region": "eu-central-1"}, KAFKA: {"bootstrapServers": "k:9092"}}


def made(
    call: dict[str, Any] | None = None, options: dict[str, Any] | None = None,
    emit: dict[str, Any] | None = None, **connections: Any,
) -> App:  # fmt: skip
    return embedded_app(
        "enrich", {"functionName": "f", "as": "a", **(call or {})}, options or {},
        {**CONNECTIONS, **connections}, emit,
    )  # fmt: skip


def refusals(**how: Any) -> list[str]:
    with pytest.raises(Invalid) as caught:
        made(**how)
    return [str(problem) for problem in caught.value.problems]


def test_a_definition_is_a_processor_with_the_stage_as_a_pipeline_has_it() -> None:
    """Defaults are the pipeline's: 64 calls at once, dead letters in a topic named after it."""
    (spec,) = made(call={"batch": {"maxRecords": 5}}).processors
    (site,) = spec.program.calls
    assert (site.function, site.as_path, site.parallelism, site.on_error) == ("f", "a", 64, "dlq")
    assert site.batch is not None
    assert site.batch.max_records == 5
    assert spec.dead_letters == DeadLetterTarget(KAFKA, "enrich.dlq", "header")
    assert spec.options.ordering == "partition"


def test_options_and_a_sink_are_those_of_a_processor() -> None:
    """Topic and format of dead letters, ordering, bounds; `$emit` with its own fields."""
    options = {"dlq": {"topic": "dead", "format": "document"}, "ordering": "key", "maxBufferedRecords": 7}
    (spec,) = made(options=options, emit={"topic": "out", "config": {"acks": "1"}}).processors
    assert spec.dead_letters == DeadLetterTarget(KAFKA, "dead", "document")
    assert (spec.options.ordering, spec.options.max_buffered_records) == ("key", 7)
    assert spec.program.sink is not None
    assert (spec.program.sink.topic, spec.program.sink.producer.acks) == ("out", "1")


def test_every_problem_is_said_at_once_and_where_it_stands() -> None:
    """Of the connections, the call, the sink and the options; a stage's place has no pipeline around it."""
    found = refusals(
        call={"parallelism": 0, "functionNam": "g"},
        options={"ordering": "chaos"},
        functions={"region": "nowhere"},
        kafka={},
    )
    places = sorted(text.split(": ")[1] for text in found)
    assert places == [
        "$externalFunction.functionNam", "$externalFunction.parallelism", "connection.region",
        "kafka.bootstrapServers", "ordering",
    ]  # fmt: skip
    assert all(text.startswith("external_function enrich: ") for text in found)


@pytest.mark.parametrize(
    ("option", "value"),
    [("delivery", "exactly-once"), ("onDataLoss", "latest"), ("drainTimeout", "5s")],
)
def test_what_the_reader_of_the_records_decides_is_refused_by_name(option: str, value: str) -> None:
    """Never ignored."""
    (text,) = refusals(options={option: value})
    assert text.startswith(f"external_function enrich: {option}: found '{value}'; ")


def test_a_name_must_fit_into_topics_and_metrics() -> None:
    """As a processor's."""
    with pytest.raises(Invalid, match="external_function a b: name: found 'a b'"):
        embedded_app("a b", {"functionName": "f"}, {}, CONNECTIONS)
