"""Calls over the end of keys, over rotated secrets and with a clock that is wrong: none of them is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.lambda_behaviour import Behaviour
from tests.fakes.lambda_client import StaticKeys, invoker_for
from tests.fakes.lambda_stub import LambdaStub, Seen
from tests.fakes.sts_stub import StsStub
from tests.fakes.waiting import until
from workers.adapters import aws_session
from workers.adapters.aws_connection import AwsConnection
from workers.adapters.aws_session import AwsSession, open_session
from workers.adapters.lambda_http import LambdaEndpoint, LambdaInvoker
from workers.errors import ProcessorFailed
from workers.ports import InvokeRequest

ROLE = "arn:aws:iam::123456789012:role/penstock"
KEYED = AwsConnection("prod", "eu-west-1", access_key_id="AKIDBASE", secret_access_key="base-secret")
ASSUMING = replace(KEYED, role_arn=ROLE, external_id="tenant-7")
REQUEST = InvokeRequest("f", b"{}")


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[StsStub]:
    with StsStub(ROLE, "tenant-7") as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stub.url)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield stub


@pytest.fixture
async def stub() -> AsyncIterator[LambdaStub]:
    async with LambdaStub() as running:
        yield running


def invoker_of(session: AwsSession, stub: LambdaStub) -> LambdaInvoker:
    return LambdaInvoker(LambdaEndpoint("prod", stub.url, "eu-west-1", "unused"), session)


def tokens(stub: LambdaStub) -> list[str]:
    return [seen.headers["x-amz-security-token"] for seen in stub.requests]


async def test_calls_never_stop_over_a_renewal(
    sts: StsStub, stub: LambdaStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that live 2 s, calls without a break until the third session: every call is answered 200 at its
    first attempt, none is signed with keys that have run out."""
    monkeypatch.setattr(aws_session, "LOOK_SOON_SECONDS", 0.1)
    sts.lifetime_seconds = 2
    stub.refuses = lambda seen: (
        "ExpiredTokenException" if sts.ends[seen.headers["x-amz-security-token"]] <= time.time() else None
    )
    session = open_session(ASSUMING)
    invoker = invoker_of(session, stub)
    used: set[str] = set()
    calls = 0
    deadline = time.monotonic() + 20
    while len(used) < 3 and time.monotonic() < deadline:
        assert (await invoker.invoke(REQUEST)).status == 200
        used.add(tokens(stub)[-1])
        calls += 1
        stub.requests.clear()
    await invoker.close()
    session.close()
    assert len(used) == 3
    assert stub.function("f").calls == calls


async def test_an_expired_token_is_renewed_and_the_call_sent_again(sts: StsStub, stub: LambdaStub) -> None:
    """403 ExpiredToken: the same call goes out once more with renewed keys, the caller sees 200."""
    session = open_session(ASSUMING)
    stub.program("f", Behaviour(outcome="error", status=403, error_type="ExpiredTokenException", times=1))
    invoker = invoker_of(session, stub)
    assert (await invoker.invoke(REQUEST)).status == 200
    await invoker.close()
    session.close()
    assert tokens(stub) == ["token-1", "token-2"]
    assert session.trouble == ""


async def test_a_hundred_refused_calls_lead_to_one_renewal(sts: StsStub, stub: LambdaStub) -> None:
    """All of them are answered, after one AssumeRole more."""
    session = open_session(ASSUMING)
    stub.refuses = lambda seen: (
        "UnrecognizedClientException" if seen.headers["x-amz-security-token"] == "token-1" else None
    )
    invoker = invoker_of(session, stub)
    answers = await asyncio.gather(*(invoker.invoke(REQUEST) for _ in range(100)))
    await invoker.close()
    session.close()
    assert {answer.status for answer in answers} == {200}
    assert len(sts.forms) == 2


