"""The program of a Python worker: one module, its `handler(event, context)`, one call at a time.

Isolated, not sandboxed: memory, descriptors, time and exit are bounded, the environment holds declared names
only, but the code may do what the host's user may do. Errors have the shapes of Lambda's Python runtime.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import os
import resource
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn

from workers.functions import frames
from workers.functions.sandbox import child
from workers.functions.sandbox.py_context import Context, Host

_OPEN_FILES: Final = 256
_HANDLERS: Final = ("handler", "lambda_handler")


class Program:
    """The module with its handler. Raises LoadFailure when it cannot be run."""

    def __init__(self, message: dict[str, Any], channel: child.Channel) -> None:
        self._message, self._channel = message, channel
        self._host = Host(channel)
        self._root = str(Path(message["source"][: -len(message["file"])]))
        self._handler = self._find_handler(self._import())

    def _import(self) -> ModuleType:
        name, file, source = self._message["name"], self._message["file"], self._message["source"]
        child.read_source(self._message)
        spec = importlib.util.spec_from_file_location(name.replace("/", "."), source)
        assert spec is not None, "a .py file has a loader"
        assert spec.loader is not None, "a .py file has a loader"
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
        except (SyntaxError, ValueError) as problem:
            if not isinstance(problem, SyntaxError):  # ValueError: a NUL in the source, or the module's own
                raise self._failure(type(problem).__name__, str(problem), problem) from problem
            text = f"Syntax error in {file}: {problem.msg} (line {problem.lineno})"
            raise self._failure("Runtime.UserCodeSyntaxError", text, problem) from problem
        except ImportError as problem:
            raise self._failure(
                "Runtime.ImportModuleError", f"Unable to import {file}: {problem}", problem
            ) from problem
        except Exception as problem:
            raise self._failure(type(problem).__name__, str(problem), problem) from problem
        return module

    def _failure(self, error_type: str, text: str, problem: BaseException) -> child.LoadFailure:
        trace = self._trace(problem)
        return child.LoadFailure({"errorType": error_type, "errorMessage": text, "stackTrace": trace})

    def _find_handler(self, module: ModuleType) -> Callable[[Any, Any], Any]:
        for name in _HANDLERS:
            found = getattr(module, name, None)
            if callable(found):
                handler: Callable[[Any, Any], Any] = found
                return handler
        text = f"{self._message['file']} has no function handler(event, context)"
        raise child.LoadFailure(
            {"errorType": "Runtime.HandlerNotFound", "errorMessage": text, "stackTrace": []}
        )

    def run(self, call: child.Call) -> None:
        """Run one call and send its result. What is no Exception (SystemExit) ends the process, as on
        Lambda."""
        try:
            event = next(iter(json.loads(call.args)), None)
            result = self._handler(event, Context(self._message, call, self._host))
        except MemoryError:
            self._end_without_memory(call)
        except Exception as problem:
            trace = self._trace(problem)
            self._send_error(frames.FAILED, call, type(problem).__name__, _text(problem), trace)
            return
        try:
            answer = _to_json(result)
        except MemoryError:
            self._end_without_memory(call)
        except (TypeError, ValueError, RecursionError) as problem:
            text = f"Unable to marshal response: {problem}"
            self._send_error(frames.FAILED, call, "Runtime.MarshalError", text, [])
            return
        error = child.too_large(len(answer), self._message["maxResponseBytes"])
        self._channel.send(frames.FAILED if error else frames.SUCCEEDED, call.number, error or answer)

    def _end_without_memory(self, call: child.Call) -> NoReturn:
        """What the function keeps may leave no room for the next call."""
        memory_mb = self._message["memoryBytes"] >> 20
        text = f"the function needs more than its {memory_mb} MB of memory"
        self._send_error(frames.FAILED_LAST, call, "MemoryError", text, [])
        child.end()

    def _send_error(self, kind: int, call: child.Call, error_type: str, text: str, trace: list[str]) -> None:
        error = {
            "errorMessage": text,
            "errorType": error_type,
            "requestId": call.request_id,
            "stackTrace": trace,
        }
        payload = child.dump(error)
        large = child.too_large(len(payload), self._message["maxResponseBytes"])
        self._channel.send(kind, call.number, large or payload)

    def _trace(self, problem: BaseException) -> list[str]:
        """The function's own frames, each as Lambda formats it, with files named from the app folder."""
        own = str(Path(__file__).parents[2])
        found = traceback.extract_tb(problem.__traceback__)
        kept = [
            frame for frame in found if not frame.filename.startswith((own, "<frozen importlib", "<string>"))
        ]
        return [line.replace(self._root + os.sep, "") for line in traceback.format_list(kept)]


def _text(problem: BaseException) -> str:
    """An exception's text; its class may have none to give."""
    try:
        return str(problem)
    except Exception:
        return f"a {type(problem).__name__} that cannot be described"


def _to_json(value: Any) -> bytes:
    """The answer. Non-finite numbers are refused, they are no JSON; half surrogate pairs stay escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_extended).encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False, default=_extended).encode("ascii")


def _extended(value: Any) -> Any:
    """Dates, and the types of `bson` where the function itself uses that package, as Extended JSON."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        text = aware.astimezone(UTC).isoformat(timespec="milliseconds")
        return {"$date": text.replace("+00:00", "Z")}
    json_util = importlib.import_module("bson.json_util") if "bson" in sys.modules else None
    if json_util is None:
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    return json_util.default(value)


def _unbuffer() -> None:
    """Hand each printed line to the host at once: a call that is killed keeps what it said before."""
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, io.TextIOWrapper), "the interpreter's own streams"
        stream.reconfigure(line_buffering=True, errors="backslashreplace")


def main(calls: int, results: int) -> None:
    """Load the module the host names on the pipe `calls`, then run its calls until the host is gone."""
    channel = child.Channel(calls, results)
    message = channel.load_message()
    _unbuffer()
    os.environ.clear()
    os.environ.update(message["environment"])
    sys.argv[:] = [message["file"]]
    # A saved file is live at once: byte code is found by whole seconds and sizes and would hide a change.
    sys.dont_write_bytecode = True
    # The function finds modules beside its source and installed ones, and nothing of the host's own code.
    sys.path[0] = str(Path(message["source"]).parent)
    child.bound(resource.RLIMIT_CORE, 0)
    child.bound(resource.RLIMIT_NOFILE, _OPEN_FILES)
    child.bound_tasks(message["spareTasks"])
    child.bound_memory(message["memoryBytes"])
    try:
        program = Program(message, channel)
    except child.LoadFailure as failure:
        channel.send(frames.LOAD_FAILED, 0, child.dump(failure.error))
        child.end(1)
    channel.send(frames.READY, 0, b"")
    for call in channel.calls():
        program.run(call)
        sys.stdout.flush()
