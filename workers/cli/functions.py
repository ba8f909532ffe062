"""`penstock functions`: the function host, and what an author of functions does without it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from workers import logs
from workers.cli import functions_run
from workers.cli.lifeline import end_with_parent
from workers.cli.report import EXIT_FAILED, AppFolder, AsJson, say, table, write, write_json
from workers.errors import Fatal, Invalid, Problem
from workers.functions import DoorSettings, doors, manifest_file
from workers.functions import serve as serve_functions
from workers.functions.context import User
from workers.functions.manifest import FunctionEntry, Manifest, load
from workers.functions.names import NAME_RULE, is_name
from workers.functions.probe import load_problems
from workers.functions.settings import MAX_SYNC_REQUEST_BYTES, HostSettings
from workers.settings import ServiceSettings

DEFAULT_ENDPOINT: Final = "http://127.0.0.1:9000"

STARTERS: Final = {
    "js": """\
exports = async function (event) {
  console.log("called by", context.user?.id ?? "nobody");
  return { received: event };
};
""",
    "py": """\
def handler(event, context):
    print("request", context.aws_request_id)
    return {"received": event}
""",
}

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def functions() -> None:
    """Serve, call and check the functions of an app folder.

    Example: penstock functions serve --app examples/orders --port 9000
    """


@app.command()
def serve(
    folder: AppFolder,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="0 takes a free one.")] = 9000,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    address_file: Annotated[Path | None, typer.Option("--address-file", hidden=True)] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
    allow_http: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-http",
            envvar="PENSTOCK_ALLOW_HTTP",
            help="A host that context.http may call: api.example.com, *.example.com, 10.0.0.5:8080. Repeat "
            "it; in the variable they stand apart by spaces. None: no host.",
        ),
    ] = None,
    authentication: Annotated[
        Path | None,
        typer.Option(
            envvar=doors.VARIABLE,
            help="Who may call, instead of the app folder's functions/authentication.yaml.",
        ),
    ] = None,
    no_authentication: Annotated[
        bool,
        typer.Option(
            "--no-authentication", help="Let everybody on this machine in, whatever that file says."
        ),
    ] = False,
    tls_cert: Annotated[
        Path | None,
        typer.Option(envvar="PENSTOCK_TLS_CERT", help="The certificate with its chain, a PEM file."),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(envvar="PENSTOCK_TLS_KEY", help="The certificate's private key, a PEM file."),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            envvar="PENSTOCK_FUNCTIONS_METRICS_PORT",
            min=0,
            max=65_535,
            help="/metrics and /healthz for everybody who reaches it, over plain HTTP; 0: a free one.",
        ),
    ] = None,
    metrics_host: Annotated[
        str,
        typer.Option(envvar="PENSTOCK_FUNCTIONS_METRICS_HOST", help="The address to serve them on."),
    ] = "127.0.0.1",
) -> None:
    """Serve functions/<name>.js and <name>.py until SIGTERM or Ctrl-C, then drain. Prints the endpoint's URL.

    Any Lambda client can call them: aws lambda invoke --endpoint-url http://127.0.0.1:9000 ...
    On another address than a loopback one it starts with authentication alone: docs/functions-api.md.

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
        settings = HostSettings(http_allow=tuple(allow_http or ()))
        listening = DoorSettings(
            host, port, tls_cert, tls_key, authentication, open=no_authentication,
            metrics_host=metrics_host, metrics_port=metrics_port,
        )  # fmt: skip
        serve_functions(folder, listening, settings=settings, env=os.environ, on_started=started)
    except OSError as error:
        raise Fatal(f"listening on {host}:{port}: {error.strerror or error}") from None


@app.command("list")
def list_functions(folder: AppFolder, as_json: AsJson = False) -> None:
    """List the functions with their rules and limits.

    Example: penstock functions list --app examples/orders
    """
    manifest = _loaded(folder)
    if as_json:
        write_json([_described(entry, manifest) for _, entry in sorted(manifest.entries.items())])
        return
    rows = [
        (entry.name, entry.language, "private" if entry.access.private else "open", _condition(entry),
         _runs_as(entry), f"{entry.timeout_seconds:g} s", f"{entry.memory_bytes >> 20} MB", entry.concurrency)
        for _, entry in sorted(manifest.entries.items())
    ]  # fmt: skip
    headings = ["function", "language", "access", "can_evaluate", "runs as", "timeout", "memory", "workers"]
    write(*table(headings, rows))
    if manifest.unlisted:
        say(f"without an entry in {manifest_file.FILE}, so with the defaults: {', '.join(manifest.unlisted)}")


