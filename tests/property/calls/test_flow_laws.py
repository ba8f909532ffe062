"""Rates, retry budgets, breakers and fair shares, on clocks that only the tests move."""

from __future__ import annotations

from collections import Counter, deque
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.calls.breaker import Breaker, BreakerSettings
from workers.calls.budget import COST, TOKENS_PER_SECOND, UNKNOWN_COST, RetryBudget
from workers.calls.fair import FairShare
from workers.calls.limiter import AdaptiveLimit, LimitBounds
from workers.calls.rate import MAX_PAUSE_SECONDS, RateLimit
from workers.calls.throttle import BURST_SECONDS


def begun(rate: RateLimit, first: float, last: float, wish_seconds: float = 0.0) -> list[float]:
    """When calls begin, if one is wished for every `wish_seconds`, and nobody waits longer than told."""
    now, times = first, []
    while now < last:
        wait = rate.admit(now)
        if wait:
            now += wait
        else:
            times.append(now)
            now += wish_seconds
    return times


@given(st.floats(0.5, 500), st.floats(0, 0.01))
@settings(max_examples=30)
def test_no_second_sees_more_than_the_rate(per_second: float, wish_seconds: float) -> None:
    """And a tenth of a second's worth, however long nothing came before."""
    times = begun(RateLimit(per_second, 0.0), 100.0, 103.0, wish_seconds)
    room = int(per_second + max(1.0, per_second * BURST_SECONDS)) + 1
    for first, later in zip(times, times[room:], strict=False):
        assert later - first >= 1.0 - 1e-6


def test_without_a_rate_nothing_waits() -> None:
    """Until the other side says that there is one."""
    rate = RateLimit(None, 0.0)
    assert [rate.admit(0.0) for _ in range(1_000)] == [0.0] * 1_000
    assert rate.per_second is None


def test_a_rate_that_is_refused_is_learned_and_forgotten() -> None:
    """Nine tenths of what was sent a second; a burst of refusals says it once; then it goes up again until
    twice as much passes."""
    rate = RateLimit(None, 0.0)
    assert len(begun(rate, 0.0, 2.0, 0.01)) == 200
    for _ in range(50):
        rate.throttled(2.0)
    assert rate.per_second == pytest.approx(90, abs=1)
    first = len(begun(rate, 2.0, 3.0))
    assert 85 <= first <= 100
    assert len(begun(rate, 3.0, 25.0, 0.001)) > 22 * 90
    assert rate.per_second is None


def test_a_learned_rate_goes_up_only_when_it_is_used_up() -> None:
    """And never above what the user allows."""
    rate = RateLimit(50.0, 0.0)
    begun(rate, 0.0, 2.0)
    rate.throttled(2.0)
    assert rate.per_second == pytest.approx(45, abs=3)
    begun(rate, 2.0, 12.0, 1.0)
    assert rate.per_second == pytest.approx(45, abs=3)
    begun(rate, 12.0, 30.0)
    assert rate.per_second == 50.0


@given(st.floats(0.001, 1_000), st.none() | st.floats(1, 100))
def test_nothing_begins_before_the_time_that_was_asked_for(asked: float, per_second: float | None) -> None:
    """Retry-After, up to a bound; a shorter one after it changes nothing."""
    rate = RateLimit(per_second, 0.0)
    rate.pause(asked, 10.0)
    rate.pause(asked / 2, 10.0)
    expected = min(asked, MAX_PAUSE_SECONDS)
    assert rate.admit(10.0) == pytest.approx(expected)
    assert rate.admit(10.0 + expected + 1e-6) == 0.0


@given(
    st.integers(2, 100),
    st.lists(st.tuples(st.sampled_from(["well", "retry", "unknown"]), st.floats(0, 2)), max_size=300),
)
def test_a_budget_bounds_retries(retries: int, moves: list[tuple[str, float]]) -> None:
    """What it lends, what good first answers and time earn: no more is ever spent. Nobody waits for ever."""
    budget, now, cost, well = RetryBudget(0.0, retries), 0.0, 0.0, 0
    for what, seconds in moves:
        now += seconds
        if what == "well":
            budget.succeeded()
            well += 1
            continue
        price = UNKNOWN_COST if what == "unknown" else COST
        wait = budget.spend(now, is_unknown=what == "unknown")
        if wait:
            assert wait <= price / TOKENS_PER_SECOND
            now += wait
            assert budget.spend(now, is_unknown=what == "unknown") == 0.0
        cost += price
        assert cost <= retries * COST + well + now * TOKENS_PER_SECOND + 1e-6
        assert 0.0 <= budget.share_left <= 1.0


def test_good_first_answers_earn_retries() -> None:
    """Five of them one."""
    budget = RetryBudget(0.0, retries=2)
    assert [budget.spend(0.0) == 0.0 for _ in range(3)] == [True, True, False]
    for _ in range(4):
        budget.succeeded()
    assert budget.spend(0.0) > 0.0
    budget.succeeded()
    assert budget.spend(0.0) == 0.0


def test_a_retry_that_was_worth_it_costs_nothing() -> None:
    """Single failures among good answers never empty the budget."""
    budget = RetryBudget(0.0)
    for _ in range(10_000):
        assert budget.spend(0.0) == 0.0
        budget.succeeded(retries=1)


