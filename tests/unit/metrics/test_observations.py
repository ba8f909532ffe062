"""Observations that are kept as plain numbers until they are moved into their histogram."""

from __future__ import annotations

from workers.counting import Metrics, Observations
from workers.metrics import CALL_SECONDS


def test_what_is_flushed_is_what_the_histogram_itself_would_have_counted() -> None:
    """On a bound, between two, below all and above all; nothing is counted twice."""
    values = [0.0, 0.001, 0.0011, 0.25, 3.0, 900.0, 901.0, 1e6]
    kept, direct = Metrics(with_process=False), Metrics(with_process=False)
    observations = Observations(CALL_SECONDS, kept, "orders", "f")
    for value in values:
        observations.observe(value)
        direct.histogram(CALL_SECONDS, "orders", "f").observe(value)
    assert 'penstock_call_seconds_count{function="f",processor="orders"} 0.0' in kept.text()
    observations.flush()
    observations.flush()
    assert kept.text() == direct.text()
