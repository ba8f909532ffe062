"""What the documentation tells people to write works, and pods are restarted for what they see alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.chart import rendering
from tests.chart.rendering import CHART
from tests.chart.toolchain import ROOT, Tools

PIPELINE = """\
- $source: {connectionName: kafka, topic: orders}
- $externalFunction: {connectionName: functions, functionName: score, as: fraud}
- $emit: {connectionName: kafka, topic: out}
"""
FILES = {
    "processors/orders.yaml": PIPELINE,
    "functions/score.js": "exports = () => 1;\n",
    "topics/orders.yaml": "partitions: 6\n",
}


def set_files(folder: Path) -> list[str]:
    """The arguments of the page's `helm install`, with files of this folder."""
    found: list[str] = []
    for path, text in FILES.items():
        file = folder / path.replace("/", "-")
        file.write_text(text, "utf-8")
        found += ["--set-file", f"app.files.{path.replace('.', chr(92) + '.')}={file}"]
    return found


def block(page: Path) -> str:
    """The first YAML of a page."""
    found = re.search(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_install_of_the_page_renders(tools: Tools, tmp_path: Path) -> None:
    """docs/deploy.md: values and --set-file as they stand there; files arrive letter for letter."""
    values = tmp_path / "values.yaml"
    values.write_text(block(ROOT / "docs" / "deploy.md"), "utf-8")
    said = rendering.template(tools, [values], *set_files(tmp_path))
    assert said.code == 0, said.err
    maps = {
        one["metadata"]["name"]: one["data"]
        for one in rendering.documents(said.out)
        if one["kind"] == "ConfigMap"
    }
    assert maps["release-penstock-app-worker"]["processors__orders.yaml"] == PIPELINE
    assert maps["release-penstock-app-host"]["functions__score.js"] == FILES["functions/score.js"]


def test_the_least_of_the_readme_renders(tools: Tools, tmp_path: Path) -> None:
    """helm/penstock/README.md begins with it."""
    values = tmp_path / "values.yaml"
    values.write_text(block(CHART / "README.md"), "utf-8")
    assert rendering.template(tools, [values]).code == 0


def annotations_of(tools: Tools, folder: Path, values: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The pods' annotations by Deployment, of the full values with these on top."""
    changed = folder / "changed.json"
    changed.write_text(json.dumps(values), "utf-8")
    said = rendering.template(tools, [CHART / "ci" / "full-values.yaml", changed])
    assert said.code == 0, said.err
    return {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["annotations"]
        for one in rendering.documents(said.out)
        if one["kind"] == "Deployment"
    }


@pytest.mark.parametrize(
    ("values", "restarted"),
    [
        ({}, set()),
        ({"app": {"files": {"functions/score.js": "exports = () => 2;"}}}, {"shop-functions"}),
        ({"app": {"files": {"topics/orders.yaml": "partitions: 13"}}}, {"shop-orders"}),
        ({"connections": {"kafka": {"config": {"linger.ms": 7}}}}, {"shop-orders"}),
        ({"app": {"revision": 8}}, {"shop-orders", "shop-functions"}),
        ({"secrets": {"more": {"existingSecret": "more"}}}, {"shop-orders"}),
        (
            {"functions": {"authentication": {"accounts": {"apiKeys": {"b": {"sha256": "0" * 64}}}}}},
            {"shop-functions"},
        ),
        ({"commonLabels": {"stage": "b"}}, set()),
    ],
    ids=[
        "nothing",
        "a function",
        "a contract",
        "a connection",
        "a revision",
        "a secret",
        "accounts",
        "labels",
    ],
)
def test_pods_restart_for_what_they_see(
    tools: Tools, tmp_path: Path, values: dict[str, Any], restarted: set[str]
) -> None:
    """By checksum annotations; the pool `returns` has the knob off and never does."""
    before, after = annotations_of(tools, tmp_path, {}), annotations_of(tools, tmp_path, values)
    assert {name for name, found in before.items() if after[name] != found} == restarted
    assert not any(name.startswith("checksum/") for name in after["shop-returns"])
