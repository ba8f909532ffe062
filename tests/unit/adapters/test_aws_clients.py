"""Several AWS connections of one process, opened and asked together."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.fakes.lambda_behaviour import Behaviour
from tests.fakes.lambda_stub import LambdaStub
from workers.adapters.aws_clients import AwsClients
from workers.adapters.aws_connection import AwsConnection
from workers.adapters.trust import ca_bundle
from workers.errors import Invalid
from workers.ports import InvokeRequest
from workers.settings import EngineSettings

KEYED = AwsConnection("one", "eu-west-1", access_key_id="AKIDONE", secret_access_key="s1")
REQUEST = InvokeRequest("f", b"{}")


@pytest.fixture
async def stub() -> AsyncIterator[LambdaStub]:
    async with LambdaStub() as running:
        yield running


def clients(**again: AwsConnection) -> AwsClients:
    return AwsClients(EngineSettings(preflight_seconds=5.0), ca_bundle(os.environ), again.get)


def keys_of(stub: LambdaStub) -> list[str]:
    """The access keys that requests were signed with, in order."""
    return [seen.headers["authorization"].split("Credential=")[1].split("/")[0] for seen in stub.requests]


async def test_each_connection_signs_with_its_own_keys(stub: LambdaStub) -> None:
    """Two connections to one endpoint; the secrets of one are rotated, the other's stay."""
    one = replace(KEYED, endpoint_url=stub.url)
    two = replace(one, name="two", access_key_id="AKIDTWO")
    opened = clients()
    await opened.open([one, two])
    for name in ("one", "two"):
        await opened.invoker(name).invoke(REQUEST)
    opened.rotated(replace(one, access_key_id="AKIDNEW"))
    opened.rotated(replace(one, name="unused"))
    for name in ("one", "two"):
        await opened.invoker(name).invoke(REQUEST)
    await opened.close_all()
    assert keys_of(stub) == ["AKIDONE", "AKIDTWO", "AKIDNEW", "AKIDTWO"]


async def test_the_problems_of_all_come_at_once() -> None:
    """Two connections, a mistake in each, one refusal."""
    with pytest.raises(Invalid) as raised:
        await clients().open(
            [replace(KEYED, secret_access_key=None), replace(KEYED, name="two", role_arn="x")]
        )
    assert sorted(problem.path for problem in raised.value.problems) == ["one.secretAccessKey", "two.roleArn"]


async def test_functions_are_asked_about_by_connection(stub: LambdaStub) -> None:
    """The same name behind two connections is two functions."""
    stub.dry_runs["f"] = Behaviour(outcome="error", status=403, error_type="AccessDeniedException")
    opened = clients()
    await opened.open([replace(KEYED, endpoint_url=stub.url),
                       replace(KEYED, name="two", endpoint_url="http://127.0.0.1:9")])  # fmt: skip
    found = await opened.learn({"one": {"f", "g"}, "two": {"f"}})
    await opened.close_all()
    statuses = {asked: facts.status for asked, facts in found.items()}
    assert statuses == {("one", "f"): 403, ("one", "g"): 204, ("two", "f"): 0}
    assert found["one", "f"].is_hosted


async def test_a_connection_without_keys_that_work_is_trouble(stub: LambdaStub) -> None:
    """What makes a worker not ready, in words; gone once a call works, with the keys that the files have by
    then."""
    one = replace(KEYED, endpoint_url=stub.url)
    now = {"one": one}
    stub.refuses = lambda seen: (
        None if "AKIDNEW/" in seen.headers["authorization"] else "UnrecognizedClientException"
    )
    opened = AwsClients(EngineSettings(), ca_bundle(os.environ), now.get)
    await opened.open([one])
    assert opened.troubles() == {}
    await opened.invoker("one").invoke(REQUEST)
    assert opened.troubles() == {"one": "connection one: AWS refuses its keys (UnrecognizedClientException)"}
    now["one"] = replace(one, access_key_id="AKIDNEW")
    opened.rotated(now["one"])
    assert (await opened.invoker("one").invoke(REQUEST)).status == 200
    assert opened.troubles() == {}
    await opened.close_all()
