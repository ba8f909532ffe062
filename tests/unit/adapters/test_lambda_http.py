"""The Lambda client on the wire: what it sends, how it uses connections, what it leaves behind."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from tests.fakes.certificate import server_context
from tests.fakes.lambda_behaviour import Behaviour
from tests.fakes.lambda_client import KEYS, StaticKeys, invoker_for
from tests.fakes.lambda_stub import LambdaStub, Seen
from tests.fakes.waiting import until
from workers.adapters.lambda_http import LambdaInvoker, invocation_path
from workers.adapters.sigv4 import Credentials
from workers.errors import NotSent, TimedOut, UnknownOutcome
from workers.ports import InvokeRequest

F = "/2015-03-31/functions"


@pytest.fixture
async def stub() -> AsyncIterator[LambdaStub]:
    async with LambdaStub() as started:
        yield started


@pytest.fixture
async def invoker(stub: LambdaStub) -> AsyncIterator[LambdaInvoker]:
    client = invoker_for(stub.url)
    yield client
    await client.close()


def signature_by_botocore(url: str, seen: Seen, keys: Credentials) -> str:
    """The Authorization that botocore gives a request with these headers, body and date."""
    signed = seen.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    headers = {name: seen.headers[name] for name in signed if name not in ("host", "x-amz-date")}
    request = AWSRequest("POST", url + seen.target, data=seen.body, headers=headers)
    when = datetime.strptime(seen.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    credentials = BotocoreCredentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
    with patch("botocore.auth.get_current_datetime", return_value=when):
        botocore.auth.SigV4Auth(credentials, "lambda", "us-east-1").add_auth(request)
    authorization: str = request.headers["Authorization"]
    return authorization


@pytest.mark.parametrize(
    ("function", "target"),
    [
        ("enrich", f"{F}/enrich/invocations"),
        ("enrich:live", f"{F}/enrich/invocations?Qualifier=live"),
        ("enrich:$LATEST", f"{F}/enrich/invocations?Qualifier=%24LATEST"),
        ("utils/add", f"{F}/utils%2Fadd/invocations"),
        ("function:enrich", f"{F}/function%3Aenrich/invocations"),
        ("123456789012:function:enrich", f"{F}/123456789012%3Afunction%3Aenrich/invocations"),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:enrich:live",
            f"{F}/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Aenrich%3Alive/invocations",
        ),
    ],
)
async def test_the_target_of_a_function(
    function: str, target: str, stub: LambdaStub, invoker: LambdaInvoker
) -> None:
    """Names, aliases and ARNs arrive encoded as boto3 encodes them, with a signature that is right."""
    await invoker.invoke(InvokeRequest(function, b"{}"))
    seen = stub.requests[-1]
    assert seen.target == target
    assert seen.headers["authorization"] == signature_by_botocore(stub.url, seen, KEYS)


@pytest.mark.parametrize("function", ["", ".", ".."])
def test_a_name_that_would_leave_the_path_is_refused(function: str) -> None:
    """Dot segments would be resolved on the way."""
    with pytest.raises(ValueError, match="name, name:alias or ARN"):
        invocation_path(function)


async def test_the_headers_of_a_request(stub: LambdaStub) -> None:
    """Type, context, log type, token and date are sent and signed; nothing that libcurl adds gets in the
    way.
    """
    keys = StaticKeys(Credentials("ASIA", "secret", "token/with+signs="))
    invoker = invoker_for(stub.url, keys)
    context = base64.b64encode(b'{"custom":{"penstock":{"id":"orders/3/42"}}}').decode()
    await invoker.invoke(InvokeRequest("f", b'{"a":1}', client_context=context, log_tail=True))
    seen = stub.requests[-1]
    await invoker.close()
    assert seen.body == b'{"a":1}'
    assert seen.headers["x-amz-invocation-type"] == "RequestResponse"
    assert seen.headers["x-amz-client-context"] == context
    assert seen.headers["x-amz-log-type"] == "Tail"
    assert seen.headers["x-amz-security-token"] == "token/with+signs="
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["content-length"] == "7"
    assert seen.headers["authorization"] == signature_by_botocore(stub.url, seen, keys.keys)
    assert "transfer-encoding" not in seen.headers


async def test_a_large_body_does_not_wait_for_100_continue(stub: LambdaStub, invoker: LambdaInvoker) -> None:
    """Two megabytes go out at once, whole."""
    body = b'"' + b"x" * 2_000_000 + b'"'
    answer = await invoker.invoke(InvokeRequest("f", body))
    assert answer.body == body
    assert "expect" not in stub.requests[-1].headers


async def test_an_empty_body_is_sent_as_one(stub: LambdaStub, invoker: LambdaInvoker) -> None:
    """0 bytes: a Content-Length of 0, not libcurl's read from standard input; also after a large body."""
    await invoker.invoke(InvokeRequest("f", b"x" * 100_000))
    answer = await invoker.invoke(InvokeRequest("f", b""))
    assert (answer.status, answer.body) == (200, b"")
    assert stub.requests[-1].headers["content-length"] == "0"


