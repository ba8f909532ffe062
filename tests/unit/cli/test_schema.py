"""`penstock schema`: what editors complete and underline is what Penstock takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.pipelines import PIPELINES, long_pipeline
from tests.unit.cli.json_schema import faults
from tests.unit.cli.run_command import penstock
from topics.codecs import encode_value
from workers.appfolder import FORMATS, read_text
from workers.appfolder.schema import SCHEMAS, connections_schema, processor_schema
from workers.errors import Invalid
from workers.pipeline import OPERATORS, STAGES, compile_processor
from workers.pipeline.option import Option
from workers.pipeline.options import EMIT_BESIDE, OPTIONS

EXAMPLES = Path(__file__).parents[3] / "examples"
PROCESSOR, CONNECTIONS = processor_schema(), connections_schema()
SOURCE: dict[str, Any] = {"$source": {"connectionName": "kafka", "topic": "in"}}
EMIT: dict[str, Any] = {"$emit": {"connectionName": "kafka", "topic": "out"}}


def files(*names: str) -> list[Path]:
    return [path for name in names for path in sorted(EXAMPLES.glob(name)) if path.suffix in FORMATS]


def wrong(value: Any, schema: dict[str, Any] = PROCESSOR) -> list[str]:
    return list(faults(value, schema, schema))


def as_json(value: Any) -> Any:
    return json.loads(encode_value(value))


@pytest.mark.parametrize("path", files("*/processors/*"), ids=str)
def test_every_processor_of_the_examples_fits(path: Path) -> None:
    """All formats: what is written is what the schema describes."""
    assert wrong(FORMATS[path.suffix](read_text(path))) == []


@pytest.mark.parametrize("path", files("*/connections.*"), ids=str)
def test_every_connections_file_of_the_examples_fits(path: Path) -> None:
    """With `${NAME}` where the environment fills in."""
    assert wrong(FORMATS[path.suffix](read_text(path)), CONNECTIONS) == []


def test_there_are_examples_to_check() -> None:
    """The two tests above run over files."""
    assert files("*/processors/*")
    assert files("*/connections.*")


@pytest.mark.parametrize("name", OPERATORS)
def test_every_expression_of_the_docs_fits(name: str) -> None:
    """The examples of the catalogue, in a stage."""
    stage = {"$addFields": {"x": as_json(OPERATORS[name].example.expression)}}
    assert wrong([SOURCE, stage, EMIT]) == []


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_of_the_docs_fits(name: str) -> None:
    """The examples of the catalogue."""
    assert wrong([SOURCE, as_json(STAGES[name].example), EMIT]) == []


def test_the_pipelines_of_the_benchmarks_fit() -> None:
    """Long ones and wide ones."""
    for pipeline in (*PIPELINES.values(), long_pipeline(40)):
        assert wrong([SOURCE, *pipeline, EMIT]) == []


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"pipline": []}, "pipline: not allowed"),
        ({"pipeline": []}, "minItems"),
        ({"pipeline": [SOURCE, EMIT], "options": {"tombstones": "keep"}}, "tombstones: not one of"),
        ({"pipeline": [SOURCE, EMIT], "options": {"dlq": {"topics": "x"}}}, "topics: not allowed"),
        ([{"$mach": {}}], "$mach: not allowed"),
        ([{**SOURCE, **EMIT}], "maxProperties"),
        ([{"$source": {"connectionName": "kafka"}}], "without topic"),
        ([{"$source": {"connectionName": "kafka", "topic": 5}}], "topic: "),
        ([{"$source": {**SOURCE["$source"], "config": {"groupId": "x"}}}], "groupId: not allowed"),
        ([{"$emit": {**EMIT["$emit"], "config": {"acks": "some"}}}], "acks: not one of"),
        ([{"$match": {"a": {"$gtt": 5}}}], "$gtt: not allowed"),
        ([{"$match": {"$xor": []}}], "$xor: not allowed"),
        ([{"$addFields": {"a": {"$ad": [1, 2]}}}], "$ad: not allowed"),
        ([{"$addFields": {"a": {"$subtract": [1]}}}], "minItems"),
        ([{"$addFields": {"a": {"$filter": {"input": "$a"}}}}], "without cond"),
        ([{"$addFields": {"a": {"$cond": [{"$divde": [1, 2]}, 1, 2]}}}], ""),
        ([{"$unwind": "lines"}], "does not match"),
        ([{"$replaceRoot": {"newroot": "$a"}}], "newroot: not allowed"),
        ([{"$externalFunction": {"connectionName": "f", "functionName": "g", "timeout": "soon"}}], "timeout"),
        (
            [
                {
                    "$externalFunction": {
                        "connectionName": "f",
                        "functionName": "g",
                        "payload": [{"$match": {}}],
                    }
                }
            ],
            "$match: not allowed",
        ),
    ],
)
def test_mistakes_are_underlined(value: Any, where: str) -> None:
    """Each at its place. What stands in an operator's own syntax is left to `penstock validate`."""
    found = wrong(value)
    assert not where or any(where in text for text in found), found


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"kafka": {"bootstrapServers": "x:1"}}, "without type"),
        ({"kafka": {"type": "Kafak"}}, "type: not one of"),
        ([{"type": "Kafka"}], "without name"),
        ({}, "minProperties"),
    ],
)
def test_mistakes_in_connections_are_underlined(value: Any, where: str) -> None:
    """The type decides what else there may be."""
    assert any(where in text for text in wrong(value, CONNECTIONS))


