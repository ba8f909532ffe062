"""Requests over libcurl to a service on this machine: what is sent, what comes back, what is never sent."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.certificate import server_context
from tests.fakes.http_service import HttpService, Said, http_service
from workers.adapters import https as https_module
from workers.adapters.https import HttpsClient, HttpsEndpoint
from workers.adapters.trust import ca_bundle
from workers.errors import AnswerTooLarge, NotSent, ProcessorFailed, TimedOut, UnknownOutcome
from workers.ports import HttpRequest

GET = HttpRequest("GET", "/x?q=1", (), None, 5.0, 5.0)


@pytest.fixture
def service() -> Iterator[HttpService]:
    with http_service() as running:
        yield running


@asynccontextmanager
async def client(url: str, **changes: Any) -> AsyncIterator[HttpsClient]:
    made = HttpsClient(HttpsEndpoint("api", url, changes.pop("headers", ()), ca_bundle({}), **changes))
    try:
        yield made
    finally:
        await made.close()


async def arrived(service: HttpService) -> None:
    """Returns when the service has a request."""
    async with asyncio.timeout(5):
        await asyncio.to_thread(service.first.wait, 5)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("body", [None, b"", b'{"a":1}'])
async def test_every_method_with_and_without_a_body(
    service: HttpService, method: str, body: bytes | None
) -> None:
    """Method, path, query and body arrive as they are; a body is JSON unless a header says otherwise."""
    async with client(service.url) as made:
        answer = await made.send(GET._replace(method=method, body=body))
    assert (answer.status, answer.body, answer.content_type) == (200, b"{}", "application/json")
    (asked,) = service.asked
    assert (asked.method, asked.target, asked.body) == (method, "/x?q=1", body or b"")
    assert asked.headers.get("content-type") == (None if body is None else "application/json")
    assert asked.headers["user-agent"] == "penstock"


async def test_one_handle_serves_requests_of_all_kinds(service: HttpService) -> None:
    """Nothing of an earlier request is left: no body, no header, no method."""
    async with client(service.url + "/base/") as made:
        for request in (
            GET._replace(method="POST", body=b"1" * 100_000, headers=(("X-A", "1"),)),
            GET,
            GET._replace(method="DELETE", target=""),
            GET._replace(method="POST", body=b"2"),
        ):
            await made.send(request)
    seen = [(one.method, one.target, len(one.body), one.headers.get("x-a")) for one in service.asked]
    assert seen == [
        ("POST", "/base/x?q=1", 100_000, "1"),
        ("GET", "/base/x?q=1", 0, None),
        ("DELETE", "/base", 0, None),
        ("POST", "/base/x?q=1", 1, None),
    ]


async def test_headers_of_the_stage_go_before_those_of_the_connection(service: HttpService) -> None:
    """Whatever their case; one with an empty value is sent as such."""
    own = (("Authorization", "Bearer t0p-secret"), ("X-Kind", "connection"))
    async with client(service.url, headers=own) as made:
        await made.send(GET._replace(headers=(("x-kind", "stage"), ("X-Empty", ""), ("X-L", "caf\xe9"))))
    (asked,) = service.asked
    assert asked.headers["authorization"] == "Bearer t0p-secret"
    assert asked.headers["x-kind"] == "stage"
    assert asked.headers["x-empty"] == ""
    assert asked.headers["x-l"] == "caf\xe9"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(service: HttpService, status: int) -> None:
    """To another host or to the same: they are answers."""
    with http_service() as other:
        service.answer = lambda _asked: Said(status, b"", {"Location": f"{other.url}/there"})
        async with client(service.url) as made:
            assert (await made.send(GET)).status == status
        assert other.asked == []
    assert len(service.asked) == 1


async def test_a_path_is_sent_as_it_is(service: HttpService) -> None:
    """libcurl would take dots out of it."""
    async with client(service.url) as made:
        await made.send(GET._replace(target="/a/%2E%2E/b//c"))
    assert service.asked[0].target == "/a/%2E%2E/b//c"


async def test_what_an_answer_asks_for_and_says(service: HttpService) -> None:
    """Retry-After in seconds; without a Content-Type there is none."""
    service.answer = lambda _asked: Said(503, b"busy", {"Retry-After": "7"})
    async with client(service.url) as made:
        answer = await made.send(GET)
    assert (answer.status, answer.retry_after_seconds, answer.content_type) == (503, 7.0, None)


async def test_a_secret_that_a_service_repeats_is_taken_out(service: HttpService) -> None:
    """An error's text becomes part of a dead letter; an answer that is no error is left alone."""
    own = (("X-Key", "k-1234567"),)
    async with client(service.url, headers=own, secrets=("k-1234567",)) as made:
        service.answer = lambda asked: Said(400, b"bad key " + asked.headers["x-key"].encode())
        assert (await made.send(GET)).body == b"bad key (hidden)"
        service.answer = lambda asked: Said(200, asked.headers["x-key"].encode())
        assert (await made.send(GET)).body == b"k-1234567"


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_answer_is_bounded(service: HttpService, chunked: bool) -> None:
    """Whether or not it says its size; one of exactly the bound is taken."""
    service.answer = lambda asked: Said(body=b"x" * int(asked.target[1:]), chunked=chunked)
    async with client(service.url, max_answer_bytes=10_000) as made:
        assert len((await made.send(GET._replace(target="/10000"))).body) == 10_000
        with pytest.raises(AnswerTooLarge, match="10000 bytes"):
            await made.send(GET._replace(target="/60000"))


