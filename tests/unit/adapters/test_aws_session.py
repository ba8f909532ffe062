"""Keys and endpoint of an AWS connection: what is found, what is refused and in which words."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from botocore.config import Config

from tests.fakes.lambda_client import invoker_for
from tests.fakes.lambda_stub import LambdaStub
from tests.fakes.sts_stub import StsStub
from tests.fakes.waiting import until
from workers.adapters import aws_session
from workers.adapters.aws_connection import AwsConnection
from workers.adapters.aws_session import PLACEHOLDER, AwsSession, open_session
from workers.adapters.lambda_http import LambdaEndpoint, LambdaInvoker
from workers.adapters.sigv4 import Credentials
from workers.errors import Invalid, NoCredentials, NotSent, ProcessorFailed
from workers.ports import InvokeRequest

ROLE = "arn:aws:iam::123456789012:role/penstock"
KEYED = AwsConnection("prod", "eu-west-1", access_key_id="AKIDBASE", secret_access_key="base-secret")
ASSUMING = replace(KEYED, role_arn=ROLE, external_id="tenant-7")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No keys, no profile and no metadata service, whatever machine runs the test."""
    for name in (
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION",
        "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[StsStub]:
    with StsStub(ROLE, "tenant-7") as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stub.url)
        yield stub


@pytest.fixture
def opened() -> Iterator[list[AwsSession]]:
    """Sessions to close after the test."""
    sessions: list[AwsSession] = []
    yield sessions
    for session in sessions:
        session.close()


def problems_of(connection: AwsConnection) -> list[str]:
    with pytest.raises(Invalid) as raised:
        open_session(connection)
    return [str(problem) for problem in raised.value.problems]


async def test_keys_of_the_connection_are_used_as_they_are() -> None:
    """Static keys are there at once; the endpoint is the region's."""
    session = open_session(replace(KEYED, session_token="t"))
    assert session.current() == Credentials("AKIDBASE", "base-secret", "t")
    assert await session.fetch() == Credentials("AKIDBASE", "base-secret", "t")
    assert (session.region, session.endpoint_url) == ("eu-west-1", "https://lambda.eu-west-1.amazonaws.com")
    session.close()


async def test_keys_of_the_environment_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keys in the connection boto3's own search order applies, for the region too."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    session = open_session(AwsConnection("prod"))
    assert session.current() == Credentials("AKIDENV", "env-secret")
    assert session.endpoint_url == "https://lambda.ap-south-1.amazonaws.com"


