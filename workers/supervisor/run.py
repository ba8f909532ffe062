"""The supervisor: keeps N engine processes alive, and answers metrics and health for all of them.

It never imports the engine. An engine process ends when its stdin closes, so none outlives its supervisor.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import time
from pathlib import Path
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from workers.adapters.health_http import Answer, HealthServer
from workers.counting import Metrics
from workers.errors import Fatal
from workers.logs import log_event
from workers.metrics import ENGINE_RESTARTS, ENGINE_SILENCE, ENGINES_RUNNING, LINES_REFUSED, SUPERVISOR
from workers.supervisor.backoff import Backoff
from workers.supervisor.child import Child, Refusal
from workers.supervisor.options import WorkerOptions
from workers.supervisor.report import EngineView, not_alive, not_ready, samples, status

logger = logging.getLogger(__name__)

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_BAD_INPUT: Final = 2

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

# After kill -9 the kernel needs milliseconds; a process in an uninterruptible wait may never go, and is left.
KILLED_SECONDS: Final = 5.0

WATCH_SECONDS: Final = 1.0


def run(options: WorkerOptions) -> int:
    """Run until a signal or bad input ends it; call it on the main thread, with logs set up.

    Returns the exit code: 0 when every engine ended cleanly after SIGTERM or SIGINT; 1 when the metrics
    port cannot be had or an engine had to be killed; 2 when an engine refused the app folder (it has said
    why on stderr).
    """
    try:
        return asyncio.run(Supervisor(options).run())
    except Fatal as error:
        log_event(logger, logging.ERROR, "supervisor failed", reason=str(error))
        return EXIT_FAILED


class Supervisor:
    """Owns the engine processes and the HTTP server of one pod. Used once."""

    def __init__(self, options: WorkerOptions) -> None:
        self._options = options
        self._timing = options.timing
        self._metrics = Metrics(SUPERVISOR)
        self._children: list[Child] = []
        self._stopping = asyncio.Event()
        self._killing = asyncio.Event()
        self._exit_code = EXIT_OK

    async def run(self) -> int:
        """As `run`. Raises `Fatal` when the address for metrics cannot be had."""
        for reason in ("too_long", "not_a_status", "not_a_sample"):
            self._metrics.counter(LINES_REFUSED, reason)
        self._children = [Child(n, self._options, self._refused) for n in range(self._options.processes)]
        server = HealthServer(
            {"/metrics": self._answer_metrics, "/livez": self._answer_livez, "/readyz": self._answer_readyz,
             "/status": self._answer_status}
        )  # fmt: skip
        loop = asyncio.get_running_loop()
        address = await server.start(self._options.metrics_host, self._options.metrics_port)
        try:
            for number in SIGNALS:
                loop.add_signal_handler(number, self._signalled, number)
            self._publish(address)
            await self._keep_all()
        finally:
            for child in self._children:
                child.kill()
            await server.close()
            if self._options.address_file is not None:
                self._options.address_file.unlink(missing_ok=True)
        log_event(logger, logging.INFO, "supervisor ended", exit_code=self._exit_code)
        return self._exit_code

    async def _keep_all(self) -> None:
        keeping = {asyncio.create_task(self._keep(child)) for child in self._children}
        watching = asyncio.create_task(self._watch())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({stopping, *keeping}, return_when=asyncio.FIRST_COMPLETED)
            self._stopping.set()  # a keeper that ends by itself has met bad input or a bug: the others follow
            for child in self._children:
                child.stop()
            await self._drained(keeping)
        finally:
            for task in (watching, stopping, *keeping):
                task.cancel()
            done = await asyncio.gather(*keeping, watching, stopping, return_exceptions=True)
        for result in done:
            if isinstance(result, Exception):
                raise result

    async def _drained(self, keeping: set[asyncio.Task[None]]) -> None:
        """Wait until the engines have ended; kill what is left at the limit or at a second signal."""
        killing = asyncio.create_task(self._killing.wait())
        ended = asyncio.create_task(asyncio.wait(keeping))
        either: set[asyncio.Task[Any]] = {killing, ended}
        limit = self._timing.drain + self._timing.kill_margin
        await asyncio.wait(either, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        killing.cancel()
        if ended.done():
            return
        self._exit_code = self._exit_code or EXIT_FAILED
        for child in self._children:
            if child.pid is not None:
                why = "second signal" if self._killing.is_set() else f"not ended {limit:g} s after the stop"
                self._kill(child, why)
        await asyncio.wait({ended}, timeout=KILLED_SECONDS)

    async def _keep(self, child: Child) -> None:
        """Start the engine again and again until the supervisor stops or the engine refuses its input."""
        backoff = Backoff(self._timing)
        if child.number:
            # Bad input shows in every engine alike. The first one reports it alone; the others start once
            # it speaks.
            await self._unless_stopping(self._children[0].has_spoken)
        while not self._stopping.is_set():
            started_at = time.monotonic()
            code = await self._live(child)
            if code == EXIT_BAD_INPUT:
                self._exit_code = EXIT_BAD_INPUT
                log_event(logger, logging.ERROR, "engine refused its input", process=child.number)
                return
            if self._stopping.is_set():
                if code:
                    self._exit_code = self._exit_code or EXIT_FAILED
                log_event(logger, logging.INFO, "engine ended", process=child.number, exit_code=code)
                return
            delay = backoff.after(time.monotonic() - started_at)
            log_event(
                logger, logging.ERROR, "engine ended unasked",
                process=child.number, exit_code=code, restart_in_seconds=delay,
            )  # fmt: skip
            self._metrics.counter(ENGINE_RESTARTS).inc()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _live(self, child: Child) -> int:
        try:
            return await child.live()
        except OSError as error:
            log_event(logger, logging.ERROR, "engine not started", process=child.number, reason=str(error))
            return EXIT_FAILED

    async def _unless_stopping(self, event: asyncio.Event) -> None:
        waits = {asyncio.create_task(event.wait()), asyncio.create_task(self._stopping.wait())}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _watch(self) -> None:
        """Kill an engine that hangs: it answers no probe, and where nothing probes nobody else would."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for view, child in zip(self._views(), self._children, strict=True):
                if view.pid is not None and view.silent_seconds > self._timing.kill_silent_after:
                    self._kill(child, f"said nothing for {view.silent_seconds:.0f} s")

    def _kill(self, child: Child, reason: str) -> None:
        log_event(logger, logging.ERROR, "killing engine", process=child.number, pid=child.pid, reason=reason)
        child.kill()

    def _signalled(self, number: signal.Signals) -> None:
        again = self._stopping.is_set()
        log_event(logger, logging.INFO, "signal received", signal=number.name, kills=again)
        (self._killing if again else self._stopping).set()

    def _refused(self, reason: Refusal) -> None:
        self._metrics.counter(LINES_REFUSED, reason).inc()

    def _publish(self, address: str) -> None:
        log_event(
            logger, logging.INFO, "supervisor started",
            address=address, processes=self._options.processes, app=str(self._options.app_dir),
        )  # fmt: skip
        if self._options.address_file is not None:
            _write_whole(self._options.address_file, address + "\n")

    def _views(self) -> list[EngineView]:
        now = time.monotonic()
        return [
            EngineView(child.number, child.pid, child.lives, max(0.0, now - child.said_at), child.frame)
            for child in self._children
        ]

    def _answer_metrics(self) -> Answer:
        views = self._views()
        for health in ENGINES_RUNNING.values["state"]:
            self._metrics.gauge(ENGINES_RUNNING, health).set(sum(view.health == health for view in views))
        for view in views:
            silence = view.silent_seconds if view.pid is not None else 0.0
            self._metrics.gauge(ENGINE_SILENCE, str(view.number)).set(silence)
        text, left_out = samples(self._metrics.text(), views)
        self._metrics.counter(LINES_REFUSED, "not_a_sample").inc(left_out)
        return Answer(200, text, CONTENT_TYPE_PLAIN_0_0_4)

    def _answer_livez(self) -> Answer:
        return _verdict("alive", not_alive(self._views(), self._timing.silent_after))

    def _answer_readyz(self) -> Answer:
        reasons = not_ready(self._views(), self._timing.silent_after, is_stopping=self._stopping.is_set())
        return _verdict("ready", reasons)

    def _answer_status(self) -> Answer:
        return _json(200, status(self._views()))


def _verdict(word: str, reasons: list[str]) -> Answer:
    return _json(503 if reasons else 200, {word: not reasons, "reasons": reasons})


def _json(code: int, said: Any) -> Answer:
    return Answer(code, json.dumps(said) + "\n", "application/json")


def _write_whole(path: Path, text: str) -> None:
    """Whoever waits for the file sees all of it or nothing."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
