"""The pictures that `python -m tests.chart.live` draws of dashboards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.chart import monitoring
from tests.chart.live import pictures
from tests.chart.live.faults import ACTS, CHANGES

DASHBOARD = monitoring.dashboards()["processor.json"]


def test_a_picture_has_every_panel_and_names_those_without_anything_to_show() -> None:
    """Values that are no numbers are left out; the rest is to scale."""

    def plot(asked: str) -> Sequence[Mapping[str, Any]]:
        if "penstock_consumer_lag_records" not in asked:
            return []
        return [{"metric": {}, "values": [(0, "10"), (5, "NaN"), (10, "40")]}]

    picture, empty = pictures.drawn(DASHBOARD, plot)
    root = ElementTree.fromstring(picture)
    texts = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    for panel in monitoring.panels(DASHBOARD):
        assert any(text.startswith(f"{panel['title']} (") for text in texts), panel["title"]
    lines = [line.get("points") or "" for line in root.iter("{http://www.w3.org/2000/svg}polyline")]
    assert {len(line.split()) for line in lines} == {2}
    assert empty
    assert "Lag" not in empty


@pytest.mark.parametrize("name", ["overview.json", "processor.json", "functions.json"])
def test_queries_are_asked_as_grafana_asks_them(name: str) -> None:
    """No variable is left; one processor where the page shows one."""
    dashboard = monitoring.dashboards()[name]
    for panel in monitoring.panels(dashboard):
        for target in panel["targets"]:
            assert "$" not in pictures.asked(target["expr"])


def test_every_alert_has_a_fault_that_raises_it() -> None:
    """One that is added without is seen here, before a run of ten minutes."""
    raised = [alert for act in ACTS for fault in act for alert in fault.alerts]
    assert sorted(raised) == sorted(monitoring.alerts())
    assert CHANGES.keys() <= monitoring.alerts().keys()
