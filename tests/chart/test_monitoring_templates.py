"""What the chart makes of the alerts and dashboards: the files themselves, changed where values say so."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.arch.sources import ROOT
from tests.chart import monitoring
from tests.chart.toolchain import ToolFailure, Tools, run

CHART = ROOT / "helm" / "penstock"


def rendered(tools: Tools, folder: Path, values: dict[str, Any]) -> list[dict[str, Any]]:
    """The documents of the chart with these values below `monitoring`, in the namespace `prod`."""
    path = folder / "values.yaml"
    path.write_text(json.dumps({"monitoring": values}), encoding="utf-8")
    minimal = CHART / "ci" / "minimal-values.yaml"
    command = [str(tools.helm), "template", "shop", str(CHART), "--namespace", "prod"]
    text = run([*command, "-f", str(minimal), "-f", str(path)], seconds=50)
    return [found for found in YAML(typ="safe").load_all(StringIO(text)) if found]


def rules_of(tools: Tools, folder: Path, **values: Any) -> dict[str, dict[str, Any]]:
    """The rendered rules by alert."""
    found = rendered(tools, folder, {"prometheusRule": {"enabled": True, **values}})
    (rule,) = (one for one in found if one["kind"] == "PrometheusRule")
    return {alert["alert"]: alert for group in rule["spec"]["groups"] for alert in group["rules"]}


def test_without_changes_the_chart_ships_what_promtool_tested(tools: Tools, tmp_path: Path) -> None:
    """Every field of every rule, as in files/alerts.yaml."""
    assert rules_of(tools, tmp_path, scoped=False) == monitoring.alerts()


def test_rules_look_at_their_own_namespace(tools: Tools, tmp_path: Path) -> None:
    """Of two releases in one cluster each warns of itself, at every metric of an expression."""
    for name, rule in rules_of(tools, tmp_path).items():
        assert rule["expr"].count('{namespace="prod"') == rule["expr"].count("penstock_"), name
    (tmp_path / "rules.yaml").write_text(
        json.dumps({"groups": [{"name": "x", "rules": list(rules_of(tools, tmp_path).values())}]})
    )
    assert "SUCCESS" in run([str(tools.promtool), "check", "rules", str(tmp_path / "rules.yaml")], seconds=30)


def test_values_change_single_alerts(tools: Tools, tmp_path: Path) -> None:
    """Duration, threshold, window, severity and labels; others stay as they are."""
    change = {"for": "30m", "threshold": 50_000, "window": "1h", "severity": "page", "labels": {"a": "b"}}
    found = rules_of(
        tools, tmp_path, scoped=False, alertLabels={"team": "orders"}, runbookBaseUrl="https://x.example/",
        alerts={"PenstockLagGrowing": change, "PenstockHold": {"enabled": False}},
    )  # fmt: skip
    rule = found["PenstockLagGrowing"]
    assert "> 50000 # threshold" in rule["expr"]
    assert "{}[1h]" in rule["expr"]
    assert (rule["for"], rule["labels"]) == ("30m", {"severity": "page", "team": "orders", "a": "b"})
    assert rule["annotations"]["runbook_url"] == "https://x.example/docs/runbooks.md#penstocklaggrowing"
    other = found["PenstockFunctionErrors"]
    assert other["expr"] == monitoring.alerts()["PenstockFunctionErrors"]["expr"]
    assert other["labels"] == {"severity": "warning", "team": "orders"}
    assert "PenstockHold" not in found


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        ({"PenstockLagGrow": {"for": "1m"}}, "PenstockLagGrow: there is no such alert; there are: Penstock"),
        ({"PenstockFunctionHostDown": {"threshold": 2}}, "threshold: this alert has none"),
        ({"PenstockHold": {"window": "5m"}}, "window: this alert looks at now alone"),
        ({"PenstockHold": {"fro": "5m"}}, "fro"),
        ({"PenstockHold": {"for": "5 minutes"}}, "for"),
    ],
)
def test_a_change_of_nothing_is_refused(tools: Tools, tmp_path: Path, alerts: Any, said: str) -> None:
    """With the place in the values."""
    with pytest.raises(ToolFailure, match=said):
        rules_of(tools, tmp_path, alerts=alerts)


def test_dashboards_come_as_config_maps_for_the_sidecar(tools: Tools, tmp_path: Path) -> None:
    """Each file as it is, with the label and the folder that Grafana's sidecar goes by."""
    found = rendered(tools, tmp_path, {"dashboards": {"enabled": True, "namespace": "grafana"}})
    maps = [one for one in found if "-dashboard-" in one["metadata"]["name"]]
    shipped = {name: json.loads(text) for one in maps for name, text in one["data"].items()}
    assert shipped == {f"penstock-{name}": content for name, content in monitoring.dashboards().items()}
    for one in maps:
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert one["metadata"]["annotations"]["grafana_folder"] == "Penstock"
        assert one["metadata"]["namespace"] == "grafana"


def test_nothing_of_it_is_made_unless_asked_for(tools: Tools, tmp_path: Path) -> None:
    """A cluster without the operator refuses its kinds."""
    kinds = {one["kind"] for one in rendered(tools, tmp_path, {})}
    assert not kinds & {"PrometheusRule", "PodMonitor", "ServiceMonitor"}
