"""`penstock worker`: a supervisor of engine processes, and the one HTTP server of a pod. An edge program."""

from workers.supervisor.options import Timing, WorkerOptions
from workers.supervisor.run import run

__all__ = ["Timing", "WorkerOptions", "run"]
