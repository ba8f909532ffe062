"""What more workers could remove."""

from __future__ import annotations

import pytest

from workers.calls.limiter import AdaptiveLimit, LimitBounds
from workers.calls.scale_hint import Destination, scale_hint

FREE = Destination(limit=64, most=64, waiting=100)


@pytest.mark.parametrize(
    ("destination", "hint"),
    [
        (FREE, 1_000),
        (Destination(limit=8, most=64, waiting=100), 1_000),
        (Destination(limit=50, most=64, was_cut=True, waiting=100), 0),
        (Destination(limit=64, most=64, was_cut=True, waiting=100), 1_000),
        (Destination(limit=50, most=64, was_cut=True), 1_000),
        (Destination(limit=64, most=64, is_paced=True, waiting=1), 0),
        (Destination(limit=64, most=64, is_paced=True), 1_000),
        (Destination(limit=64, most=64, is_held=True), 0),
    ],
    ids=[
        "as much as the user allows", "on its way up", "throttled", "throttled once, and free again",
        "throttled, and nothing waits for it", "a rate", "a rate that is not reached", "held",
    ],
)  # fmt: skip
def test_lag_counts_where_the_destination_would_take_more(destination: Destination, hint: int) -> None:
    """A destination that lets no more through makes it 0, whatever the lag is."""
    assert scale_hint(1_000, [destination]) == hint
    assert scale_hint(0, [destination]) == 0


def test_one_full_destination_of_several_is_enough() -> None:
    """Documents pile up before the narrowest of them."""
    held = Destination(limit=64, most=64, is_held=True)
    assert scale_hint(1_000, [FREE, held, FREE]) == 0
    assert scale_hint(1_000, [FREE, FREE]) == 1_000


def test_a_processor_without_calls_is_as_slow_as_its_workers() -> None:
    """All of its lag counts; none of one that failed or stopped."""
    assert scale_hint(1_000, []) == 1_000
    assert scale_hint(1_000, [], is_running=False) == 0


def test_the_limiter_tells_losses_from_its_way_up() -> None:
    """A new limit is low because it is new; after a loss because of the function; after a hold it is new
    again."""
    limit = AdaptiveLimit(LimitBounds(most=64))
    assert not limit.was_cut
    assert limit.acquire()
    limit.began()
    limit.lost(0.0, 1.0)
    assert limit.was_cut
    limit.restart()
    assert not limit.was_cut
    assert AdaptiveLimit(LimitBounds(most=64), learned={"limit": 20}).was_cut
