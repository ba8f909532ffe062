"""The figures and the picture of a run are read off what the stub counted."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.cases.flow_control import Curve
from benchmarks.picture import Line, Picture


def _windows(calls: list[int], throttled: int = 0) -> list[dict[str, object]]:
    return [{"calls": count, "throttled": throttled, "levels": {}} for count in calls]


def test_rates_leave_out_what_was_throttled() -> None:
    """Ten seconds in windows of half a second: 20 calls each, five of them throttled."""
    curve = Curve(0.5, _windows([20] * 20, 5))
    assert curve.rate(0, 10) == 30
    assert curve.share_throttled(2, 4) == 0.25
    assert curve.rate(10, 20) == 0, "nothing was counted there"


def test_the_time_until_a_rate_is_that_of_two_seconds() -> None:
    """One good window is no recovery; a rate that never comes has no time."""
    curve = Curve(0.5, _windows([10] * 10 + [50, 10] + [50] * 20))
    assert curve.first_at(100.0, 5.0, 15.0) == pytest.approx(3.0)
    assert curve.first_at(101.0, 5.0, 15.0) is None


def test_a_picture_is_well_formed_and_shows_every_line() -> None:
    """A line of steps has a level part before each rise, names are escaped, bars
    stand where there are any."""
    line = Line("a < b", [(0.0, 1.0), (10.0, 70.0)], "#111111", is_stepped=True)
    bars = Line("bars", [(1.0, 0.0), (2.0, 5.0)], "#222222")
    root = ElementTree.fromstring(Picture("t", "seconds", [line], bars).svg())
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {"t", "seconds", "a < b", "bars", "100"} <= set(texts)
    paths = [element.attrib for element in root.iter() if element.tag.endswith("path")]
    assert [path["stroke"] for path in paths if path["stroke"].startswith("#222")] == ["#222222"]
    assert "H880.0" in next(path["d"] for path in paths if path["stroke"] == "#111111")
