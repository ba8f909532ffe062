"""The stub over time: what it is when, and what it saw then."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.lambda_behaviour import Behaviour
from tests.fakes.lambda_client import invoker_for
from tests.fakes.lambda_history import WINDOW_SECONDS, History, Timeline, median_level
from tests.fakes.lambda_stub import LambdaStub
from tests.fakes.waiting import until
from workers.ports import InvokeRequest

CONFLICT = Behaviour(outcome="error", status=409, error_type="ResourceConflictException")
MISSING = Behaviour(outcome="error", status=404, error_type="ResourceNotFoundException")


def test_a_timeline_goes_step_by_step() -> None:
    """Each step holds for its seconds, wherever it is looked at, and the last behaviour for good."""
    timeline = Timeline([(2.0, "conflict"), (3.0, "missing")], "well", 10.0)
    assert [timeline.at(at) for at in (10.0, 11.9, 12.0, 14.9, 15.0, 99.0)] == [
        "conflict", "conflict", "missing", "missing", "well", "well",
    ]  # fmt: skip
    assert Timeline([(2.0, "conflict"), (3.0, "missing")], "well", 10.0).at(15.5) == "well"
    assert Timeline([], "well", 0.0).at(0.0) == "well"


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 9), st.booleans()), max_size=50))
def test_a_history_accounts_for_all_time(moves: list[tuple[float, int, bool]]) -> None:
    """Each window's levels add up to its length, and every call and throttle is in one."""
    now, calls, throttled = 100.0, 0, 0
    history = History(now)
    for wait, running, refused in moves:
        now += wait
        history.called(now, running, throttled=refused)
        calls, throttled = calls + 1, throttled + refused
    found = history.as_json(now + WINDOW_SECONDS)["windows"]
    assert all(sum(window["levels"].values()) == pytest.approx(WINDOW_SECONDS) for window in found)
    assert sum(window["calls"] for window in found) == calls
    assert sum(window["throttled"] for window in found) == throttled


def test_the_median_goes_by_time() -> None:
    """Half of the time 50 or less ran, however often it changed."""
    windows = [{"levels": {"50": 0.2, "3": 0.04}}, {"levels": {"50": 0.1, "51": 0.15}}]
    assert median_level(windows) == 50
    assert median_level([]) == 0


async def test_the_stub_is_what_its_timeline_says_and_counts_it() -> None:
    """First 409, then 404, then well; two calls above a concurrency of three are throttled with the reason
    and Retry-After, and the history has them."""
    well = Behaviour(outcome="hang", concurrency=3, retry_after_seconds=2)
    async with LambdaStub() as stub:
        invoker = invoker_for(stub.url)
        stub.program("f", well, (1_000.0, CONFLICT), (1_000.0, MISSING))
        assert (await invoker.invoke(InvokeRequest("f", b"{}"))).status == 409
        stub.program("f", well, (0.0, CONFLICT), (1_000.0, MISSING))
        assert (await invoker.invoke(InvokeRequest("f", b"{}"))).status == 404
        stub.program("f", well, (0.0, CONFLICT), (0.0, MISSING))
        stub.reset()
        open_calls = [asyncio.create_task(invoker.invoke(InvokeRequest("f", b"{}"))) for _ in range(3)]
        await until(lambda: stub.function("f").running == 3)
        for _ in range(2):
            refused = await invoker.invoke(InvokeRequest("f", b"{}"))
            assert (refused.status, refused.retry_after_seconds) == (429, 2)
            assert b"ReservedFunctionConcurrentInvocationLimitExceeded" in refused.body
        await until(lambda: len(stub.history()["f"]["windows"]) >= 2)
        found = stub.history()["f"]["windows"]
        assert sum(window["calls"] for window in found) == 5
        assert sum(window["throttled"] for window in found) == 2
        assert max(int(level) for window in found for level in window["levels"]) == 3
        for call in open_calls:
            call.cancel()
        await invoker.close()


async def test_a_timeline_comes_as_json() -> None:
    """`POST /config` takes the steps beside the fields of what comes after them."""
    async with LambdaStub() as stub:
        step = {"outcome": "error", "status": 409, "error_type": "ResourceConflictException"}
        stub.configure({"functions": {"f": {"latency_ms": 1, "timeline": [[0, {}], [1_000, step]]}}})
        assert stub.function("f").behaviour == CONFLICT
        stub.configure({"functions": {"f": {"latency_ms": 1, "timeline": [[0, step]]}}})
        assert stub.function("f").behaviour == Behaviour(latency_ms=1)
        with pytest.raises(ValueError, match="unknown"):
            stub.configure({"functions": {"f": {"timelines": []}}})
