"""Runs one command and ends it when the process that asked for it ends. A script: imports nothing of ours.

    python guard.py STOP_TIMEOUT_SECONDS OUTPUT_FILE COMMAND...

The starter holds the write end of this script's standard input. Kafka must not outlive a starter that was
killed with SIGKILL, and only another process can see that: the pipe closes, or (a forked child still holds
the pipe) the parent changes. On Linux the kernel also ends the command when this script is killed itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import types

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.5


LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent does; elsewhere the pid file is what is left."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def main(arguments: list[str]) -> int:
    """Returns the exit code of the command (128 + signal when a signal ended it)."""
    stop_timeout_seconds, output_file, *command = arguments
    starter = os.getppid()
    stopping = False

    def stop(_signal: int, _frame: types.FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open(output_file, "ab") as output:
        child = subprocess.Popen(  # noqa: S603 - the caller's own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - safe: this script has one thread
        )
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(f"{child.pid}\n")
        sys.stdout.flush()
    while child.poll() is None and not stopping and os.getppid() == starter:
        if select.select([sys.stdin], [], [], POLL_SECONDS)[0] and not os.read(sys.stdin.fileno(), 4096):
            break
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(float(stop_timeout_seconds))
        except subprocess.TimeoutExpired:
            child.kill()
    code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
