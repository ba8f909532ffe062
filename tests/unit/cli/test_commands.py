"""Every command: its help, its data, its exit codes, its words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.appfolder.folders import CONNECTIONS, PROCESSOR, write
from tests.unit.cli.run_command import penstock
from workers.cli.application import COMMANDS

Capture = pytest.CaptureFixture[str]

CALLS = """
pipeline:
  - $source: {connectionName: kafka, topic: orders}
  - $match: {status: paid}
  - $externalFunction:
      {connectionName: functions, functionName: score, as: fraud, payload: [{$project: {n: 1}}]}
  - $addFields: {twice: {$multiply: [$fraud.points, 2]}}
  - $emit: {connectionName: kafka, topic: results}
"""

ALL = [
    ("dev",), ("validate",), ("explain",), ("explain-error",), ("eval",), ("worker",),
    ("functions",), ("functions", "serve"),
    ("functions", "list"), ("functions", "invoke"), ("functions", "logs"), ("functions", "manifest"),
    ("functions", "new"), ("topics",), ("topics", "plan"), ("topics", "apply"), ("kafka",),
    ("kafka", "start"), ("kafka", "stop"),
    ("kafka", "status"), ("schema",), ("engine",), ("dlq",), ("dlq", "list"), ("dlq", "show"),
    ("dlq", "replay"),
]  # fmt: skip


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example(capsys: Capture, command: tuple[str, ...]) -> None:
    """--help ends with 0 and shows a line to copy."""
    ran = penstock(capsys, *command, "--help")
    assert ran.code == 0
    assert "Example: " in ran.out
    assert "penstock" in ran.out.split("Example: ")[1]


def test_the_list_of_commands_names_all_but_the_hidden(capsys: Capture) -> None:
    """The engine is the supervisor's."""
    ran = penstock(capsys, "--help")
    assert ran.code == 0
    shown = [name for name, entry in COMMANDS.items() if not entry.hidden]
    assert all(f" {name} " in ran.out for name in shown)
    assert " engine " not in ran.out
    assert {command[0] for command in ALL} == COMMANDS.keys()


