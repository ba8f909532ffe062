"""The loop of libcurl: timers, the stand-in for epoll, idempotent closing."""

from __future__ import annotations

import asyncio
import os
import selectors

import pycurl
import pytest

from tests.fakes.lambda_stub import LambdaStub
from workers.adapters.curl_exchange import Exchange, HandleOptions, answer_of, is_loopback
from workers.adapters.curl_loop import CurlLoop, SelectorReadiness
from workers.adapters.trust import ca_bundle
from workers.ports import InvokeAnswer


def options(url: str) -> HandleOptions:
    return HandleOptions(url, ca_bundle(os.environ), "test", 5.0, 50, 1_000_000, lambda head: None)


async def test_without_epoll_calls_go_as_well() -> None:
    """Where there is no epoll the selectors module does: many calls on kept connections, all answered."""
    async with LambdaStub() as stub:
        loop = asyncio.get_running_loop()
        curl = CurlLoop(loop, 10, SelectorReadiness(selectors.DefaultSelector()))
        idle: list[Exchange] = []

        async def call(number: int) -> InvokeAnswer:
            exchange = idle.pop() if idle else Exchange(options(stub.url), curl, idle.append)
            url = f"{stub.url}/2015-03-31/functions/f/invocations"
            exchange.prepare("test", url, ["Content-Type: x"], b"%d" % number, 5.0, loop.create_future())
            curl.start(exchange)
            return await exchange.answer

        for _ in range(3):
            answers = await asyncio.gather(*(call(number) for number in range(10)))
            assert [answer.body for answer in answers] == [b"%d" % number for number in range(10)]
        assert curl.open_transfers() == []
        curl.close()
        curl.close()


async def test_forgetting_a_descriptor_that_is_gone_is_no_error() -> None:
    """libcurl says goodbye to sockets after they were closed."""
    curl = SelectorReadiness(selectors.DefaultSelector())
    reading, writing = os.pipe()
    curl.watch(reading, pycurl.POLL_IN)
    curl.watch(reading, pycurl.POLL_IN)
    os.write(writing, b"x")
    assert curl.ready() == [(reading, pycurl.CSELECT_IN)]
    curl.forget(reading)
    curl.forget(reading)
    assert curl.ready() == []
    os.close(reading)
    os.close(writing)
    curl.close()


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        (b"x-amzn-ErrorType: TooManyRequestsException", "error_type", "TooManyRequestsException"),
        (b"x-amzn-errortype: KMSException:http://internal/coral", "error_type", "KMSException"),
        (b"X-Amzn-ErrorType: com.amazon#NotFound", "error_type", "NotFound"),
        (b"Retry-After: 3", "retry_after_seconds", 3.0),
        (b"retry-after: 0.5", "retry_after_seconds", 0.5),
        (b"Retry-After: Wed, 21 Oct 2026 07:28:00 GMT", "retry_after_seconds", None),
        (b"Retry-After: -1", "retry_after_seconds", None),
        (b"Retry-After: inf", "retry_after_seconds", None),
        (b"X-AMZ-FUNCTION-ERROR:Handled", "function_error", "Handled"),
        (b"x-amz-executed-version:  42 ", "executed_version", "42"),
        (b"X-Amz-Log-Result: bG9n", "log_tail", "bG9n"),
        (b"x-amzn-RequestId: r-1", "request_id", "r-1"),
    ],
)
def test_a_header_line_is_read(line: bytes, field: str, value: object) -> None:
    """Names in any case, namespaces cut off, blanks stripped, junk is nothing."""
    answer = answer_of(200, [b"HTTP/1.1 200 OK\r\n", b"Date: now\r\n", line + b"\r\n", b"\r\n"], b"b")
    assert getattr(answer, field) == value
    assert (answer.status, answer.body) == (200, b"b")


def test_only_the_last_answer_counts() -> None:
    """The head of a proxy's CONNECT and of 100 Continue come before the answer's own."""
    lines = [
        b"HTTP/1.1 200 Connection established\r\n", b"x-amzn-RequestId: the proxy's\r\n", b"\r\n",
        b"HTTP/1.1 200 OK\r\n", b"X-Amz-Executed-Version: 7\r\n", b"\r\n",
    ]  # fmt: skip
    assert answer_of(200, lines, b"") == InvokeAnswer(200, b"", executed_version="7")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9000", True), ("http://127.9.9.9", True), ("http://localhost:1", True),
        ("http://[::1]:3000", True), ("https://lambda.us-east-1.amazonaws.com", False),
        ("http://10.0.0.1", False), ("http://localhost.example.com", False),
    ],
)  # fmt: skip
def test_what_is_this_machine(url: str, expected: bool) -> None:
    """Loopback addresses and localhost, nothing that only begins like them."""
    assert is_loopback(url) is expected
