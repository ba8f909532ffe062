"""How many sample records are due."""

from __future__ import annotations

import pytest

from workers.local.sample import SLICE_RECORDS, SampleSettings, due


@pytest.mark.parametrize(
    ("sent", "per_second", "elapsed", "expected"),
    [(0, 100.0, 0.0, 0), (10, 100.0, 0.5, 40), (60, 100.0, 0.5, 0), (0, None, 0.0, SLICE_RECORDS)],
)
def test_records_are_due_by_the_clock(
    sent: int, per_second: float | None, elapsed: float, expected: int
) -> None:
    """Never ahead of the rate; in slices without one."""
    assert due(sent, per_second, elapsed) == expected


def test_an_unknown_sample_is_refused_by_name() -> None:
    """The known ones are listed."""
    with pytest.raises(AssertionError, match="no sample 'weather'; there are orders"):
        SampleSettings("t", data_set="weather")
