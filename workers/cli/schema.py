"""`penstock schema`: JSON Schemas of an app folder's files, for completion in editors."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.appfolder.schema import SCHEMAS
from workers.cli.report import write_json
from workers.errors import Invalid, Problem
from workers.pipeline.nearest import nearest

app = typer.Typer(add_completion=False)


@app.command()
def schema(
    kind: Annotated[str, typer.Argument(help=f"What it is of: {', '.join(SCHEMAS)}.")] = "processor",
) -> None:
    """Print the JSON Schema of processors/*.yaml (or of connections.yaml), for completion in editors.

    Example: penstock schema > .vscode/penstock-processor.json (docs/editor.md says how an editor finds it)
    """
    if kind not in SCHEMAS:
        close = nearest(kind, SCHEMAS)
        expected = f"did you mean {close}?" if close else f"one of {', '.join(SCHEMAS)}"
        raise Invalid([Problem("schema", kind, "is nothing that has a schema", expected)])
    write_json(SCHEMAS[kind]())
