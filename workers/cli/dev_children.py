"""The programs that `penstock dev` starts: the function host and the worker, each as a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from workers.errors import Fatal, Invalid, Problem

# Imports on a busy machine take seconds, an engine's first assignment some more.
START_SECONDS: Final = 90.0
# The worker's own drain (25 s) and the supervisor's margin before it kills (3 s), and a little.
STOP_SECONDS: Final = 32.0
POLL_SECONDS: Final = 0.05
BAD_INPUT: Final = 2
LOG_LINES: Final = 20


class Child:
    """One process. Its output goes to a file; it ends when this process does, however this one ends."""

    def __init__(self, name: str, arguments: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.address_file = folder / f"{name}.address"
        self.address_file.unlink(missing_ok=True)
        with self.log.open("wb") as output:
            # A session of its own: Ctrl-C is for this process, which ends the others in order.
            self._process = subprocess.Popen(  # noqa: S603 - our own commands
                [sys.executable, "-m", "workers", *arguments, "--with-parent",
                 "--address-file", str(self.address_file)],
                stdin=subprocess.PIPE, stdout=output, stderr=output, env=dict(env), start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def check(self) -> None:
        """Raises Fatal when the process has ended, Invalid when it refused its input."""
        code = self._process.poll()
        if code is None:
            return
        tail = self.tail()
        if code == BAD_INPUT:
            raise Invalid([Problem(self.name, "", f"refused its input:\n{tail}")])
        raise Fatal(f"the {self.name} (process {self.pid}) ended with code {code}; its last words:\n{tail}")

    def address(self, is_stopping: Callable[[], bool]) -> str:
        """The address that the process answers at, once it does; empty when told to stop meanwhile."""
        deadline = time.monotonic() + START_SECONDS
        while not self.address_file.exists():
            self.check()
            if is_stopping():
                return ""
            if time.monotonic() > deadline:
                raise Fatal(f"the {self.name} did not start within {START_SECONDS:g} s:\n{self.tail()}")
            time.sleep(POLL_SECONDS)
        return self.address_file.read_text(encoding="utf-8").strip()

    def stop(self) -> int:
        """SIGTERM, wait for the drain, SIGKILL in the end. Returns the exit code. Idempotent."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        return code

    def tail(self) -> str:
        """The last lines of its output."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-LOG_LINES:])
