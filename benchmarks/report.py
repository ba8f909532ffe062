"""What a case found, written as JSON for machines and as a Markdown table for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import machine_line

RESULTS: Final = Path(__file__).parent / "results"


@dataclass(slots=True)
class Findings:
    """The rows of one case, in the order measured, and sentences on what they say."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)

    def add(self, *row: Any) -> None:
        """One row, a value for each column."""
        assert len(row) == len(self.columns)
        self.rows.append(row)


def write(findings: Findings, machine: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Write <name>.json and <name>.md; returns the path of the table."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "case": findings.name,
        "machine": machine,
        "columns": findings.columns,
        "rows": findings.rows,
        "summary": findings.summary,
        "notes": findings.notes,
    }
    (folder / f"{findings.name}.json").write_text(json.dumps(data, indent=1) + "\n")
    path = folder / f"{findings.name}.md"
    path.write_text(markdown(findings, machine))
    return path


def markdown(findings: Findings, machine: dict[str, Any]) -> str:
    """The table with the machine line under it."""
    lines = [f"# {findings.title}", "", _row(findings.columns), _row(["---"] * len(findings.columns))]
    lines += [_row(row) for row in findings.rows]
    lines += ["", *(f"- {note}" for note in findings.notes), "", machine_line(machine), ""]
    return "\n".join(lines)


def _row(cells: Sequence[Any]) -> str:
    return "| " + " | ".join(_text(cell) for cell in cells) + " |"


def _text(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:.2f}" if cell < 1_000 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