async def test_connections_are_kept_and_used_again(stub: LambdaStub, invoker: LambdaInvoker) -> None:
    """Five rounds of ten calls use the connections of the first round."""
    for _ in range(5):
        await asyncio.gather(*(invoker.invoke(InvokeRequest("f", b"{}")) for _ in range(10)))
    assert stub.connections_made <= 10


async def test_connections_are_bounded(stub: LambdaStub) -> None:
    """Forty calls at once over four connections: all are answered, no fifth connection is made."""
    invoker = invoker_for(stub.url, max_connections=4)
    stub.program("f", Behaviour(latency_ms=5))
    answers = await asyncio.gather(*(invoker.invoke(InvokeRequest("f", b"%d" % n)) for n in range(40)))
    await invoker.close()
    assert [answer.body for answer in answers] == [b"%d" % n for n in range(40)]
    assert stub.connections_made <= 4
    assert stub.function("f").max_running <= 4


async def test_waiting_for_a_connection_counts_as_not_sent(stub: LambdaStub) -> None:
    """The time-out bounds the whole call; a call that got no connection has not run."""
    invoker = invoker_for(stub.url, max_connections=1)
    stub.program("slow", Behaviour(outcome="hang"))
    slow = asyncio.create_task(invoker.invoke(InvokeRequest("slow", b"{}", timeout_seconds=5)))
    await until(lambda: stub.function("slow").ran == 1)
    with pytest.raises(NotSent):
        await invoker.invoke(InvokeRequest("f", b"{}", timeout_seconds=0.1))
    await invoker.close()
    with pytest.raises(UnknownOutcome):
        await slow
    assert stub.function("f").calls == 0


async def test_idle_connections_that_were_dropped_cost_no_call(
    stub: LambdaStub, invoker: LambdaInvoker
) -> None:
    """libcurl does not look at a connection within a second of its last use; we know when one was closed."""
    for _ in range(3):
        await asyncio.gather(*(invoker.invoke(InvokeRequest("f", b"{}")) for _ in range(10)))
        stub.close_connections()
        await until(lambda: not stub.open)
    answers = await asyncio.gather(*(invoker.invoke(InvokeRequest("f", b"{}")) for _ in range(10)))
    assert [answer.status for answer in answers] == [200] * 10
    assert stub.function("f").calls == 40


@pytest.mark.parametrize("body", [b"{}", b""], ids=["with body", "without body"])
async def test_a_kept_connection_that_breaks_is_not_tried_again_in_secret(
    body: bytes, stub: LambdaStub, invoker: LambdaInvoker
) -> None:
    """libcurl sends a request once more when a used connection breaks without an answer. The function ran:
    we do not.
    """
    await invoker.invoke(InvokeRequest("f", body))
    stub.program("f", Behaviour(outcome="drop_after"))
    with pytest.raises(UnknownOutcome, match="kept-alive connection broke"):
        await invoker.invoke(InvokeRequest("f", body))
    assert stub.function("f").ran == 2
    assert (await invoker.invoke(InvokeRequest("g", body))).status == 200


async def test_nobody_listening_is_not_sent() -> None:
    """A refused connection: NotSent, named by function and connection, without waiting for the time-out."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        invoker = invoker_for(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(NotSent, match=r"invoking f \(connection test\)"):
            await invoker.invoke(InvokeRequest("f", b"{}"))
        await invoker.close()


async def test_a_time_out_while_connecting_is_not_sent() -> None:
    """A host that does not accept: NotSent after the connect time-out, although the call had more time."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filling in (first, second):  # a backlog of 0 holds one; the next one's SYN is dropped
            filling.setblocking(False)
            filling.connect_ex(full.getsockname())
        invoker = invoker_for(f"http://127.0.0.1:{full.getsockname()[1]}", connect_timeout_seconds=0.2)
        with pytest.raises(NotSent, match="curl 28"):
            await invoker.invoke(InvokeRequest("f", b"{}", timeout_seconds=20))
        await invoker.close()


async def test_an_answer_over_the_bound_is_given_up(stub: LambdaStub) -> None:
    """Announced or not, an answer larger than the bound is not read into memory."""
    invoker = invoker_for(stub.url, max_answer_bytes=1_000)
    stub.program("big", Behaviour(outcome="big", size_bytes=1_001))
    stub.program("fits", Behaviour(outcome="big", size_bytes=1_000))
    assert len((await invoker.invoke(InvokeRequest("fits", b"{}"))).body) == 1_000
    with pytest.raises(UnknownOutcome, match="larger than 1000 bytes"):
        await invoker.invoke(InvokeRequest("big", b"{}"))
    await invoker.close()


