"""An app folder as a whole: what comes out, and one report of everything that is wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bson import Int64

from tests.unit.appfolder.folders import CONNECTIONS, PROCESSOR, write
from tests.unit.appfolder.test_mongosh import CUSTOMIZED, CUSTOMIZED_AS_PRINTED, MINIMAL
from workers.appfolder import load_app
from workers.errors import Invalid, Problem

SOURCE = '{ $source: { connectionName: "kafka", topic: "orders" } }'
LAMBDA = "myLambdaConnection: {type: AWSLambda}\n"


def problems(folder: Path, files: Mapping[str, str | bytes]) -> list[Problem]:
    return problems_of(write(folder, files))


def problems_of(folder: Path) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        load_app(folder, {})
    return list(caught.value.problems)


def test_a_folder_comes_out_whole(tmp_path: Path) -> None:
    """Connections, the processor with its program, contracts; defaults where nothing is said."""
    app = load_app(write(tmp_path, {"topics/results.yaml": "partitions: 6", "README.md": "x"}), {})
    (processor,) = app.processors
    assert (processor.name, processor.file) == ("orders", "processors/orders.yaml")
    assert processor.program.source is not None
    assert processor.program.source.topics == ("orders",)
    assert (processor.dead_letters.connection, processor.dead_letters.topic) == ("kafka", "orders.dlq")
    assert processor.dead_letters.format == "header"
    assert app.contracts["results"].partitions == 6
    assert app.functions == tmp_path / "functions"
    assert sorted(app.connections) == ["functions", "kafka"]


@pytest.mark.parametrize("stage", [MINIMAL, CUSTOMIZED])
def test_the_documentations_examples_load_as_pasted(tmp_path: Path, stage: str) -> None:
    """Behind a $source, in a .js file: tabs, trailing commas and the placeholders of the ARN included."""
    text = f"[{SOURCE}, {stage},]"
    app = load_app(
        write(tmp_path, {"connections.yaml": CONNECTIONS + LAMBDA, "processors/orders.yaml": PROCESSOR,
                         "processors/pasted.js": text}), {})  # fmt: skip
    pasted = app.processors[1]
    assert pasted.name == "pasted"
    assert pasted.pipeline[1]["$externalFunction"]["connectionName"] == "myLambdaConnection"
    assert pasted.program.calls[0].as_path == "response"


def test_the_missing_comma_is_reported_with_line_and_column(tmp_path: Path) -> None:
    """The example as printed is refused where its comma is missing."""
    write(tmp_path, {"processors/orders.js": CUSTOMIZED_AS_PRINTED})
    (tmp_path / "processors/orders.yaml").unlink()
    (problem,) = problems_of(tmp_path)
    assert str(problem) == (
        "processors/orders.js: line 6, column 5: 'as'; expected a comma or } after the value of execution"
    )


def test_every_format_says_the_same(tmp_path: Path) -> None:
    """YAML, JSON and text of the shell, with dates and 64-bit numbers, give one pipeline."""
    texts = {
        "a.yaml": """
        - $source: {connectionName: kafka, topic: orders}
        - $match: {at: {$gt: {$date: "2024-05-01T00:00:00Z"}}, n: {$numberLong: "5"}}
        - $emit: {connectionName: kafka, topic: results}
        """,
        "b.json": """[{"$source": {"connectionName": "kafka", "topic": "orders"}},
        {"$match": {"at": {"$gt": {"$date": "2024-05-01T00:00:00Z"}}, "n": {"$numberLong": "5"}}},
        {"$emit": {"connectionName": "kafka", "topic": "results"}}]""",
        "c.js": f"""sp.createStreamProcessor("c", [{SOURCE},
        {{$match: {{at: {{$gt: ISODate("2024-05-01")}}, n: NumberLong(5)}}}},
        {{$emit: {{connectionName: 'kafka', topic: 'results'}}}}]);""",
        "d.json5": f"""{{name: "d", pipeline: [{SOURCE},
        {{$match: {{at: {{$gt: {{$date: "2024-05-01T00:00:00Z"}}}}, n: {{$numberLong: "5"}}}}}},
        {{$emit: {{connectionName: "kafka", topic: "results"}}}}]}}""",
    }  # fmt: skip
    app = load_app(write(tmp_path, {f"processors/{name}": text for name, text in texts.items()}), {})
    found = {processor.name: processor.pipeline for processor in app.processors if processor.name != "orders"}
    assert sorted(found) == ["a", "b", "c", "d"]
    assert all(pipeline == found["a"] for pipeline in found.values())
    match = found["a"][1]["$match"]
    assert match == {"at": {"$gt": datetime(2024, 5, 1, tzinfo=UTC)}, "n": Int64(5)}
    assert type(match["n"]) is Int64


def test_options_are_read_with_their_units(tmp_path: Path) -> None:
    """Times and sizes with units, and a dead-letter topic of one's own."""
    text = f"""
    name: orders
    options:
      dlq: {{connectionName: kafka, topic: dead, format: document}}
      tombstones: drop
      onDataLoss: earliest
      drainTimeout: 10s
      revokeDrain: 500ms
      commitInterval: 1
      maxBufferedRecords: 100
      maxRecordBytes: 1MiB
    {PROCESSOR.replace(chr(10), chr(10) + "    ")}"""
    (processor,) = load_app(write(tmp_path, {"processors/orders.yaml": text}), {}).processors
    options = processor.options
    assert (processor.dead_letters.topic, processor.dead_letters.format) == ("dead", "document")
    assert (options.tombstones, options.on_data_loss) == ("drop", "earliest")
    assert (options.drain_timeout, options.revoke_drain, options.commit_interval) == (10.0, 0.5, 1.0)
    assert (options.max_buffered_records, options.max_record_bytes) == (100, 1024 * 1024)


