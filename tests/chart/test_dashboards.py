"""The dashboards below helm/penstock/files: whole, readable, and about metrics that there are."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.arch.sources import ROOT
from tests.chart import dashboard_source, monitoring
from tests.chart.toolchain import ToolFailure, promtool_folder, run
from workers import metrics

FILES = sorted(monitoring.dashboards())


@pytest.fixture(scope="module")
def promtool() -> Path:
    """The program; made first where it is not there yet."""
    return promtool_folder() / "promtool"


def parsed(promtool: Path, folder: Path, expressions: Iterable[str]) -> str:
    """What promtool says of each as a rule. Raises ToolFailure with its words for those it cannot read."""
    rules = [{"record": f"asked:{number}", "expr": text} for number, text in enumerate(expressions)]
    path = folder / "rules.yaml"
    with path.open("w", encoding="utf-8") as opened:
        YAML(typ="safe").dump({"groups": [{"name": "asked", "rules": rules}]}, opened)
    return run([str(promtool), "check", "rules", "--lint=none", str(path)], seconds=30)


def unknown(expressions: Iterable[str]) -> set[str]:
    """Metrics that no program of ours exposes."""
    return {name for text in expressions for name in monitoring.metrics_in(text)} - monitoring.known_samples()


def test_the_files_are_what_their_source_makes() -> None:
    """After a change: `python -m tests.chart.dashboard_source`."""
    made = {f"{one.name}.json": json.loads(dashboard_source.text_of(one)) for one in dashboard_source.ALL}
    assert made == monitoring.dashboards()


@pytest.mark.parametrize("file", FILES)
def test_prometheus_can_read_every_query(promtool: Path, tmp_path: Path, file: str) -> None:
    """With the variables put in."""
    assert "SUCCESS" in parsed(promtool, tmp_path, monitoring.expressions(monitoring.dashboards()[file]))


def test_a_query_that_prometheus_cannot_read_is_seen(promtool: Path, tmp_path: Path) -> None:
    """A bracket too few."""
    with pytest.raises(ToolFailure, match="parse error"):
        parsed(promtool, tmp_path, ["sum by (processor) (rate(penstock_records_total{}[1m])"])


@pytest.mark.parametrize("file", FILES)
def test_every_metric_of_a_dashboard_is_in_the_catalogue(file: str) -> None:
    """And so on the page of a running worker or function host (tests/process)."""
    dashboard = monitoring.dashboards()[file]
    assert unknown(monitoring.expressions(dashboard)) == set()
    assert unknown(variable["definition"] for variable in dashboard["templating"]["list"][1:]) == set()


def test_every_metric_of_an_alert_is_in_the_catalogue() -> None:
    """The same for rules."""
    assert unknown(rule["expr"] for rule in monitoring.alerts().values()) == set()


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("rate(penstock_record_total{}[5m])", "penstock_record_total"),
        ("penstock_call_seconds{} > 1", "penstock_call_seconds"),
        ('sum by (pod) (penstock_commit_total{processor="a{b}"})', "penstock_commit_total"),
    ],
)  # fmt: skip
def test_a_metric_that_is_not_there_is_seen(planted: str, found: str) -> None:
    """A name that is misspelt, and a histogram without one of its endings."""
    assert unknown([planted]) == {found}


def test_labels_that_queries_go_by_are_those_of_their_metrics() -> None:
    """A rate by a label that the metric has not is one line for everything."""
    assert list(_strange_labels(_every_expression())) == []


def test_a_label_that_is_not_there_is_seen() -> None:
    """In the selection as in the grouping."""
    planted = ["sum by (processr) (penstock_buffered_records{})", 'penstock_hold_state{fn="a"}']
    assert len(list(_strange_labels(planted))) == 2


@pytest.mark.parametrize("file", FILES)
def test_a_dashboard_is_whole(file: str) -> None:
    """What Grafana needs of it, and what its reader does: titles, units and descriptions."""
    dashboard = monitoring.dashboards()[file]
    assert dashboard["uid"] == f"penstock-{file.removesuffix('.json')}"
    assert [one["name"] for one in dashboard["templating"]["list"]][:2] == ["datasource", "namespace"]
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert sorted(set(numbers)) == sorted(numbers)
    titles = []
    for panel in monitoring.panels(dashboard):
        titles.append(panel["title"])
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["datasource"] == dashboard_source.SOURCE
        references = [target["refId"] for target in panel["targets"]]
        assert references == sorted(set(references))
        assert all(target["datasource"] == dashboard_source.SOURCE for target in panel["targets"])
    assert len(titles) >= 15
    assert all(word in dashboard for word in ("title", "description", "schemaVersion", "time", "refresh"))


UNITS = {"short", "ops", "s", "bytes", "Bps", "percentunit"}
"""Of Grafana's, those that are used here."""


@pytest.mark.parametrize("file", FILES)
def test_panels_stand_beside_each_other(file: str) -> None:
    """None covers another, none leaves the page."""
    places = [panel["gridPos"] for panel in monitoring.dashboards()[file]["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert not [pair for pair in itertools.combinations(places, 2) if _overlap(*pair)]


def test_what_operators_ask_for_is_on_a_page() -> None:
    """Every metric of the catalogue is on one, or is none that somebody would plot."""
    shown = {name for text in _every_expression() for name in monitoring.metrics_in(text)}
    missing = {
        metric.name
        for metric in metrics.ALL
        if not shown & {metric.name, f"{metric.name}_bucket", f"{metric.name}_sum", f"{metric.name}_count"}
    }
    assert missing <= NOT_PLOTTED


NOT_PLOTTED = {
    "penstock_committed_offset", "penstock_maps_unreadable_total", "penstock_producer_outstanding_records",
    "penstock_transactions_fenced_total", "penstock_outcomes_waiting", "penstock_call_batch_bytes",
    "penstock_throttle_waits_total", "penstock_throttle_wait_seconds_total", "penstock_throttle_waiting",
    "penstock_supervisor_engine_silence_seconds", "penstock_supervisor_lines_refused_total",
}  # fmt: skip
"""For somebody who looks for a cause, or for alerts alone."""


def test_metrics_that_the_chart_and_its_pages_name_are_there() -> None:
    """Values, templates and docs name metrics too; a family's beginning may stand for all of it."""
    names = {
        f"{path.relative_to(ROOT)}: {name}"
        for folder, ending in (("helm/penstock", "yaml"), ("helm/penstock", "tpl"), ("docs", "md"))
        for path in (ROOT / folder).rglob(f"*.{ending}")
        for name in re.findall(
            r"(?<![\w/])penstock_[a-z_]+[a-z]\b(?![\w(*/])", path.read_text(encoding="utf-8")
        )
        if name not in monitoring.known_samples() and name not in {metric.name for metric in metrics.ALL}
    }
    assert names == set()


def _every_expression() -> Iterable[str]:
    for dashboard in monitoring.dashboards().values():
        yield from monitoring.expressions(dashboard)
    for rule in monitoring.alerts().values():
        yield rule["expr"]


def _strange_labels(expressions: Iterable[str]) -> Iterable[str]:
    """What is selected or grouped by and no metric of the expression has."""
    for text in expressions:
        known = set(monitoring.EVERYWHERE)
        for name in monitoring.metrics_in(text):
            known |= monitoring.labels_of(name)
        yield from (f"{label} in {text}" for label in sorted(monitoring.labels_in(text) - known))


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )
