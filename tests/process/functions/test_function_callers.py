"""Who calls, over HTTP: each credential with both outcomes, what users may see, key sets that are renewed."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.fakes.callers import (
    API_KEY,
    ENV,
    ISSUER,
    TokenIssuer,
    gate_for,
    key_set,
    signed_headers,
    write_accounts,
)
from tests.fakes.function_host import ADD_ONE, Answer, EmbeddedHost, embedded_host, write_functions
from tests.fakes.waiting import until
from workers.functions.authentication import key_sets
from workers.functions.authentication.accounts_file import read_accounts
from workers.functions.authentication.gate import Gate

WHO = "exports = () => ({ user: context.user, headers: Object.keys(context.request.requestHeaders) })"
RULES = [
    {"name": "guarded", "can_evaluate": {"%%user.data.role": "support"}},
    {"name": "secret", "private": True},
]
PATH = "/2015-03-31/functions/{}/invocations"
FIRST = TokenIssuer()


@asynccontextmanager
async def guarded_host(app_dir: Path, gate: Gate | None = None) -> AsyncIterator[EmbeddedHost]:
    """A host that wants to know who calls."""
    sources = {
        "addOne.js": ADD_ONE,
        "who.js": WHO,
        "guarded.js": "exports = () => 'in'",
        "secret.js": "exports = () => 1",
    }
    write_functions(app_dir, {**sources, "config.json": json.dumps(RULES)})
    gate = gate or gate_for(app_dir, FIRST)
    try:
        async with embedded_host(app_dir, identify=gate.identify) as host:
            yield host
    finally:
        await gate.close()


def bearer(token: str) -> dict[str, str]:
    """The header of a token."""
    return {"Authorization": f"Bearer {token}"}


async def signed(host: EmbeddedHost, name: str, body: bytes = b"{}", *, secret: str = "") -> Answer:
    """A call that botocore signed."""
    path = PATH.format(name)
    headers = signed_headers("POST", host.host.endpoint + path, body, secret=secret)
    return await host.request("POST", path, data=body, headers=headers)


def code(answer: Answer) -> tuple[int, str]:
    """Status and code of a refusal, in AWS's shape."""
    body = answer.json()
    assert body["Type"] == "User"
    assert body.get("message") or body["Message"]
    return answer.status, answer.headers["x-amzn-ErrorType"]


async def test_each_credential_lets_its_user_in(tmp_path: Path) -> None:
    """A signature, an API key in three spellings, a token in two headers; the function sees none of them."""
    async with guarded_host(tmp_path) as host:
        token = FIRST.token(team="red")
        headers = [{name: API_KEY} for name in ("api-key", "apiKey", "x-api-key")]
        headers += [bearer(token), {"jwtTokenString": token}]
        answers = [await host.request("POST", PATH.format("who"), headers=one) for one in headers]
        answers.insert(0, await signed(host, "who"))
    found = [answer.json() for answer in answers]
    assert [one["user"]["id"] for one in found] == ["worker", "ci", "ci", "ci", "ann", "ann"]
    assert [one["user"]["type"] for one in found] == ["server"] * 4 + ["normal"] * 2
    assert found[0]["user"]["data"] == {"role": "support"}
    assert found[4]["user"]["data"] == {"team": "red"}
    shown = {name.lower() for one in found for name in one["headers"]}
    assert shown & {"authorization", "api-key", "apikey", "x-api-key", "jwttokenstring"} == set()


