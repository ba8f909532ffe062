"""What is learnt about functions before the first record, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fakes.lambda_behaviour import Behaviour
from tests.fakes.lambda_stub import LambdaStub
from workers.adapters.aws_connection import AwsConnection
from workers.adapters.aws_session import open_session
from workers.adapters.function_facts import learn
from workers.adapters.lambda_http import LambdaEndpoint, LambdaInvoker
from workers.calls.preflight import Configuration, Facts

DENIED = Behaviour(outcome="error", status=403, error_type="AccessDeniedException", message="no")


@pytest.fixture
async def stub() -> AsyncIterator[LambdaStub]:
    async with LambdaStub() as running:
        yield running


async def learnt(url: str, *functions: str, seconds: float = 10.0) -> dict[str, Facts]:
    session = open_session(
        AwsConnection("aws", "eu-central-1", url, access_key_id="A", secret_access_key="s")
    )
    invoker = LambdaInvoker(LambdaEndpoint("aws", url, "eu-central-1", "unused"), session)
    try:
        return await learn(session, invoker, functions, seconds)
    finally:
        await invoker.close()
        session.close()


async def test_a_function_is_described_without_being_run(stub: LambdaStub) -> None:
    """One DryRun, and what GetFunctionConfiguration, -Concurrency and -UrlConfig say of an alias."""
    stub.descriptions["score"] = {
        "FunctionName": "score", "Timeout": 30, "MemorySize": 256, "State": "Active",
        "LastUpdateStatus": "Successful", "TenancyConfig": {"TenantIsolationMode": "PER_TENANT"},
        "concurrency": {"ReservedConcurrentExecutions": 5}, "url": {"InvokeMode": "RESPONSE_STREAM"},
    }  # fmt: skip
    found = await learnt(stub.url, "score:live")
    expected = Configuration(30, 256, "Active", "", "Successful", 5, "RESPONSE_STREAM", "PER_TENANT")
    assert found == {"score:live": Facts(region="eu-central-1", configuration=expected)}
    assert stub.function("score").calls == 0


async def test_what_may_not_be_asked_stays_open(stub: LambdaStub) -> None:
    """No permission for GetFunctionConfiguration: the function may be called, nothing else is known."""
    assert await learnt(stub.url, "score") == {"score": Facts(region="eu-central-1")}


async def test_functions_are_described_by_a_wrong_clock(stub: LambdaStub) -> None:
    """Our clock is an hour off: what the DryRun learnt of AWS's holds for the questions after it."""
    stub.clock_offset_seconds = 3600.0
    stub.descriptions["score"] = {"Timeout": 30}
    found = await learnt(stub.url, "score")
    assert found["score"].configuration.timeout_seconds == 30


async def test_refusals_are_told_apart(stub: LambdaStub) -> None:
    """An unknown function and one that may not be called, each with its own answer."""
    stub.known_only = True
    stub.program("secret", Behaviour())
    stub.dry_runs["secret"] = DENIED
    found = await learnt(stub.url, "nope", "secret")
    assert (found["nope"].status, found["nope"].error_type) == (404, "ResourceNotFoundException")
    assert (found["secret"].status, found["secret"].error_type) == (403, "AccessDeniedException")
    assert found["secret"].message == "no"


async def test_nobody_there_is_no_verdict() -> None:
    """A function host that is not up yet: no status, and why."""
    found = (await learnt("http://127.0.0.1:9", "score"))["score"]
    assert found.status == 0
    assert "invoking score (connection aws)" in found.message
