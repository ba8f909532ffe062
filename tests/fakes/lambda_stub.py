"""A fast stub of the Lambda Invoke API for tests and benchmarks, on 127.0.0.1.

In a test: `async with LambdaStub() as stub`, then `stub.program("f", Behaviour(...))`.
As a process: `python -m tests.fakes.lambda_stub --port 0` prints its port, takes `POST /config`
(`{"functions": {"f": {"outcome": "echo", "latency_ms": 20}}, "default": {}, "known_only": false}`),
`POST /release` (answer what still waits for its latency), `POST /reset`, `GET /stats` and `GET /history`.
A function called `f20` that nobody programmed takes 20 ms. `"timeline": [[60, {"concurrency": 50}]]` beside
its other fields: a function is that for 60 s first. Only those that were programmed have a history.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import re
import ssl
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any, Final, Self, cast
from urllib.parse import unquote

import orjson

from tests.fakes import batch_functions
from tests.fakes.held_calls import HeldCalls
from tests.fakes.lambda_behaviour import (
    MAX_ASYNC_BYTES,
    TOO_LARGE,
    UNKNOWN,
    Behaviour,
    Function,
    answer_body,
    api_error_body,
    behaviour_of,
    behaviour_of_call,
    count_call,
    in_force,
    throttled,
)
from tests.fakes.lambda_descriptions import described
from tests.fakes.lambda_history import History, Timeline

INVOKE: Final = re.compile(r"/2015-03-31/functions/([^/?]+)/invocations(?:\?Qualifier=([^&]+))?$")
NAMED_LATENCY: Final = re.compile(r"f(\d+)")
MAX_REQUESTS_KEPT: Final = 256

Planned = Callable[[bytes], tuple[Behaviour, str | None]]
"""Decides by its body what a call meets, and under which id it is counted."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came over the wire. Header names are in lower case."""

    function: str
    qualifier: str | None
    target: str
    headers: Mapping[str, str]
    body: bytes