@pytest.mark.parametrize(
    "arguments",
    [("validat",), ("validate",), ("validate", "--ap", "x"), ("worker", "--processes", "0", "--app", ".")],
)
def test_wrong_usage_is_bad_input(capsys: Capture, arguments: tuple[str, ...]) -> None:
    """Unknown commands and options, missing ones, values out of range: exit code 2, said on stderr."""
    ran = penstock(capsys, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err


def test_help_imports_no_command() -> None:
    """The list of commands is there before a heavy library is."""
    heavy = ("pydantic", "confluent_kafka", "aiohttp", "boto3", "faust", "uvloop", "ruamel", "orjson", "bson")
    script = (
        "import sys\nfrom workers.cli.application import run\nassert run(['--help']) == 0\n"
        f"loaded = [name for name in {heavy} if name in sys.modules]\nassert not loaded, loaded\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_a_right_folder_is_described(capsys: Capture, tmp_path: Path) -> None:
    """Processors with what they read, call and write."""
    write(tmp_path, {"processors/calls.yaml": CALLS, "functions/score.js": "exports = () => 1"})
    ran = penstock(capsys, "validate", "--app", tmp_path)
    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines()] == [
        ["processor", "reads", "calls", "writes", "dead", "letters"],
        ["calls", "orders", "score", "results", "calls.dlq"],
        ["orders", "orders", "-", "results", "orders.dlq"],
    ]
    assert "is right: 2 processors, 2 connections, 1 function, 0 topic contracts" in ran.err
    data = penstock(capsys, "validate", "--app", tmp_path, "--json").data
    assert data["valid"] is True
    assert data["connections"] == {"functions": "AWSLambda", "kafka": "Kafka"}
    assert [one["callSites"] for one in data["processors"]] == [["score"], []]


def test_a_function_that_the_folder_has_not_is_a_warning(capsys: Capture, tmp_path: Path) -> None:
    """A plain name through an endpoint is most likely meant for the function host."""
    write(tmp_path, {"processors/orders.yaml": CALLS, "functions/scores.js": "exports = () => 1"})
    ran = penstock(capsys, "validate", "--app", tmp_path)
    assert ran.code == 0
    assert "functionName: functions/ has no score; did you mean scores?" in ran.err


def test_what_the_environment_of_a_worker_refuses_is_a_warning(capsys: Capture, tmp_path: Path) -> None:
    """A worker with this environment would not start; the one that is meant may have a longer drain."""
    write(tmp_path, {"processors/orders.yaml": "options: {drainTimeout: 60s}\n" + PROCESSOR})
    ran = penstock(capsys, "validate", "--app", tmp_path)
    assert ran.code == 0
    assert "options.drainTimeout: 60 s, and the worker ends after 25 s" in ran.err


def test_who_may_call_functions_is_checked(capsys: Capture, tmp_path: Path) -> None:
    """functions/authentication.yaml is a file of the app folder as others are; what it hides stays hidden."""
    text = "accessKeys: {A: {secret: written-out-secret}}\nacessKeys: {}"
    write(tmp_path, {"functions/score.js": "exports = () => 1", "functions/authentication.yaml": text})
    ran = penstock(capsys, "validate", "--app", tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "functions/authentication.yaml: accessKeys.A.secret" in ran.err
    assert "functions/authentication.yaml: acessKeys" in ran.err
    assert "written-out-secret" not in ran.err


def test_all_problems_are_said_and_nothing_else(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files, functions and the environment in one report; with --json on stdout."""
    monkeypatch.setenv("PENSTOCK_PROCESSES", "none")
    write(tmp_path, {"processors/orders.yaml": PROCESSOR.replace("kafka", "kafak"), "functions/a b.js": ""})
    ran = penstock(capsys, "validate", "--app", tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err
    first, *lines = ran.err.splitlines()
    assert first == f"penstock: {len(lines)} problems, nothing was started"
    for said in ("did you mean kafka?", "PENSTOCK_PROCESSES", "functions/a b.js"):
        assert any(said in line for line in lines)
    ran = penstock(capsys, "validate", "--app", tmp_path, "--json")
    assert ran.code == 2
    assert len(ran.data["problems"]) == len(lines)


@pytest.mark.parametrize("command", [("worker",), ("topics", "plan"), ("dev",), ("functions", "serve")])
def test_a_folder_that_is_not_there_is_bad_input(
    capsys: Capture, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Whatever was to be done with it."""
    ran = penstock(capsys, *command, "--app", tmp_path / "none")
    assert ran.code == 2
    assert "is no folder" in ran.err


def test_explain_shows_segments_call_sites_and_code(capsys: Capture, tmp_path: Path) -> None:
    """The way of a document, in order, with the Python that runs."""
    write(tmp_path, {"processors/calls.yaml": CALLS})
    out = penstock(capsys, "explain", "calls", "--app", tmp_path).out
    places = [out.index(text) for text in (
        "reads orders by kafka", "segment 0: $match", "def segment(", "call site 0: score by functions",
        "segment 1: $addFields", "writes results by kafka", "dead letters go to calls.dlq")]  # fmt: skip
    assert places == sorted(places)
    data = penstock(capsys, "explain", "calls", "--app", tmp_path, "--json").data
    assert [segment["stages"] for segment in data["segments"]] == [["$match"], ["$addFields"]]
    assert data["callSites"][0]["as"] == "fraud"
    assert data["callSites"][0]["hasPayload"] is True
    assert "def segment(" in data["segments"][0]["code"]


def test_explain_shows_how_much_is_called_and_what_is_waited_for(capsys: Capture, tmp_path: Path) -> None:
    """rate, hold, breaker and batch of a call site, in words and as data."""
    fields = (
        "rate: 30/m, hold: {timeout: 1m, after: fail}, breaker: {errorRate: 0.5, window: 50}, "
        "retry: {maxAttempts: 1}, partitionBy: $customer, batch: {maxRecords: 10, maxBytes: 1MiB}"
    )
    calls = CALLS.replace("functionName: score", f"functionName: score, {fields}")
    assert calls != CALLS
    write(tmp_path, {"processors/calls.yaml": calls})
    ran = penstock(capsys, "explain", "calls", "--app", tmp_path)
    assert ", 1 attempt\n" in ran.out
    assert (
        "  batches of 10 or 1 MiB by records, one at a time of a partitionBy value, at most 0.5 calls/s, "
        "held up to 60 s, then fail, breaker at 0.5 of 50 calls\n"
    ) in ran.out
    site = penstock(capsys, "explain", "calls", "--app", tmp_path, "--json").data["callSites"][0]
    assert site["hold"] == {"timeout_seconds": 60.0, "after": "fail"}
    assert (site["ratePerSecond"], site["batch"]["max_records"]) == (0.5, 10)
    assert site["breaker"] == {"error_rate": 0.5, "window_calls": 50}


def test_explain_knows_the_nearest_processor(capsys: Capture, tmp_path: Path) -> None:
    """A misspelt name is bad input."""
    ran = penstock(capsys, "explain", "ordres", "--app", write(tmp_path, {}))
    assert ran.code == 2
    assert "did you mean orders?" in ran.err


def test_a_topic_plan_needs_to_know_which_cluster(capsys: Capture, tmp_path: Path) -> None:
    """Several Kafka connections: one must be named, and it must be one of them."""
    write(tmp_path, {"connections.yaml": CONNECTIONS + "second: {type: Kafka, bootstrapServers: 'x:1'}"})
    ran = penstock(capsys, "topics", "plan", "--app", tmp_path)
    assert ran.code == 2
    assert "has 2 Kafka connections: kafka, second; name one with --connection" in ran.err
    ran = penstock(capsys, "topics", "apply", "--app", tmp_path, "--connection", "functions")
    assert ran.code == 2
    assert "functions: is no Kafka connection; there are: kafka, second" in ran.err


def test_an_embedded_kafka_that_does_not_run_is_said(capsys: Capture, tmp_path: Path) -> None:
    """status and stop say so, and are done."""
    ran = penstock(capsys, "kafka", "status", "--folder", tmp_path)
    assert (ran.code, ran.out) == (0, f"no Kafka runs in {tmp_path}\n")
    assert penstock(capsys, "kafka", "status", "--folder", tmp_path, "--json").data["running"] is False
    assert penstock(capsys, "kafka", "stop", "--folder", tmp_path, "--json").data["stopped"] is False


def test_a_sample_that_is_not_there_cannot_be_counted(capsys: Capture, tmp_path: Path) -> None:
    """dev --records without a sample is bad input, before anything is started."""
    write(tmp_path, {"processors/orders.yaml": PROCESSOR.replace("topic: orders", "topic: payments")})
    ran = penstock(capsys, "dev", "--app", tmp_path, "--records", "10", "--kafka-folder", tmp_path / "kafka")
    assert ran.code == 2
    assert "no sample to count" in ran.err
    assert not (tmp_path / "kafka").exists()


def test_a_data_set_that_nobody_has_is_bad_input(capsys: Capture, tmp_path: Path) -> None:
    """The sample's, before anything is started."""
    text = CONNECTIONS + "data: {type: Sample, connectionName: kafka, topic: orders, dataSet: weather}"
    write(tmp_path, {"connections.yaml": text})
    ran = penstock(capsys, "dev", "--app", tmp_path, "--kafka-folder", tmp_path / "kafka")
    assert ran.code == 2
    assert "data.dataSet: found 'weather'; expected orders" in ran.err
    assert not (tmp_path / "kafka").exists()