async def test_an_answer_that_does_not_come_times_out(service: HttpService) -> None:
    """It may have been worked on; the next request is not hindered."""
    free = threading.Event()
    service.answer = lambda asked: Said(wait=None if asked.target == "/quick" else free)
    async with client(service.url) as made:
        with pytest.raises(TimedOut):
            await made.send(GET._replace(timeout_seconds=0.2))
        assert (await made.send(GET._replace(target="/quick"))).status == 200
        free.set()


async def test_an_answer_that_breaks_off_is_of_unknown_outcome(service: HttpService) -> None:
    """The service had the request."""
    service.answer = lambda _asked: Said(body=b"x" * 100, cut=10)
    async with client(service.url) as made:
        with pytest.raises(UnknownOutcome):
            await made.send(GET)


async def test_a_refused_connection_was_not_sent() -> None:
    """Nobody listens on a port whose service is gone."""
    with http_service() as gone:
        url = gone.url
    async with client(url) as made:
        with pytest.raises(NotSent):
            await made.send(GET)


METADATA = [
    "169.254.169.254", "2852039166", "0xA9FEA9FE", "0251.0376.0251.0376", "169.254.43518",
    "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[fe80::1]", "0.0.0.0", "[64:ff9b::a9fe:a9fe]",
]  # fmt: skip


@pytest.mark.parametrize("host", METADATA)
async def test_nothing_is_sent_to_metadata_addresses(host: str) -> None:
    """In each spelling that libcurl reads, whatever the connection's check at start overlooked."""
    async with client(f"http://{host}:1") as made:
        with pytest.raises(ProcessorFailed, match="nothing is sent there"):
            await made.send(GET)


