"""The function host as boto3 sees it: a host in a process of its own, called through `endpoint_url`."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.fakes.function_host import ADD_ONE, function_host, write_functions
from workers.functions import HostSettings

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:addOne"
MARK = "def handler(event, context):\n    open(event['file'], 'a').write(event['text'])\n"
ECHO = "import time\ndef handler(event, context):\n    print('echo of', event)\n    return event\n"
SLEEP = "import time\ndef handler(event, context):\n    time.sleep(120)\n"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One host for the whole module."""
    sources = {"addOne.js": ADD_ONE, "utils/add.js": ADD_ONE}
    sources |= {"mark.py": MARK, "echo.py": ECHO, "sleep.py": SLEEP}
    sources["limits.yaml"] = "addOne: {aliases: [live, test]}\nsleep: {timeout: 3s}\n"
    app_dir = write_functions(tmp_path_factory.mktemp("app"), sources)
    settings = HostSettings(concurrency=1, waiting_calls=1, drain_seconds=1)
    with function_host(app_dir, settings) as url:
        yield url


@pytest.fixture(scope="module")
def client(endpoint: str) -> Any:
    """A client as a user of the host configures it: one attempt, no host prefix."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 1}, inject_host_prefix=False)
    return boto3.client(
        "lambda",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="not-a-secret",
        config=config,
    )


def _payload(response: Any) -> Any:
    with response["Payload"] as body:
        return json.loads(body.read())


@pytest.mark.parametrize(
    "name",
    [
        "addOne",
        "utils/add",
        "addOne:live",
        ARN,
        ARN + ":live",
        "123456789012:function:addOne",
        "function:addOne",
    ],
)
def test_a_function_is_called_by_every_name_it_has(client: Any, name: str) -> None:
    """Plain and nested names, aliases, partial and full ARNs."""
    response = client.invoke(FunctionName=name, Payload=b"41")
    assert (response["StatusCode"], response["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in response
    assert _payload(response) == 42


def test_a_qualifier_may_be_given_beside_the_name(client: Any) -> None:
    """Equal to the alias in the name or alone; a contradiction is refused in AWS's words."""
    assert _payload(client.invoke(FunctionName="addOne", Qualifier="live", Payload=b"1")) == 2
    assert _payload(client.invoke(FunctionName="addOne:live", Qualifier="live", Payload=b"1")) == 2
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="derived qualifier"):
        client.invoke(FunctionName="addOne:live", Qualifier="test", Payload=b"1")


@pytest.mark.parametrize("qualifier", ["LIVE", "prod", "1"])
def test_a_version_or_alias_that_is_not_there_is_not_found(client: Any, qualifier: str) -> None:
    """There is $LATEST, and what limits.yaml names."""
    assert _payload(client.invoke(FunctionName="addOne", Qualifier="$LATEST", Payload=b"1")) == 2
    with pytest.raises(client.exceptions.ResourceNotFoundException, match=f"addOne:{qualifier}"):
        client.invoke(FunctionName="addOne", Qualifier=qualifier, Payload=b"1")
    with pytest.raises(client.exceptions.ResourceNotFoundException, match=f"addOne:{qualifier}"):
        client.get_function(FunctionName="addOne", Qualifier=qualifier)


def test_a_function_that_throws_is_a_function_error(client: Any) -> None:
    """Status 200, FunctionError Unhandled, and the error with type, message and trace."""
    response = client.invoke(FunctionName="addOne", Payload=b'"text"')
    assert (response["StatusCode"], response["FunctionError"]) == (200, "Unhandled")
    error = _payload(response)
    assert (error["errorType"], error["errorMessage"]) == ("Error", "You must call addOne() with a number")
    assert error["trace"][1].startswith("at addOne (functions/addOne.js:3:")


def test_an_event_is_accepted_at_once_and_runs_later(client: Any, tmp_path: Path) -> None:
    """202 with 0 bytes; the function's effect follows."""
    file = tmp_path / "mark"
    event = json.dumps({"file": str(file), "text": "ran"}).encode()
    response = client.invoke(FunctionName="mark", InvocationType="Event", Payload=event)
    with response["Payload"] as body:
        assert (response["StatusCode"], body.read()) == (202, b"")
    deadline = time.monotonic() + 40
    while not file.exists() or file.read_text() != "ran":
        assert time.monotonic() < deadline, "the event was never run"
        time.sleep(0.01)


