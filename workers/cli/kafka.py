"""`penstock kafka`: an embedded broker that outlives the command."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli.report import AsJson, say, write, write_json
from workers.local.cluster import DEFAULT_FOLDER, KafkaStatus, start_detached, status, stop_detached

app = typer.Typer(no_args_is_help=True, add_completion=False)

Folder = Annotated[Path, typer.Option("--folder", help="Where the broker keeps its data.")]


@app.callback()
def kafka() -> None:
    """Start and stop an embedded Apache Kafka on this machine (no Java and no Docker needed).

    Example: export KAFKA_BOOTSTRAP=$(penstock kafka start)
    """


@app.command()
def start(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Start a broker that goes on running, and print its address. One that runs already is left as it is.

    Example: export KAFKA_BOOTSTRAP=$(penstock kafka start)
    """
    found = start_detached(folder)
    if as_json:
        write_json(_plain(found))
        return
    say(f"Kafka runs as process {found.pid}, data in {found.folder}; end it with: penstock kafka stop")
    write(str(found.address))


@app.command()
def stop(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """End the broker that `start` started. Its data stays.

    Example: penstock kafka stop
    """
    before = stop_detached(folder)
    if as_json:
        write_json({"folder": str(before.folder), "stopped": before.running})
        return
    say(f"Kafka (process {before.pid}) has ended" if before.running else f"no Kafka runs in {folder}")


@app.command(name="status")
def show_status(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Say whether a broker runs, where, and with how many topics.

    Example: penstock kafka status --json
    """
    found = status(folder)
    if as_json:
        write_json(_plain(found))
        return
    if not found.running:
        write(f"no Kafka runs in {folder}")
        return
    owner = "until it is stopped" if found.detached else f"until process {found.starter_pid} ends"
    topics = "does not answer" if found.topics is None else f"{found.topics} topics"
    write(f"Kafka at {found.address} (process {found.pid}, {owner}): {topics}")


def _plain(found: KafkaStatus) -> dict[str, Any]:
    return {**asdict(found), "folder": str(found.folder)}
