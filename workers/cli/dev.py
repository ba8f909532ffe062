"""`penstock dev`: everything on one machine, watched, and counted at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from workers.appfolder import App, SampleConnection
from workers.cli.dev_run import DevOptions, Session
from workers.cli.dev_summary import lines
from workers.cli.report import EXIT_FAILED, AppFolder, AsJson, write, write_json
from workers.cli.validate import check
from workers.errors import Invalid, Problem
from workers.local.cluster import DEFAULT_FOLDER
from workers.local.sample import SAMPLES

# Stands in while the app folder is checked, before anything that has an address is started.
PLACEHOLDERS: Final = {"KAFKA_BOOTSTRAP": "127.0.0.1:9092", "FUNCTIONS_ENDPOINT": "http://127.0.0.1:9000"}

app = typer.Typer(add_completion=False)


@app.command()
def dev(
    folder: AppFolder,
    records: Annotated[
        int | None, typer.Option("--records", min=1, help="End after so many sample records. [without end]")
    ] = None,
    per_second: Annotated[
        float | None,
        typer.Option("--per-second", min=0.1, help="Sample records a second. [200, or all at once]"),
    ] = None,
    processes: Annotated[int, typer.Option("--processes", min=1, max=64, help="Engine processes.")] = 1,
    metrics_port: Annotated[
        int, typer.Option("--metrics-port", min=0, max=65_535, help="/metrics and /status; 0: a free one.")
    ] = 0,
    kafka_folder: Annotated[
        Path, typer.Option("--kafka-folder", help="Where the embedded Kafka keeps its data.")
    ] = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Run an app on this machine: Kafka, function host, worker and sample data, with a live table.

    Kafka is an embedded one, or KAFKA_BOOTSTRAP names another. Ctrl-C (or the end of --records) ends it with
    a summary read back from the topics. Exit code 0: every record was found again. 1: failed, or some were
    not. 2: bad input, nothing was started.

    Example: penstock dev --app examples/orders --records 10000
    """
    env = {**PLACEHOLDERS, **os.environ}
    loaded, functions, problems = check(folder, env)
    if problems or loaded is None:
        raise Invalid(problems)
    sample = choose_sample(loaded)
    if sample is not None and sample.data_set not in SAMPLES:
        raise Invalid([Problem("connections.yaml", f"{sample.name}.dataSet", f"found {sample.data_set!r}",
                               f"expected {' or '.join(SAMPLES)}")])  # fmt: skip
    if records is not None and sample is None:
        raise Invalid([Problem("connections.yaml", "", "--records, and no sample to count",
                               "a connection of type Sample, or a source topic called after a data set: "
                               f"{', '.join(SAMPLES)}")])  # fmt: skip
    options = DevOptions(folder, sample, records, per_second, processes, metrics_port, kafka_folder,
                         bool(functions.entries))  # fmt: skip
    session = Session(options, os.environ)
    summaries = session.run()
    produced: Mapping[str, int] = session.produced()
    adds_up = all(one.adds_up for one in summaries) and not session.trouble
    if as_json:
        write_json({"processors": [one.as_dict() for one in summaries], "produced": produced,
                    "addsUp": adds_up, "trouble": session.trouble})  # fmt: skip
    else:
        write("", *lines(summaries, produced), "", *session.places(), "")
        write(f"FAILED: {session.trouble}" if session.trouble else
            "every record is accounted for" if adds_up else "NOT every record is accounted for")  # fmt: skip
    if not adds_up:
        raise typer.Exit(EXIT_FAILED)


def choose_sample(loaded: App) -> SampleConnection | None:
    """The app's Sample connection; without one, a source topic that is called after a data set is fed."""
    for connection in loaded.connections.values():
        if isinstance(connection, SampleConnection):
            return connection
    for spec in loaded.processors:
        source = spec.program.source
        for topic in source.topics if source is not None else ():
            if topic in SAMPLES and source is not None:
                return SampleConnection.model_validate(
                    {"name": "sample", "dataSet": topic, "connectionName": source.connection, "topic": topic}
                )
    return None