async def test_keys_refused_twice_are_trouble_until_a_call_works(sts: StsStub, stub: LambdaStub) -> None:
    """Renewed keys are refused, too: 403 comes back, the session says why the worker is not ready, and takes
    it back with the first call that works."""
    session = open_session(ASSUMING)
    stub.refuses = lambda seen: "UnrecognizedClientException"
    invoker = invoker_of(session, stub)
    assert (await invoker.invoke(REQUEST)).status == 403
    assert session.trouble == "connection prod: AWS refuses its keys (UnrecognizedClientException)"
    assert len(tokens(stub)) == 2
    assert not session.is_ready
    stub.refuses = None
    assert (await invoker.invoke(REQUEST)).status == 200
    assert session.trouble == ""
    assert session.is_ready
    await invoker.close()
    session.close()


async def test_the_wrong_external_id_fails_the_processor(sts: StsStub, stub: LambdaStub) -> None:
    """A call with a role that STS refuses: connection, role and what to look at, and no secret."""
    session = open_session(replace(ASSUMING, external_id="tenant-8"))
    invoker = invoker_of(session, stub)
    with pytest.raises(ProcessorFailed) as raised:
        await invoker.invoke(REQUEST)
    assert f"connection prod: cannot assume role {ROLE}" in str(raised.value)
    assert session.trouble == str(raised.value)
    assert not session.is_ready
    assert not any(secret in str(raised.value) for secret in ("tenant-7", "tenant-8", "base-secret"))
    await invoker.close()
    session.close()


@pytest.mark.parametrize("offset_seconds", [-3600.0, 3600.0])
async def test_a_wrong_clock_is_corrected_once(stub: LambdaStub, offset_seconds: float) -> None:
    """AWS's clock is an hour from ours: the first call is signed anew by the refusal's Date, the next ones
    are right at once."""
    stub.clock_offset_seconds = offset_seconds
    keys = StaticKeys()
    invoker = invoker_for(stub.url, keys)
    assert (await invoker.invoke(REQUEST)).status == 200
    assert (await invoker.invoke(REQUEST)).status == 200
    await invoker.close()
    assert len(stub.requests) == 3
    assert keys.refusals == []


@pytest.mark.parametrize("offset_seconds", [-7200.0, -600.0, 600.0, 7200.0])
async def test_a_role_is_assumed_by_the_clock_of_sts(
    sts: StsStub, stub: LambdaStub, offset_seconds: float
) -> None:
    """AWS's clock is off from ours, by more than a session lives: STS's refusal corrects it, the session
    counts by the corrected one, and the call is answered."""
    sts.clock_offset_seconds = stub.clock_offset_seconds = offset_seconds
    stub.refuses = lambda seen: (
        "ExpiredTokenException" if sts.ends[seen.headers["x-amz-security-token"]] <= time.time() else None
    )
    session = open_session(ASSUMING)
    invoker = invoker_of(session, stub)
    assert (await invoker.invoke(REQUEST)).status == 200
    assert (await invoker.invoke(REQUEST)).status == 200
    assert len(sts.forms) == 2, "one refusal, one session"
    assert session.is_ready
    await invoker.close()
    session.close()


async def test_a_wrong_secret_is_no_wrong_clock_of_sts(sts: StsStub, stub: LambdaStub) -> None:
    """SignatureDoesNotMatch with a Date that is ours: asked once, and the processor is told of the keys."""
    sts.failure = (403, "SignatureDoesNotMatch")
    session = open_session(ASSUMING)
    invoker = invoker_of(session, stub)
    with pytest.raises(ProcessorFailed, match="cannot assume role"):
        await invoker.invoke(REQUEST)
    assert len(sts.forms) == 1
    await invoker.close()
    session.close()


async def test_a_renewal_finds_a_clock_that_went_wrong(sts: StsStub, stub: LambdaStub) -> None:
    """The machine slept for an hour between two sessions: the next AssumeRole is refused, corrected and sent
    once more."""
    session = open_session(ASSUMING)
    invoker = invoker_of(session, stub)
    assert (await invoker.invoke(REQUEST)).status == 200
    sts.clock_offset_seconds = stub.clock_offset_seconds = 3600.0
    stub.refuses = lambda seen: (
        "ExpiredTokenException" if seen.headers["x-amz-security-token"] == "token-1" else None
    )
    assert (await invoker.invoke(REQUEST)).status == 200
    assert tokens(stub)[-1] == "token-3"
    await invoker.close()
    session.close()


