"""Runs a supervisor with the options given as JSON: what `penstock worker` does, without its command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from workers.logs import set_up
from workers.supervisor import Timing, WorkerOptions, run

if __name__ == "__main__":
    set_up("info", human=False)
    given = json.loads(sys.argv[1])
    given["app_dir"] = Path(given["app_dir"])
    given["address_file"] = Path(given["address_file"])
    given["command"] = tuple(given["command"])
    given["timing"] = Timing(**given["timing"])
    sys.exit(run(WorkerOptions(**given)))
