"""The program of a JavaScript worker: one quickjs-ng context, one function, one call at a time.

The engine has a memory and a stack limit; time is the host's to watch. The engine's own time limit is not
used: it counts the CPU of the whole process, restarts with every promise job, and refuses calls into Python.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import resource
from pathlib import Path
from typing import Any, Final

import quickjs

from workers.functions import frames
from workers.functions.sandbox import child

_STACK_BYTES: Final = 1 << 20  # of the 8 MiB that a main thread has
_COPIES_BYTES: Final = (
    96 << 20
)  # texts on their way: args and answer, a few copies of 6 MiB each, above the heap
_TYPES: Final = Path(__file__).with_name("types.js")
_BRIDGE: Final = Path(__file__).with_name("bridge.js")
_NATIVES: Final = "workers.functions.sandbox.natives"
# The channel, the log, the event poll and what the interpreter opens to load a module; a script opens none.
_OPEN_FILES: Final = 32
# 2**53 has 16 digits, and four in a row of every fourth byte are digits then: a look at those takes 1.5 us
# for 270 bytes, a search through all 8.5.
_LONG_NUMBER: Final = re.compile(rb"[0-9]{16}")
_PERHAPS_LONG: Final = re.compile(rb"[0-9]{4}")
_MOST_EXACT: Final = 2**53 - 1
_OUT_OF_MEMORY: Final = "InternalError: out of memory"
_NULL_JSON: Final = '{"errorType":"null"'
_OUT_OF_MEMORY_JSON: Final = '{"errorType":"InternalError","errorMessage":"out of memory"'


class Engine:
    """The context with the function loaded. Raises LoadFailure when its source cannot be run."""

    def __init__(self, message: dict[str, Any], channel: child.Channel) -> None:
        self._channel = channel
        self._file: str = message["file"]
        self._memory_bytes: int = message["memoryBytes"]
        self._memory_mb = self._memory_bytes >> 20
        self._timeout_ms = message["timeoutSeconds"] * 1000
        self._most_bytes: int = message["maxResponseBytes"]
        source = child.read_source(message)
        if "\0" in source:  # the engine would silently end the source there
            raise self._broken(
                "Runtime.UserCodeSyntaxError", "SyntaxError: the source holds a NUL character", []
            )
        self._context = quickjs.Context()
        self._context.set_memory_limit(message["memoryBytes"])
        self._context.set_max_stack_size(_STACK_BYTES)
        self._context.add_callable("__penstockLog", _write_log)
        self._context.add_callable("__penstockNative", _native)
        self._context.add_callable("__penstockRandom", _random)
        config = {
            "name": message["name"],
            "file": self._file,
            "memoryMB": self._memory_mb,
            "hostFunctions": message["hostFunctions"],
            **_app(message["app"]),
        }
        # The bridge gets the types inside the engine: an object that passes through Python is wrapped.
        programs = f"({_TYPES.read_text('utf-8')})", f"({_BRIDGE.read_text('utf-8')})"
        boot = (
            "((types, bridge) => (config) => { const random = globalThis.__penstockRandom; delete globalThis"
        )
        boot += f".__penstockRandom; return bridge(config, types(random)); }})({','.join(programs)})"
        entry = self._context.eval(boot)(json.dumps(config))
        self._start, self._next = entry("start"), entry("next")
        self._fire, self._settle = entry("fire"), entry("settle")
        try:
            with contextlib.suppress(
                UnicodeDecodeError
            ):  # it ran; only its value, which nobody needs, is no text
                self._context.eval(source)
            self._run_jobs()
        except quickjs.JSException as problem:
            raise self._load_failure(str(problem)) from problem
        self._loaded_kib = child.peak_memory_kib()
        kind: str = entry("find")()
        self._is_handler = kind == "handler"  # of Lambda's kind: plain JSON in and out, as there
        if not kind:
            text = f"{self._file} exports no function: write exports = function (...) {{ ... }}"
            raise self._broken("Runtime.HandlerNotFound", text, [])

    def _load_failure(self, text: str) -> child.LoadFailure:
        """The first line of the engine's text is `Name: message`, the others are the stack."""
        lines = [line.strip().replace("<input>", self._file) for line in text.strip().splitlines()]
        name, _, message = lines[0].partition(": ")
        if name == "SyntaxError":
            return self._broken("Runtime.UserCodeSyntaxError", lines[0], lines)
        return self._broken(name, message, lines)

    @staticmethod
    def _broken(error_type: str, text: str, trace: list[str]) -> child.LoadFailure:
        return child.LoadFailure({"errorType": error_type, "errorMessage": text, "trace": trace})

    def run(self, call: child.Call) -> None:
        """Run one call and send its result. The process ends after a call that used up its memory: what the
        function keeps may leave no room for the next one."""
        try:
            step = self._run(call)
        except quickjs.JSException as problem:
            # Thrown past the bridge: a job that throws, or no memory left for the bridge itself.
            step = "F" + json.dumps(self._load_failure(str(problem)).error)
            if str(problem).startswith(_OUT_OF_MEMORY):
                step = "F" + _OUT_OF_MEMORY_JSON
            elif str(problem).strip() == "null":
                step = "F" + _NULL_JSON + ',"errorMessage":"null","trace":[]}'
        if step.startswith(_OUT_OF_MEMORY_JSON, 1) or (step.startswith(_NULL_JSON, 1) and self._was_full()):
            self._end_without_memory(call)
        payload = step[1:].encode("utf-8")
        error = child.too_large(len(payload), self._most_bytes)
        if error is not None or step[0] == "F":
            self._channel.send(frames.FAILED, call.number, error or payload)
        else:
            self._channel.send(frames.SUCCEEDED, call.number, payload)

    def _run(self, call: child.Call) -> str:
        args = call.args
        if not self._is_handler and _PERHAPS_LONG.search(args[::4]) and _LONG_NUMBER.search(args):
            args = _mark_longs(args)
        self._start(
            call.request_id,
            call.client_context.decode("utf-8"),
            call.context.decode("utf-8"),
            args.decode("utf-8"),
            self._timeout_ms,
        )
        while True:
            self._run_jobs()
            step: str = self._next()
            kind = step[0]
            if kind in "SF":
                return step
            if kind == "H":
                self._channel.send(frames.HOST_CALLS, call.number, step[1:].encode("utf-8"))
            elif kind == "W":
                self._take_answers(call, None)
            elif kind == "T":
                if not self._take_answers(call, float(step[1:]) / 1000):
                    self._fire()
            else:
                text = "the function returned a promise that can never settle: nothing is left that could run"
                return "F" + json.dumps(
                    {"errorType": "Runtime.UnsettledPromise", "errorMessage": text, "trace": []}
                )

    def _take_answers(self, call: child.Call, timeout_seconds: float | None) -> bool:
        """Wait for the host's answers to this call; False when the time was over first."""
        frame = self._channel.receive(timeout_seconds)
        if frame is None:
            return False
        if frame.kind == frames.HOST_ANSWERS and frame.call == call.number:
            self._settle(frame.payload.decode("utf-8"))
        return True

    def _run_jobs(self) -> None:
        while self._context.execute_pending_job():
            pass

    def _was_full(self) -> bool:
        """Whether a thrown null was the engine's: it throws that when there is no memory left for the error.
        The function's values are freed by now, so the process's peak has to tell it from a function's own
        null."""
        peak_kib = child.peak_memory_kib()
        if peak_kib is None or self._loaded_kib is None:
            return True
        return (peak_kib - self._loaded_kib) << 10 >= self._memory_bytes // 2

    def _end_without_memory(self, call: child.Call) -> None:
        text = f"the function needs more than its {self._memory_mb} MB of memory"
        error = {"errorType": "Runtime.OutOfMemory", "errorMessage": text, "trace": []}
        self._channel.send(frames.FAILED_LAST, call.number, child.dump(error))
        child.end()


