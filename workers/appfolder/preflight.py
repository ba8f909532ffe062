"""What the call sites of a processor ask of their functions, and what becomes of it once AWS was asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from workers.appfolder.app import App, ProcessorSpec
from workers.appfolder.connections import LambdaConnection
from workers.calls.preflight import Facts, Misfit, Wanted, client_timeout, misfits
from workers.pipeline.program import CallSite
from workers.settings import FUNCTION_RUN_SECONDS

Learnt: TypeAlias = Mapping[tuple[str, str], Facts]
"""By connection and function, as the pipeline names them."""


def lambda_sites(spec: ProcessorSpec) -> Iterator[CallSite]:
    """The call sites that call a function of Lambda's API."""
    return (site for site in spec.program.calls if site.operator == "$externalFunction")


def lambda_connections(app: App, specs: Iterable[ProcessorSpec]) -> list[LambdaConnection]:
    """The AWS connections that call sites use."""
    names = sorted({site.connection for spec in specs for site in lambda_sites(spec)})
    return [found for name in names if isinstance(found := app.connections[name], LambdaConnection)]


def functions_of(
    app: App, specs: Iterable[ProcessorSpec], *, all_of_them: bool = False
) -> dict[str, set[str]]:
    """The functions to ask about before the first record, by connection: not those of `preflight: off`."""
    asked: dict[str, set[str]] = {}
    for spec in specs:
        for site in lambda_sites(spec):
            if all_of_them or preflight_of(app, site.connection) != "off":
                asked.setdefault(site.connection, set()).add(site.function)
    return asked


def preflight_of(app: App, connection: str) -> str:
    """`fail`, `warn` or `off`, as the connection says."""
    found = app.connections[connection]
    return found.preflight if isinstance(found, LambdaConnection) else "off"


def judged(spec: ProcessorSpec, learnt: Learnt) -> list[tuple[str, Misfit]]:
    """What does not fit, each with its connection's name; nothing of functions that were not asked about."""
    found: list[tuple[str, Misfit]] = []
    for site in lambda_sites(spec):
        facts = learnt.get((site.connection, site.function))
        if facts is not None:
            found += [(site.connection, misfit) for misfit in misfits(_wanted(spec, site), facts)]
    return found


def with_timeouts(spec: ProcessorSpec, learnt: Learnt) -> ProcessorSpec:
    """The same with the functions' own time-outs where the pipeline gives none and they are known."""

    def timed(site: CallSite) -> CallSite:
        facts = learnt.get((site.connection, site.function))
        seconds = client_timeout(site.timeout_seconds, FUNCTION_RUN_SECONDS, facts)
        return site if seconds == site.timeout_seconds else replace(site, timeout_seconds=seconds)

    asked = set(map(id, lambda_sites(spec)))
    sites = [
        timed(site) if isinstance(site, CallSite) and id(site) in asked else site
        for site in spec.program.call_sites
    ]
    return replace(spec, program=replace(spec.program, call_sites=tuple(sites)))


def _wanted(spec: ProcessorSpec, site: CallSite) -> Wanted:
    given = site.timeout_seconds < FUNCTION_RUN_SECONDS
    batch = site.batch
    return Wanted(
        where=f"{spec.file}: {site.path}",
        function=site.function,
        is_async=site.execution == "async",
        timeout_seconds=site.timeout_seconds if given else None,
        parallelism=site.parallelism,
        batch_records=batch.max_records if batch is not None else 1,
        batch_bytes=batch.max_bytes if batch is not None else 0,
        calls_per_second=site.rate_per_second,
        retry_seconds=site.retry.max_elapsed_seconds if site.retry.max_attempts > 1 else None,
    )
