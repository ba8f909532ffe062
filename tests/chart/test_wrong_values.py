"""Wrong values are refused before anything is installed, with what would be right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.chart import rendering
from tests.chart.deploy_page import MISTAKES
from tests.chart.rendering import CHART
from tests.chart.toolchain import Tools

MINIMAL = CHART / "ci" / "minimal-values.yaml"


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: str(one["what"]))
def test_a_mistake_gets_its_message(tools: Tools, mistake: dict[str, Any], tmp_path: Path) -> None:
    """The same from `helm template`, install and upgrade: nothing reaches the cluster."""
    wrong = tmp_path / "wrong-values.yaml"
    wrong.write_text(json.dumps(mistake["values"]), encoding="utf-8")
    said = rendering.template(tools, [MINIMAL, wrong])
    assert said.code != 0
    assert mistake["says"] in said.err


def test_all_problems_come_at_once(tools: Tools, tmp_path: Path) -> None:
    """Nobody mends one to meet the next."""
    wrong = tmp_path / "wrong-values.yaml"
    values = {
        "workers": {"staticMembership": True, "terminationGracePeriodSeconds": 10},
        "topics": {"enabled": True},
        "functions": {"enabled": True},
    }
    wrong.write_text(json.dumps(values), encoding="utf-8")
    said = rendering.template(tools, [MINIMAL, wrong])
    assert "penstock: 5 problems in the values, nothing was installed" in said.err
    for path in (
        "staticMembership",
        "terminationGracePeriodSeconds",
        "topics.enabled",
        "functions.authentication",
    ):
        assert path in said.err


def test_values_of_nobody_say_what_is_needed(tools: Tools) -> None:
    """`helm install` without values is how people begin."""
    said = rendering.helm(tools, "template", "release", str(CHART))
    assert said.code != 0
    assert (
        "connections: there are none; connections: {kafka: {type: Kafka, bootstrapServers: ...}}" in said.err
    )
    assert "app.files: holds no processor; processors/<name>.yaml: | and its pipeline" in said.err
