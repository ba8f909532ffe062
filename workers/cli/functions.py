"""`penstock functions`: the function host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from workers import logs
from workers.cli.lifeline import end_with_parent
from workers.cli.report import AppFolder, write
from workers.errors import Fatal
from workers.functions import serve as serve_functions
from workers.settings import ServiceSettings

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def functions() -> None:
    """Serve the functions of an app folder by the Lambda Invoke API.

    Example: penstock functions serve --app examples/orders --port 9000
    """


@app.command()
def serve(
    folder: AppFolder,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0 takes a free one.")] = 9000,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    address_file: Annotated[Path | None, typer.Option("--address-file", hidden=True)] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Serve functions/<name>.js and <name>.py until SIGTERM or Ctrl-C, then drain. Prints the endpoint's URL.

    Any Lambda client can call them: aws lambda invoke --endpoint-url http://127.0.0.1:9000 ...

    Example: penstock functions serve --app examples/orders --port 9000
    """
    logs.set_up(ServiceSettings.from_env(os.environ).log_level)
    if with_parent:
        end_with_parent()

    def started(endpoint: str) -> None:
        if address_file is not None:
            beside = address_file.with_name(f"{address_file.name}.{os.getpid()}")
            beside.write_text(f"{endpoint}\n", encoding="utf-8")
            beside.replace(address_file)  # whoever waits for it sees all of it or nothing
        write(endpoint)

    try:
        serve_functions(folder, host, port, env=os.environ, on_started=started)
    except OSError as error:
        raise Fatal(f"listening on {host}:{port}: {error.strerror or error}") from None