async def test_a_wrong_signature_is_no_wrong_clock(stub: LambdaStub) -> None:
    """InvalidSignature with a Date that is ours: the keys are at fault, and the call is not repeated with the
    same ones."""
    stub.clock_offset_seconds = 0.0
    stub.refuses = lambda seen: "InvalidSignatureException"
    keys = StaticKeys()
    invoker = invoker_for(stub.url, keys)
    assert (await invoker.invoke(REQUEST)).status == 403
    await invoker.close()
    assert len(stub.requests) == 1
    assert len(keys.refusals) == 1
    assert "InvalidSignatureException" in keys.trouble


async def test_rotated_keys_sign_the_next_call(stub: LambdaStub) -> None:
    """Static keys that were replaced are used from the next call on."""
    session = open_session(KEYED)
    invoker = invoker_of(session, stub)
    await invoker.invoke(REQUEST)
    session.rotated(replace(KEYED, access_key_id="AKIDNEW", secret_access_key="new-secret"))
    await invoker.invoke(REQUEST)
    await invoker.close()
    session.close()
    assert ["AKIDBASE/" in stub.requests[0].headers["authorization"],
            "AKIDNEW/" in stub.requests[1].headers["authorization"]] == [True, True]  # fmt: skip


async def test_a_role_is_assumed_anew_with_rotated_keys(sts: StsStub, stub: LambdaStub) -> None:
    """The keys behind a role were replaced: calls go on with the open session until the new one is there."""
    session = open_session(ASSUMING)
    invoker = invoker_of(session, stub)
    await invoker.invoke(REQUEST)
    sts.gate.clear()
    session.rotated(replace(ASSUMING, access_key_id="AKIDNEW", secret_access_key="new-secret"))
    assert (await invoker.invoke(REQUEST)).status == 200
    assert tokens(stub) == ["token-1", "token-1"]
    sts.gate.set()
    await until(lambda: (keys := session.current()) is not None and keys.session_token == "token-2")
    assert "AKIDNEW/" in sts.authorizations[1]
    await invoker.close()
    session.close()


async def test_rotated_keys_that_sts_refuses_do_not_end_the_open_session(
    sts: StsStub, stub: LambdaStub
) -> None:
    """A mistake in the new secret is said as trouble; calls go on while the old session holds."""
    session = open_session(ASSUMING)
    invoker = invoker_of(session, stub)
    await invoker.invoke(REQUEST)
    sts.failure = (403, "InvalidClientTokenId")
    session.rotated(replace(ASSUMING, access_key_id="AKIDBAD", secret_access_key="bad-secret"))
    session.current()
    await until(lambda: "cannot assume role" in session.trouble)
    assert session.is_ready
    assert (await invoker.invoke(REQUEST)).status == 200
    await invoker.close()
    session.close()


async def test_refused_keys_are_read_again_before_anything_fails(stub: LambdaStub) -> None:
    """The old key was switched off before we looked: a refusal reads the files at once and the call goes
    through."""
    new = replace(KEYED, access_key_id="AKIDNEW", secret_access_key="new-secret")
    session = open_session(KEYED, lambda: new)
    stub.refuses = lambda seen: (
        None if "AKIDNEW/" in seen.headers["authorization"] else "UnrecognizedClientException"
    )
    invoker = invoker_of(session, stub)
    assert (await invoker.invoke(REQUEST)).status == 200
    await invoker.close()
    session.close()


async def test_a_changed_credentials_file_is_found_after_a_refusal(
    stub: LambdaStub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Keys of AWS's own shared file, which a side-car rewrites: read again when AWS refuses the old ones."""
    file = tmp_path / "credentials"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    file.write_text("[default]\naws_access_key_id = AKIDFILE1\naws_secret_access_key = s1\n", "utf-8")
    session = open_session(AwsConnection("prod", "eu-west-1", stub.url))
    file.write_text("[default]\naws_access_key_id = AKIDFILE2\naws_secret_access_key = s2\n", "utf-8")

    def old_is_off(seen: Seen) -> str | None:
        return "UnrecognizedClientException" if "AKIDFILE1/" in seen.headers["authorization"] else None

    stub.refuses = old_is_off
    invoker = invoker_of(session, stub)
    assert (await invoker.invoke(REQUEST)).status == 200
    await invoker.close()
    session.close()
