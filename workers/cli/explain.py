"""`penstock explain`: what a processor was compiled to."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.syntax import Syntax

from workers.appfolder import ProcessorSpec, load_app
from workers.appfolder.app import processor_of
from workers.cli.report import AppFolder, AsJson, write, write_json
from workers.pipeline.program import CallSite, Program, Segment, ThrottleSpec
from workers.settings import bytes_text

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
    spec = processor_of(load_app(folder, os.environ), processor)
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


def _site(site: CallSite | ThrottleSpec) -> dict[str, Any]:
    if isinstance(site, ThrottleSpec):
        limits = {"messagesPerSecond": site.messages_per_second, "bytesPerSecond": site.bytes_per_second}
        return {"path": site.path, **limits}
    if site.https is not None:
        https = site.https
        return {
            "path": site.path, "connection": site.connection, "method": https.method,
            "onError": site.on_error, "as": site.as_path, "parallelism": site.parallelism,
            "timeoutSeconds": site.timeout_seconds, "connectTimeoutSeconds": https.connect_timeout_seconds,
            "sendsBody": https.sends_body, "hasPayload": site.payload is not None,
            "retry": asdict(site.retry),
            "retryOn": None if https.retry_on is None else sorted(map(str, https.retry_on)),
            **_flow(site),
        }  # fmt: skip
    return {
        "path": site.path, "connection": site.connection, "function": site.function,
        "execution": site.execution,
        "onError": site.on_error, "as": site.as_path, "parallelism": site.parallelism,
        "timeoutSeconds": site.timeout_seconds, "response": site.response,
        "hasPayload": site.payload is not None, "retry": asdict(site.retry),
        **_flow(site),
    }  # fmt: skip


def _flow(site: CallSite) -> dict[str, Any]:
    return {
        "ratePerSecond": site.rate_per_second, "hold": asdict(site.hold),
        "breaker": None if site.breaker is None else asdict(site.breaker),
        "batch": None if site.batch is None else asdict(site.batch),
    }  # fmt: skip


def _print(spec: ProcessorSpec) -> None:
    program = spec.program
    write(f"{spec.name} ({spec.file})", "")
    code = _code if sys.stdout.isatty() else _indented
    for part in _parts(program):
        if isinstance(part, str):
            write(part)
        else:
            write(*code(part))
    if program.sink is None:
        write("", "ends with the call")
    write(f"dead letters go to {spec.dead_letters.topic} by {spec.dead_letters.connection}")
    write(*(f"warning: {warning}" for warning in program.warnings))


def explained(program: Program) -> list[str]:
    """The same of a pipeline on its own, as lines without colours."""
    lines: list[str] = []
    for part in _parts(program):
        lines += [part] if isinstance(part, str) else _indented(part)
    return lines


def _parts(program: Program) -> Iterator[str | Segment]:
    """Lines, and segments whose code stands between them."""
    if program.source is not None:
        yield f"reads {', '.join(program.source.topics)} by {program.source.connection}"
    for number, segment in enumerate(program.segments):
        stages = ", ".join(segment.stages) or "no stages"
        notes = ", passes documents on as they are" if segment.is_identity else ""
        yield ""
        yield f"segment {number}: {stages}{notes}"
        if segment.source_text and not segment.is_identity:
            yield segment
        if number < len(program.call_sites):
            yield ""
            yield from _site_lines(number, program.call_sites[number])
    if program.sink is not None:
        yield ""
        yield f"writes {program.sink.topic or 'topics by expression'} by {program.sink.connection}"


def _site_lines(number: int, site: CallSite | ThrottleSpec) -> Iterator[str]:
    if isinstance(site, ThrottleSpec):
        limits = ((site.messages_per_second, "documents/s"), (site.bytes_per_second, "bytes/s"))
        shown = ", ".join(f"{limit:,} {unit}" for limit, unit in limits if limit is not None)
        yield f"throttle {number}: {shown} ({site.path})"
        return
    if site.https is not None:
        https = site.https
        by = "Atlas's table" if https.retry_on is None else ", ".join(sorted(map(str, https.retry_on))) or "-"
        yield f"call site {number}: {https.method} by {site.connection} ({site.path})"
        yield (
            f"  as {site.as_path or '-'}, onError {site.on_error}, retryOn {by}, "
            f"parallelism {site.parallelism}, timeout {site.timeout_seconds:g} s, "
            f"{_attempts(site)}"
        )
        yield from _flow_lines(site)
        return
    yield f"call site {number}: {site.function} by {site.connection} ({site.path})"
    yield (
        f"  {site.execution}, as {site.as_path or '-'}, onError {site.on_error}, "
        f"parallelism {site.parallelism}, timeout {site.timeout_seconds:g} s, "
        f"{_attempts(site)}"
    )
    yield from _flow_lines(site)


def _attempts(site: CallSite) -> str:
    return "1 attempt" if site.retry.max_attempts == 1 else f"{site.retry.max_attempts} attempts"


def _flow_lines(site: CallSite) -> Iterator[str]:
    """How much is called, and what is waited for. `$https` waits only for hosts that `retryOn` lets it."""
    batch, breaker, hold, https = site.batch, site.breaker, site.hold, site.https
    parts = []
    if batch is not None:
        parts.append(f"batches of {batch.max_records} or {bytes_text(batch.max_bytes)} by {batch.contract}")
    if site.partition_by is not None:
        parts.append("one at a time of a partitionBy value")
    if site.rate_per_second is not None:
        parts.append(f"at most {site.rate_per_second:g} calls/s")
    if https is None or (https.retry_on is not None and "connection" in https.retry_on):
        end = "for ever" if hold.after == "wait" else f"up to {hold.timeout_seconds:g} s, then {hold.after}"
        parts.append(f"held {end}")
    if breaker is not None:
        parts.append(f"breaker at {breaker.error_rate:g} of {breaker.window_calls} calls")
    if parts:
        yield f"  {', '.join(parts)}"


def _indented(segment: Segment) -> list[str]:
    return [f"  {line}" if line else "" for line in segment.source_text.splitlines()]


def _code(segment: Segment) -> list[str]:
    """In colours, straight to the terminal."""
    Console().print(Syntax(segment.source_text, "python", background_color="default", word_wrap=True))
    return []