@pytest.mark.parametrize(
    ("text", "path", "found", "expected"),
    [
        ("", "", "is empty", "a list of stages"),
        ("hello", "", "found 'hello'", "a list of stages"),
        ("pipeline: []", "pipeline", "a list", "at least one"),
        ("name: orders", "pipeline", "is missing", "a list of stages"),
        ("name: other" + PROCESSOR,
         "name", "found 'other'", "orders"),
        ("pipelin: 1" + PROCESSOR,
         "pipelin", "unknown key", "did you mean pipeline?"),
        ("options: {dlq: {coll: x}}" + PROCESSOR,
         "options.dlq.coll", "unknown key", "topic"),
        ("options: {dlq: {connectionName: kafkaa}}" + PROCESSOR,
         "options.dlq.connectionName", "no connection",
         "did you mean kafka?"),
        ("options: {dlq: {connectionName: functions}}" + PROCESSOR,
         "options.dlq.connectionName", "AWSLambda",
         "a Kafka connection"),
        ("options: {dlq: {topic: orders}}" + PROCESSOR,
         "options.dlq.topic", "this processor reads", "another topic"),
        ("options: {delivery: at-most-once}" + PROCESSOR,
         "options.delivery", "'at-most-once'",
         "at-least-once or exactly-once"),
        ("options: {ordering: keys}" + PROCESSOR,
         "options.ordering", "'keys'", "partition, key or none"),
        ("options: {tombstones: keep}" + PROCESSOR,
         "options.tombstones", "'keep'", "pass, drop or dlq"),
        ("options: {drainTimeout: 5 days}" + PROCESSOR,
         "options.drainTimeout", "'5 days'", "500ms, 25s or 5m"),
        ("options: {drainTimeout: 1h}" + PROCESSOR,
         "options.drainTimeout", "'1h'", "at most 600"),
        ("options: {commitInterval: 500}" + PROCESSOR,
         "options.commitInterval", "found 500 s", "expected at most 60 s"),
        ("options: {maxBufferedBytes: 1KiB}" + PROCESSOR,
         "options.maxBufferedBytes", "'1KiB'", "at least 1 MiB"),
        ("options: {maxBufferedBytes: 1}" + PROCESSOR,
         "options.maxBufferedBytes", "found 1 byte", "at least 1 MiB"),
        ("options: {dlq: {topic: or ders}}" + PROCESSOR,
         "options.dlq.topic", "found 'or ders'", "1 to 249"),
        ("- $source: {connectionName: kafka, topic: orders}\n- $externalFunction: "
         "{connectionName: kafka, functionName: f, as: x}",
         "pipeline[1].$externalFunction.connectionName", "of type Kafka", "an AWSLambda connection"),
        ("options: {maxBufferedRecords: many}" + PROCESSOR,
         "options.maxBufferedRecords", "'many'", "a whole number"),
        ("options: {maxRecordBytes: 1GB}" + PROCESSOR,
         "options.maxRecordBytes", "'1GB'", "16MiB"),
        ("- $source: {connectionName: kafka, topic: orders}\n- $match: {a: {$date: soon}}",
         "pipeline[1].$match.a", "malformed $date", "ISO-8601"),
        ("- $source: {connectionName: kafak, topic: orders}", "pipeline[0].$source.connectionName",
         "no connection 'kafak'", "did you mean kafka?"),
        ("- $source: {connectionName: kafka, topic: orders}\n- $emit: {connectionName: functions, topic: x}",
         "pipeline[1].$emit.connectionName", "of type AWSLambda", "a Kafka connection"),
        ("- $source: {connectionName: kafka, topic: orders}\n- $emit: {connectionName: web, topic: x}",
         "pipeline[1].$emit.connectionName", "of type S3", "S3 is not in Penstock yet"),
        ("- $source: {connectionName: kafka, topic: orders}\n"
         "- $externalFunction: {connectionName: functions, "
         "functionName: 'arn:aws:lambda:us-east-1:123456789012:function:f', as: x}",
         "pipeline[1].$externalFunction.functionName", "the region us-east-1", "eu-central-1"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_processor_is_named(
    tmp_path: Path, text: str, path: str, found: str, expected: str
) -> None:
    """The place, what stands there, what would be right."""
    connections = CONNECTIONS + "web: {type: S3}\n"
    all_of_them = problems(tmp_path, {"processors/orders.yaml": text, "connections.yaml": connections})
    matching = [one for one in all_of_them if one.path == path and found in one.found]
    assert matching, [str(one) for one in all_of_them]
    assert matching[0].file == "processors/orders.yaml"
    assert expected in matching[0].expected


def test_all_problems_of_all_files_are_one_report(tmp_path: Path) -> None:
    """Connections, two processors, a contract, rules and a misspelt folder, sorted by file."""
    found = problems(
        tmp_path,
        {
            "connections.yaml": CONNECTIONS
            + "x: {type: Kafak}\ny: {type: Kafka, bootstrapServers: '${NOWHERE}'}",
            "processors/orders.yaml": PROCESSOR.replace("connectionName: kafka", "connectionName: kafak"),
            "processors/text.js": "[{ $source: ",
            "processors/orders.json": "[]",
            "processors/notes.txt": "x",
            "topics/results.yaml": "partition: 6",
            "rules/a.yaml": "x",
            "processor/x.yaml": "x",
        },
    )
    assert [(one.file, one.path) for one in found] == [
        ("connections.yaml", "x.type"),
        ("connections.yaml", "y.bootstrapServers"),
        ("processor", ""),
        ("processors/notes.txt", ""),
        ("processors/orders.json", "pipeline"),
        ("processors/orders.yaml", ""),
        ("processors/text.js", "line 1, column 13"),
        ("rules", ""),
        ("topics/results.yaml", "partitions"),
        ("topics/results.yaml", "partition"),
    ]


@pytest.mark.parametrize(
    "connections",
    [
        "kafka: {type: Kafka, bootstrapServers: '${NOWHERE}'}",
        "kafka: {type: Kafka}",
        "[{name: kafka, type: Kafka, bootstrapServers: 5}]",
        "kafka: [",
        "[]",
    ],
)
def test_what_uses_a_wrong_connection_is_not_reported_again(tmp_path: Path, connections: str) -> None:
    """One cause, one problem."""
    (only,) = problems(tmp_path, {"connections.yaml": connections})
    assert only.file == "connections.yaml"


def test_unreadable_files_are_problems(tmp_path: Path) -> None:
    """Not UTF-8, too large, a folder, a named pipe that nobody writes to."""
    write(
        tmp_path,
        {"processors/latin.yaml": b"a: 1\nb: \xe4", "processors/large.json": b" " * (1024 * 1024 + 1)},
    )
    (tmp_path / "processors/folder.yaml").mkdir()
    os.mkfifo(tmp_path / "processors/pipe.json")
    found = {one.file: one for one in problems_of(tmp_path)}
    assert found["processors/latin.yaml"].path == "line 2, column 4"
    assert "0xe4 that is no UTF-8" in found["processors/latin.yaml"].found
    assert "larger than" in found["processors/large.json"].found
    assert "is a folder" in found["processors/folder.yaml"].found
    assert found["processors/pipe.json"]


def test_processors_do_not_share_a_group(tmp_path: Path) -> None:
    """Each would get a part of the other's records."""
    text = "- $source: {connectionName: kafka, topic: orders, config: {group_id: mine}}\n" \
           "- $emit: {connectionName: kafka, topic: results}"  # fmt: skip
    (only,) = problems(tmp_path, {"processors/a.yaml": text, "processors/b.yaml": text})
    assert (only.file, only.path) == ("processors/b.yaml", "pipeline[0].$source.config.group_id")
    assert "processors/a.yaml" in only.found


def test_a_folder_that_is_not_there_is_one_problem(tmp_path: Path) -> None:
    """As is a folder without processors."""
    with pytest.raises(Invalid, match="is no folder"):
        load_app(tmp_path / "none", {})
    write(tmp_path, {})
    (tmp_path / "processors/orders.yaml").unlink()
    with pytest.raises(Invalid, match="no processor"):
        load_app(tmp_path, {})


def test_the_environments_region_stands_in_for_the_connections(tmp_path: Path) -> None:
    """An ARN of another region is refused where AWS_REGION is what the connection would use."""
    files = {
        "connections.yaml": CONNECTIONS + LAMBDA,
        "processors/orders.yaml": "- $source: {connectionName: kafka, topic: orders}\n"
        "- $externalFunction: {connectionName: myLambdaConnection, as: x, "
        "functionName: 'arn:aws:lambda:us-east-1:123456789012:function:f'}\n"
        "- $emit: {connectionName: kafka, topic: results}",
    }
    assert load_app(write(tmp_path, files), {"AWS_REGION": "us-east-1"}).processors
    with pytest.raises(Invalid, match="a function in the region us-east-1; one in eu-west-1"):
        load_app(tmp_path, {"AWS_DEFAULT_REGION": "eu-west-1"})
