"""The bound on what the user of a function's process may run, set by that process."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from workers.functions.sandbox import child


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What would be set: (limit, most)."""
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(child, "bound", lambda what, most: found.append((what, most)))
    return found


def test_threads_of_one_user_are_counted(tmp_path: Path) -> None:
    """Of every process that is that user's, and nothing else that lies beside them; 0 where nothing tells."""
    for thread in ("10/task/10", "10/task/11", "20/task/20", "self/task/1"):
        (tmp_path / thread).mkdir(parents=True)
    (tmp_path / "30").mkdir()  # ended meanwhile
    assert child.tasks_of(os.getuid(), str(tmp_path)) == 3
    assert child.tasks_of(os.getuid() + 1, str(tmp_path)) == 0
    assert child.tasks_of(os.getuid(), str(tmp_path / "none")) == 0


def test_a_user_may_run_so_many_more(monkeypatch: pytest.MonkeyPatch, bounds: list[tuple[int, int]]) -> None:
    """Than run already; where that is unknown there is no bound that could be too low."""
    monkeypatch.setattr(os, "getuid", lambda: 1_000)
    monkeypatch.setattr(child, "tasks_of", lambda user, proc: 7 if (user, proc) == (1_000, "/proc") else 0)
    child.bound_tasks(272)
    monkeypatch.setattr(child, "tasks_of", lambda user, proc: 0)
    child.bound_tasks(272)
    assert bounds == [(resource.RLIMIT_NPROC, 279)]


def test_root_is_not_bound(monkeypatch: pytest.MonkeyPatch, bounds: list[tuple[int, int]]) -> None:
    """The system would not heed it."""
    monkeypatch.setattr(os, "getuid", lambda: 0)
    child.bound_tasks(272)
    assert bounds == []