@given(
    st.integers(1, 30),
    st.floats(0.01, 1.0),
    st.lists(st.sampled_from([None, None, "Boom", "KeyError"]), max_size=200),
)
def test_a_breaker_sees_the_last_calls(window: int, rate: float, ends: list[str | None]) -> None:
    """Exactly what a count over the last full window says; after a hold it begins anew."""
    breaker, last = Breaker(BreakerSettings(rate, window)), deque[str | None](maxlen=window)
    for end in ends:
        last.append(end)
        failed = sum(one is not None for one in last)
        full = len(last) == window and failed >= rate * window
        assert breaker.saw(end) == (full and end is not None)
        assert breaker.reason().startswith(f"{failed} of the last {len(last)} calls failed")
    breaker.clear()
    assert breaker.reason() == "0 of the last 0 calls failed"


def test_a_breaker_names_what_fails_most() -> None:
    """For the log and for the alert."""
    breaker = Breaker(BreakerSettings(0.5, 4))
    assert [breaker.saw(end) for end in (None, "A", "B", "B")] == [False, False, False, True]
    assert breaker.reason() == "3 of the last 4 calls failed, 2 of them with B"


def shares(weights: dict[str, float], asks: dict[str, int], permits: int, rounds: int) -> Counter[str]:
    """Calls that each taker makes while it always has `asks` calls to make, each as long as a round."""
    share: FairShare[str] = FairShare(AdaptiveLimit(LimitBounds(permits, start=permits)))
    for taker, weight in weights.items():
        share.join(taker, weight)
    random, made, running = Random(5), Counter[str](), list[str]()
    for taker, count in asks.items():
        running += [taker for _ in range(count) if share.ask(taker, taker)]
    for _ in range(rounds * permits):
        taker = running.pop(random.randrange(len(running)))
        made[taker] += 1
        share.give_back(taker)
        running += [taker] * share.ask(taker, taker)
        granted = share.grants()
        assert all(one == item for one, item in granted)
        running += [one for one, _ in granted]
        assert len(running) <= permits
    return made


@pytest.mark.parametrize("first", ["small", "large"])
def test_two_processors_share_a_function(first: str) -> None:
    """Each has its half within 20%, although one has a hundred times the backlog, and whoever was first."""
    backlog = {"large": 5_000, "small": 50}
    asks = {taker: backlog[taker] for taker in sorted(backlog, key=lambda taker: taker != first)}
    made = shares({"small": 1.0, "large": 1.0}, asks, 40, 50)
    assert made["small"] == pytest.approx(made.total() / 2, rel=0.2)
    assert made["large"] == pytest.approx(made.total() / 2, rel=0.2)


def test_weights_are_shares() -> None:
    """Three to one."""
    made = shares({"a": 3.0, "b": 1.0}, {"a": 200, "b": 200}, 40, 50)
    assert made["a"] / made["b"] == pytest.approx(3.0, rel=0.2)


def test_what_one_leaves_free_the_others_use() -> None:
    """A taker that has work for four permits leaves 36."""
    made = shares({"idle": 1.0, "busy": 1.0}, {"idle": 4, "busy": 500}, 40, 50)
    assert made["busy"] / made["idle"] == pytest.approx(9.0, rel=0.25)


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from(["ask", "back", "drop"]), st.sampled_from("abc")), max_size=200),
)
def test_nothing_that_waits_is_lost(permits: int, moves: list[tuple[str, str]]) -> None:
    """Each item goes once or is dropped, the first of a taker first; nobody waits beside a free permit."""
    limit = AdaptiveLimit(LimitBounds(permits, start=permits))
    share: FairShare[tuple[str, int]] = FairShare(limit)
    waiting: dict[str, deque[int]] = {taker: deque() for taker in "abc"}
    held: Counter[str] = Counter()
    for taker in "abc":
        share.join(taker)
    for number, (what, taker) in enumerate(moves):
        if what == "ask":
            if share.ask(taker, (taker, number)):
                held[taker] += 1
            else:
                waiting[taker].append(number)
        elif what == "back" and held[taker]:
            share.give_back(taker)
            held[taker] -= 1
            for who, (_, item) in share.grants():
                assert waiting[who].popleft() == item
                held[who] += 1
        elif what == "drop":
            gone = share.drop(lambda item, taker=taker: item[0] == taker)  # type: ignore[misc]
            assert [item for _, item in gone] == list(waiting[taker])
            waiting[taker].clear()
        assert share.waiting == sum(map(len, waiting.values()))
        assert {one: share.held(one) for one in "abc"} == {one: held[one] for one in "abc"}
        assert not share.waiting or limit.in_flight == permits
    for taker in "abc":
        while held[taker]:
            share.give_back(taker)
            held[taker] -= 1
        assert [item for _, item in share.part(taker)] == list(waiting[taker])
    assert share.waiting == limit.in_flight == 0


def test_a_refused_rate_stays_below_what_the_user_allows() -> None:
    """Also where that is less than the least that is ever learned."""
    rate = RateLimit(0.1, 0.0)
    assert rate.admit(0.0) == 0.0
    rate.throttled(0.5)
    assert rate.per_second == 0.1
