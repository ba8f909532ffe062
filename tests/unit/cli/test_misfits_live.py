"""What `penstock validate --live` says of functions that cannot do what a pipeline asks of them: one app
folder with a misfit in each processor, one answer of the command.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.lambda_behaviour import UNKNOWN, Behaviour
from tests.fakes.lambda_stub import LambdaStub
from tests.fakes.stub_thread import stub_in_thread
from tests.unit.appfolder.folders import write
from tests.unit.cli.run_command import Ran, penstock
from workers.assembly import clients
from workers.settings import EngineSettings

Capture = pytest.CaptureFixture[str]


@dataclass(frozen=True)
class Case:
    """A function (`describe` None: nothing may be asked about it; `dry_run`: what a DryRun meets), the stage
    that calls it, and what is said."""

    function: str
    says: str
    describe: dict[str, Any] | None = field(default_factory=dict)
    dry_run: Behaviour | None = None
    stage: dict[str, Any] = field(default_factory=dict)


def refused(status: int, error_type: str, message: str = "") -> Behaviour:
    return Behaviour(outcome="error", status=status, error_type=error_type, message=message)


STREAM = {"url": {"InvokeMode": "RESPONSE_STREAM"}}
RESERVED = {"concurrency": {"ReservedConcurrentExecutions": 10}}

NEVER = (
    Case(
        "gone",
        "there is no function gone; an existing function, alias or version in the connection's region "
        "and account",
        dry_run=UNKNOWN,
    ),
    Case(
        "aliased:live",
        "there is no function aliased:live; an existing function, alias or version in the "
        "connection's region and account",
        dry_run=UNKNOWN,
    ),
    Case(
        "streams",
        "streams streams its answer (InvokeMode RESPONSE_STREAM); InvokeMode BUFFERED: a record needs "
        "a whole answer",
        STREAM,
    ),
    Case(
        "tenants",
        "tenants isolates tenants (PER_TENANT), and calls name none; a function without tenant isolation",
        {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}},
    ),
    Case(
        "broken",
        "broken is in state Failed (ImageDeleted); deploy it again",
        {"State": "Failed", "StateReason": "ImageDeleted"},
    ),
    Case(
        "stopped",
        "stopped has a reserved concurrency of 0, so every call is throttled; a reserved concurrency "
        "above 0, or none",
        {"concurrency": {"ReservedConcurrentExecutions": 0}},
    ),
    Case(
        "keyless",
        "AWS refuses the keys (UnrecognizedClientException); keys that AWS takes",
        dry_run=refused(403, "UnrecognizedClientException"),
    ),
    Case(
        "odd",
        "odd cannot be called: InvalidParameterValueException; no such qualifier",
        dry_run=refused(400, "InvalidParameterValueException", "no such qualifier"),
    ),
)

PERHAPS = (
    Case(
        "hasty",
        "timeout 2 s is shorter than the 30 s that hasty may run; no timeout, or a longer one: what is "
        "given up may still be done",
        {"Timeout": 30},
        stage={"timeout": "2s"},
    ),
    Case(
        "long",
        "long may run 900 s, and after 120 s nothing is tried again; a longer retry.maxElapsed: what runs "
        "into its time-out has one attempt",
        {"Timeout": 900},
    ),
    Case(
        "brief",
        "brief may run 3 s for a batch of 1,000 records; a longer Timeout of the function, or a smaller "
        "batch.maxRecords",
        {"Timeout": 3},
        stage={"batch": {"maxRecords": 1000, "maxBytes": "1MiB"}},
    ),
    Case(
        "small",
        "small has 64 MB for batches of up to 6,291,456 bytes; 110 MB, or a smaller batch.maxBytes",
        {"MemorySize": 64},
        stage={"batch": {"maxRecords": 10}},
    ),
    Case(
        "narrow",
        "parallelism 64 for a reserved concurrency of 10; a lower parallelism: calls above it are throttled",
        RESERVED,
        stage={"parallelism": 64},
    ),
    Case(
        "busy",
        "rate 500/s for a reserved concurrency of 10; at most 100/s: Lambda takes 10 a second for each",
        RESERVED,
        stage={"rate": "500/s"},
    ),
    Case(
        "slow",
        "parallelism 64 for a reserved concurrency of 10; a lower parallelism or rate: calls that take "
        "over 0.2 s at 50/s are throttled",
        {"Timeout": 3, **RESERVED},
        stage={"rate": "50/s", "parallelism": 64},
    ),
    Case(
        "pending",
        "pending is being deployed or idle (state Pending, last update InProgress); calls wait until "
        "it is Active",
        {"State": "Pending", "LastUpdateStatus": "InProgress"},
    ),
    Case(
        "idle",
        "idle is being deployed or idle (state Inactive, last update unknown); calls wait until it is Active",
        {"State": "Inactive"},
    ),
    Case(
        "private",
        "no permission to call private; a function that is not private, and whose can_evaluate lets "
        "calls pass",
        dry_run=refused(403, "AccessDeniedException"),
    ),
    Case(
        "updated",
        "updated could not be checked: ResourceConflictException (an update is in progress); calls "
        "wait until it answers",
        dry_run=refused(409, "ResourceConflictException", "an update is in progress"),
    ),
)

FITS = (
    Case("secret", "", None),
    Case(
        "well",
        "",
        {
            "Timeout": 30,
            "MemorySize": 512,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "concurrency": {"ReservedConcurrentExecutions": 100},
            "url": {"InvokeMode": "BUFFERED"},
        },
    ),
)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty functions within 10 s: not on every machine that runs tests beside this one."""
    monkeypatch.setattr(clients, "EngineSettings", lambda: EngineSettings(preflight_seconds=50.0))


