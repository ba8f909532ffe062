"""`penstock dlq`: what was dead-lettered, why, and once more through its processor."""

from __future__ import annotations

import typer

from workers.cli import dlq_list, dlq_replay, dlq_show

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def dlq() -> None:
    """Look at dead letters, and replay them.

    Example: penstock dlq list orders --app examples/orders
    """


for command in (dlq_list, dlq_show, dlq_replay):
    app.add_typer(command.app)
