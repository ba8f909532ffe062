"""What the chart ships for Prometheus and Grafana, read from its files; which metrics there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from ruamel.yaml import YAML

from tests.arch.sources import ROOT
from workers.counting import Metrics
from workers.metrics import ALL, ENGINE, FUNCTION_HOST, SUPERVISOR
from workers.supervisor.aggregate import merge

FILES: Final = ROOT / "helm" / "penstock" / "files"
ALERTS: Final = FILES / "alerts.yaml"
DASHBOARDS: Final = FILES / "dashboards"

# Of Prometheus itself.
OTHERS: Final = frozenset({"up"})
# What the scrape adds, and the supervisor.
EVERYWHERE: Final = ("namespace", "pod", "pool", "instance", "job", "process")
# What PromQL's own words look like a metric for `metrics_in`.
_NAME: Final = re.compile(r"(?<![\w.\"$:])([a-z_:][a-zA-Z0-9_:]*)\s*(?=\{)")


@cache
def alerts() -> dict[str, dict[str, Any]]:
    """The rules by the names of their alerts, in the order of the file."""
    whole = YAML(typ="safe").load(ALERTS)
    return {rule["alert"]: rule for group in whole["groups"] for rule in group["rules"]}


@cache
def dashboards() -> dict[str, dict[str, Any]]:
    """The dashboards by the names of their files."""
    return {path.name: json.loads(path.read_text("utf-8")) for path in sorted(DASHBOARDS.glob("*.json"))}


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All panels but the headings of rows."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", ())
        else:
            yield panel


def expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    """What a dashboard asks Prometheus, with Grafana's variables put in as it puts them in."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield filled(target["expr"])


def filled(expression: str) -> str:
    """An expression as Grafana sends it, with all values of each variable chosen."""
    for variable, text in (("$__rate_interval", "1m"), ("$__range", "1h"), ("$__interval", "15s")):
        expression = expression.replace(variable, text)
    return re.sub(r"\$\w+", ".*", expression)


def metrics_in(expression: str) -> set[str]:
    """The metrics that an expression names; each has braces behind it."""
    return set(_NAME.findall(re.sub(r"#.*", "", expression)))


def labels_in(expression: str) -> set[str]:
    """The labels that an expression selects or groups by."""
    text = re.sub(r"#.*", "", expression)
    found = set(re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"", text))
    for names in re.findall(r"\bby\s*\(([^)]*)\)", text):
        found |= {name.strip() for name in names.split(",")}
    return found


def labels_of(sample: str) -> set[str]:
    """The labels of a sample of the catalogue."""
    for metric in ALL:
        if sample == metric.name:
            return set(metric.labels)
        if metric.kind == "histogram" and sample.startswith(f"{metric.name}_"):
            return {*metric.labels, "le"}
    return set()


@cache
def known_samples() -> frozenset[str]:
    """The names of all samples on the pages of workers and function hosts, once everything was counted."""
    found = set(OTHERS)
    for catalogue in (ENGINE, SUPERVISOR, FUNCTION_HOST):
        counted = Metrics(catalogue)
        for metric in catalogue:
            values = [metric.values.get(label, ("x",))[0] for label in metric.labels]
            getattr(counted, metric.kind)(metric, *values)
        page, left_out = merge([("0", counted.text())])
        assert left_out == 0
        found |= set(re.findall(r"^([a-z_]+)\{", page, re.MULTILINE))
    return frozenset(found)