def _app(app: dict[str, Any]) -> dict[str, Any]:
    """The app's values as JSON texts: each look at one parses it anew."""
    return {
        "values": {name: json.dumps(value) for name, value in app["values"].items()},
        "environmentTag": app["environment"]["tag"],
        "environmentValues": json.dumps(app["environment"]["values"]),
    }


def _mark_longs(args: bytes) -> bytes:
    """JavaScript's numbers are exact up to 2**53: larger 64-bit integers go in as BSON.Long."""

    def read(digits: str) -> int | dict[str, str]:
        number = int(digits)
        return {"$numberLong": digits} if _MOST_EXACT < abs(number) < 1 << 63 else number

    return json.dumps(json.loads(args, parse_int=read)).encode("ascii")


def _native(name: str, args: str) -> str:
    """What the engine cannot do itself; its module is loaded when a function first needs it."""
    text: str = importlib.import_module(_NATIVES).answer(name, args)
    return text


def _random(count: int) -> str:
    """`count` bytes of the system's generator in hexadecimal."""
    return os.urandom(count).hex()


def _write_log(line: str) -> None:
    """Print a line of `console`. Must not raise: the engine has no way to pass a Python error on."""
    with contextlib.suppress(Exception):
        os.write(1, line.encode("utf-8", "replace"))


def main(calls: int, results: int) -> None:
    """Load the function the host names on the pipe `calls`, then run its calls until the host is gone."""
    channel = child.Channel(calls, results)
    message = channel.load_message()
    child.bound(resource.RLIMIT_CORE, 0)
    child.bound(
        resource.RLIMIT_FSIZE, 0
    )  # a script has no way to a file; an engine that was broken has not either
    child.bound(resource.RLIMIT_NOFILE, _OPEN_FILES)
    child.bound(resource.RLIMIT_NPROC, 0)  # no effect for root; a script has no way to a process anyway
    child.bound_memory(message["memoryBytes"] + _COPIES_BYTES)
    try:
        engine = Engine(message, channel)
    except child.LoadFailure as failure:
        channel.send(frames.LOAD_FAILED, 0, child.dump(failure.error))
        child.end()
    channel.send(frames.READY, 0, b"")
    for call in channel.calls():
        try:
            engine.run(call)
        except MemoryError:
            error = {
                "errorType": "Runtime.OutOfMemory",
                "errorMessage": "the worker process ran out of memory",
            }
            channel.send(frames.FAILED_LAST, call.number, child.dump(error))
            child.end()