class LambdaStub:
    """The server. Functions that nobody programmed echo at once, or are unknown with `known_only`."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.connections_made = 0
        self.requests: deque[Seen] = deque(maxlen=MAX_REQUESTS_KEPT)
        self.keep_requests = True
        self.known_only = False
        self.clock_offset_seconds: float | None = None
        """Set: signatures are taken within 5 minutes of our time plus this, which is every answer's Date."""
        self.descriptions: dict[str, dict[str, Any]] = {}
        """What may be learnt about functions, as `lambda_descriptions` takes it."""
        self.dry_runs: dict[str, Behaviour] = {}
        """Errors that DryRuns of these functions meet."""
        self.refuses: Callable[[Seen], str | None] | None = None
        """Names the error with which a request is refused for its keys (403), or None where it is taken."""
        self.open: set[Connection] = set()
        self.held = HeldCalls()
        self.request_ids = itertools.count(1)
        self._default = Behaviour()
        self._functions: dict[str, Function] = {}
        self._planned: dict[str, Planned] = {}
        self._tls = tls
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start(0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def start(self, port: int) -> None:
        """Listen on 127.0.0.1; port 0 takes a free one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), "127.0.0.1", port, ssl=self._tls, backlog=2048
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and reset every connection."""
        assert self._server is not None
        self._server.close()
        self.close_connections()
        await self._server.wait_closed()

    def close_connections(self) -> None:
        """Reset every open connection, as a load balancer does with idle ones."""
        for connection in list(self.open):
            connection.transport.abort()

    def program(self, name: str, behaviour: Behaviour, *first: tuple[float, Behaviour]) -> None:
        """Give one function its behaviour, after the steps of `first` (seconds, behaviour); its counts go
        on."""
        function, now = self.function(name), time.monotonic()
        function.timeline = Timeline(first, behaviour, now)
        function.history = function.history or History(now)

    def plan(self, name: str, planned: Planned) -> None:
        """Let `planned` decide about every call of a function, in place of one behaviour."""
        self._planned[name] = planned

    def behaviour_of(self, seen: Seen) -> tuple[Behaviour, str | None]:
        """What this call meets, and the id in it."""
        planned = self._planned.get(seen.function)
        return planned(seen.body) if planned else behaviour_of_call(self.function(seen.function), seen.body)

    def function(self, name: str) -> Function:
        """The state of one function, made on its first use."""
        found = self._functions.get(name)
        if found is None:
            behaviour = UNKNOWN if self.known_only else self._default
            if latency := NAMED_LATENCY.fullmatch(name):
                behaviour = replace(behaviour, latency_ms=float(latency[1]))
            found = self._functions[name] = Function(behaviour)
        if found.timeline is not None:
            found.behaviour = found.timeline.at(time.monotonic())
        return found

    def configure(self, config: Mapping[str, Any]) -> None:
        """Take the JSON of `POST /config`. Raises ValueError, KeyError or TypeError when it is none."""
        if strange := config.keys() - {"functions", "default", "known_only"}:
            raise ValueError(f"unknown: {sorted(strange)}")
        self.known_only = bool(config.get("known_only", self.known_only))
        if "default" in config:
            self._default = behaviour_of(config["default"])
        for name, data in config.get("functions", {}).items():
            steps = [(float(seconds), behaviour_of(step)) for seconds, step in data.get("timeline", ())]
            last = {field: value for field, value in data.items() if field != "timeline"}
            self.program(name, behaviour_of(last), *steps)

    def refusal_of(self, seen: Seen) -> str | None:
        """The error that AWS would refuse the request's time or keys with."""
        if self.clock_offset_seconds is not None:
            signed = datetime.strptime(seen.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            if abs(signed.timestamp() - time.time() - self.clock_offset_seconds) > 300:
                return "InvalidSignatureException"
        return self.refuses(seen) if self.refuses else None

    def dry_run_of(self, name: str) -> Behaviour | None:
        """The error that a DryRun of this function meets; none unless it is unknown or was told so."""
        is_unknown = self.function(name).behaviour is UNKNOWN
        return self.dry_runs.get(name, UNKNOWN if is_unknown else None)

    def reset(self) -> None:
        """Forget the counts; behaviours stay."""
        for function in self._functions.values():
            function.calls = function.ran = 0
            function.max_running = function.running
            function.outcomes.clear()
            function.ids.clear()
            function.history = function.history and History(time.monotonic(), function.running)
        self.requests.clear()

    def stats(self) -> dict[str, Any]:
        """Counts by function. `ids` tells how often each id was called with."""
        every = self._functions.items()
        return {
            "calls": sum(function.calls for _, function in every),
            "connections_made": self.connections_made,
            "functions": {
                name: {
                    "calls": function.calls,
                    "ran": function.ran,
                    "running": function.running,
                    "max_running": function.max_running,
                    "outcomes": dict(function.outcomes),
                    "ids": dict(function.ids),
                    "overlaps": function.overlaps,
                    "disorder": function.disorder,
                }
                for name, function in every
            },
        }

    def history(self) -> dict[str, Any]:
        """The history of each function that has one, up to now."""
        every, now = self._functions.items(), time.monotonic()
        return {name: function.history.as_json(now) for name, function in every if function.history}

    def admin(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        """Answer the stub's own API: (status, JSON)."""
        try:
            match method, target:
                case "GET", "/stats":
                    return 200, orjson.dumps(self.stats())
                case "GET", "/history":
                    return 200, orjson.dumps(self.history())
                case "POST", "/release":
                    return 200, orjson.dumps(self.held.release())
                case "POST", "/reset":
                    self.reset()
                    return 200, b"{}"
                case "POST", "/config":
                    self.configure(orjson.loads(body))
                    return 200, b"{}"
        except (ValueError, KeyError, TypeError) as problem:
            return 400, orjson.dumps({"message": str(problem)})
        return 404, b'{"message":"POST /2015-03-31/functions/{name}/invocations"}'


class Connection(asyncio.Protocol):
    """One client's connection: one request at a time, kept alive."""

    transport: asyncio.Transport

    def __init__(self, stub: LambdaStub) -> None:
        self._stub = stub
        self._buffer = b""
        self._running: Function | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class
        self._stub.open.add(self)
        self._stub.connections_made += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._stub.open.discard(self)
        self._finished()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            self._buffer = buffer
            return
        lines = buffer[:end].decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        invoked = INVOKE.match(target) if method == "POST" else None
        if invoked and self._resets_early(unquote(invoked[1])):
            return
        whole = end + 4 + int(headers.get("content-length", "0"))
        if len(buffer) < whole:
            self._buffer = buffer
            return
        self._buffer = buffer[whole:]
        body = buffer[end + 4 : whole]
        if invoked is None:
            asked = described(target, self._stub.descriptions) if method == "GET" else None
            if asked is not None and self._stub.refusal_of(Seen("", None, target, headers, body)):
                asked = 403, b'{"message":"refused"}'
            status, answer = asked or self._stub.admin(method, target, body)
            self._write(status, "", answer)
            return
        qualifier = unquote(invoked[2]) if invoked[2] else None
        self._invoke(Seen(unquote(invoked[1]), qualifier, target, headers, body))

    def _resets_early(self, name: str) -> bool:
        function = self._stub.function(name)
        behaviour = in_force(function.behaviour, function.calls)
        if behaviour.outcome != "drop_before":
            return False
        function.calls += 1
        self.transport.abort()
        return True

    def _invoke(self, seen: Seen) -> None:
        stub = self._stub
        function = stub.function(seen.function)
        if stub.keep_requests:
            stub.requests.append(seen)
        if refusal := stub.refusal_of(seen):
            behaviour = Behaviour(outcome="error", status=403, error_type=refusal)
            self._write(403, f"x-amzn-ErrorType: {refusal}\r\n", api_error_body(behaviour))
            return
        if seen.headers.get("x-amz-invocation-type") == "DryRun":
            self._dry_run(stub.dry_run_of(seen.function))
            return
        behaviour, identity = stub.behaviour_of(seen)
        kind = seen.headers.get("x-amz-invocation-type", "RequestResponse")
        limit = MAX_ASYNC_BYTES if kind == "Event" else behaviour.max_body_bytes
        if len(seen.body) > limit:
            behaviour = TOO_LARGE
        elif behaviour.concurrency and function.running >= behaviour.concurrency:
            behaviour = throttled(behaviour)
        ran = behaviour.outcome not in ("error", "drop_before") and kind != "DryRun"
        count_call(function, behaviour, identity, ran=ran)
        if function.history is not None:
            function.history.called(time.monotonic(), function.running, throttled=behaviour.status == 429)
        if behaviour.outcome == "batch":
            batch_functions.begin(function, behaviour, seen.body)
        self._running = function
        stub.held.hold(behaviour.latency_ms / 1000, self._answer, behaviour, seen, kind)

    def _dry_run(self, refusal: Behaviour | None) -> None:
        """Answered at once and counted nowhere: nothing runs."""
        if refusal is None:
            self._write(204, "", b"")
        else:
            self._write(
                refusal.status, f"x-amzn-ErrorType: {refusal.error_type}\r\n", api_error_body(refusal)
            )

    def _answer(self, behaviour: Behaviour, seen: Seen, kind: str) -> None:
        if behaviour.outcome == "hang" or self.transport.is_closing():
            return
        running = self._stub.function(seen.function)
        self._finished()
        if behaviour.outcome == "batch":
            batch_functions.end(running, behaviour, seen.body)
        if behaviour.outcome in ("drop_before", "drop_after"):
            self.transport.abort()
        elif behaviour.outcome == "error":
            retry_after = behaviour.retry_after_seconds
            extra = f"x-amzn-ErrorType: {behaviour.error_type}\r\n"
            extra += "" if retry_after is None else f"Retry-After: {retry_after}\r\n"
            self._write(behaviour.status, extra, api_error_body(behaviour))
        elif kind != "RequestResponse":
            self._write(202 if kind == "Event" else 204, "", b"")
        else:
            extra = f"X-Amz-Executed-Version: {behaviour.executed_version}\r\n"
            if behaviour.outcome == "function_error":
                extra += "X-Amz-Function-Error: Unhandled\r\n"
            if seen.headers.get("x-amz-log-type") == "Tail":
                log = base64.b64encode(behaviour.log.encode()[-4096:]).decode()
                extra += f"X-Amz-Log-Result: {log}\r\n"
            if behaviour.outcome == "batch":
                body = batch_functions.answer(running, behaviour, seen.body)
            else:
                body = answer_body(behaviour, seen.body)
            if behaviour.outcome == "half":
                self._write(200, extra, body, send=len(body) // 2)
                self.transport.close()
            else:
                self._write(200, extra, body)

    def _write(self, status: int, extra: str, body: bytes, send: int | None = None) -> None:
        if (offset := self._stub.clock_offset_seconds) is not None:
            extra += f"Date: {formatdate(time.time() + offset, usegmt=True)}\r\n"
        length = "" if status == 204 else f"Content-Length: {len(body)}\r\n"
        head = (
            f"HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\n{length}"
            f"x-amzn-RequestId: {next(self._stub.request_ids):08x}-0000-4000-8000-000000000000\r\n{extra}\r\n"
        )
        self.transport.write(head.encode() + body[:send])

    def _finished(self) -> None:
        if self._running is not None:
            self._running.running -= 1
            if self._running.history is not None:
                self._running.history.changed(time.monotonic(), self._running.running)
            self._running = None


async def serve(stub: LambdaStub, port: int) -> None:
    """Print the port and serve until standard input ends; a process's whole work."""
    stub.keep_requests = False
    await stub.start(port)
    print(stub.port, flush=True)
    # Ends with the process that started it: its end of our standard input closes when it dies, killed or not.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await stub.stop()


def main() -> None:
    """Serve until standard input ends."""
    import uvloop

    parser = argparse.ArgumentParser(description="Lambda Invoke stub on 127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; it is printed")
    uvloop.run(serve(LambdaStub(), parser.parse_args().port))


if __name__ == "__main__":
    main()
