"""The dashboards as code: `python -m tests.chart.dashboard_source` writes them below helm/penstock/files.

A panel says what it shows; its place, colours and the rest of Grafana's JSON are the same for all. A test
keeps the files in step.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from tests.chart.dashboard_functions import FUNCTIONS
from tests.chart.dashboard_overview import OVERVIEW
from tests.chart.dashboard_parts import Dashboard, Panel, Row, Variable
from tests.chart.dashboard_processor import PROCESSOR
from tests.chart.monitoring import DASHBOARDS

ALL: Final = (OVERVIEW, PROCESSOR, FUNCTIONS)

# Grafana 11.0's; newer versions read it and move it on.
SCHEMA_VERSION: Final = 39
COLUMNS: Final = 24
HEIGHT: Final = {"stat": 4, "timeseries": 8, "heatmap": 8, "table": 8}
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_ALL: Final = {"selected": True, "text": ["All"], "value": ["$__all"]}


@dataclass(slots=True)
class Layout:
    """Puts panels side by side, line after line."""

    x: int = 0
    y: int = 0
    line: int = 0
    number: int = 0

    def place(self, width: int, height: int) -> dict[str, int]:
        """The place of the next panel."""
        if self.x + width > COLUMNS:
            self.feed()
        place = {"x": self.x, "y": self.y, "w": width, "h": height}
        self.x += width
        self.line = max(self.line, height)
        return place

    def feed(self) -> None:
        """Go to the beginning of the next line."""
        self.y += self.line
        self.x = self.line = 0

    def id(self) -> int:
        """The next panel's number."""
        self.number += 1
        return self.number


def written(dashboard: Dashboard) -> dict[str, Any]:
    """A dashboard as Grafana reads it."""
    layout = Layout()
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["penstock", "kafka"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "",
        "links": [
            {
                "type": "dashboards", "tags": ["penstock"], "title": "Penstock", "asDropdown": True,
                "includeVars": True, "keepTime": True,
            }
        ],
        "annotations": {"list": []},
        "templating": {"list": [_datasource(), *map(_variable, dashboard.variables)]},
        "panels": list(_panels(dashboard.rows, layout)),
    }  # fmt: skip


def text_of(dashboard: Dashboard) -> str:
    """The file's text."""
    return json.dumps(written(dashboard), indent=1, ensure_ascii=False) + "\n"


def _datasource() -> dict[str, Any]:
    return {
        "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus",
        "current": {}, "refresh": 1, "hide": 0,
    }  # fmt: skip


def _variable(variable: Variable) -> dict[str, Any]:
    query = f"label_values({variable.metric}, {variable.name})"
    shown: dict[str, Any] = {
        "name": variable.name, "label": variable.label, "description": variable.description,
        "type": "query", "datasource": SOURCE, "definition": query,
        "query": {"query": query, "refId": f"variable-{variable.name}", "qryType": 1},
        "refresh": 2, "sort": 1, "hide": 0, "multi": variable.multi, "includeAll": variable.multi,
    }  # fmt: skip
    return shown | ({"allValue": ".*", "current": _ALL} if variable.multi else {"current": {}})


def _panels(rows: Iterable[Row], layout: Layout) -> Iterable[dict[str, Any]]:
    for row in rows:
        layout.feed()
        heading = {"type": "row", "title": row.title, "collapsed": False, "id": layout.id(), "panels": []}
        yield heading | {"gridPos": layout.place(COLUMNS, 1)}
        layout.feed()
        for panel in row.panels:
            yield _panel(panel, layout)


def _panel(panel: Panel, layout: Layout) -> dict[str, Any]:
    return {
        "id": layout.id(),
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "gridPos": layout.place(panel.width, HEIGHT[panel.kind]),
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel.kind),
        "targets": _targets(panel.kind, panel.queries),
    } | ({"transformations": _TABLE} if panel.kind == "table" else {})


_TABLE: Final = [
    {"id": "organize", "options": {"excludeByName": {"Time": True, "Value": True}, "indexByName": {}}}
]


def _defaults(panel: Panel) -> dict[str, Any]:
    found: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.kind == "timeseries":
        found["custom"] = {
            "drawStyle": "line", "lineWidth": 1, "fillOpacity": 40 if panel.stacked else 8,
            "showPoints": "never", "spanNulls": False,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        }  # fmt: skip
        found["color"] = {"mode": "palette-classic"}
    if panel.kind == "stat":
        steps = [{"color": "green", "value": None}]
        if panel.red_from is not None:
            steps.append({"color": "red", "value": panel.red_from})  # type: ignore[dict-item]
        found |= {"thresholds": {"mode": "absolute", "steps": steps}, "color": {"mode": "thresholds"}}
    return found


def _options(kind: Literal["stat", "timeseries", "heatmap", "table"]) -> dict[str, Any]:
    if kind == "stat":
        return {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "value", "graphMode": "area", "textMode": "auto", "justifyMode": "auto",
        }  # fmt: skip
    if kind == "heatmap":
        return {
            "calculate": False, "yAxis": {"unit": "s"}, "color": {"mode": "scheme", "scheme": "Oranges"},
            "cellGap": 1, "tooltip": {"mode": "single"}, "legend": {"show": True},
        }  # fmt: skip
    if kind == "table":
        return {"showHeader": True, "cellHeight": "sm"}
    return {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _targets(kind: str, queries: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    shape: dict[str, Any] = {"heatmap": {"format": "heatmap"}, "table": {"format": "table", "instant": True}}
    return [
        {
            "refId": chr(ord("A") + at),
            "datasource": SOURCE,
            "expr": expression,
            "legendFormat": legend,
            "range": kind != "table",
            **shape.get(kind, {}),
        }
        for at, (expression, legend) in enumerate(queries)
    ]


if __name__ == "__main__":
    DASHBOARDS.mkdir(parents=True, exist_ok=True)
    for one in ALL:
        (DASHBOARDS / f"{one.name}.json").write_text(text_of(one), encoding="utf-8")
