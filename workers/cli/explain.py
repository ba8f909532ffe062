"""`penstock explain`: what a processor was compiled to."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.syntax import Syntax

from workers.appfolder import ProcessorSpec, load_app
from workers.cli.report import AppFolder, AsJson, write, write_json
from workers.errors import Invalid, Problem
from workers.pipeline.nearest import nearest
from workers.pipeline.program import CallSite, Segment

app = typer.Typer(add_completion=False)


@app.command()
def explain(
    processor: Annotated[str, typer.Argument(help="The name of a processor of the app folder.")],
    folder: AppFolder,
    as_json: AsJson = False,
) -> None:
    """Show how a processor is compiled: segments, call sites and the generated Python.

    Example: penstock explain orders --app examples/orders
    """
    specs = {spec.name: spec for spec in load_app(folder, os.environ).processors}
    if processor not in specs:
        close = nearest(processor, specs)
        expected = f"did you mean {close}?" if close else f"there are {', '.join(sorted(specs))}"
        raise Invalid([Problem("processors", processor, "is no processor of this app folder", expected)])
    spec = specs[processor]
    if as_json:
        write_json(described(spec))
        return
    _print(spec)


def described(spec: ProcessorSpec) -> dict[str, Any]:
    """The program as plain data."""
    program = spec.program
    return {
        "name": spec.name,
        "file": spec.file,
        "source": None if program.source is None else asdict(program.source),
        "segments": [
            {"stages": list(segment.stages), "isIdentity": segment.is_identity,
             "needsMeta": segment.needs_meta, "code": segment.source_text}
            for segment in program.segments
        ],
        "callSites": [_site(site) for site in program.call_sites],
        "sink": None if program.sink is None else {
            "connection": program.sink.connection, "topic": program.sink.topic,
            "isPlain": program.sink.is_plain,
        },
        "deadLetters": asdict(spec.dead_letters),
        "warnings": list(program.warnings),
    }  # fmt: skip


def _site(site: CallSite) -> dict[str, Any]:
    return {
        "path": site.path, "connection": site.connection, "function": site.function,
        "execution": site.execution,
        "onError": site.on_error, "as": site.as_path, "parallelism": site.parallelism,
        "timeoutSeconds": site.timeout_seconds, "response": site.response,
        "hasPayload": site.payload is not None, "retry": asdict(site.retry),
    }  # fmt: skip


def _print(spec: ProcessorSpec) -> None:
    program = spec.program
    if program.source is not None:
        topics = ", ".join(program.source.topics)
        write(f"{spec.name} ({spec.file})", "", f"reads {topics} by {program.source.connection}")
    for number, segment in enumerate(program.segments):
        _segment(number, segment)
        if number < len(program.call_sites):
            site = program.call_sites[number]
            write(
                "", f"call site {number}: {site.function} by {site.connection} ({site.path})",
                f"  {site.execution}, as {site.as_path or '-'}, onError {site.on_error}, "
                f"parallelism {site.parallelism}, timeout {site.timeout_seconds:g} s, "
                f"{site.retry.max_attempts} attempts",
            )  # fmt: skip
    sink = program.sink
    write(
        "",
        "ends with the call"
        if sink is None
        else f"writes {sink.topic or 'topics by expression'} by {sink.connection}",
    )
    write(f"dead letters go to {spec.dead_letters.topic} by {spec.dead_letters.connection}")
    write(*(f"warning: {warning}" for warning in program.warnings))


def _segment(number: int, segment: Segment) -> None:
    stages = ", ".join(segment.stages) or "no stages"
    notes = ", passes documents on as they are" if segment.is_identity else ""
    write("", f"segment {number}: {stages}{notes}")
    if segment.is_identity or not segment.source_text:
        return
    if sys.stdout.isatty():
        Console().print(Syntax(segment.source_text, "python", background_color="default", word_wrap=True))
    else:
        write(*(f"  {line}" if line else "" for line in segment.source_text.splitlines()))
