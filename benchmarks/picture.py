"""A curve over time as an SVG: no library, so that anybody can make it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

WIDTH: Final = 900
HEIGHT: Final = 360
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 50, 50
GRID_LINES: Final = 5

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Line:
    """(x, y) each, from left to right. `is_stepped`: a value holds until the next one."""

    name: str
    points: Points
    color: str
    is_stepped: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Lines over one scale; `bars` stand on the axis, in the same scale."""

    title: str
    x_name: str
    lines: Sequence[Line]
    bars: Line | None = None

    def write(self, path: Path) -> Path:
        """The picture as a file."""
        path.write_text(self.svg() + "\n")
        return path

    def svg(self) -> str:
        """The picture as text."""
        every = [point for line in self._all() for point in line.points]
        x_most = max((x for x, _ in every), default=1.0)
        y_most = _round_up(max((y for _, y in every), default=1.0))
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            f'<text x="{LEFT}" y="20" font-size="14">{escape(self.title)}</text>',
            *_grid(x_most, y_most),
            f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT - 12}" text-anchor="middle">{escape(self.x_name)}</text>',
        ]
        scale = _Scale(x_most, y_most)
        if self.bars is not None:
            parts += [
                f'<path d="M{scale.x(x):.1f},{scale.y(0):.1f}V{scale.y(y):.1f}" stroke="{self.bars.color}" '
                'stroke-width="2"/>'
                for x, y in self.bars.points
                if y
            ]
        for line in self.lines:
            path = scale.path(line.points, is_stepped=line.is_stepped)
            parts.append(f'<path d="{path}" fill="none" stroke="{line.color}" stroke-width="1.5"/>')
        for place, line in enumerate(self._all()):
            x = LEFT + place * 260
            parts.append(f'<rect x="{x}" y="30" width="12" height="4" fill="{line.color}"/>')
            parts.append(f'<text x="{x + 18}" y="37">{escape(line.name)}</text>')
        return "\n".join([*parts, "</svg>"])

    def _all(self) -> list[Line]:
        return [*self.lines, *([self.bars] if self.bars is not None else [])]


@dataclass(frozen=True, slots=True)
class _Scale:
    x_most: float
    y_most: float

    def x(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * value / self.x_most

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.y_most

    def path(self, points: Points, *, is_stepped: bool) -> str:
        found = ""
        for x, y in points:
            if found and is_stepped:
                found += f"H{self.x(x):.1f}"
            found += f"{'L' if found else 'M'}{self.x(x):.1f},{self.y(y):.1f}"
        return found


def _grid(x_most: float, y_most: float) -> list[str]:
    scale, parts = _Scale(x_most, y_most), []
    for step in range(GRID_LINES + 1):
        value = y_most * step / GRID_LINES
        y = scale.y(value)
        parts.append(f'<path d="M{LEFT},{y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    every = max(1, round(x_most / 12 / 5)) * 5
    return parts + [
        f'<text x="{scale.x(value):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value}</text>'
        for value in range(0, int(x_most) + 1, every)
    ]


def _round_up(value: float) -> float:
    """To a number that five grid lines divide well."""
    size = 10.0
    while size < value:
        size *= 2 if str(size).startswith(("1", "5")) else 2.5
    return size
