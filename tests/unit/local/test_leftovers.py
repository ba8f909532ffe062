"""Finding and ending what a killed starter left, without ever touching somebody else's process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from workers.local import leftovers
from workers.local.leftovers import ProcessMark, RunningBroker

GENTLE = "import sys; print(1, flush=True); sys.stdin.read()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {GENTLE}"


@pytest.fixture(params=[GENTLE])
def sleeper(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", request.param], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdout.readline()
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


def test_a_process_is_found_again_by_its_mark(sleeper: subprocess.Popen[bytes]) -> None:
    """While it runs; not as a zombie, not when it is gone."""
    mark = ProcessMark.of(sleeper.pid)
    assert mark.find() is not None
    sleeper.kill()
    psutil.wait_procs([psutil.Process(sleeper.pid)], timeout=5)
    assert mark.find() is None


def test_a_reused_pid_is_never_ended(sleeper: subprocess.Popen[bytes]) -> None:
    """The same pid with another start time is somebody else."""
    mark = ProcessMark.of(sleeper.pid)
    assert leftovers.end(replace(mark, started_at=mark.started_at - 60), 0.1) is False
    assert sleeper.poll() is None


@pytest.mark.parametrize("sleeper", [GENTLE, STUBBORN], indirect=True)
def test_a_leftover_is_ended(sleeper: subprocess.Popen[bytes]) -> None:
    """By SIGTERM, and by SIGKILL when that does not help in time."""
    mark = ProcessMark.of(sleeper.pid)
    assert leftovers.end(mark, 0.2) is True
    assert mark.find() is None
    assert leftovers.end(mark, 0.2) is False


@pytest.mark.parametrize("starter", [None, ProcessMark(7, 2.5)])
def test_what_was_written_is_read(tmp_path: Path, starter: ProcessMark | None) -> None:
    """A detached broker has no starter."""
    running = RunningBroker(ProcessMark(5, 1.25), starter, "127.0.0.1:9", "127.0.0.1:10")
    leftovers.write(tmp_path / "broker.json", running)
    assert leftovers.read(tmp_path / "broker.json") == running


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"broker": {"pid": 1}}'])
def test_a_damaged_file_says_nothing(tmp_path: Path, text: str | None) -> None:
    """A start goes on when the file of the last one is missing or cut off."""
    if text is not None:
        (tmp_path / "broker.json").write_text(text)
    assert leftovers.read(tmp_path / "broker.json") is None
