"""Alive, ready, and when to start again: decided from a view of the engines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workers.supervisor import Timing, WorkerOptions
from workers.supervisor.backoff import Backoff
from workers.supervisor.frames import Frame, ProcessorStatus
from workers.supervisor.report import EngineView, not_alive, not_ready, status

READY = Frame(True, (ProcessorStatus("orders", "STARTED"),), "")
NOT_READY = Frame(False, (ProcessorStatus("orders", "FAILED", ready=False, error="no such topic"),), "")
AWAY = Frame(
    False,
    (
        ProcessorStatus("audit", "STARTED"),
        ProcessorStatus("orders", "STARTED", ready=False, trouble="broker away"),
    ),
    "",
)


def view(
    frame: Frame | None = READY, *, pid: int | None = 7, lives: int = 1, silent: float = 0.5
) -> EngineView:
    """An engine that is ready, unless said otherwise."""
    return EngineView(0, pid, lives, silent, frame)


def test_all_engines_ready_is_ready_and_alive() -> None:
    """No reasons against it."""
    assert not_ready([view(), view()], 30, is_stopping=False) == []
    assert not_alive([view(), view()], 30) == []


@pytest.mark.parametrize(
    ("engine", "reason"),
    [(view(None), "engine 0 is starting"), (view(None, pid=None, lives=0), "engine 0 is not running"),
     (view(None, pid=None), "engine 0 is not running, it ended"),
     (view(silent=31), "engine 0 has said nothing for 31 s"),
     (view(NOT_READY), "engine 0 is not ready: orders is FAILED (no such topic)"),
     (view(AWAY), "engine 0 is not ready: orders is STARTED (broker away)"),
     (view(Frame(False, (), "")), "engine 0 is not ready")],
)  # fmt: skip
def test_one_engine_that_is_not_ready_makes_the_pod_not_ready(engine: EngineView, reason: str) -> None:
    """And the reason says which one and why."""
    assert not_ready([view(), engine], 30, is_stopping=False) == [reason]


def test_a_pod_that_stops_is_not_ready_though_its_engines_are() -> None:
    """Nobody should send it anything while it drains."""
    assert not_ready([view()], 30, is_stopping=True) == ["stopping"]


def test_silence_ends_life_only_of_a_process_that_runs() -> None:
    """An engine in its back-off says nothing, and starting the pod anew would not help it."""
    assert not_alive([view(silent=31)], 30) == ["engine 0 (pid 7) has said nothing for 31 s"]
    assert not_alive([view(silent=30)], 30) == []
    assert not_alive([view(None, pid=None, silent=300)], 30) == []


def test_status_shows_each_process_and_the_sum() -> None:
    """An engine that has not spoken yet is there without processors."""
    said = status([view(), EngineView(1, None, 2, 0.0, None)])
    assert [p["name"] for p in said["processors"]] == ["orders"]
    assert [(p["process"], p["health"], len(p["processors"])) for p in said["processes"]] == [
        ("0", "ready", 1),
        ("1", "waiting", 0),
    ]


def test_back_off_doubles_to_its_cap_and_starts_anew_after_a_healthy_life() -> None:
    """0.5, 1, 2 ... 30, 30; a process that lived for 60 s is not punished for the ones before it."""
    backoff = Backoff(Timing())
    assert [backoff.after(1.0) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.after(59.9) == 30
    assert backoff.after(60.0) == 0.5
    assert backoff.after(0.0) == 1


@pytest.mark.parametrize(
    "options", [{"processes": 0}, {"processes": 65}, {"metrics_port": -1}, {"metrics_port": 65536}]
)
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    """With the value and the range."""
    with pytest.raises(ValueError, match="it must be from"):
        WorkerOptions(Path("app"), **options)  # type: ignore[arg-type]


def test_it_stops_within_the_grace_that_kubernetes_gives() -> None:
    """terminationGracePeriodSeconds is 30 by default; past it everything is killed."""
    assert Timing().drain == 25
    assert Timing().drain + Timing().kill_margin < 30


def test_the_supervisor_brings_in_neither_the_engine_nor_a_kafka_client_nor_faust() -> None:
    """It is one process more in every pod: it stays small, and what breaks an engine cannot break it."""
    program = "import sys, workers.supervisor; print('\\n'.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    modules = loaded.splitlines()
    assert "workers.supervisor.run" in modules
    assert not [
        name for name in modules if name.split(".")[0] in {"confluent_kafka", "faust", "boto3", "uvloop"}
    ]
    assert not [name for name in modules if name.startswith(("workers.engine", "workers.pipeline"))]
