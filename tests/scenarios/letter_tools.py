"""`penstock dlq` as a program, for scenarios."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.scenarios.world import PROGRAM


def start_dlq(app: Path, command: str, *arguments: str) -> subprocess.Popen[str]:
    """Start `penstock dlq <command> ... --json`."""
    line = [*PROGRAM, "dlq", command, *arguments, "--app", str(app), "--json"]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_dlq(app: Path, command: str, *arguments: str, code: int = 0) -> Any:
    """What the command printed as JSON. Fails unless it ended with `code`."""
    with start_dlq(app, command, *arguments) as program:
        out, err = program.communicate(timeout=120)
        assert program.returncode == code, err
        return json.loads(out)
