"""README.md and values.schema.json of the chart, and the table in docs/deploy.md: `python -m
tests.chart.chart_readme` writes them.

The text of README.md is README.md.in, in which one line stands for the table of values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.chart.chart_schema import values_schema
from tests.chart.chart_values import CHART, Value, read_values
from tests.chart.deploy_page import PAGE, page_text

_TABLE: Final = "<!-- values -->\n"
_LONG: Final = 60  # characters of a default that still read in a table


def schema_text() -> str:
    """values.schema.json."""
    return json.dumps(values_schema(), indent=1, ensure_ascii=False) + "\n"


def readme_text() -> str:
    """README.md: the text around the table, and the table."""
    source = (CHART / "README.md.in").read_text("utf-8")
    before, found, after = source.partition(_TABLE)
    assert found, f"README.md.in has no line {_TABLE.strip()}"
    return before + "\n".join(_sections(read_values())) + "\n" + after


def _sections(root: Value) -> list[str]:
    """A table for each group of values; what has no group stands first."""
    single = [one for one in root.keys.values() if not one.keys]
    lines = ["### General", "", *_rows(single)]
    for group in root.keys.values():
        if group.keys:
            lines += ["", f"### `{group.path[0]}`", "", group.description, "", *_rows(list(group.leaves()))]
    return lines


def _rows(values: list[Value]) -> list[str]:
    rows = (
        f"| `{'.'.join(one.path)}` | {_default(one.default)} | {_cell(one.description)} |" for one in values
    )
    return ["| value | default | |", "|---|---|---|", *rows]


def _default(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"`{text}`" if len(text) <= _LONG else "see values.yaml"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES: Final[Mapping[Path, Callable[[], str]]] = {
    CHART / "values.schema.json": schema_text,
    CHART / "README.md": readme_text,
    PAGE: page_text,
}
"""What is printed."""


def main() -> None:
    """Write them."""
    for path, made in PAGES.items():
        path.write_text(made(), "utf-8")


if __name__ == "__main__":
    main()
