"""`penstock validate --live`: functions asked about over HTTP, misfits as problems and warnings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.lambda_behaviour import Behaviour
from tests.fakes.lambda_stub import LambdaStub
from tests.fakes.stub_thread import stub_in_thread
from tests.unit.appfolder.folders import write
from tests.unit.cli.run_command import penstock

Capture = pytest.CaptureFixture[str]

PROCESSOR = """
pipeline:
  - $source: {connectionName: kafka, topic: orders}
  - $externalFunction: {connectionName: functions, functionName: score, timeout: 2s, parallelism: 1, as: f}
  - $emit: {connectionName: kafka, topic: results}
"""


@pytest.fixture
def stub() -> Iterator[LambdaStub]:
    """On a thread of its own: the command runs a loop, too."""
    with stub_in_thread() as running:
        yield running


def app_of(folder: Path, stub: LambdaStub, extra: str = "") -> Path:
    connections = f"""
kafka: {{type: Kafka, bootstrapServers: "127.0.0.1:9092"}}
functions: {{type: AWSLambda, region: eu-central-1, endpointUrl: "{stub.url}"{extra}}}
"""
    return write(folder, {"connections.yaml": connections, "processors/orders.yaml": PROCESSOR})


def test_a_missing_function_is_a_problem(capsys: Capture, tmp_path: Path, stub: LambdaStub) -> None:
    """Exit code 2 and one line, also where the connection says `preflight: off`; without --live all is
    right."""
    stub.known_only = True
    app = app_of(tmp_path, stub, ", preflight: 'off'")
    assert penstock(capsys, "validate", "--app", app).code == 0
    ran = penstock(capsys, "validate", "--app", app, "--live")
    assert ran.code == 2
    assert (
        "processors/orders.yaml: pipeline[1].$externalFunction: there is no function score; an existing "
        "function, alias or version in the connection's region and account"
    ) in ran.err


def test_a_doubt_is_a_warning(capsys: Capture, tmp_path: Path, stub: LambdaStub) -> None:
    """A time-out below the function's own: right, with a word."""
    stub.descriptions["score"] = {"Timeout": 30, "MemorySize": 256, "State": "Active"}
    ran = penstock(capsys, "validate", "--app", app_of(tmp_path, stub), "--live", "--json")
    assert ran.code == 0
    (warning,) = ran.data["warnings"]
    assert warning.startswith(
        "processors/orders.yaml: pipeline[1].$externalFunction: timeout 2 s is shorter than the 30 s"
    )


def test_nobody_there_is_a_warning(capsys: Capture, tmp_path: Path, stub: LambdaStub) -> None:
    """A function that is being deployed stops nothing."""
    stub.dry_runs["score"] = Behaviour(outcome="error", status=409, error_type="ResourceConflictException")
    ran = penstock(capsys, "validate", "--app", app_of(tmp_path, stub), "--live")
    assert ran.code == 0
    assert "score could not be checked: ResourceConflictException" in ran.err
