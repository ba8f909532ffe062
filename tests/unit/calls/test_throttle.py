"""The buckets of `$throttle`, on a clock that only the test moves."""

from __future__ import annotations

import pytest

from workers.calls.throttle import BURST_SECONDS, Throttle


def passed(throttle: Throttle, sizes: list[int], start: float = 0.0) -> list[float]:
    """When each document passes, one after the other, if nobody sleeps longer than told."""
    now, times = start, []
    for size in sizes:
        while wait := throttle.admit(size, now):
            now += wait
        times.append(now)
    return times


def test_documents_pass_at_the_rate() -> None:
    """After the first tenth of a second's worth, one each 1/rate seconds."""
    times = passed(Throttle(100, None, 0.0), [0] * 110)
    burst = round(100 * BURST_SECONDS)
    assert times[:burst] == [0.0] * burst
    assert times[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("rate", [1, 7, 100, 50_000])
def test_no_second_sees_more_than_the_rate_and_a_tenth(rate: int) -> None:
    """However long nothing came before."""
    times = passed(Throttle(rate, None, 0.0), [0] * min(3 * rate + 5, 20_000), start=1_000.0)
    for first, last in zip(times, times[int(rate * 1.1) + 2 :], strict=False):
        assert last - first > 1.0 - 1e-6


def test_a_timer_that_fires_late_loses_nothing_of_the_rate() -> None:
    """What filled up in the meantime, up to 100 ms, passes at once."""
    throttle, now, count = Throttle(1_000, None, 0.0), 0.0, 0
    while now < 1.0:
        while not throttle.admit(0, now):
            count += 1
        now += 0.05
    assert count == pytest.approx(1_050, abs=60)


def test_bytes_are_a_limit_of_their_own() -> None:
    """Ten documents of 100 bytes take a second of 1,000 bytes."""
    times = passed(Throttle(None, 1_000, 0.0), [100] * 11)
    assert times[-1] == pytest.approx(1.0)


def test_the_longest_shortfall_is_waited_for_and_all_limits_fill_up_meanwhile() -> None:
    """Both limits hold; the slower one decides."""
    both = passed(Throttle(1_000, 500, 0.0), [50] * 21)
    assert both == pytest.approx(passed(Throttle(None, 500, 0.0), [50] * 21))


def test_a_document_larger_than_a_second_of_bytes_passes_and_its_debt_is_paid() -> None:
    """It goes at once; the next one waits until the rate is kept again."""
    times = passed(Throttle(None, 1_000, 0.0), [5_000, 100])
    assert times[0] == 0.0
    assert times[1] == pytest.approx(5.0)


def test_a_clock_that_stands_still_ends_a_wait_all_the_same() -> None:
    """Rounding leaves no wait that is asked for for ever."""
    throttle = Throttle(3, None, 0.1)
    assert throttle.admit(0, 0.1) == 0.0
    wait = throttle.admit(0, 0.1)
    assert throttle.admit(0, 0.1 + wait) == 0.0
