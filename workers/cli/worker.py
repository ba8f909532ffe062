"""`penstock worker`: the supervisor of engine processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from workers import logs
from workers.cli.lifeline import end_with_parent
from workers.cli.report import AppFolder
from workers.errors import Invalid, Problem
from workers.settings import MAX_PROCESSES, ServiceSettings
from workers.supervisor import WorkerOptions, run
from workers.supervisor.options import Timing

app = typer.Typer(add_completion=False)


@app.command()
def worker(
    folder: AppFolder,
    processor: Annotated[
        list[str] | None, typer.Option("--processor", help="Run this one (may be repeated); default: all.")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            "--processes", min=1, max=MAX_PROCESSES, help="Engine processes, for one core each. [1]"
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            "--metrics-port", min=0, max=65_535, help="/metrics /livez /readyz; 0: a free one. [9464]"
        ),
    ] = None,
    metrics_host: Annotated[
        str | None, typer.Option("--metrics-host", help="The address to serve them on. [127.0.0.1]")
    ] = None,
    address_file: Annotated[Path | None, typer.Option("--address-file", hidden=True)] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Run the processors of an app folder until SIGTERM or Ctrl-C, then drain.

    Options that are not given come from PENSTOCK_PROCESSES, PENSTOCK_METRICS_PORT, PENSTOCK_METRICS_HOST and
    PENSTOCK_LOG_LEVEL; PENSTOCK_DRAIN_TIMEOUT (25s) bounds the drain. Exit code 0: drained. 1: failed. 2: bad
    input, nothing was started.

    Example: penstock worker --app examples/orders --processes 2 --metrics-port 9464
    """
    service = ServiceSettings.from_env(os.environ)
    if not folder.is_dir():
        raise Invalid([Problem(str(folder), "", "is no folder", "the path of an app folder")])
    logs.set_up(service.log_level)
    if with_parent:
        end_with_parent()
    options = WorkerOptions(
        app_dir=folder,
        processors=tuple(processor or ()),
        processes=service.processes if processes is None else processes,
        metrics_host=service.metrics_host if metrics_host is None else metrics_host,
        metrics_port=service.metrics_port if metrics_port is None else metrics_port,
        address_file=address_file,
        timing=Timing(drain=service.drain_timeout_seconds),
    )
    raise typer.Exit(run(options))
