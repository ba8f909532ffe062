"""The function host: the pools of all functions, their shared bounds, start and drain.

`FunctionHost` can be embedded (`await start()`, `await stop()`); `service` runs it as a program.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

from aiohttp import web

from workers.errors import Invalid
from workers.functions import answers, processes, reload
from workers.functions.api import Api
from workers.functions.call import Call, Outcome
from workers.functions.connections import Connections
from workers.functions.dispatch import Dispatch
from workers.functions.function_log import FunctionLog
from workers.functions.host_calls import HostFunction
from workers.functions.http_body import Bodies
from workers.functions.http_calls import HttpCalls
from workers.functions.http_request import Identify
from workers.functions.invocations import Invocations
from workers.functions.manifest import FunctionEntry, Manifest, load
from workers.functions.measures import Measures
from workers.functions.places import Places
from workers.functions.pool import Pool
from workers.functions.settings import HostSettings

log = logging.getLogger("penstock.functions")

_IDLE_LOOKS = 10  # idle workers are looked for this often within `idle_seconds`
# How often processes are looked at. A fork bomb in Python makes about 2,000 processes a second on two cores.
_LOOK_SECONDS = 0.1
_HANDLERS_SECONDS = 2.0  # answers are ready when the connections are closed; this is for slow readers of them


class FunctionHost:
    """Serves the functions of one app folder at `http://host:port`; port 0 takes a free one."""

    def __init__(
        self,
        app_dir: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        settings: HostSettings | None = None,
        host_functions: Mapping[str, HostFunction] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """`env` resolves secrets and `${NAME}`. Raises Invalid with everything that is wrong with the folder;
        nothing is started then."""
        self.settings = settings or HostSettings()
        self._app_dir, self._env = app_dir, env
        self.manifest: Manifest = load(app_dir, self.settings, env)
        if self.manifest.problems:
            raise Invalid(self.manifest.problems)
        self.is_draining = False
        self._host, self._port = host, port
        self._table = dict(host_functions or {})
        self._pools: dict[str, Pool] = {}
        self._script_pools: dict[str, Pool] = {}
        self._leaving: dict[Pool, asyncio.Task[None]] = {}
        self._watch: asyncio.Task[None] | None = None
        self.function_log = FunctionLog()
        self.measures = Measures(self.settings.workers)
        self.identify: Identify | None = None  # who sends a request; set before `start`
        self.tls: ssl.SSLContext | None = None  # set before `start`
        self._event_bytes = 0
        self._hurried = False
        self._drain: asyncio.Task[object] | None = None
        self._runner: web.ServerRunner | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._look_timer: asyncio.TimerHandle | None = None
        self._ends_strangers = False

    async def start(self) -> None:
        """Listen. Functions are started at their first call. Raises OSError when the port is taken."""
        self._loop = asyncio.get_running_loop()
        self._places = Places(self.settings.workers, self._every_pool, self._loop.time)
        self._http = HttpCalls(self.settings)
        self.dispatch = Dispatch(self, self.function_log, self.measures)
        self._table = {**self._http.table(), "functions.execute": self.dispatch.execute, **self._table}
        self.take_over(self.manifest, frozenset())
        # Bodies are taken as they are: the Lambda API knows no packed ones, and 6 MiB of gzip can become 6
        # GiB.
        invocations = Invocations(self, self._host)
        bodies = Bodies(self.settings.body_bytes)
        server = web.Server(Api(self, invocations, bodies).handle, access_log=None, auto_decompress=False)
        self._runner = web.ServerRunner(server, shutdown_timeout=_HANDLERS_SECONDS)
        await self._runner.setup()
        self._connections = Connections(self, invocations, server, bodies, self.settings.connections)
        try:
            self._listener = await self._loop.create_server(
                self._connections, self._host, self._port, backlog=1024, ssl=self.tls
            )
        except OSError:
            await self._connections.close(0)
            await self._runner.cleanup()
            await self._http.close()
            raise
        self._port = self._listener.sockets[0].getsockname()[1]
        self._end_idle()
        self._look()
        if self.settings.reload_seconds:
            watching = reload.watch(self._app_dir, self, self.settings.reload_seconds)
            self._watch = asyncio.create_task(watching)
        log.info("function host started", extra={"endpoint": self.endpoint, "functions": len(self._pools)})

    @property
    def endpoint(self) -> str:
        """The URL for `endpoint_url`; the port is known once started."""
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://{f'[{self._host}]' if ':' in self._host else self._host}:{self._port}"

    async def stop(self, drain_seconds: float | None = None) -> None:
        """Take no more calls, let running and waiting ones end within the drain time, end every process.

        Idempotent. Events that are still waiting at the end of the drain are lost, and counted in the log.
        """
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        self.is_draining = True
        seconds = self.settings.drain_seconds if drain_seconds is None else drain_seconds
        self._listener.close()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        open_calls = [outcome for pool in self._every_pool() for outcome in pool.open_calls()]
        if open_calls and not self._hurried:
            self._drain = asyncio.create_task(asyncio.wait(open_calls, timeout=seconds))
            with contextlib.suppress(asyncio.CancelledError):
                await self._drain
        lost = sum(pool.status()["waitingEvents"] for pool in self._every_pool())
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        await asyncio.gather(*(pool.stop() for pool in self._every_pool()))
        if self._leaving:
            await asyncio.wait(self._leaving.values())
        if self._look_timer is not None:
            self._look_timer.cancel()
        if self._ends_strangers:
            processes.end_strangers(())
        await self._connections.close(_HANDLERS_SECONDS)
        await runner.cleanup()
        await self._http.close()
        log.info("function host stopped", extra={"events_lost": lost})

    def hurry(self) -> None:
        """End a drain at once: what still runs fails."""
        self._hurried = True
        if self._drain is not None:
            self._drain.cancel()

    # --- what the api asks

    def pool(self, name: str) -> Pool:
        """The pool of a function. Raises ApiError 404."""
        pool = self._pools.get(name)
        if pool is None:
            raise answers.not_found(name)
        return pool

    def script_pool(self, entry: FunctionEntry) -> Pool:
        """The pool of the script that names the user of a function."""
        return self._script_pools[entry.name]

    def pools(self) -> Mapping[str, Pool]:
        """All pools by function name."""
        return self._pools

    def metrics_text(self) -> str:
        """All samples in Prometheus' text format."""
        return self.measures.text(self._pools)

    def submit_event(self, pool: Pool, call: Call) -> None:
        """Accept an `Event` call. Raises ApiError 429 at the host's or the function's bound."""
        size = len(call.args)
        if self._event_bytes + size > self.settings.waiting_event_bytes:
            raise answers.throttled("Rate Exceeded.", "ConcurrentInvocationLimitExceeded")
        pool.submit_event(call)
        self._event_bytes += size

        def done(outcome: asyncio.Future[Outcome]) -> None:
            self._event_bytes -= size
            problem = outcome.exception()
            if problem is not None or outcome.result().failed:
                extra = {"function": pool.entry.name, "request_id": call.request_id, "run": problem is None}
                log.warning("event failed", extra=extra)

        call.outcome.add_done_callback(done)

    # --- what the reload asks

    def read_again(self) -> Manifest:
        """What the app folder says now."""
        return load(self._app_dir, self.settings, self._env)

    def take_over(self, manifest: Manifest, changed: frozenset[str]) -> None:
        """Serve these functions from now on; `changed` are the files that differ. No call is lost: what runs
        ends in its old process, what waits goes to a new one."""
        self.manifest = manifest
        scripts = {name: one.run_as_script for name, one in manifest.entries.items() if one.run_as_script}
        self._adjust(self._pools, manifest.entries, changed)
        self._adjust(self._script_pools, scripts, changed)
        self.measures.serve(self._pools)

    def _adjust(
        self, pools: dict[str, Pool], entries: Mapping[str, FunctionEntry], changed: frozenset[str]
    ) -> None:
        restart = reload.to_restart({name: pool.entry for name, pool in pools.items()}, entries, changed)
        for name in pools.keys() - entries.keys():
            pool = pools.pop(name)
            self._leaving[pool] = asyncio.create_task(self._leave(pool))
        for name, entry in entries.items():
            if name in pools:
                pools[name].replace(entry, restart=name in restart)
            else:
                pools[name] = Pool(entry, self.settings, self._places, self._table)

    async def _leave(self, pool: Pool) -> None:
        """A function is gone from the folder: its open calls end, then its processes."""
        if open_calls := pool.open_calls():
            await asyncio.wait(open_calls)
        await pool.stop()
        del self._leaving[pool]

    # --- processes

    def _every_pool(self) -> Iterator[Pool]:
        return itertools.chain(self._pools.values(), self._script_pools.values(), self._leaving)

    def adopt_orphans(self) -> None:
        """End also the processes that leave their worker's group. Only for a program that starts nothing but
        this host: every other child of it would be ended too."""
        self._ends_strangers = processes.adopt_orphans()

    def _look(self) -> None:
        workers = [worker for pool in self._every_pool() for worker in pool.workers()]
        for worker in workers:
            worker.look()
        if self._ends_strangers:
            count = processes.end_strangers({worker.pid for worker in workers})
            if count:
                log.warning("processes of functions ended", extra={"processes": count})
        self._look_timer = self._loop.call_later(_LOOK_SECONDS, self._look)

    def _end_idle(self) -> None:
        for pool in self._every_pool():
            pool.end_idle(self._loop.time() - self.settings.idle_seconds)
        self._idle_timer = self._loop.call_later(self.settings.idle_seconds / _IDLE_LOOKS, self._end_idle)