@app.command()
def invoke(
    folder: AppFolder,
    name: Annotated[str, typer.Argument(help="The function's name.")],
    payload: Annotated[str | None, typer.Option(help="The event as JSON; @file or - for stdin.")] = None,
    args: Annotated[str | None, typer.Option(help="Several arguments instead, as a JSON list.")] = None,
    user: Annotated[str | None, typer.Option(help="The id of the user who calls.")] = None,
    user_data: Annotated[str | None, typer.Option(help="context.user.data of that user, as JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run one function once, without Kafka and without a server: result, logs, duration, user.

    Exit code 0: it answered. 1: it failed, or was denied. 2: the folder or the input is wrong.

    Example: penstock functions invoke addOne --app examples/orders --payload 41
    """
    manifest = _loaded(folder)
    if name not in manifest.entries:
        known = ", ".join(sorted(manifest.entries)[:20]) or "none"
        raise Invalid([Problem("", name, "there is no such function", f"known: {known}")])
    logs.set_up("error")
    done = functions_run.invoke(folder, name, _arguments(payload, args), _user(user, user_data), os.environ)
    if as_json:
        write_json(done.as_data())
    else:
        _show(done)
    if done.failed:
        raise typer.Exit(EXIT_FAILED)


@app.command("logs")
def show_logs(
    endpoint: Annotated[str, typer.Option(help="The URL of a running function host.")] = DEFAULT_ENDPOINT,
    function: Annotated[str | None, typer.Option(help="Calls of this function alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many of the last calls.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the function log of a running host: arguments, users, outcomes, what functions printed.

    Example: penstock functions logs --endpoint http://127.0.0.1:9000 --follow
    """
    try:
        for entry in functions_run.entries(endpoint, function, limit, follow=follow):
            write(*([json.dumps(entry, ensure_ascii=False)] if as_json else _lines(entry)))
    except KeyboardInterrupt:
        return


@app.command()
def manifest(
    folder: AppFolder,
    write_back: Annotated[bool, typer.Option("--write", help="Add the missing entries.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Load every function, and miss no entry.")] = False,
) -> None:
    """Print functions/config.json with an entry for every function, write it back, or check it.

    Exit code 2 when anything is wrong, with all of it on stderr. --check also starts each function once.

    Example: penstock functions manifest --app examples/orders --write
    """
    if write_back and check:
        raise Invalid([Problem("", "--write", "beside --check", "one of the two")])
    found = load(folder, env=os.environ)
    problems = list(found.problems)
    if check:
        problems += [
            Problem(manifest_file.FILE, "", f"no entry for {name!r}", "penstock functions manifest --write")
            for name in found.unlisted
        ]
        problems += asyncio.run(load_problems(list(found.entries.values()), HostSettings()))
    if problems:
        raise Invalid(problems)
    whole = manifest_file.complete(manifest_file.read(folder), found.entries)
    if write_back and found.unlisted:
        manifest_file.write(folder, whole)
    if write_back:
        say(f"{manifest_file.FILE}: {len(found.unlisted)} entries added")
    elif check:
        say(f"{manifest_file.FILE}: {len(found.entries)} functions, every one has an entry and loads")
    else:
        write(manifest_file.dump(whole).rstrip())


@app.command()
def new(
    folder: AppFolder,
    name: Annotated[str, typer.Argument(help="The function's name; folders are separated by /.")],
    language: Annotated[Literal["js", "py"], typer.Option(help="js or py.")] = "js",
) -> None:
    """Write a starter for a new function, and its entry in the manifest.

    Example: penstock functions new utils/add --app examples/orders
    """
    found = _loaded(folder)
    if not is_name(name):
        raise Invalid([Problem("", name, "is no function name", NAME_RULE)])
    if name in found.entries:
        raise Invalid([Problem(found.entries[name].file, "", "is there already", "another name")])
    path = folder / "functions" / f"{name}.{language}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as opened:
        opened.write(STARTERS[language])
    listed = manifest_file.read(folder)
    manifest_file.write(folder, [*listed.entries, {"name": name, **manifest_file.DEFAULTS}])
    write(str(path))
    say(f"try it: penstock functions invoke {name} --app {folder} --payload '{{}}'")


def _loaded(folder: Path) -> Manifest:
    found = load(folder, env=os.environ)
    if found.problems:
        raise Invalid(found.problems)
    return found


def _condition(entry: FunctionEntry) -> str:
    return "always" if entry.access.can_evaluate is None else "a rule"


def _runs_as(entry: FunctionEntry) -> str:
    access = entry.access
    if access.run_as_system:
        return "system"
    return access.run_as_user_id or ("a script's user" if access.run_as_script else "its caller")


def _described(entry: FunctionEntry, manifest: Manifest) -> dict[str, Any]:
    return {
        "name": entry.name,
        "language": entry.language,
        "file": entry.file,
        "private": entry.access.private,
        "canEvaluate": _condition(entry),
        "runsAs": _runs_as(entry),
        "disableArgLogs": entry.access.disable_arg_logs,
        "timeoutSeconds": entry.timeout_seconds,
        "memoryBytes": entry.memory_bytes,
        "concurrency": entry.concurrency,
        "environment": sorted(entry.environment),
        "hasEntry": entry.name not in manifest.unlisted,
    }


def _arguments(payload: str | None, args: str | None) -> bytes:
    """The arguments as a JSON list. Raises Invalid."""
    if payload is not None and args is not None:
        raise Invalid([Problem("", "--payload", "beside --args", "one of the two")])
    text = _text(args if args is not None else payload if payload is not None else "{}")
    option = "--args" if args is not None else "--payload"
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Invalid([Problem("", option, f"is no JSON: {error}", "such as '{\"a\": 1}'")]) from None
    if args is not None and not isinstance(value, list):
        raise Invalid([Problem("", option, "is no list", "such as '[1, 2]'")])
    data = json.dumps(value if args is not None else [value]).encode()
    if len(data) > MAX_SYNC_REQUEST_BYTES:
        raise Invalid([Problem("", option, f"has {len(data)} bytes", f"at most {MAX_SYNC_REQUEST_BYTES}")])
    return data


def _text(given: str) -> str:
    if given == "-":
        return sys.stdin.read()
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid([Problem("", given[1:], f"cannot be read: {error}", "a JSON file")]) from None


def _user(user_id: str | None, data: str | None) -> User | None:
    if user_id is None:
        if data is not None:
            raise Invalid([Problem("", "--user-data", "without --user", "the id of the user")])
        return None
    try:
        found = json.loads(data or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict) or not user_id:
        raise Invalid([Problem("", "--user", "is no user", "an id, and a JSON document as --user-data")])
    return User(user_id, data=found)


def _show(done: functions_run.Done) -> None:
    """The result alone on stdout, everything about it on stderr."""
    shown = done.as_data()
    if done.outcome is None:
        say(f"denied: {shown['error']}: {shown['message']}")
        return
    for line in shown["logs"]:
        say(f"  {line}")
    user = shown["user"]
    who = "nobody" if user is None else user["id"] or user["type"]
    system = " (as system)" if shown["runsAsSystem"] else ""
    say(f"{'failed' if done.failed else 'done'} in {shown['durationMs']:g} ms, user: {who}{system}")
    write(json.dumps(shown.get("result", shown.get("error")), ensure_ascii=False))


def _lines(entry: dict[str, Any]) -> list[str]:
    """One call for a person."""
    user = entry["user"] or {}
    head = (
        f"{entry['time']} {entry['status']:7} {entry['function']} {entry['durationMs']:g} ms "
        f"user={user.get('id') or user.get('type') or '-'} {entry['requestId']}"
    )
    inside = [f"  arguments {entry['arguments']}"] if "arguments" in entry else []
    inside += [f"  {line}" for line in entry["logs"]]
    inside += [f"  {entry['error']}"] if "error" in entry else []
    return [head, *inside]
