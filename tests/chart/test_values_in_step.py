"""values.yaml, values.schema.json, README.md and the models of Penstock say the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tests.chart.chart_readme import PAGES
from tests.chart.chart_schema import connections_schema, secret_fields, values_schema
from tests.chart.chart_values import CHART, read_values, undescribed
from workers.appfolder.connections import MODELS
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


def test_every_property_of_the_schema_is_described() -> None:
    """An editor shows it. For a new field of a connection: tests/chart/field_texts.yaml."""
    missing: set[str] = set()

    def look(node: Any, *, is_condition: bool = False) -> None:
        if isinstance(node, dict):
            fields = {} if is_condition else dict(node.get("properties", {}))
            for name, one in fields.items():
                if isinstance(one, dict) and not {"description", "$ref"} & one.keys():
                    missing.add(name)
            for key, inner in node.items():
                look(inner, is_condition=key == "if")
        elif isinstance(node, list):
            for one in node:
                look(one)

    look(values_schema())
    assert missing == set()


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


def documented_connections() -> list[tuple[str, dict[str, Any]]]:
    """(page, connections) of every example in docs/ whose entries have a type of ours."""
    found = []
    for page in sorted((CHART.parents[1] / "docs").glob("*.md")):
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
            try:
                data = YAML(typ="safe").load(block)
            except YAMLError:
                continue
            entries = data.values() if isinstance(data, dict) else ()
            if entries and all(isinstance(one, dict) and one.get("type") in MODELS for one in entries):
                found.append((page.name, data))
    return found


def test_connections_of_the_documentation_are_values() -> None:
    """The schema refuses nothing that a worker takes; and it does refuse."""
    schema = connections_schema()
    examples = documented_connections()
    assert {page for page, _ in examples} >= {"connections.md", "msk.md"}
    for page, connections in examples:
        errors = [error.message for error in Draft7Validator(schema).iter_errors(connections)]
        assert errors == [], page
    planted = {"kafka": {"type": "Kafka", "bootstrapServers": "a:1", "acks": 1}}
    assert not Draft7Validator(schema).is_valid(planted)
