"""What a supervisor is told. `cli` fills it in; nothing in here reads the environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# -P: a folder called `workers` where somebody happens to stand must not be taken for this package.
ENGINE_COMMAND = (sys.executable, "-P", "-m", "workers", "engine")


@dataclass(frozen=True, slots=True)
class Timing:
    """Every wait of a supervisor, in seconds.

    A dead engine process is started again after `restart_base`, doubling up to `restart_cap`, from the base
    again once one has lived for `healthy_after`. One that says nothing for `silent_after` makes /livez
    fail, for `kill_silent_after` is killed. On stop the engines get `drain` plus `kill_margin`, then kill
    -9: 28 s together, under the 30 s that Kubernetes waits before it kills the pod.
    """

    drain: float = 25.0
    kill_margin: float = 3.0
    restart_base: float = 0.5
    restart_cap: float = 30.0
    healthy_after: float = 60.0
    silent_after: float = 30.0
    kill_silent_after: float = 90.0


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What `penstock worker` runs.

    `processors` empty: all of the app folder. `metrics_port` 0: a free one; the address that was taken is
    logged and written to `address_file` (one line, `http://host:port`), which is removed at the end. `env`
    None: the supervisor's own. `command` starts one engine process.
    """

    app_dir: Path
    processors: tuple[str, ...] = ()
    processes: int = 1
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0
    env: Mapping[str, str] | None = None
    address_file: Path | None = None
    command: tuple[str, ...] = ENGINE_COMMAND
    timing: Timing = field(default_factory=Timing)

    def __post_init__(self) -> None:
        # 64: each process is meant for one core, and more on one machine is a typing error.
        if not 1 <= self.processes <= 64:
            raise ValueError(f"processes is {self.processes}; it must be from 1 to 64")
        if not 0 <= self.metrics_port <= 65_535:
            raise ValueError(f"metrics_port is {self.metrics_port}; it must be from 0 to 65535")
