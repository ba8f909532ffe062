"""What a dashboard is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Panel:
    """`queries` are (PromQL, legend); `unit` is Grafana's name of it; `width` in 24ths of the page."""

    title: str
    description: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    kind: Literal["stat", "timeseries", "heatmap", "table"] = "timeseries"
    width: int = 8
    stacked: bool = False
    red_from: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of the page: the values of the label `name` of `metric`."""

    name: str
    label: str
    description: str
    metric: str
    multi: bool = True


@dataclass(frozen=True, slots=True)
class Dashboard:
    """`name` is that of its file."""

    name: str
    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]