async def test_a_name_that_leads_to_a_forbidden_address_is_refused(
    service: HttpService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that libcurl connects to is what counts: here localhost's are forbidden for once."""
    monkeypatch.setattr(https_module, "forbidden", lambda address: f"planted {address}")
    async with client(service.url.replace("127.0.0.1", "localhost")) as made:
        with pytest.raises(ProcessorFailed, match="planted"):
            await made.send(GET)
    assert service.asked == []


async def test_proxies_of_the_environment_are_not_asked(
    service: HttpService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would connect to any address that a name leads to."""
    with http_service() as proxy:
        for name in ("http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("no_proxy", "")
        async with client(service.url) as made:
            assert (await made.send(GET)).status == 200
        assert proxy.asked == []


async def test_requests_run_side_by_side(service: HttpService) -> None:
    """Each gets its own answer."""
    service.answer = lambda asked: Said(body=asked.target.encode())
    async with client(service.url) as made:
        answers = await asyncio.gather(*(made.send(GET._replace(target=f"/{n}")) for n in range(40)))
    assert [answer.body for answer in answers] == [f"/{n}".encode() for n in range(40)]


async def test_closing_ends_open_requests_and_later_ones(service: HttpService) -> None:
    """Idempotent; a request that is open is of unknown outcome."""
    free = threading.Event()
    service.answer = lambda _asked: Said(wait=free)
    async with client(service.url) as made:
        open_request = asyncio.create_task(made.send(GET))
        await arrived(service)
        await made.close()
        await made.close()
        with pytest.raises(UnknownOutcome):
            await open_request
        with pytest.raises(NotSent):
            await made.send(GET)
        free.set()


async def test_a_cancelled_request_harms_no_other(service: HttpService) -> None:
    """Its connection is closed, its handle used again."""
    free = threading.Event()
    service.answer = lambda asked: Said(wait=free if asked.target == "/slow" else None)
    async with client(service.url) as made:
        slow = asyncio.create_task(made.send(GET._replace(target="/slow")))
        await arrived(service)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        assert (await made.send(GET)).status == 200
        free.set()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://x", "https://x"),
        ("https://x:8443/", "https://x:8443"),
        ("https://hooks.example.com/services/T0/k3y", "https://hooks.example.com/…"),
    ],
)
async def test_a_webhooks_key_is_not_shown(url: str, shown: str) -> None:
    """It stands in the path of the connection's URL."""
    async with client(url) as made:
        assert made.shown_url == shown


@pytest.mark.parametrize("url", ["ftp://x", "http://", "https://u:p@x", "https://x?a=1", "x"])
def test_what_is_no_url_is_refused(url: str) -> None:
    """A connection made in code is held to the same."""
    endpoint = HttpsEndpoint("api", "http://x", (), ca_bundle({}))
    with pytest.raises(ValueError, match="connection api"):
        HttpsClient(replace(endpoint, url=url))


async def test_headers_that_were_replaced_go_with_the_next_request(service: HttpService) -> None:
    """The old secret is still taken out of errors."""
    old, new = (("X-Key", "old-secret"),), (("X-Key", "new-secret"),)
    service.answer = lambda asked: Said(400, b"old-secret " + asked.headers["x-key"].encode())
    async with client(service.url, headers=old, secrets=("old-secret",)) as made:
        made.rotated(HttpsEndpoint("api", service.url, new, ca_bundle({}), secrets=("new-secret",)))
        assert (await made.send(GET)).body == b"(hidden) (hidden)"
    assert service.asked[0].headers["x-key"] == "new-secret"


async def test_tls_goes_by_the_authorities_of_the_connection(tmp_path: Path) -> None:
    """A service whose authority is not trusted gets nothing; with `caFile` it does."""
    context, authority = server_context(tmp_path)
    with http_service(tls=context) as secured:
        async with client(secured.url) as stranger:
            with pytest.raises(NotSent, match="certificate"):
                await stranger.send(GET)
        endpoint = HttpsEndpoint("api", secured.url, (), str(authority))
        trusting = HttpsClient(endpoint)
        assert (await trusting.send(GET)).status == 200
        await trusting.close()
        assert len(secured.asked) == 1
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority)
        nobody = HttpsClient(endpoint)
        with pytest.raises((NotSent, UnknownOutcome)):
            await nobody.send(GET)
        await nobody.close()
        known = HttpsClient(
            replace(endpoint, certificate_file=str(authority), key_file=str(tmp_path / "key.pem"))
        )
        assert (await known.send(GET)).status == 200
        await known.close()