async def test_who_is_not_known_is_403_in_awss_shape(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing, a wrong signature or key, an expired or forged token; no secret in an answer or log."""
    caplog.set_level(logging.DEBUG)
    expired, forged = FIRST.token(exp=1), TokenIssuer().token()
    async with guarded_host(tmp_path) as host:
        url = PATH.format("who")
        answers = [
            await host.request("POST", url),
            await host.request("POST", url, headers={"Authorization": "Basic YTpi"}),
            await signed(host, "who", secret="another-secret-0000"),
            await host.request("POST", url, headers={"Authorization": "AWS4-HMAC-SHA256 Credential=a"}),
            await host.request("POST", url, headers={"api-key": API_KEY[:-1]}),
            await host.request("POST", url, headers=bearer(expired)),
            await host.request("POST", url, headers=bearer(forged)),
            await host.request("POST", "/functions/who", headers=bearer(forged)),
            await host.request("POST", PATH.format("nobody"), headers={"api-key": "x"}),
        ]
    assert [code(answer)[0] for answer in answers] == [403] * 9
    assert [code(answer)[1] for answer in answers] == [
        "MissingAuthenticationTokenException",
        "MissingAuthenticationTokenException",
        "InvalidSignatureException",
        "IncompleteSignatureException",
        "UnrecognizedClientException",
        "ExpiredTokenException",
        "UnrecognizedClientException",
        "UnrecognizedClientException",
        "UnrecognizedClientException",
    ]
    seen = caplog.text + str([record.__dict__ for record in caplog.records])
    seen += "".join(answer.body.decode() for answer in answers)
    assert not any(secret in seen for secret in (*ENV.values(), API_KEY[:-1], expired, forged))


async def test_the_manifest_decides_what_a_known_user_may(tmp_path: Path) -> None:
    """A rule on the user's data with both outcomes; private functions stay private."""
    async with guarded_host(tmp_path) as host:
        assert (await signed(host, "guarded")).json() == "in"
        support = await host.request(
            "POST", "/functions/guarded", headers=bearer(FIRST.token(role="support"))
        )
        assert support.json() == "in"
        other = await host.request("POST", PATH.format("guarded"), headers=bearer(FIRST.token(role="sales")))
        assert code(other) == (403, "AccessDeniedException")
        assert code(await signed(host, "secret")) == (403, "AccessDeniedException")
        log = await host.request("GET", "/logs", headers={"api-key": API_KEY})
    entries = [(one["function"], one["user"]["id"], one["status"]) for one in log.json()["entries"]]
    assert entries == [
        ("guarded", "worker", "ok"),
        ("guarded", "ann", "ok"),
        ("guarded", "ann", "denied"),
        ("secret", "worker", "denied"),
    ]


@pytest.mark.parametrize(
    "page",
    [
        "/logs",
        "/functions",
        "/2015-03-31/functions",
        "/2015-03-31/functions/who",
        "/2015-03-31/functions/who/configuration",
    ],
)
async def test_pages_are_for_keys_and_not_for_users(tmp_path: Path, page: str) -> None:
    """The log holds what others sent, the list names private functions; a probe needs nothing."""
    async with guarded_host(tmp_path) as host:
        assert (await host.request("GET", page, headers={"api-key": API_KEY})).status == 200
        denied = await host.request("GET", page, headers=bearer(FIRST.token()))
        assert code(denied) == (403, "AccessDeniedException")
        assert code(await host.request("GET", page)) == (403, "MissingAuthenticationTokenException")
        assert (await host.request("GET", "/healthz")).status == 200


async def test_accounts_may_be_replaced(tmp_path: Path) -> None:
    """Who is not among the new ones is refused from the next request on."""
    gate = gate_for(tmp_path, FIRST)
    async with guarded_host(tmp_path, gate) as host:
        assert (await host.request("POST", "/functions/who", headers={"api-key": API_KEY})).status == 200
        path = write_accounts(tmp_path, FIRST, 'apiKeys: {new: {key: "${NEW}"}}')
        await gate.replace(read_accounts(path, tmp_path, {"NEW": "n" * 16}))
        assert (await host.request("POST", "/functions/who", headers={"api-key": API_KEY})).status == 403
        assert (await host.request("POST", "/functions/who", headers={"api-key": "n" * 16})).status == 200


class Publisher:
    """An issuer's key set behind a URL, and how often it was asked for."""

    def __init__(self) -> None:
        self.text, self.status, self.asked = key_set(FIRST), 200, 0
        self.free = asyncio.Event()
        self.free.set()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The set as it is now."""
        self.asked += 1
        await asyncio.sleep(0.01)
        await self.free.wait()
        return web.Response(status=self.status, text=self.text)

    @asynccontextmanager
    async def gate(self, app_dir: Path) -> AsyncIterator[Gate]:
        """A gate that fetches it."""
        runner = web.ServerRunner(web.Server(self.answer), shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
        text = f"tokens: {{{ISSUER}: {{audience: penstock, jwksUrl: '{url}', algorithms: ES256}}}}"
        gate = Gate(read_accounts(write_accounts(app_dir, FIRST, text), app_dir, {}))
        try:
            yield gate
        finally:
            await gate.close()
            await runner.cleanup()


async def _who(host: EmbeddedHost, token: str) -> Any:
    answer = await host.request("POST", "/functions/who", headers=bearer(token))
    return answer.json()["user"]["id"] if answer.status == 200 else answer.status


async def test_keys_are_fetched_once_and_again_for_a_new_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One fetch for many callers; a rotated key is found by its id; unknown ids do not flood the issuer."""
    publisher, second = Publisher(), TokenIssuer("second")
    async with publisher.gate(tmp_path) as gate, guarded_host(tmp_path, gate) as host:
        assert publisher.asked == 0
        assert await asyncio.gather(*(_who(host, FIRST.token()) for _ in range(20))) == ["ann"] * 20
        assert publisher.asked == 1
        assert [await _who(host, second.token()) for _ in range(5)] == [403] * 5
        assert publisher.asked == 1
        publisher.text = key_set(second)
        monkeypatch.setattr(key_sets, "KEY_SET_RETRY_SECONDS", 0.0)
        assert await _who(host, second.token("bob")) == "bob"
        assert await _who(host, FIRST.token()) == 403


async def test_an_issuer_that_does_not_answer_is_no_fault_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 while there are no keys; afterwards the old keys count until they are too old."""
    publisher = Publisher()
    publisher.status = 500
    monkeypatch.setattr(key_sets, "KEY_SET_RETRY_SECONDS", 0.0)
    async with publisher.gate(tmp_path) as gate, guarded_host(tmp_path, gate) as host:
        refused = await host.request("POST", "/functions/who", headers=bearer(FIRST.token()))
        assert (refused.status, refused.headers["x-amzn-ErrorType"]) == (503, "ServiceUnavailableException")
        publisher.status = 200
        assert await _who(host, FIRST.token()) == "ann"
        publisher.status = 500
        monkeypatch.setattr(key_sets, "KEY_SET_FRESH_SECONDS", 0.0)
        assert await _who(host, FIRST.token()) == "ann"
        monkeypatch.setattr(key_sets, "KEY_SET_STALE_SECONDS", 0.0)
        assert await _who(host, FIRST.token()) == 503


@pytest.mark.parametrize("path", ["/functions/who", "/2015-03-31/functions/who/invocations"])
async def test_who_waits_for_keys_while_accounts_are_replaced_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The fetch ends with the accounts that wanted it, the caller's request with a 503: it may try again."""
    publisher = Publisher()
    publisher.free.clear()
    monkeypatch.setattr(key_sets, "KEY_SET_SECONDS", 600.0)  # over it a fetch fails by itself, with 503 too
    async with publisher.gate(tmp_path) as gate, guarded_host(tmp_path, gate) as host:
        request = host.request("POST", path, data=b"1", headers=bearer(FIRST.token()))
        waiting = asyncio.create_task(request)
        await until(lambda: publisher.asked == 1)
        await gate.replace(read_accounts(write_accounts(tmp_path, FIRST), tmp_path, ENV))
        assert (await asyncio.wait_for(waiting, 40)).status == 503
        publisher.free.set()
        assert await _who(host, FIRST.token()) == "ann"
