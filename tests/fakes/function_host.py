"""A real function host for tests: embedded in the test's event loop, or as a process of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from workers.functions import FunctionHost, HostSettings
from workers.functions.host_calls import HostFunction
from workers.functions.http_request import Identify

ADD_ONE: Final = """\
exports = function addOne(input) {
  if(typeof input !== "number") {
    throw new Error("You must call addOne() with a number");
  }
  return input + 1;
};
"""
"""The function of the manifest's own documentation, verbatim."""

START_SECONDS: Final = 50.0
STOP_SECONDS: Final = 15.0
_ROOT: Final = Path(__file__).parents[2]
_PROGRAM: Final = """\
import json, sys
from pathlib import Path
from workers.functions import DoorSettings, HostSettings, serve
settings = HostSettings(**json.loads(sys.argv[2]))
doors = DoorSettings(port=0)
serve(Path(sys.argv[1]), doors, settings=settings, on_started=lambda endpoint: print(endpoint, flush=True))
"""


def write_functions(app_dir: Path, sources: Mapping[str, str]) -> Path:
    """Write `{"utils/add.js": source}` below `app_dir/functions`; returns `app_dir`."""
    for name, source in sources.items():
        path = app_dir / "functions" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")
    return app_dir


@dataclass(frozen=True, slots=True)
class HostProcess:
    """A function host in a process of its own."""

    endpoint: str
    process: subprocess.Popen[str]

    def stop(self) -> int:
        """SIGTERM, wait, SIGKILL when it does not drain in time; the exit status."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status


def start_host_process(app_dir: Path, settings: HostSettings | None = None) -> HostProcess:
    """Start a host for `app_dir` on a free port and wait until it takes calls. The caller stops it."""
    fields = json.dumps(dataclasses.asdict(settings or HostSettings()))
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(app_dir), fields], stdout=subprocess.PIPE, text=True, cwd=_ROOT
    )
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    endpoint = process.stdout.readline().strip() if ready else ""
    host = HostProcess(endpoint, process)
    if not endpoint:
        status = host.stop()
        raise RuntimeError(f"the function host did not start, status {status}")
    return host


@contextmanager
def function_host(app_dir: Path, settings: HostSettings | None = None) -> Iterator[str]:
    """The endpoint URL of a host process that is stopped at the end."""
    host = start_host_process(app_dir, settings)
    try:
        yield host.endpoint
    finally:
        host.stop()


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def function_error(self) -> str | None:
        """`X-Amz-Function-Error`."""
        return self.headers.get("X-Amz-Function-Error")

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class EmbeddedHost:
    """A host in this event loop, and a client for it."""

    host: FunctionHost
    session: aiohttp.ClientSession

    async def call(self, name: str, event: Any = None, **headers: str) -> Answer:
        """Invoke with `event` as JSON; header names with `_` for `-`."""
        return await self.send(name, BytesIO(json.dumps(event).encode()), **headers)

    async def send(self, name: str, body: Any, **headers: str) -> Answer:
        """Invoke with a body as it is."""
        path = f"/2015-03-31/functions/{quote(name, safe='')}/invocations"
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        return await self.request("POST", path, data=body, headers=sent)

    async def request(self, method: str, path: str, **options: Any) -> Answer:
        """Any HTTP request."""
        async with self.session.request(method, self.host.endpoint + path, **options) as response:
            return Answer(response.status, response.headers, await response.read())


@asynccontextmanager
async def embedded_host(
    app_dir: Path,
    settings: HostSettings | None = None,
    host_functions: Mapping[str, HostFunction] | None = None,
    *,
    env: Mapping[str, str] | None = None,
    identify: Identify | None = None,
) -> AsyncIterator[EmbeddedHost]:
    """A started host on a free port of 127.0.0.1; stopped at the end without waiting for open calls."""
    host = FunctionHost(app_dir, settings=settings, host_functions=host_functions, env=env)
    host.identify = identify
    await host.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield EmbeddedHost(host, session)
    finally:
        await host.stop(drain_seconds=0)
