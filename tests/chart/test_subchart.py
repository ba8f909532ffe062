"""The chart as a part of another one."""

from __future__ import annotations

import json
from pathlib import Path

from tests.chart import rendering
from tests.chart.rendering import CHART
from tests.chart.toolchain import Tools


def test_a_parent_chart_switches_it_and_hands_its_globals_down(tools: Tools, tmp_path: Path) -> None:
    """`condition: penstock.enabled`, a registry for all charts, and globals that are none of ours."""
    parent = tmp_path / "parent"
    (parent / "charts").mkdir(parents=True)
    (parent / "charts" / "penstock").symlink_to(CHART)
    described = {
        "apiVersion": "v2", "name": "parent", "version": "0.1.0",
        "dependencies": [{"name": "penstock", "version": ">=0.1.0", "condition": "penstock.enabled"}],
    }  # fmt: skip
    (parent / "Chart.yaml").write_text(json.dumps(described), "utf-8")
    least = rendering.documents((CHART / "ci" / "minimal-values.yaml").read_text("utf-8"))[0]
    values = parent / "values.yaml"

    def rendered(enabled: bool) -> list[rendering.Document]:
        whole = {
            "global": {"imageRegistry": "mirror.example.com", "stage": "test"},
            "penstock": {**least, "enabled": enabled},
        }
        values.write_text(json.dumps(whole), "utf-8")
        said = rendering.helm(tools, "template", "release", str(parent), "--namespace", "space")
        assert said.code == 0, said.err
        return rendering.documents(said.out)

    (deployment,) = (one for one in rendered(enabled=True) if one["kind"] == "Deployment")
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.startswith("mirror.example.com/penstock:")
    assert rendered(enabled=False) == []
