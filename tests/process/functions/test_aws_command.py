"""`penstock functions serve` with accounts, called by the aws command and by boto3: what they print."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.fakes.callers import API_KEY, ENV, TokenIssuer, write_accounts
from tests.fakes.function_host import ADD_ONE, write_functions
from tests.fakes.lambda_client import KEYS
from tests.process.cli.programs import start
from workers.cli import functions_run
from workers.errors import Fatal
from workers.functions.descriptions import MAX_PAGE

AWS = Path(sys.executable).with_name("aws")
ISSUER = TokenIssuer()
CALL_SECONDS = 90
# A start of the command takes a second of CPU, on a busy machine 20 of the clock; some tests need three.
pytestmark = pytest.mark.timeout(300)
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1}, inject_host_prefix=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app with accounts, and more functions than a page has."""
    app_dir = tmp_path_factory.mktemp("app")
    many = {f"many/f{number:02}.js": "exports = () => 1" for number in range(MAX_PAGE)}
    sources = {"addOne.js": ADD_ONE, "whoami.py": "def handler(event, context):\n    return context.user\n"}
    sources |= {"shout.js": "exports = (event) => { console.log('said', event.a); return null }"}
    sources["limits.yaml"] = "addOne: {timeout: 1500ms, memory: 256MiB, aliases: [live]}"
    write_functions(app_dir, {**many, **sources})
    write_accounts(app_dir, ISSUER)
    return app_dir


@pytest.fixture(scope="module")
def endpoint(folder: Path) -> Iterator[str]:
    """The command, as a user starts it."""
    host = start("functions", "serve", "--app", folder, "--port", 0, env=dict(ENV))
    assert host.stdout is not None
    assert host.stderr is not None
    try:
        yield host.stdout.readline().strip()
    finally:
        host.terminate()
        host.wait(60)
        said = host.stderr.read()
        host.stdout.close()
        host.stderr.close()
    assert not any(secret in said for secret in ENV.values())


@dataclass(frozen=True, slots=True)
class Printed:
    """What the aws command printed, and the payload it wrote."""

    code: int
    out: str
    err: str
    payload: str

    def json(self) -> Any:
        """Its output."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Aws:
    """The aws command with the keys of the worker's account."""

    endpoint: str
    place: Path

    def __call__(
        self, *arguments: str, secret: str = KEYS.secret_access_key, to_file: bool = False
    ) -> Printed:
        """`aws lambda <arguments>`, with a file for the payload when it wants one."""
        payload = self.place / "payload"
        env = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": KEYS.access_key_id,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_CONFIG_FILE": str(self.place / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.place / "none"),
            "AWS_MAX_ATTEMPTS": "1",
        }
        env.pop("AWS_SESSION_TOKEN", None)
        command = [sys.executable, str(AWS), "lambda", *arguments, "--endpoint-url", self.endpoint]
        ran = subprocess.run(
            [*command, *([str(payload)] if to_file else [])],
            env=env, capture_output=True, text=True, timeout=CALL_SECONDS, check=False,
        )  # fmt: skip
        return Printed(
            ran.returncode, ran.stdout, ran.stderr, payload.read_text() if payload.exists() else ""
        )

    def invoke(self, name: str, *arguments: str, **options: Any) -> Printed:
        """`aws lambda invoke --function-name <name> <arguments> <file>`."""
        return self("invoke", "--function-name", name, *arguments, to_file=True, **options)


@pytest.fixture
def aws(endpoint: str, tmp_path: Path) -> Aws:
    """The command, ready to run."""
    return Aws(endpoint, tmp_path)


def test_list_functions_turns_pages(aws: Aws) -> None:
    """The command asks for every page: 50 and the rest, by name."""
    names = [one["FunctionName"] for one in aws("list-functions").json()["Functions"]]
    assert names == ["addOne", *(f"many/f{number:02}" for number in range(MAX_PAGE)), "shout", "whoami"]