async def test_an_endless_answer_is_given_up() -> None:
    """A chunked answer announces no length: it ends at the bound."""

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"400\r\n" + b"x" * 1_024 + b"\r\n")
                await writer.drain()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    invoker = invoker_for(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", max_answer_bytes=100_000)
    with pytest.raises(UnknownOutcome, match="larger than 100000 bytes"):
        await invoker.invoke(InvokeRequest("f", b"{}"))
    await invoker.close()
    server.close()
    await server.wait_closed()


async def test_a_call_makes_no_task_and_no_thread(stub: LambdaStub, invoker: LambdaInvoker) -> None:
    """Twenty open calls: nothing but the twenty tasks of the callers, and no thread."""
    stub.program("slow", Behaviour(outcome="hang"))
    tasks, threads = len(asyncio.all_tasks()), threading.active_count()
    calls = [asyncio.create_task(invoker.invoke(InvokeRequest("slow", b"{}"))) for _ in range(20)]
    await until(lambda: stub.function("slow").ran == 20)
    assert len(asyncio.all_tasks()) - tasks == 20
    assert threading.active_count() == threads
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_a_cancelled_call_gives_its_connection_up(stub: LambdaStub, invoker: LambdaInvoker) -> None:
    """Cancelling closes the connection, since an answer may still come over it."""
    stub.program("slow", Behaviour(outcome="hang"))
    call = asyncio.create_task(invoker.invoke(InvokeRequest("slow", b"{}")))
    await until(lambda: stub.function("slow").ran == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: not stub.open)
    assert stub.function("slow").running == 0


async def test_a_call_cancelled_as_it_ends_does_not_disturb_the_next(
    stub: LambdaStub, invoker: LambdaInvoker
) -> None:
    """A handle may be at work again when the cancelled caller wakes up: it is left alone."""
    for _ in range(30):
        call = asyncio.create_task(invoker.invoke(InvokeRequest("f", b"1")))
        while not call.done():
            await asyncio.sleep(0)
            if stub.function("f").ran:
                call.cancel()
                break
        after = asyncio.create_task(invoker.invoke(InvokeRequest("f", b"2")))
        await asyncio.gather(call, return_exceptions=True)
        assert (await after).body == b"2"
        stub.reset()


async def test_a_time_out_is_kept_to_the_millisecond_scale(stub: LambdaStub, invoker: LambdaInvoker) -> None:
    """Calls with different time-outs end in the order of their time-outs, none early."""
    stub.program("slow", Behaviour(outcome="hang"))
    loop, ended = asyncio.get_running_loop(), []
    started = loop.time()

    async def wait(seconds: float) -> None:
        with pytest.raises(TimedOut):
            await invoker.invoke(InvokeRequest("slow", b"{}", timeout_seconds=seconds))
        ended.append((seconds, loop.time() - started))

    await asyncio.gather(*(wait(seconds) for seconds in (0.3, 0.1, 0.2)))
    assert [seconds for seconds, _ in ended] == [0.1, 0.2, 0.3]
    assert all(took >= seconds - 0.01 for seconds, took in ended)


async def test_stale_keys_are_reported_and_the_answer_passed_on(stub: LambdaStub) -> None:
    """403 ExpiredToken: the source of the keys hears of it, the caller decides on another attempt."""
    keys = StaticKeys()
    invoker = invoker_for(stub.url, keys)
    stub.program("f", Behaviour(outcome="error", status=403, error_type="ExpiredTokenException"))
    stub.program("g", Behaviour(outcome="error", status=403, error_type="AccessDeniedException"))
    assert (await invoker.invoke(InvokeRequest("g", b"{}"))).status == 403
    assert keys.refusals == []
    assert (await invoker.invoke(InvokeRequest("f", b"{}"))).status == 403
    assert keys.refusals == [KEYS]
    await invoker.close()


async def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    stub: LambdaStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """http_proxy names a dead port: calls to loopback go well all the same."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    invoker = invoker_for(stub.url)
    assert (await invoker.invoke(InvokeRequest("f", b"{}"))).status == 200
    await invoker.close()


async def test_tls_is_verified(tmp_path: Path) -> None:
    """A certificate that nobody signed is NotSent and the message says what to set; a trusted one works."""
    context, certificate = server_context(tmp_path)
    async with LambdaStub(tls=context) as stub:
        untrusting = invoker_for(stub.url)
        with pytest.raises(NotSent, match="AWS_CA_BUNDLE"):
            await untrusting.invoke(InvokeRequest("f", b"{}"))
        await untrusting.close()
        assert stub.function("f").calls == 0
        trusting = invoker_for(stub.url, ca_bundle=str(certificate))
        answers = [await trusting.invoke(InvokeRequest("f", b"%d" % n)) for n in range(3)]
        await trusting.close()
        assert [json.loads(answer.body) for answer in answers] == [0, 1, 2]


@pytest.mark.parametrize("url", ["ftp://host", "lambda", "http://key:secret@host", "http://host?x=1"])
def test_an_endpoint_that_is_none_is_refused(url: str) -> None:
    """Only http(s) URLs without user, password and query; the password is not repeated."""
    with pytest.raises(ValueError, match="connection test") as raised:
        invoker_for(url)
    assert "secret" not in str(raised.value)
