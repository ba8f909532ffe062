"""Plays an engine process for the supervisor's tests. Run as a script: BEHAVIOUR FOLDER.

Each life leaves a file `<process>.<pid>` in FOLDER with the first line it was given; a clean end renames it
to `<process>.<pid>.ended`.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

METRICS = """\
# HELP penstock_records_total Settled records.
# TYPE penstock_records_total counter
penstock_records_total{outcome="emitted",processor="orders"} %d
"""


def status(process: int, *, ready: bool = True) -> None:
    """Say that all is well: 10 emitted by process 0, 20 by process 1."""
    emitted = 10 * (process + 1)
    processor = {
        "name": "orders",
        "state": "STARTED",
        "error": None,
        "assigned": 2,
        "lag": 5,
        "emitted": emitted,
    }
    frame = {"type": "status", "ready": ready, "processors": [processor], "metrics": METRICS % emitted}
    say(json.dumps(frame).encode())


def say(line: bytes) -> None:
    """Write one line to the supervisor."""
    os.write(1, line + b"\n") if len(line) < 60_000 else sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def serve(process: int, life: Path, *, speaks: bool = True, obeys: bool = True) -> None:
    """Speak every 100 ms until told to stop, or until stdin ends."""
    waiting = selectors.DefaultSelector()
    waiting.register(0, selectors.EVENT_READ)
    while True:
        if waiting.select(timeout=0.1):
            said = os.read(0, 4096)
            if not said or (b"stop" in said and obeys):
                life.rename(life.with_name(f"{life.name}.ended"))
                return
        if speaks:
            status(process)


def read_line() -> bytes:
    """The first line, read without a buffer so that what follows stays in the pipe."""
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1) or sys.exit("no first line")
    return line


def main(behaviour: str, folder: Path) -> NoReturn:
    """Read the first line, then behave."""
    line = read_line()
    said: dict[str, Any] = json.loads(line)
    process = int(said["process"])
    life = folder / f"{process}.{os.getpid()}"
    life.write_bytes(line)
    if behaviour == "refuse":
        sys.exit(sys.stderr.write("processors/orders.yaml: pipeline[0]: no such stage\n") and 2)
    if behaviour == "junk":
        say(b"not json")
        say(b'{"type":"status"}')
        say(b"x" * (8 * 1024 * 1024 + 1))
        say(json.dumps({"type": "status", "ready": True, "processors": [], "metrics": "0bad line"}).encode())
    status(process)
    if behaviour == "die":
        sys.exit(3)
    if behaviour == "leave-a-grandchild":
        sleeper = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
        with (folder / "grandchildren").open("a") as pids:
            pids.write(f"{sleeper.pid}\n")
        os._exit(3)
    serve(process, life, speaks=behaviour != "silent", obeys=behaviour != "hang")
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