def known_fields(stage: dict[str, Any], place: str) -> set[str]:
    """The names that a stage says it knows when it meets one that nobody does."""
    with pytest.raises(Invalid) as caught:
        compile_processor([stage])
    (text,) = [str(one) for one in caught.value.problems if one.path.endswith(f"{place}.qqqqqqqqqqqq")]
    return set(re.sub(r".*known are ", "", text).split(", "))


def names(options: Any) -> set[str]:
    return {option.name for option in options}


@pytest.mark.parametrize("stage", OPTIONS)
def test_options_are_those_that_the_stage_reads(stage: str) -> None:
    """The table for editors and docs against the parsers, options within options too."""
    options: list[Option] = list(OPTIONS[stage])
    expected = names(options) | (names(EMIT_BESIDE) if stage == "$emit" else set())
    least = {"topic": "x", "qqqqqqqqqqqq": 1} if stage == "$emit" else {"qqqqqqqqqqqq": 1}
    assert known_fields({stage: least}, stage) == expected
    for option in options:
        if option.inner:
            found = known_fields({stage: {option.name: {"qqqqqqqqqqqq": 1}}}, f"{stage}.{option.name}")
            assert found == names(option.inner)


def test_choices_are_those_that_the_stage_takes() -> None:
    """Each word of each choice compiles, and no other does."""
    for stage, options in OPTIONS.items():
        least = {"$source": SOURCE, "$emit": EMIT}.get(
            stage, {stage: {"connectionName": "f", "functionName": "g"}}
        )
        for option in (*options, *(inner for one in options for inner in one.inner)):
            outer = next((one.name for one in options if option in one.inner), None)
            for word in (*option.schema.get("enum", ()), "qqqqqqqqqqqq"):
                said = {option.name: word} if outer is None else {outer: {option.name: word}}
                if option.name == "keyFormat" and stage == "$emit":
                    said["config"]["key"] = "$k"
                complaints = problems([SOURCE, {stage: {**least[stage], **said}}, EMIT])
                mine = [
                    text for text in complaints if text.endswith("qqqqqqqqqqqq") or f".{option.name}" in text
                ]
                if "enum" in option.schema:
                    assert bool(mine) == (word == "qqqqqqqqqqqq"), (stage, option.name, word, complaints)


def problems(pipeline: Any) -> list[str]:
    try:
        compile_processor(pipeline)
    except Invalid as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_command_prints_it(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """On stdout, as JSON, with a description for every stage."""
    assert penstock(capsys, "schema", kind).data == json.loads(json.dumps(SCHEMAS[kind]()))


def test_without_a_kind_it_is_a_processors(capsys: pytest.CaptureFixture[str]) -> None:
    """What is written most."""
    assert "processor" in penstock(capsys, "schema").data["title"]


def test_an_unknown_kind_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    """With the nearest one."""
    ran = penstock(capsys, "schema", "procesor")
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean processor?" in ran.err
