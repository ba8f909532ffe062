"""What is answered on /metrics, /livez, /readyz and /status, out of a view of the engines. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workers.supervisor.aggregate import by_processor, merge
from workers.supervisor.frames import Frame, ProcessorStatus

Health = Literal["ready", "not_ready", "waiting"]


@dataclass(frozen=True, slots=True)
class EngineView:
    """One engine process at one moment. `pid` None: none runs, the next one waits for its back-off.

    `silent_seconds` is the time since it last spoke or was started.
    """

    number: int
    pid: int | None
    lives: int
    silent_seconds: float
    frame: Frame | None

    @property
    def health(self) -> Health:
        """waiting: no process runs. ready: it says so. not_ready: all else."""
        if self.pid is None:
            return "waiting"
        return "ready" if self.frame is not None and self.frame.ready else "not_ready"


def not_alive(engines: Sequence[EngineView], silent_after: float) -> list[str]:
    """Why this pod should be started anew; empty: it should not. An engine in its back-off is not silent."""
    return [
        f"engine {engine.number} (pid {engine.pid}) has said nothing for {engine.silent_seconds:.0f} s"
        for engine in engines
        if engine.pid is not None and engine.silent_seconds > silent_after
    ]


def not_ready(engines: Sequence[EngineView], silent_after: float, *, is_stopping: bool) -> list[str]:
    """Why this pod is not ready; empty: it is."""
    reasons = ["stopping"] if is_stopping else []
    for engine in engines:
        if engine.pid is None:
            reasons.append(f"engine {engine.number} is not running" + (", it ended" if engine.lives else ""))
        elif engine.frame is None:
            reasons.append(f"engine {engine.number} is starting")
        elif engine.silent_seconds > silent_after:
            reasons.append(f"engine {engine.number} has said nothing for {engine.silent_seconds:.0f} s")
        elif not engine.frame.ready:
            waiting = [
                p for p in engine.frame.processors if not p.ready or p.trouble
            ] or engine.frame.processors
            states = ", ".join(_described(processor) for processor in waiting)
            reasons.append(f"engine {engine.number} is not ready" + (f": {states}" if states else ""))
    return reasons


def status(engines: Sequence[EngineView]) -> dict[str, Any]:
    """The answer of /status: `processors` with the counts of all engines, `processes` one by one."""
    spoken = [(str(engine.number), engine.frame.processors) for engine in engines if engine.frame is not None]
    return {
        "processors": by_processor(spoken),
        "processes": [
            {
                "process": str(engine.number),
                "pid": engine.pid,
                "health": engine.health,
                "lives": engine.lives,
                "silent_seconds": round(engine.silent_seconds, 3),
                "processors": []
                if engine.frame is None
                else by_processor([(str(engine.number), engine.frame.processors)]),
            }
            for engine in engines
        ],
    }


def samples(own: str, engines: Sequence[EngineView]) -> tuple[str, int]:
    """The answer of /metrics and how many lines were left out: `own` as `supervisor`, then the engines'."""
    spoken = [(str(engine.number), engine.frame.metrics) for engine in engines if engine.frame is not None]
    return merge([("supervisor", own), *spoken])


def _described(processor: ProcessorStatus) -> str:
    why = "; ".join(text for text in (processor.error, processor.trouble) if text)
    return f"{processor.name} is {processor.state}" + (f" ({why})" if why else "")
