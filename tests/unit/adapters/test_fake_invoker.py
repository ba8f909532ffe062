"""The fake's own promises: virtual time, planned delays, what it remembers."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.invoker import FakeInvoker
from tests.fakes.lambda_behaviour import Behaviour
from workers.errors import TimedOut
from workers.ports import InvokeRequest


async def test_answers_come_in_the_order_of_their_delays_without_waiting() -> None:
    """An hour of delays passes at once; the slow call answers after the quick one that began later."""
    fake = FakeInvoker()
    fake.program("slow", Behaviour(latency_ms=3_600_000))
    fake.program("quick", Behaviour(latency_ms=1_000))
    order: list[str] = []

    async def call(name: str) -> None:
        await fake.invoke(InvokeRequest(name, b"{}", timeout_seconds=7_200))
        order.append(name)

    started = asyncio.get_running_loop().time()
    await asyncio.gather(call("slow"), call("quick"))
    assert order == ["quick", "slow"]
    assert fake.now_seconds == 3_600
    assert asyncio.get_running_loop().time() - started < 1


async def test_held_time_passes_only_when_told() -> None:
    """With `hold` a test decides which call ends when."""
    fake = FakeInvoker()
    fake.hold()
    fake.program("f", Behaviour(latency_ms=100))
    calls = [asyncio.create_task(fake.invoke(InvokeRequest("f", b"%d" % n))) for n in range(3)]
    await asyncio.sleep(0)
    assert fake.open_calls() == 3
    fake.advance(0.05)
    await asyncio.sleep(0)
    assert [call.done() for call in calls] == [False] * 3
    fake.advance(0.05)
    assert [answer.body for answer in await asyncio.gather(*calls)] == [b"0", b"1", b"2"]
    assert fake.open_calls() == 0


async def test_a_delay_past_the_time_out_is_a_time_out() -> None:
    """At the time-out, not at the delay."""
    fake = FakeInvoker()
    fake.program("f", Behaviour(latency_ms=5_000))
    with pytest.raises(TimedOut):
        await fake.invoke(InvokeRequest("f", b"{}", timeout_seconds=2))
    assert fake.now_seconds == 2


async def test_it_remembers_requests_and_counts() -> None:
    """What was asked, how many ran at the same time, how often an id was seen."""
    fake = FakeInvoker()
    fake.program("f", Behaviour(latency_ms=10, id_field="id"))
    requests = [InvokeRequest("f", b'{"id":%d}' % (n % 2)) for n in range(4)]
    await asyncio.gather(*(fake.invoke(request) for request in requests))
    assert list(fake.requests) == requests
    counts = fake.function("f")
    assert (counts.calls, counts.running, counts.max_running) == (4, 0, 4)
    assert counts.ids == {"0": 2, "1": 2}
