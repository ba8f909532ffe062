"""What the function host tells Prometheus, and whom it tells."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.function_host import EmbeddedHost, embedded_host, write_functions
from workers.errors import Fatal
from workers.functions import DoorSettings, FunctionHost, HostSettings, answers
from workers.functions.context import User
from workers.functions.doors import Doors
from workers.functions.http_request import RequestHead
from workers.metrics import ALL, FUNCTION_HOST

SOURCES = {
    "ok.js": "exports = (event) => event;",
    "throws.js": "exports = () => { throw new Error('no'); };",
    "spins.js": "exports = () => { for (;;) {} };",
    "dies.py": "import os\ndef handler(event, context):\n    os._exit(3)\n",
    "broken.js": "exports = (",
    "config.json": '[{"name": "ok"}, {"name": "throws"}, {"name": "spins"}, {"name": "dies"}, '
    '{"name": "broken"}, {"name": "own", "private": true}]',
    "own.js": "exports = () => 1;",
}


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All samples of a page, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def count(found: Mapping[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    """One sample of the host's."""
    return found[f"penstock_function_host_{name}", frozenset(labels.items())]


async def page(host: EmbeddedHost) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """`GET /metrics` beside the API."""
    answer = await host.request("GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return samples(answer.body.decode())


async def test_calls_count_by_what_became_of_them(tmp_path: Path) -> None:
    """Answered, thrown, timed out, process gone, denied: each once, and the time of those that ran."""
    write_functions(tmp_path, {**SOURCES, "limits.yaml": "spins: {timeout: 1s}"})
    async with embedded_host(tmp_path) as host:
        for name in ("ok", "throws", "spins", "dies", "own", "broken"):
            await host.call(name, 1)
        found = await page(host)
    for name, outcome in (
        ("ok", "ok"), ("throws", "error"), ("spins", "timed_out"), ("dies", "crashed"), ("own", "denied"),
        ("broken", "error"),
    ):  # fmt: skip
        assert count(found, "calls_total", function=name, outcome=outcome) == 1, name
    assert count(found, "calls_total", function="ok", outcome="error") == 0
    assert count(found, "call_seconds_count", function="ok") == 1
    assert count(found, "call_seconds_sum", function="spins") >= 1.0
    assert count(found, "load_failures_total", function="broken") == 1


async def test_pools_show_their_processes_and_what_waits(tmp_path: Path) -> None:
    """Running, waiting, refused, and the bounds they are held against."""
    write_functions(tmp_path, {"slow.py": "import time\ndef handler(event, context):\n    time.sleep(30)\n"})
    settings = HostSettings(concurrency=1, waiting_calls=1, waiting_events=1, workers=7)
    async with embedded_host(tmp_path, settings) as host:
        pool = host.host.pool("slow")
        open_calls = [asyncio.create_task(host.call("slow", 1)) for _ in range(2)]
        async with asyncio.timeout(30):
            while pool.status()["running"] < 1 or pool.status()["waiting"] < 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (await host.call("slow", 1)).status == 429
        events = [await host.call("slow", 1, X_Amz_Invocation_Type="Event") for _ in range(2)]
        assert [event.status for event in events] == [202, 429]
        found = await page(host)
        for call in open_calls:
            call.cancel()
    assert count(found, "calls_running", function="slow") == 1
    assert count(found, "calls_waiting", function="slow") == 1
    assert count(found, "events_waiting", function="slow") == 1
    assert count(found, "calls_total", function="slow", outcome="refused") == 2
    assert count(found, "process_starts_total", function="slow") == 1
    assert count(found, "concurrency", function="slow") == 1
    assert count(found, "processes_limit") == 7


async def test_a_host_shows_its_whole_catalogue_from_the_start(tmp_path: Path) -> None:
    """So that the first failure is an increase, and every expression of a dashboard finds its metric; a
    function that leaves the folder takes its series with it."""
    write_functions(tmp_path, {"ok.js": SOURCES["ok.js"], "gone.js": SOURCES["ok.js"]})
    async with embedded_host(tmp_path, HostSettings(reload_seconds=0)) as host:
        shown = {name.removesuffix("_bucket") for name, _ in await page(host)}
        assert {metric.name for metric in FUNCTION_HOST} <= shown
        known = {metric.name for metric in ALL}
        assert {name for name in shown if name.startswith("penstock_")} - known <= {
            "penstock_function_host_call_seconds_sum", "penstock_function_host_call_seconds_count",
        }  # fmt: skip
        (tmp_path / "functions" / "gone.js").unlink()
        host.host.take_over(host.host.read_again(), frozenset())
        assert not [labels for _, labels in await page(host) if ("function", "gone") in labels]


async def test_metrics_beside_the_api_are_not_for_users_of_the_app(tmp_path: Path) -> None:
    """A token of a user is refused; those who run the host may look."""
    write_functions(tmp_path, {"ok.js": SOURCES["ok.js"]})
    kinds: Iterator[Literal["normal", "server"]] = iter(("normal", "server"))

    async def identify(head: RequestHead, body: bytes) -> User | None:
        return User("ada", next(kinds))

    async with embedded_host(tmp_path, identify=identify) as host:
        assert (await host.request("GET", "/metrics")).status == 403
        assert (await host.request("GET", "/metrics")).status == 200


async def test_a_port_of_their_own_serves_metrics_to_everybody(tmp_path: Path) -> None:
    """Without credentials, also where calls need them; it says when the host drains."""
    write_functions(tmp_path, {"ok.js": SOURCES["ok.js"]})

    async def identify(head: RequestHead, body: bytes) -> User | None:
        raise answers.denied("ok")

    async with embedded_host(tmp_path, identify=identify) as host, aiohttp.ClientSession() as session:
        doors = Doors(DoorSettings(metrics_port=0), tmp_path, {})
        address = await doors.serve_metrics(host.host)
        assert (await host.call("ok", 1)).status == 403
        async with session.get(f"{address}/metrics") as answer:
            assert count(samples(await answer.text()), "processes", function="ok") == 0
        async with session.get(f"{address}/healthz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")
        host.host.is_draining = True
        async with session.get(f"{address}/healthz") as answer:
            assert answer.status == 503
        await doors.close()


async def test_a_taken_port_is_refused_with_what_to_change(tmp_path: Path) -> None:
    """Two hosts on one machine, both with the same port for metrics."""
    write_functions(tmp_path, {"ok.js": SOURCES["ok.js"]})
    async with embedded_host(tmp_path) as host:
        first = Doors(DoorSettings(metrics_port=0), tmp_path, {})
        address = await first.serve_metrics(host.host)
        assert address is not None
        second = Doors(DoorSettings(metrics_port=int(address.rpartition(":")[2])), tmp_path, {})
        with pytest.raises(Fatal, match="name another port"):
            await second.serve_metrics(host.host)
        await first.close()
        none = Doors(DoorSettings(), tmp_path, {})
        assert await none.serve_metrics(FunctionHost(tmp_path)) is None
