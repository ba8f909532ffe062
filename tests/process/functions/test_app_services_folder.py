"""A folder as App Services exports it runs as it is: every function of examples/app-services, called once."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.fakes.callers import TokenIssuer, gate_for
from tests.fakes.function_host import Answer, EmbeddedHost, embedded_host
from workers.functions import HostSettings

FOLDER = Path(__file__).parents[3] / "examples" / "app-services"
SECRETS = {"PENSTOCK_SECRET_signing_key": "SuperSecret"}
OID = {"$oid": "5e58667d902d38559c802b13"}
ORDER = {
    "_id": OID,
    "country": "DE",
    "total": {"$numberDecimal": "19.90"},
    "due": {"$date": "2025-12-24T12:00:00.000Z"},
    "count": {"$numberLong": "3"},
}


async def _orders(request: web.BaseRequest) -> web.StreamResponse:
    body = json.loads(await request.text())
    return web.json_response({"order": request.headers["X-Order"], "total": body["total"]})


@asynccontextmanager
async def _host(folder: Path, issuer: TokenIssuer | None = None) -> AsyncIterator[EmbeddedHost]:
    """The folder, served beside the orders' site that its environment names; with an issuer to callers who
    have its tokens alone."""
    runner = web.ServerRunner(web.Server(_orders), shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site = f"127.0.0.1:{runner.addresses[0][1]}"
    shutil.copytree(FOLDER, folder)
    environment = folder / "environments" / "development.json"
    environment.write_text(environment.read_text("utf-8").replace("127.0.0.1:8080", site), "utf-8")
    identify = None if issuer is None else gate_for(folder, issuer).identify
    settings = HostSettings(http_allow=(site,))
    try:
        async with embedded_host(folder, settings, env=SECRETS, identify=identify) as host:
            yield host
    finally:
        await runner.cleanup()


async def _results(host: EmbeddedHost, calls: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, event in calls.items():
        answer: Answer = await host.call(name, event)
        assert (answer.status, answer.function_error) == (200, None), answer.body
        found[name] = answer.json()
    return found


async def test_every_function_that_may_run_gives_its_result(tmp_path: Path) -> None:
    """Nested names, private helpers, async functions, values, a secret, the environment, timers, HTTP."""
    async with _host(tmp_path / "app") as host:
        found = await _results(
            host,
            {
                "addOne": 41,
                "orders/enrich": ORDER,
                "orders/archive": ORDER,
                "orders/notify": ORDER,
                "sign": {"sub": "a"},
            },
        )
        who = (await host.call("whoAmI")).json()
    assert found["addOne"] == 42
    assert found["orders/enrich"] == {
        **ORDER,
        "vat": {"$numberDecimal": "3.78"},
        "currency": "EUR",
        "invoice": OID,
        "checksum": hashlib.sha256(b'{"$numberDecimal":"19.90"}').hexdigest(),
        "late": True,
    }
    assert found["orders/archive"] == {"archived": ORDER, "bySystem": True, "in": "development"}
    assert found["orders/notify"] == {"status": 200, "said": {"order": OID["$oid"], "total": "19.90"}}
    assert found["sign"]["decoded"] == {"sub": "a", "by": "65f0c0ffee65f0c0ffee65f0"}
    assert who["method"] == "POST"


async def test_an_argument_list_is_what_functions_give_each_other(tmp_path: Path) -> None:
    """`difference` calls the private `utils/sum`; a caller's event is the first argument."""
    async with _host(tmp_path / "app") as host:
        answer = await host.call("difference", 5)
    assert answer.json() == {"$numberDouble": "NaN"}  # 5 + -1 * undefined, as in App Services


async def test_what_may_not_run_says_why(tmp_path: Path) -> None:
    """Private functions and a rule answer 403; packages, databases, helpers' errors are function errors."""
    async with _host(tmp_path / "app") as host:
        denied = [(await host.call(name)).status for name in ("utils/sum", "utils/vat", "orders/cancel")]
        refused = [
            await host.call("usesPackages"),
            await host.call("usesDatabase"),
            await host.call("addOne", "1"),
        ]
        abroad = await host.call("orders/enrich", {**ORDER, "country": "XX"})
    assert denied == [403, 403, 403]
    assert [answer.function_error for answer in refused] == ["Unhandled"] * 3
    texts = [answer.json()["errorMessage"] for answer in refused]
    assert texts[0].startswith('require("axios"): functions run in a sandbox; npm packages')
    assert texts[1].startswith('context.services.get("mongodb-atlas"): data sources and services are not in')
    assert texts[2] == "You must call addOne() with a number"
    error = abroad.json()
    assert (error["errorType"], error["errorMessage"]) == ("RangeError", "there is no VAT rate for XX")


async def test_users_with_tokens_get_what_the_manifest_lets_them(tmp_path: Path) -> None:
    """Every function for a user of the support team, for another one, and for nobody."""
    issuer = TokenIssuer()
    events = {
        "addOne": 41, "difference": 5, "orders/archive": ORDER, "orders/cancel": "o-1",
        "orders/enrich": ORDER, "orders/notify": ORDER, "sign": {"sub": "a"}, "usesDatabase": {},
        "usesPackages": {}, "utils/sum": 1, "utils/vat": 1, "whoAmI": {},
    }  # fmt: skip
    expired = issuer.token("ann", exp=1)
    tokens = {"ann": issuer.token("ann", role="support"), "bob": issuer.token("bob", role="sales")}
    async with _host(tmp_path / "app", issuer) as host:
        known = {
            who: {
                name: await host.call(name, event, Authorization=f"Bearer {token}")
                for name, event in events.items()
            }
            for who, token in tokens.items()
        }
        unknown = [await host.call(name, event) for name, event in events.items()]
        late = [
            await host.call(name, event, Authorization=f"Bearer {expired}") for name, event in events.items()
        ]
    assert {answer.headers["x-amzn-ErrorType"] for answer in unknown} == {
        "MissingAuthenticationTokenException"
    }
    assert {answer.headers["x-amzn-ErrorType"] for answer in late} == {"ExpiredTokenException"}
    outcome = {
        who: {name: answer.function_error or answer.status for name, answer in found.items()}
        for who, found in known.items()
    }
    ran = dict.fromkeys(events, 200) | {"usesDatabase": "Unhandled", "usesPackages": "Unhandled"}
    assert outcome["ann"] == {**ran, "utils/sum": 403, "utils/vat": 403}
    assert outcome["bob"] == {**outcome["ann"], "orders/cancel": 403}
    assert known["ann"]["orders/cancel"].json() == {"cancelled": "o-1", "by": "ann"}
    assert known["ann"]["orders/archive"].json()["bySystem"] is True
    assert known["bob"]["sign"].json()["decoded"] == {"sub": "a", "by": "65f0c0ffee65f0c0ffee65f0"}
    user = known["bob"]["whoAmI"].json()["user"]
    assert (user["id"], user["type"], user["data"]) == ("bob", "normal", {"role": "sales"})
