"""values.yaml, values.schema.json, README.md and the models of Penstock say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.chart.chart_readme import PAGES
from tests.chart.chart_schema import secret_fields, values_schema
from tests.chart.chart_values import CHART, read_values, undescribed
from workers.settings import LOG_LEVELS, MAX_DRAIN_SECONDS, MAX_PROCESSES


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_printed_page_is_in_step(path: Path) -> None:
    """after a change of values.yaml or of a model: make docs."""
    assert path.read_text("utf-8") == PAGES[path]()


def test_every_value_is_described() -> None:
    """A key beside described ones has its own words; none is left to guessing."""
    assert undescribed() == []
    assert len(list(read_values().leaves())) > 200


def test_nothing_unknown_passes_anywhere() -> None:
    """Each mapping of the schema either lists its keys and refuses others, or is a map or a part of
    Kubernetes' own API, and says so by having no keys."""
    open_ones: list[str] = []

    def look(node: Any, path: str) -> None:
        if isinstance(node, dict):
            if "properties" in node and node.get("additionalProperties") is not False and "if" not in path:
                open_ones.append(path)
            for key, inner in node.items():
                look(inner, f"{path}/{key}")
        elif isinstance(node, list):
            for at, inner in enumerate(node):
                look(inner, f"{path}/{at}")

    look(values_schema(), "")
    # A parent chart's globals are its own; a connection's fields are those of its type: behind if and then.
    assert open_ones == ["/properties/global", "/definitions/connections/additionalProperties"]


def test_the_schema_has_the_settings_bounds() -> None:
    """Processes, log levels and drain are those that a worker takes."""
    pool = json.loads((CHART / "values.schema.json").read_text("utf-8"))["definitions"]["pool"]["properties"]
    assert pool["processes"]["maximum"] == MAX_PROCESSES
    assert pool["logLevel"]["enum"] == list(LOG_LEVELS)
    assert pool["drainTimeoutSeconds"]["maximum"] == MAX_DRAIN_SECONDS


def test_the_chart_knows_every_secret_field() -> None:
    """What a model keeps out of logs the chart refuses written out. Key ids alone are no secrets; headers are
    looked at by their names."""
    checks = (CHART / "templates" / "_checks.tpl").read_text("utf-8")
    listed = re.search(r"\$secret := list ([^}]+)\}", checks)
    assert listed is not None
    assert secret_fields() - set(re.findall(r'"(\w+)"', listed[1])) == {"accessKeyId"}
