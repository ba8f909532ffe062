"""`penstock engine`: one engine process. Hidden: a supervisor starts it and speaks to it over its pipes."""

from __future__ import annotations

import typer

from workers.assembly import engine_main

app = typer.Typer(add_completion=False)


@app.command()
def engine() -> None:
    """Run one engine process for the supervisor that started it (it reads its orders from stdin).

    Example: penstock worker --app app   (which starts it)
    """
    raise typer.Exit(engine_main())