def test_get_function_describes_it(aws: Aws, folder: Path) -> None:
    """Limits, size and hash of the source; the ARN names the region that was asked."""
    found = aws("get-function", "--function-name", "addOne").json()
    assert found["Concurrency"] == {"ReservedConcurrentExecutions": 10}
    source = (folder / "functions" / "addOne.js").read_bytes()
    configuration = found["Configuration"]
    expected = {
        "FunctionName": "addOne",
        "FunctionArn": "arn:aws:lambda:eu-west-1:000000000000:function:addOne",
        "Runtime": "quickjs",
        "Handler": "addOne.exports",
        "CodeSize": len(source),
        "CodeSha256": base64.b64encode(hashlib.sha256(source).digest()).decode(),
        "Timeout": 2,
        "MemorySize": 256,
        "Version": "$LATEST",
        "State": "Active",
        "LastUpdateStatus": "Successful",
    }
    assert {name: configuration[name] for name in expected} == expected
    assert "Environment" not in configuration
    listed = aws(
        "get-function-configuration", "--function-name", configuration["FunctionArn"] + ":live"
    ).json()
    assert listed["FunctionArn"].endswith(":addOne:live")
    assert listed["CodeSha256"] == expected["CodeSha256"]


def test_invoke_prints_status_and_version(aws: Aws) -> None:
    """With a payload, an alias, and the tail of the log."""
    done = aws.invoke("addOne", "--payload", "41", "--qualifier", "live")
    assert (done.code, done.json(), done.payload) == (
        0,
        {"StatusCode": 200, "ExecutedVersion": "$LATEST"},
        "42",
    )
    tail = aws.invoke("shout", "--payload", '{"a": 1}', "--log-type", "Tail").json()["LogResult"]
    assert "\tsaid 1\n" in base64.b64decode(tail).decode() + "\n"
    assert json.loads(aws.invoke("whoami").payload)["id"] == "worker"


def test_invoke_later_and_not_at_all(aws: Aws) -> None:
    """Event is 202, DryRun 204; neither has a payload."""
    later = aws.invoke("addOne", "--payload", "41", "--invocation-type", "Event")
    assert (later.json(), later.payload) == ({"StatusCode": 202}, "")
    dry = aws.invoke("addOne", "--invocation-type", "DryRun")
    assert (dry.json(), dry.payload) == ({"StatusCode": 204}, "")


def test_a_function_that_fails_says_so(aws: Aws) -> None:
    """The command ends well; FunctionError and the payload tell."""
    failed = aws.invoke("addOne", "--payload", '"text"')
    assert (failed.code, failed.json()["FunctionError"]) == (0, "Unhandled")
    assert json.loads(failed.payload)["errorMessage"] == "You must call addOne() with a number"


@pytest.mark.parametrize(
    ("arguments", "secret", "said"),
    [
        (["--function-name", "nobody"], "", "(ResourceNotFoundException)"),
        (["--function-name", "addOne", "--qualifier", "prod"], "", "(ResourceNotFoundException)"),
        (["--function-name", "addOne"], "another-secret-0000", "(InvalidSignatureException)"),
        (["--function-name", "addOne", "--no-sign-request"], "", "(MissingAuthenticationTokenException)"),
    ],
)
def test_a_refusal_is_the_commands_error(aws: Aws, arguments: list[str], secret: str, said: str) -> None:
    """With the code that AWS has for it."""
    ran = aws("invoke", *arguments, secret=secret or KEYS.secret_access_key, to_file=True)
    assert ran.code in (254, 255)
    assert said in ran.err
    assert "when calling the Invoke operation" in ran.err
    assert ran.payload == ""


def client(endpoint: str, **options: Any) -> Any:
    """A boto3 client with the worker's keys."""
    keys = {"aws_access_key_id": KEYS.access_key_id, "aws_secret_access_key": KEYS.secret_access_key}
    found = {"config": ONCE, **keys, **options}
    return boto3.client("lambda", endpoint_url=endpoint, region_name="eu-west-1", **found)


def with_token(endpoint: str, token: str) -> Any:
    """A boto3 client that sends a bearer token instead of a signature."""
    lambdas = client(endpoint, config=ONCE.merge(Config(signature_version=UNSIGNED)))

    def add(params: dict[str, Any], **_: Any) -> None:
        params["headers"]["Authorization"] = f"Bearer {token}"

    lambdas.meta.events.register("before-call.lambda", add)
    return lambdas


