"""`penstock worker`: what it hands to the supervisor."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers import logs
from workers.cli import application, worker
from workers.supervisor import WorkerOptions


@pytest.mark.parametrize(("variable", "seconds"), [(None, 25.0), ("90s", 90.0)])
def test_the_environment_says_how_long_engines_may_drain(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str | None, seconds: float
) -> None:
    """3 seconds later they are killed: a pod's grace period is longer."""
    seen: list[WorkerOptions] = []

    def run(options: WorkerOptions) -> int:
        seen.append(options)
        return 0

    monkeypatch.setattr(worker, "run", run)
    monkeypatch.setattr(logs, "set_up", lambda _level: None)
    if variable is not None:
        monkeypatch.setenv("PENSTOCK_DRAIN_TIMEOUT", variable)
    assert application.run(["worker", "--app", str(tmp_path)]) == 0
    assert [(one.timing.drain, one.timing.kill_margin) for one in seen] == [(seconds, 3.0)]
