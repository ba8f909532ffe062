"""The table of wrong values in docs/deploy.md; `python -m tests.chart.chart_readme` writes it, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

PAGE: Final = Path(__file__).parents[2] / "docs" / "deploy.md"
MISTAKES: Final[list[dict[str, Any]]] = YAML(typ="safe").load(Path(__file__).with_name("wrong_values.yaml"))
_BEGIN: Final = "<!-- wrong values -->\n"
_END: Final = "<!-- /wrong values -->\n"
_LONG: Final = 90  # characters of values that still read in a table


def page_text() -> str:
    """The page as it stands, with the table anew."""
    before, begin, rest = PAGE.read_text("utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    assert begin, f"docs/deploy.md has no line {_BEGIN.strip()}"
    assert end, f"docs/deploy.md has no line {_END.strip()}"
    return (
        before
        + begin
        + "\n".join(["| mistake | it says |", "|---|---|", *map(_row, MISTAKES)])
        + "\n"
        + end
        + after
    )


def _row(mistake: dict[str, Any]) -> str:
    values = json.dumps(mistake["values"])
    shown = f": `{values}`" if len(values) <= _LONG else ""
    said = str(mistake["says"]).replace("|", "\\|")
    return f"| {mistake['what']}{shown} | ``{said}`` |".replace("`|`", "`\\|`")