def refusal(call: Any, **arguments: Any) -> tuple[int, str]:
    """Status and code of a call that is refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_boto3_is_let_in_by_key_and_by_token(endpoint: str) -> None:
    """Whoever a token stands for may call, and not look at the functions."""
    with client(endpoint).invoke(FunctionName="whoami")["Payload"] as body:
        assert json.loads(body.read())["id"] == "worker"
    lambdas = with_token(endpoint, ISSUER.token("ann"))
    with lambdas.invoke(FunctionName="whoami", Payload=b"{}")["Payload"] as body:
        assert json.loads(body.read())["id"] == "ann"
    assert refusal(lambdas.list_functions) == (403, "AccessDeniedException")


def test_boto3_is_refused_with_awss_codes(endpoint: str) -> None:
    """An expired and a forged token, an unknown key, a wrong secret."""
    found = [
        refusal(lambdas.invoke, FunctionName="addOne", Payload=b"1")
        for lambdas in (
            with_token(endpoint, ISSUER.token(exp=1)),
            with_token(endpoint, TokenIssuer().token()),
            client(endpoint, aws_access_key_id="AKIDOTHER"),
            client(endpoint, aws_secret_access_key="another-secret-0000"),
            client(endpoint, aws_session_token="a-session"),
        )
    ]
    assert found == [
        (403, "ExpiredTokenException"),
        (403, "UnrecognizedClientException"),
        (403, "UnrecognizedClientException"),
        (403, "InvalidSignatureException"),
        (403, "UnrecognizedClientException"),
    ]


def test_pages_have_markers(endpoint: str) -> None:
    """`MaxItems` bounds a page, the marker goes on, the last one has none; wrong ones are 400."""
    lambdas = client(endpoint)
    first = lambdas.list_functions(MaxItems=2)
    assert [one["FunctionName"] for one in first["Functions"]] == ["addOne", "many/f00"]
    second = lambdas.list_functions(MaxItems=10_000, Marker=first["NextMarker"])
    assert len(second["Functions"]) == MAX_PAGE
    last = lambdas.list_functions(Marker=second["NextMarker"])
    assert [one["FunctionName"] for one in last["Functions"]] == ["whoami"]
    assert not last.get("NextMarker")
    for wrong in ({"Marker": "?"}, {"Marker": "Li4v"}, {"MasterRegion": "ALL", "Marker": "/w=="}):
        assert refusal(lambdas.list_functions, **wrong) == (400, "InvalidParameterValueException")


def test_what_the_host_has_not_says_what_there_is(endpoint: str) -> None:
    """Streaming, the old asynchronous call, and operations that change functions."""
    lambdas = client(endpoint)
    calls: list[tuple[Any, dict[str, Any]]] = [
        (lambdas.invoke_with_response_stream, {"FunctionName": "addOne"}),
        (lambdas.invoke_async, {"FunctionName": "addOne", "InvokeArgs": b"1"}),
        (lambdas.delete_function, {"FunctionName": "addOne"}),
        (lambdas.list_aliases, {"FunctionName": "addOne"}),
        (lambdas.get_account_settings, {}),
    ]
    assert {refusal(call, **arguments) for call, arguments in calls} == {
        (400, "InvalidParameterValueException")
    }
    with pytest.raises(lambdas.exceptions.ResourceNotFoundException, match="function:nobody"):
        lambdas.get_function(FunctionName="nobody")


def test_the_function_log_is_read_with_an_api_key(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`penstock functions logs` sends the key of the environment; without one it says what is missing."""
    with client(endpoint).invoke(FunctionName="whoami")["Payload"] as body:
        body.read()
    monkeypatch.setenv("PENSTOCK_FUNCTIONS_API_KEY", API_KEY)
    last = list(functions_run.entries(endpoint, "whoami", 1, follow=False))
    assert [(one["status"], one["user"]["id"]) for one in last] == [("ok", "worker")]
    monkeypatch.delenv("PENSTOCK_FUNCTIONS_API_KEY")
    with pytest.raises(Fatal, match="answered 403; PENSTOCK_FUNCTIONS_API_KEY holds no key that it knows"):
        list(functions_run.entries(endpoint, "whoami", 1, follow=False))
