"""How a worker process is started: its command line and the first message it gets."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Collection
from pathlib import Path

import orjson

from workers.functions.manifest import FunctionEntry
from workers.functions.settings import MAX_RESPONSE_BYTES, HostSettings


def command(entry: FunctionEntry, calls: int, results: int) -> list[str]:
    """The command line of a worker process. Paths are handed over because JavaScript workers start without
    `site`, which saves a third of their start, and because isolated mode (-I) keeps the host's own PYTHONPATH
    out."""
    paths = [str(Path(__file__).parents[2])]
    program = "py_worker"
    options = ["-I", "-X", "utf8"]
    if entry.language == "javascript":
        engine = importlib.util.find_spec("quickjs")
        assert engine is not None, "quickjs-ng is a run-time dependency"
        assert engine.origin is not None
        paths.append(str(Path(engine.origin).parents[1]))
        program = "js_worker"
        options.append("-S")
    boot = (
        "import sys; sys.path[:0] = sys.argv[3:]; "
        f"from workers.functions.sandbox.{program} import main; main(int(sys.argv[1]), int(sys.argv[2]))"
    )
    return [sys.executable, *options, "-c", boot, str(calls), str(results), *paths]


def load_message(entry: FunctionEntry, settings: HostSettings, host_functions: Collection[str]) -> bytes:
    """The LOAD frame's payload: what to load, with which limits, and what the app's functions may see."""
    return orjson.dumps(
        {
            "name": entry.name,
            "source": str(entry.source),
            "text": entry.text,
            "file": entry.file,
            "timeoutSeconds": entry.timeout_seconds,
            "memoryBytes": entry.memory_bytes,
            "maxResponseBytes": MAX_RESPONSE_BYTES,
            "environment": dict(entry.environment),
            "hostFunctions": sorted(host_functions),
            "app": entry.app.as_data(),
            # A coarse bound beside the exact count of `Worker.look`, over what the user runs already: room
            # for every worker of this host with a few threads each, and one function's children.
            "spareTasks": 4 * settings.workers + settings.child_processes,
        }
    )
