"""`penstock validate`: is this app folder right?"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from workers.appfolder import App, LambdaConnection, ProcessorSpec, load_app
from workers.assembly import check_live, check_service
from workers.calls.preflight import Misfit
from workers.cli.report import EXIT_BAD_INPUT, AppFolder, AsJson, say, table, write, write_json
from workers.errors import Invalid, Problem
from workers.functions.authentication.accounts_file import read_accounts
from workers.functions.manifest import Manifest
from workers.functions.manifest import load as load_functions
from workers.pipeline.nearest import nearest
from workers.settings import ServiceSettings

app = typer.Typer(add_completion=False)


@app.command()
def validate(
    folder: AppFolder,
    as_json: AsJson = False,
    live: Annotated[
        bool, typer.Option("--live", help="Also ask AWS (or the function host) about each function.")
    ] = False,
) -> None:
    """Check an app folder: every file, every problem, nothing started.

    With --live each function is asked for with a DryRun, which runs nothing, and its configuration is held
    against its call site. Exit code 0: right. 2: wrong, with all problems on stderr (with --json in the
    answer).

    Example: penstock validate --app examples/orders --live
    """
    loaded, functions, problems = check(folder, os.environ)
    problems += _callers(folder)
    misfits: list[Misfit] = []
    if live and loaded is not None and not problems:
        try:
            misfits = asyncio.run(check_live(loaded))
        except Invalid as error:
            problems += error.problems
        problems += [_problem(misfit) for misfit in misfits if misfit.is_certain]
    doubts = [str(misfit) for misfit in misfits if not misfit.is_certain]
    if problems:
        if as_json:
            listed = [problem.as_dict() for problem in problems]
            write_json({"valid": False, "problems": listed, "warnings": doubts})
            raise typer.Exit(EXIT_BAD_INPUT)
        say(*(f"warning: {doubt}" for doubt in doubts))
        raise Invalid(problems)
    assert loaded is not None
    warnings = [*loaded.warnings, *missing_functions(loaded, functions), *doubts, *_long_drains(loaded)]
    if as_json:
        write_json({"valid": True, "warnings": warnings, **described(loaded, functions)})
        return
    rows = [
        (spec.name, _source(spec), _calls(spec), _sink(spec), spec.dead_letters.topic)
        for spec in loaded.processors
    ]  # fmt: skip
    write(*table(["processor", "reads", "calls", "writes", "dead letters"], rows))
    say(*(f"warning: {warning}" for warning in warnings))
    counts = (("processor", loaded.processors), ("connection", loaded.connections),
              ("function", functions.entries), ("topic contract", loaded.contracts))  # fmt: skip
    counted = (f"{len(found)} {noun}{'' if len(found) == 1 else 's'}" for noun, found in counts)
    say(f"{folder} is right: {', '.join(counted)}")


def _callers(folder: Path) -> list[Problem]:
    """What is wrong with the file that says who may call the function host, where there is one."""
    path = folder / "functions" / "authentication.yaml"
    try:
        if path.exists():
            read_accounts(path, folder, os.environ)
    except Invalid as error:
        return list(error.problems)
    return []


def _problem(misfit: Misfit) -> Problem:
    file, _, path = misfit.where.partition(": ")
    return Problem(file, path, misfit.found, misfit.expected)


def check(folder: Path, env: Mapping[str, str]) -> tuple[App | None, Manifest, list[Problem]]:
    """The app and its functions, and what is wrong with files, functions and PENSTOCK_* variables."""
    problems: list[Problem] = []
    loaded = None
    try:
        ServiceSettings.from_env(env)
    except Invalid as error:
        problems += error.problems
    try:
        loaded = load_app(folder, env)
    except Invalid as error:
        problems += error.problems
    functions = load_functions(folder, env=env)
    problems += [problem for problem in functions.problems if folder.is_dir()]
    return loaded, functions, problems


def missing_functions(loaded: App, functions: Manifest) -> list[str]:
    """Calls by plain name, through an endpoint that may be this app's function host, of what it has not."""
    found = []
    for spec in loaded.processors:
        for site in spec.program.calls:
            connection = loaded.connections[site.connection]
            is_hosted = isinstance(connection, LambdaConnection) and connection.endpoint_url is not None
            name = site.function.partition(":")[0]
            if (
                is_hosted
                and functions.entries
                and ":function:" not in site.function
                and name not in functions.entries
            ):
                close = nearest(name, functions.entries)
                hint = f"; did you mean {close}?" if close else ""
                found.append(f"{spec.file}: {site.path}.functionName: functions/ has no {name}{hint}")
    return found


def _long_drains(loaded: App) -> list[str]:
    """What a worker with this environment would refuse; others may let it run for longer."""
    try:
        check_service(loaded, loaded.processors, ServiceSettings.from_env(os.environ))
    except Invalid as error:
        return [str(problem) for problem in error.problems]
    return []


def described(loaded: App, functions: Manifest) -> dict[str, Any]:
    """The app as plain data, without a secret: connections by name and type alone."""
    return {
        "processors": [
            {
                "name": spec.name, "file": spec.file, "stages": len(spec.pipeline),
                "callSites": [site.function for site in spec.program.calls],
                "source": _source(spec), "sink": _sink(spec), "deadLetters": spec.dead_letters.topic,
            }
            for spec in loaded.processors
        ],
        "connections": {name: connection.type for name, connection in sorted(loaded.connections.items())},
        "functions": sorted(functions.entries),
        "topics": sorted(loaded.contracts),
    }  # fmt: skip


def _calls(spec: ProcessorSpec) -> str:
    return ", ".join(site.function for site in spec.program.calls) or "-"


def _source(spec: ProcessorSpec) -> str:
    source = spec.program.source
    assert source is not None  # load_app refuses a processor without one
    return ", ".join(source.topics)


def _sink(spec: ProcessorSpec) -> str:
    sink = spec.program.sink
    return "-" if sink is None else sink.topic or "(by expression)"
