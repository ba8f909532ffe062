"""How commands speak: problems on stderr, data on stdout, JSON where it is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from workers.errors import Problem

EXIT_FAILED: Final = 1
EXIT_BAD_INPUT: Final = 2

AppFolder = Annotated[
    Path, typer.Option("--app", help="The app folder: connections.yaml, processors/, functions/, topics/.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for programs.")]


def say_problems(problems: Sequence[Problem]) -> None:
    """Every problem on a line of its own, on stderr, and how many there are."""
    lines = [f"  {problem}" for problem in problems]
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    sys.stderr.write("\n".join([f"penstock: {count}, nothing was started", *lines, ""]))


def say(*lines: str) -> None:
    """Notes for a person, on stderr, so that stdout holds data alone."""
    sys.stderr.write("".join(f"{line}\n" for line in lines))


def write(*lines: str) -> None:
    """Data on stdout."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def write_json(data: Any) -> None:
    """Data on stdout as one JSON document."""
    write(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Aligned columns without frames: they read the same in a terminal, a log and a bug report.

    >>> table(["name", "n"], [["orders", 1]])
    ['name    n', 'orders  1']
    """
    cells = [list(headings), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