def test_a_dry_run_checks_and_does_not_run(client: Any, tmp_path: Path) -> None:
    """204 for a function that exists, the usual errors otherwise."""
    file = tmp_path / "mark"
    event = json.dumps({"file": str(file), "text": "ran"}).encode()
    response = client.invoke(FunctionName="mark", InvocationType="DryRun", Payload=event)
    assert response["StatusCode"] == 204
    response["Payload"].close()
    client.invoke(FunctionName="mark", Payload=json.dumps({"file": str(file), "text": "real"}).encode())[
        "Payload"
    ].close()
    assert file.read_text() == "real"
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="nope", InvocationType="DryRun")


@pytest.mark.parametrize("name", ["nope", "utils", ARN.replace("addOne", "nope"), "Addone"])
def test_an_unknown_function_is_the_typed_exception(client: Any, name: str) -> None:
    """boto3 raises ResourceNotFoundException, with a request id for the log."""
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="Function not found") as caught:
        client.invoke(FunctionName=name, Payload=b"1")
    metadata = caught.value.response["ResponseMetadata"]
    assert (metadata["HTTPStatusCode"], caught.value.response["Type"]) == (404, "User")
    assert len(metadata["RequestId"]) == 36


def test_the_log_tail_comes_with_the_answer(client: Any) -> None:
    """LogType Tail: base64 of what the call printed, also when it fails."""
    response = client.invoke(FunctionName="echo", LogType="Tail", Payload=b'{"a": 1}')
    log = base64.b64decode(response["LogResult"]).decode()
    assert log.splitlines()[1] == "echo of {'a': 1}"
    assert _payload(response) == {"a": 1}
    quiet = client.invoke(FunctionName="echo", Payload=b"1")
    assert "LogResult" not in quiet
    quiet["Payload"].close()


def test_an_empty_body_is_an_empty_event(client: Any) -> None:
    """As on Lambda: no payload is {}."""
    assert _payload(client.invoke(FunctionName="echo")) == {}


@pytest.mark.parametrize("payload", [b"{", b"hello", b"[1,]", b"NaN", b"\xff", b"1 2", b"[" * 100_000])
def test_a_body_that_is_no_json_is_refused(client: Any, payload: bytes) -> None:
    """InvalidRequestContentException; the function is not started."""
    with pytest.raises(client.exceptions.InvalidRequestContentException, match="Could not parse"):
        client.invoke(FunctionName="echo", Payload=payload)


def test_half_a_surrogate_pair_is_legal_json(client: Any) -> None:
    """Strict parsers refuse it; the JSON grammar does not, and neither does the function's engine."""
    assert _payload(client.invoke(FunctionName="echo", Payload=b'"\\ud800"')) == "\ud800"


@pytest.mark.parametrize(("invocation_type", "limit"), [("RequestResponse", 6_291_456), ("Event", 1_048_576)])
def test_a_body_over_the_limit_is_refused(client: Any, invocation_type: str, limit: int) -> None:
    """413 RequestTooLargeException one byte over, accepted at the limit."""
    most = b'"' + b"x" * (limit - 2) + b'"'
    accepted = client.invoke(FunctionName="addOne", InvocationType=invocation_type, Payload=most)
    assert accepted["StatusCode"] in (200, 202)
    accepted["Payload"].close()
    with pytest.raises(client.exceptions.RequestTooLargeException, match=str(limit)) as caught:
        client.invoke(FunctionName="addOne", InvocationType=invocation_type, Payload=most + b" ")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_a_full_function_is_throttled_with_reason_and_retry_after(client: Any) -> None:
    """One runs, one waits; the third caller gets the typed exception, not a wait without end."""
    client.invoke(FunctionName="sleep", InvocationType="Event", Payload=b"1")["Payload"].close()
    seen: list[ClientError] = []
    threads = [_in_thread(client, seen) for _ in range(3)]
    for thread in threads:
        thread.join()
    assert {type(error) for error in seen} == {client.exceptions.TooManyRequestsException}
    response: dict[str, Any] = seen[0].response
    assert response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"


