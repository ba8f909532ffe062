"""A dashboard as a picture: every panel drawn from what a running Prometheus answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from tests.chart.monitoring import filled, panels

WIDTH, HEIGHT, COLUMNS = 330, 130, 4
LEFT, TOP, BOTTOM = 44, 26, 18
POINTS: Final = 90
MOST_LINES: Final = 6
COLOURS: Final = ("#3274d9", "#e0752d", "#37872d", "#c4162a", "#8f3bb8", "#b7950b")

Series = Sequence[Mapping[str, Any]]
Plot = Callable[[str], Series]
"""PromQL -> series with their values."""


def drawn(dashboard: Mapping[str, Any], plot: Plot) -> tuple[str, list[str]]:
    """(the picture as SVG, titles of the panels that have nothing to show)."""
    shown = list(panels(dict(dashboard)))
    empty, parts = [], []
    for number, panel in enumerate(shown):
        series = [line for target in panel["targets"] for line in plot(asked(target["expr"]))]
        if not series:
            empty.append(str(panel["title"]))
        at = ((number % COLUMNS) * WIDTH, (number // COLUMNS) * HEIGHT + 24)
        parts.append(f'<g transform="translate({at[0]} {at[1]})">{"".join(_panel(panel, series))}</g>')
    height = ((len(shown) + COLUMNS - 1) // COLUMNS) * HEIGHT + 30
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH * COLUMNS}" height="{height}" '
        'font-family="sans-serif" font-size="9" fill="#333"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="6" y="15" font-size="13">{escape(str(dashboard["title"]))}</text>'
    )
    return f"{head}{''.join(parts)}</svg>\n", empty


def asked(expression: str, processor: str = "orders") -> str:
    """An expression with a dashboard's variables put in: one processor, everything else."""
    return filled(expression.replace('processor="$processor"', f'processor="{processor}"'))


def _panel(panel: Mapping[str, Any], series: Series) -> Iterator[str]:
    lines = [[(float(at), float(value)) for at, value in one["values"]] for one in series]
    lines = [[point for point in line if point[1] == point[1] and abs(point[1]) < 1e18] for line in lines]
    lines = sorted((line for line in lines if line), key=lambda line: -max(value for _, value in line))
    unit = panel["fieldConfig"]["defaults"]["unit"]
    yield f'<text x="6" y="12" font-weight="bold">{escape(str(panel["title"]))} ({escape(unit)})</text>'
    right, floor = WIDTH - 8, HEIGHT - BOTTOM
    yield f'<path d="M{LEFT} {TOP}V{floor}H{right}" fill="none" stroke="#bbb"/>'
    if not lines:
        yield f'<text x="{LEFT + 8}" y="{TOP + 30}" fill="#999">nothing</text>'
        return
    times = [at for line in lines for at, _ in line]
    first, last = min(times), max([*times, min(times) + 1])
    top = max(value for line in lines for _, value in line) or 1.0
    yield f'<text x="{LEFT - 4}" y="{TOP + 6}" text-anchor="end">{_number(top)}</text>'
    yield f'<text x="{LEFT - 4}" y="{floor}" text-anchor="end">0</text>'
    for number, line in enumerate(lines[:MOST_LINES]):
        points = " ".join(
            f"{LEFT + (at - first) / (last - first) * (right - LEFT):.0f},"
            f"{floor - max(value, 0.0) / top * (floor - TOP):.0f}"
            for at, value in line
        )
        yield f'<polyline points="{points}" fill="none" stroke="{COLOURS[number]}" stroke-width="1.2"/>'


def _number(value: float) -> str:
    for limit, ending in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{ending}"
    return f"{value:.3g}"
