"""Tokens of AWS_MSK_IAM: the signer's form, good for who has the secret, renewed in time, never in a log."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.msk_token import refusal
from tests.fakes.sts_stub import StsStub
from workers.adapters import kafka_msk
from workers.adapters.aws_connection import AwsConnection
from workers.adapters.kafka_msk import AGAIN_SECONDS, SHORT_SECONDS, UNSIGNED, MskTokens

REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/penstock"
KEYS = {"AKIDENV": "env-secret"}
OF_CHAIN = AwsConnection("msk", REGION)
OF_ROLE = AwsConnection("msk", REGION, role_arn=ROLE, external_id="tenant-7")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keys in the environment and nowhere else."""
    for name in (
        "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL",
        "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[StsStub]:
    with StsStub(ROLE, "tenant-7") as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stub.url)
        yield stub


def assumed(number: int) -> dict[str, str]:
    """The keys that the stub gave at its `number`th answer."""
    return {f"ASIA{number}": f"assumed-secret-{number}"}


def key_of(token: str) -> str:
    """The access key that a token is signed with."""
    url = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    return url.split("X-Amz-Credential=")[1].split("%2F")[0]


def test_a_token_is_good_for_who_has_the_secret() -> None:
    """In the signer's form, for its region, for 15 minutes."""
    token, ends = MskTokens(OF_CHAIN, REGION)(None)
    now = time.time()
    assert refusal(token, KEYS, REGION, now) == ""
    assert ends == pytest.approx(now + 900, abs=30)
    assert "=" not in token


@pytest.mark.parametrize(
    ("secrets", "region", "later", "said"),
    [
        ({"AKIDENV": "another"}, REGION, 0, "the signature is wrong"),
        ({"AKIDOTHER": "env-secret"}, REGION, 0, "unknown key"),
        (KEYS, "us-east-1", 0, "made for"),
        (KEYS, REGION, 1_000, "signed"),
    ],
)
def test_the_test_refuses_what_msk_would(
    secrets: dict[str, str], region: str, later: float, said: str
) -> None:
    """Another secret, another key, another region, too late."""
    token, _ = MskTokens(OF_CHAIN, REGION)(None)
    assert said in refusal(token, secrets, region, time.time() + later)
    assert "no signed URL" in refusal(UNSIGNED, KEYS, REGION, time.time())


def test_a_token_that_was_touched_is_refused() -> None:
    """One character of what is signed."""
    token, _ = MskTokens(OF_CHAIN, REGION)(None)
    url = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    touched = base64.urlsafe_b64encode(
        url.replace(b"Action=kafka-cluster%3AConnect", b"Action=kafka%3ADelete")
    )
    assert refusal(touched.decode().rstrip("="), KEYS, REGION, time.time()) == "action kafka:Delete"


def test_keys_of_a_session_bring_their_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """X-Amz-Security-Token is signed too."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session/token+==")
    token, _ = MskTokens(OF_CHAIN, REGION)(None)
    assert refusal(token, KEYS, REGION, time.time()) == ""
    assert b"X-Amz-Security-Token" in base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def test_keys_that_were_replaced_sign_the_next_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Static keys are looked for again each time; no restart."""
    tokens = MskTokens(OF_CHAIN, REGION)
    tokens(None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDNEW")
    assert key_of(tokens(None)[0]) == "AKIDNEW"


def test_a_role_is_assumed_with_its_external_id(sts: StsStub) -> None:
    """Once for all tokens while its keys hold."""
    tokens = MskTokens(OF_ROLE, REGION)
    first, ends = tokens(None)
    second, _ = tokens(None)
    assert refusal(first, assumed(1), REGION, time.time()) == ""
    assert (key_of(second), len(sts.forms)) == ("ASIA1", 1)
    assert (sts.forms[0]["RoleArn"], sts.forms[0]["ExternalId"]) == (ROLE, "tenant-7")
    assert ends == pytest.approx(time.time() + 900, abs=30)


def test_a_token_does_not_outlive_its_keys(sts: StsStub) -> None:
    """Keys that end within the 15 minutes are renewed before the client thinks its token good any longer."""
    sts.lifetime_seconds = 850
    tokens = MskTokens(OF_ROLE, REGION)
    _, ends = tokens(None)
    assert ends <= time.time() + SHORT_SECONDS
    assert key_of(tokens(None)[0]) == "ASIA2"


def test_without_keys_the_client_asks_again_and_the_log_says_why(
    sts: StsStub, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is raised into the client. The reason names connection, role and the way out, once; it goes
    when keys come."""
    sts.external_id = "another"
    tokens = MskTokens(OF_ROLE, REGION)
    with caplog.at_level(logging.INFO, "workers"):
        token, ends = tokens(None)
        assert token == UNSIGNED
        assert ends == pytest.approx(time.time() + AGAIN_SECONDS, abs=5)
        tokens(None)
        assert f"connection msk: cannot assume role {ROLE}" in tokens.trouble
        assert "trust policy must allow sts:AssumeRole" in tokens.trouble
        sts.external_id = "tenant-7"
        assert refusal(tokens(None)[0], assumed_by(tokens(None)[0]), REGION, time.time()) == ""
    assert tokens.trouble == ""
    own = [record.getMessage() for record in caplog.records if record.name.startswith("workers")]
    assert own == ["msk_token_failed", "msk_token_made"]


def assumed_by(token: str) -> dict[str, str]:
    """The secret that goes with a token's key."""
    return assumed(int(key_of(token).removeprefix("ASIA")))


def test_a_token_that_still_holds_bridges_a_failure(monkeypatch: pytest.MonkeyPatch, sts: StsStub) -> None:
    """STS is away for a moment: connections that are opened meanwhile come in."""
    sts.lifetime_seconds = 500  # botocore asks STS each time: they end within its 10 minutes
    tokens = MskTokens(OF_ROLE, REGION)
    token, _ = tokens(None)
    sts.failure = (400, "AccessDenied")
    again, ends = tokens(None)
    assert again == token
    assert ends <= time.time() + AGAIN_SECONDS
    assert tokens.trouble
    later = MskTokens(OF_ROLE, REGION, wall_clock=clock_at(time.time() + 2_000))
    later._last = (token, time.time() + 100)
    assert later(None)[0] == UNSIGNED


def clock_at(moment: float) -> Callable[[], float]:
    """A clock that stands."""
    return lambda: moment


def test_no_key_of_aws_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so in words."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    tokens = MskTokens(OF_CHAIN, REGION)
    assert tokens(None)[0] == UNSIGNED
    assert tokens.trouble == "connection msk: cannot fetch credentials: Unable to locate credentials"


def test_no_secret_is_in_a_log_or_repr(sts: StsStub, caplog: pytest.LogCaptureFixture) -> None:
    """Neither keys nor tokens, whatever is logged."""
    tokens = MskTokens(OF_ROLE, REGION)
    with caplog.at_level(logging.DEBUG):
        token, _ = tokens(None)
    said = caplog.text + repr(tokens) + repr(vars(kafka_msk))
    assert token not in said
    assert "env-secret" not in repr(tokens)
    own = "".join(record.getMessage() for record in caplog.records if record.name.startswith("workers"))
    assert "secret" not in own
