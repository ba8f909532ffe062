"""`penstock functions serve`: one function host as a program."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import uvloop

from workers.adapters.allocation import raise_descriptor_limit
from workers.errors import Fatal
from workers.functions.doors import Doors, DoorSettings
from workers.functions.host import FunctionHost
from workers.functions.settings import HostSettings
from workers.logs import log_event

log = logging.getLogger("penstock.functions")

# New containers before the collector looks for cycles. None of those that a call makes is part of one; with
# CPython's 700 the looking was a sixth of the host's time.
_YOUNG_OBJECTS: Final = 100_000
_GENERATION_RUNS: Final = 50


def serve(
    app_dir: Path,
    doors: DoorSettings | None = None,
    *,
    settings: HostSettings | None = None,
    env: Mapping[str, str] | None = None,
    on_started: Callable[[str], None] | None = None,
) -> None:
    """Serve the functions of `app_dir` until SIGTERM or SIGINT, then drain and return.

    `on_started` gets the endpoint's URL once calls are taken (port 0 takes a free port). A second signal ends
    the drain at once. Raises Invalid with every problem of the folder, or of how it would be reached, before
    anything is started; OSError when the port is taken, Fatal when that of the metrics is. Must be called on
    the main thread.
    """
    raise_descriptor_limit()  # 1,024 connections, three pipes for each of 64 processes
    chosen = doors or DoorSettings()
    opened = Doors(chosen, app_dir, env or {})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        host = FunctionHost(app_dir, chosen.host, chosen.port, settings=settings, env=env)
        opened.open(host)
        runner.run(_serve(host, opened, on_started))


async def _serve(host: FunctionHost, doors: Doors, on_started: Callable[[str], None] | None) -> None:
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    hurried = asyncio.Event()

    def on_signal() -> None:
        (hurried if asked.is_set() else asked).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    host.adopt_orphans()
    await host.start()
    try:
        metrics = await doors.serve_metrics(host)
    except Fatal:
        await host.stop()
        await doors.close()
        raise
    doors.watch()
    gc.collect()
    gc.freeze()  # modules, manifest: never looked at again
    gc.set_threshold(_YOUNG_OBJECTS, _GENERATION_RUNS, _GENERATION_RUNS)
    if on_started is not None:
        on_started(host.endpoint)
    if metrics is not None:
        log_event(log, logging.INFO, "metrics_served", address=metrics)
    await asked.wait()
    drain = asyncio.create_task(host.stop())
    hurry = asyncio.create_task(hurried.wait())
    await asyncio.wait({drain, hurry}, return_when=asyncio.FIRST_COMPLETED)
    if hurry.done():
        host.hurry()
    else:
        hurry.cancel()
    await drain
    await doors.close()
