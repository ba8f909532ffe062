"""A supervisor in a process of its own, with fake engines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
FAKE_ENGINE = Path(__file__).with_name("fake_engine.py")

# Two cores are shared with whatever else is being tested: a start may take seconds.
DEADLINE_SECONDS = 45.0


class Pod:
    """One supervisor process, the folder where its fake engines leave their traces, and its HTTP server."""

    def __init__(self, folder: Path) -> None:
        self.lives = folder / "lives"
        self.lives.mkdir()
        self.address_file = folder / "address"
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes]

    def start(self, behaviour: str = "serve", **options: Any) -> None:
        """Start it with fake engines that behave so."""
        given: dict[str, Any] = {
            "app_dir": str(ROOT / "examples"),
            "address_file": str(self.address_file),
            "command": [sys.executable, "-S", "-E", str(FAKE_ENGINE), behaviour, str(self.lives)],
            "timing": {"restart_base": 0.05, "drain": 10.0},
        }
        given["timing"] |= options.pop("timing", {})
        with self.log.open("ab") as log:
            module = "tests.process.supervisor.run_supervisor"
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, json.dumps(given | options)],
                cwd=ROOT, stderr=log, start_new_session=True,
            )  # fmt: skip

    def get(self, path: str) -> tuple[int, str]:
        """(status, text) of a path; status 0 while nothing listens."""
        try:
            address = self.address_file.read_text(encoding="utf-8").strip()
            with urllib.request.urlopen(address + path, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        """Wait until `holds()` is true and return it; fail with the log after the deadline."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if answer := holds():
                return answer
            time.sleep(0.02)
        pytest.fail(f"{what} did not happen; the log:\n{self.log.read_text()}")

    def until_ready(self) -> None:
        """Wait until /readyz answers 200."""
        self.until(lambda: self.get("/readyz")[0] == 200, "being ready")

    def exit_code(self) -> int:
        """Wait for the supervisor's end."""
        return int(self.process.wait(timeout=DEADLINE_SECONDS))

    def events(self) -> list[dict[str, Any]]:
        """The log so far, without lines that are no JSON."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        return [line for line in self.events() if line["event"] == event]

    def pids(self, process: int | None = None) -> list[int]:
        """The engines that were ever started, in no order."""
        names = [path.name.removesuffix(".ended").split(".") for path in self.lives.glob("*.*")]
        return [int(pid) for number, pid in names if process is None or int(number) == process]

    def running(self) -> list[int]:
        """Those engines that still run."""
        return [pid for pid in self.pids() if is_running(pid)]


def is_running(pid: int) -> bool:
    """True for a process that runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    """A supervisor to start; whatever is left of it and of its engines at the end is killed by pid."""
    made = Pod(tmp_path)
    yield made
    if hasattr(made, "process"):
        if made.process.poll() is None:
            made.process.kill()
        made.process.wait()
    for pid in made.running():
        os.kill(pid, signal.SIGKILL)
