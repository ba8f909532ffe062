"""The Prometheus of compose.yaml takes its configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chart.toolchain import ROOT, ToolFailure, Tools, run


def configuration(folder: Path, text: str) -> Path:
    """A configuration that finds the chart's alerts where they are here."""
    file = folder / "prometheus.yaml"
    alerts = ROOT / "helm" / "penstock" / "files" / "alerts.yaml"
    file.write_text(text.replace("/etc/prometheus/alerts.yaml", str(alerts)), encoding="utf-8")
    return file


def test_promtool_accepts_it(tools: Tools, tmp_path: Path) -> None:
    """With the alerts that it names; a field that does not exist is refused."""
    text = (ROOT / "compose" / "prometheus.yaml").read_text(encoding="utf-8")
    said = run([str(tools.promtool), "check", "config", str(configuration(tmp_path, text))])
    assert "1 rule files found" in said
    with pytest.raises(ToolFailure, match="misspelt"):
        run([str(tools.promtool), "check", "config", str(configuration(tmp_path, text + "misspelt: 1\n"))])