def test_a_function_host_needs_no_aws_keys() -> None:
    """An endpoint that is not AWS's works on a machine that never heard of AWS; requests are signed all the
    same.
    """
    session = open_session(AwsConnection("local", "us-east-1", endpoint_url="http://127.0.0.1:9000"))
    assert (session.current(), session.endpoint_url) == (PLACEHOLDER, "http://127.0.0.1:9000")


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        (
            AwsConnection("prod", "eu-west-1"),
            "connections.yaml: prod: no AWS credentials; accessKeyId and secretAccessKey here, "
            "AWS_ACCESS_KEY_ID, a profile, or a role of the pod",
        ),
        (AwsConnection("prod"), "connections.yaml: prod.region: no region; set region here or AWS_REGION"),
        (
            replace(KEYED, secret_access_key=None),
            "connections.yaml: prod.secretAccessKey: not set; accessKeyId and secretAccessKey come together",
        ),
        (
            replace(KEYED, secret_access_key="s3cret\n"),
            "connections.yaml: prod.secretAccessKey: blanks or line ends in it; the value alone",
        ),
        (
            replace(KEYED, role_arn="penstock"),
            "connections.yaml: prod.roleArn: 'penstock'; arn:aws:iam::123456789012:role/name",
        ),
        (
            replace(KEYED, external_id="s3cret"),
            "connections.yaml: prod.externalId: set without roleArn; it is sent when a role is assumed",
        ),
        (
            replace(KEYED, endpoint_url="lambda.internal"),
            "connections.yaml: prod.endpointUrl: no http or https address; https://host:port",
        ),
        (
            AwsConnection("prod", "eu-west-1", session_token="s3cret"),
            "connections.yaml: prod.sessionToken: set without keys; it belongs to an accessKeyId",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_way_out(connection: AwsConnection, expected: str) -> None:
    """One line for each: where, what was found, what would be right; no value of a secret."""
    found = problems_of(connection)
    assert found == [expected]
    assert "s3cret" not in str(found)


def test_all_problems_come_at_once() -> None:
    """Three mistakes, three problems."""
    connection = AwsConnection("prod", access_key_id="a", role_arn="x", endpoint_url="y")
    assert len(problems_of(connection)) == 3


def test_a_profile_that_does_not_exist_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3's own refusals come as problems of the connection."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "prod: The config profile (nobody) could not be found" in problems_of(KEYED)[0]


def test_secrets_do_not_show() -> None:
    """Neither the connection's repr nor the credentials' holds a secret."""
    connection = replace(ASSUMING, session_token="token-secret")
    shown = repr(connection) + repr(Credentials("AKID", "base-secret", "token-secret"))
    assert not any(secret in shown for secret in ("base-secret", "token-secret", "tenant-7"))


async def test_a_role_is_assumed_with_the_external_id(sts: StsStub, opened: list[AwsSession]) -> None:
    """Nothing is asked at start; the first fetch sends RoleArn and ExternalId, signed with the connection's
    keys.
    """
    session = open_session(ASSUMING)
    opened.append(session)
    assert sts.forms == []
    assert session.current() is None
    keys = await session.fetch()
    assert keys == Credentials("ASIA1", "assumed-secret-1", "token-1")
    assert session.current() is keys
    form = sts.forms[0]
    assert (form["Action"], form["RoleArn"], form["ExternalId"]) == ("AssumeRole", ROLE, "tenant-7")
    assert form["RoleSessionName"] == "penstock"
    assert "AKIDBASE/" in sts.authorizations[0]


async def test_the_loop_goes_on_while_sts_thinks(sts: StsStub, opened: list[AwsSession]) -> None:
    """A slow STS holds back its own calls, never the loop; a hundred callers make one request."""
    session = open_session(ASSUMING)
    opened.append(session)
    sts.gate.clear()
    waiting = [asyncio.create_task(session.fetch()) for _ in range(100)]
    await until(lambda: bool(sts.forms))
    assert session.current() is None
    sts.gate.set()
    keys = await asyncio.gather(*waiting)
    assert len(sts.forms) == 1
    assert all(one is keys[0] for one in keys)


async def test_keys_are_renewed_before_they_expire(
    sts: StsStub, opened: list[AwsSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten minutes before the end new keys are fetched beside the calls, which go on with the old ones."""
    monkeypatch.setattr(aws_session, "LOOK_EVERY_SECONDS", 0.0)
    sts.lifetime_seconds = 300  # less than the 10 minutes at which botocore insists on new ones
    session = open_session(ASSUMING)
    opened.append(session)
    first = await session.fetch()
    sts.gate.clear()
    assert session.current() is first
    await until(lambda: len(sts.forms) == 2)
    assert session.current() is first
    sts.gate.set()
    await until(lambda: session.current() != first)


async def test_a_failing_renewal_does_not_take_valid_keys_away(
    sts: StsStub, opened: list[AwsSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    """STS is away while the old keys still hold: calls go on with them."""
    monkeypatch.setattr(aws_session, "LOOK_EVERY_SECONDS", 0.0)
    sts.lifetime_seconds = 300
    session = open_session(ASSUMING)
    opened.append(session)
    first = await session.fetch()
    sts.failure = (403, "AccessDenied")
    await until(lambda: session.current() is not first or len(sts.forms) >= 4)
    assert session.current() is first


async def test_expired_keys_are_never_used(sts: StsStub, opened: list[AwsSession]) -> None:
    """When the renewal fails until the keys have run out, calls fail with the reason instead of with 403."""
    session = open_session(ASSUMING)
    opened.append(session)
    sts.lifetime_seconds = 1
    await session.fetch()
    sts.failure = (403, "AccessDenied")
    with patch.object(aws_session, "LOOK_EVERY_SECONDS", 0.0):
        session._look_at = 0.0
        await until(lambda: session.current() is None)
    with pytest.raises(ProcessorFailed):
        await session.fetch()


async def test_keys_that_ended_while_nothing_was_called_sign_nothing(
    sts: StsStub, opened: list[AwsSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first call after a rest of two hours waits for new keys; it is not sent with the old ones first."""
    monkeypatch.setattr(aws_session, "LOOK_EVERY_SECONDS", 0.0)
    session = open_session(ASSUMING)
    opened.append(session)
    first = await session.fetch()
    sts.clock_offset_seconds = session._clock.skew_seconds = 7_200.0
    assert session.current() is None
    second = await session.fetch()
    assert (first.session_token, second.session_token) == ("token-1", "token-2")


async def test_a_session_that_has_ended_when_it_comes_is_none(sts: StsStub, opened: list[AwsSession]) -> None:
    """A clock between us and STS that nobody can explain: no keys for now, in words."""
    sts.lifetime_seconds = -60
    session = open_session(ASSUMING)
    opened.append(session)
    with pytest.raises(NoCredentials, match=r"connection prod: cannot assume role .* still expired"):
        await session.fetch()


async def test_a_refused_role_fails_the_processor_in_words(sts: StsStub, opened: list[AwsSession]) -> None:
    """AccessDenied: which connection, which role, what to look at; not the ExternalId."""
    session = open_session(replace(ASSUMING, external_id="wrong-one"))
    opened.append(session)
    with pytest.raises(ProcessorFailed) as raised:
        await session.fetch()
    text = str(raised.value)
    assert text.startswith(f"connection prod: cannot assume role {ROLE}: User is not authorized")
    assert text.endswith("must allow sts:AssumeRole to this identity with the connection's externalId")
    assert "wrong-one" not in text


async def test_sts_out_of_reach_is_not_sent(
    opened: list[AwsSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody answers: NotSent, so that the call is tried again; the next fetch asks again."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    monkeypatch.setattr(aws_session, "_STS", Config(retries={"total_max_attempts": 1}))
    session = open_session(ASSUMING)
    opened.append(session)
    for _ in range(2):
        with pytest.raises(NotSent, match="connection prod: cannot assume role"):
            await session.fetch()


async def test_refused_keys_are_renewed_once(sts: StsStub, opened: list[AwsSession]) -> None:
    """Two hundred 403 for the same keys lead to one renewal; fresh keys are not thrown away at once."""
    session = open_session(ASSUMING)
    opened.append(session)
    first = await session.fetch()
    for _ in range(200):
        session.refused(first)
    second = await session.fetch()
    assert second != first
    session.refused(second)
    assert session.current() is second
    assert len(sts.forms) == 2


async def test_a_call_fetches_its_keys_and_signs_with_them(sts: StsStub, opened: list[AwsSession]) -> None:
    """End to end: the first call assumes the role off the loop, the stub sees the session's token."""
    session = open_session(ASSUMING)
    opened.append(session)
    async with LambdaStub() as stub:
        endpoint = LambdaEndpoint("prod", stub.url, session.region, ca_bundle="unused")
        invoker = LambdaInvoker(endpoint, session)
        answer = await invoker.invoke(InvokeRequest("f", b"{}"))
        await invoker.close()
    assert answer.status == 200
    assert stub.requests[0].headers["x-amz-security-token"] == "token-1"
    assert "Credential=ASIA1/" in stub.requests[0].headers["authorization"]


async def test_waiting_for_keys_counts_towards_the_time_out(sts: StsStub, opened: list[AwsSession]) -> None:
    """A stuck STS: NotSent within the call's own time-out."""
    session = open_session(ASSUMING)
    opened.append(session)
    sts.gate.clear()
    invoker = LambdaInvoker(LambdaEndpoint("prod", "http://127.0.0.1:9", "eu-west-1", "unused"), session)
    with pytest.raises(NotSent, match=r"connection prod: no credentials within 0\.1 s"):
        await invoker.invoke(InvokeRequest("f", b"{}", timeout_seconds=0.1))
    sts.gate.set()
    await invoker.close()


async def test_closing_ends_the_thread(sts: StsStub) -> None:
    """No thread is left, and closing twice is fine."""
    session = open_session(ASSUMING)
    await session.fetch()
    session.close()
    session.close()
    await until(lambda: not any(thread.name.startswith("aws-prod") for thread in threading.enumerate()))
    assert len(sts.forms) == 1


def test_the_helper_of_tests_needs_no_aws() -> None:
    """`invoker_for` works on a machine without any AWS configuration."""
    assert isinstance(invoker_for("http://127.0.0.1:9"), LambdaInvoker)