@pytest.fixture
def stub() -> Iterator[LambdaStub]:
    with stub_in_thread() as running:
        for case in (*NEVER, *PERHAPS, *FITS):
            name = case.function.partition(":")[0]
            if case.describe is not None:
                running.descriptions[name] = case.describe
            if case.dry_run is not None:
                running.dry_runs[name] = case.dry_run
        yield running


def validated(capsys: Capture, folder: Path, stub: LambdaStub, cases: tuple[Case, ...], *options: str) -> Ran:
    """The command's answer for an app with a processor for each case."""
    connections = {
        "kafka": {"type": "Kafka", "bootstrapServers": "127.0.0.1:9092"},
        "functions": {"type": "AWSLambda", "region": "eu-central-1", "endpointUrl": stub.url},
    }
    files = {"connections.yaml": json.dumps(connections)}
    for number, case in enumerate(cases):
        call = {
            "connectionName": "functions",
            "functionName": case.function,
            "parallelism": 1,
            "as": "r",
            **case.stage,
        }
        pipeline = [
            {"$source": {"connectionName": "kafka", "topic": "orders"}},
            {"$externalFunction": call},
            {"$emit": {"connectionName": "kafka", "topic": "results"}},
        ]
        files[f"processors/p{number:02}.yaml"] = json.dumps({"pipeline": pipeline})
    return penstock(capsys, "validate", "--app", write(folder, files), "--live", *options)


def said(cases: tuple[Case, ...], first: int = 0) -> list[str]:
    return [
        f"processors/p{number:02}.yaml: pipeline[1].$externalFunction: {case.says}"
        for number, case in enumerate(cases, first)
    ]


def test_every_misfit_has_its_message(capsys: Capture, tmp_path: Path, stub: LambdaStub) -> None:
    """What can never work is a problem each (exit code 2), what works badly or later a warning each, all in
    one answer; functions that fit, or may not be asked about, are not spoken of. Nothing was run."""
    ran = validated(capsys, tmp_path, stub, (*NEVER, *PERHAPS, *FITS))
    lines = ran.err.splitlines()
    assert ran.code == 2
    warnings = [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]
    assert warnings == said(PERHAPS, len(NEVER))
    assert [line for line in said(NEVER) if line not in ran.err] == []
    assert len([line for line in lines if "pipeline[1]" in line]) == len(NEVER) + len(PERHAPS)
    assert all(stub.function(case.function).calls == 0 for case in (*NEVER, *PERHAPS, *FITS))


def test_warnings_alone_are_no_problem(capsys: Capture, tmp_path: Path, stub: LambdaStub) -> None:
    """As data: exit code 0, each warning once."""
    ran = validated(capsys, tmp_path, stub, (*PERHAPS, *FITS), "--json")
    assert ran.code == 0
    assert ran.data["warnings"] == said(PERHAPS)


def test_another_regions_function_is_refused_offline(
    capsys: Capture, tmp_path: Path, stub: LambdaStub
) -> None:
    """AWS is not even asked."""
    arn = "arn:aws:lambda:us-east-1:123456789012:function:score"
    ran = validated(capsys, tmp_path, stub, (Case(arn, ""),))
    assert ran.code == 2
    assert "us-east-1" in ran.err
    assert "eu-central-1" in ran.err
    assert len(stub.requests) == 0