def _in_thread(client: Any, seen: list[ClientError]) -> threading.Thread:
    def call() -> None:
        try:
            client.invoke(FunctionName="sleep", Payload=b"1")["Payload"].close()
        except ClientError as error:
            seen.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    return thread


@pytest.mark.parametrize(
    "context", ["no base64!", base64.b64encode(b"[1]").decode(), base64.b64encode(b"x").decode(), "A" * 3584]
)
def test_a_client_context_that_is_no_json_object_is_refused(client: Any, context: str) -> None:
    """400, before anything runs."""
    with pytest.raises(client.exceptions.InvalidRequestContentException, match="Client context"):
        client.invoke(FunctionName="echo", ClientContext=context, Payload=b"1")


# --- what boto3 never sends


def _http(endpoint: str, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=40)
    try:
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def _path(name: str) -> str:
    return f"/2015-03-31/functions/{name}/invocations"


@pytest.mark.parametrize("header", ["X_Amz_Invocation_Type", "X_Amz_Log_Type"])
def test_unknown_header_values_are_refused(endpoint: str, header: str) -> None:
    """400 InvalidParameterValueException that names what was sent."""
    status, headers, body = _http(endpoint, "POST", _path("addOne"), b"1", **{header: "Sometimes"})
    assert (status, headers["x-amzn-ErrorType"]) == (400, "InvalidParameterValueException")
    assert b"Sometimes" in body


@pytest.mark.parametrize("name", ["utils%2Fadd", "utils/add", "addOne?Qualifier=%24LATEST"])
def test_names_arrive_encoded_or_not(endpoint: str, name: str) -> None:
    """Clients differ in what they encode."""
    path = _path(name) if "?" not in name else _path("addOne") + "?" + name.split("?")[1]
    assert _http(endpoint, "POST", path, b"1")[::2] == (200, b"2")


@pytest.mark.parametrize("name", ["..%2Fsecret", "a%20b", "", "%FF"])
def test_what_is_no_name_is_refused(endpoint: str, name: str) -> None:
    """Never a path of the file system."""
    status, headers, _ = _http(endpoint, "POST", _path(name), b"1")
    assert (status, headers["x-amzn-ErrorType"]) == (400, "InvalidParameterValueException")


def test_a_body_without_announced_length_is_bounded_too(endpoint: str) -> None:
    """Chunks are counted as they come."""
    chunks = (b" " * 100_000 for _ in range(70))
    status, headers, _ = _http(endpoint, "POST", _path("addOne"), chunks)
    assert (status, headers["x-amzn-ErrorType"]) == (413, "RequestTooLargeException")
    small = (piece for piece in (b"4", b"1"))
    assert _http(endpoint, "POST", _path("addOne"), small)[::2] == (200, b"42")


def test_a_packed_body_is_not_unpacked(endpoint: str) -> None:
    """It is no JSON: a few KB that would become gigabytes cost nothing."""
    packed = gzip.compress(b" " * 50_000_000)
    status, _, body = _http(endpoint, "POST", _path("addOne"), packed, Content_Encoding="gzip")
    assert (status, b"Could not parse" in body) == (400, True)


def test_a_client_that_asks_first_is_told_to_go_on(endpoint: str) -> None:
    """`Expect: 100-continue`, as curl sends it for large bodies."""
    status, _, body = _http(endpoint, "POST", _path("addOne"), b"1", Expect="100-continue")
    assert (status, body) == (200, b"2")


def test_health_and_the_list_are_readable(endpoint: str) -> None:
    """For probes and people; other pages are 404, Lambda's other operations 400."""
    status, _, body = _http(endpoint, "GET", "/healthz")
    assert (status, json.loads(body)) == (200, {"status": "ok", "functions": 5})
    status, _, body = _http(endpoint, "GET", "/functions")
    listed = json.loads(body)["functions"]
    assert [one["name"] for one in listed] == ["addOne", "echo", "mark", "sleep", "utils/add"]
    assert listed[0]["language"] == "javascript"
    assert listed[0]["file"] == "functions/addOne.js"
    for wrong in (("GET", "/nope"), ("POST", "/healthz"), ("DELETE", "/functions")):
        assert _http(endpoint, *wrong)[0] == 404
    for other in (("GET", _path("addOne")), ("DELETE", "/2015-03-31/functions/addOne")):
        assert _http(endpoint, *other)[0] == 400
