"""What a long run says while it goes on, and keeps for whoever asks later."""

from __future__ import annotations

import time
from pathlib import Path


class RunLog:
    """Lines with the seconds since the start, printed and written to a file."""

    def __init__(self, file: Path | None) -> None:
        self._started = time.monotonic()
        self._lines: list[str] = []
        self._file = file

    def say(self, line: str) -> None:
        """One thing that happened or was seen."""
        self.raw(f"{time.monotonic() - self._started:7.1f}  {line}")

    def raw(self, text: str) -> None:
        """Text of others, as it is; the file is whole after each line."""
        self._lines.append(text)
        print(text, flush=True)
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text("\n".join(self._lines) + "\n", encoding="utf-8")


class Wrong(Exception):
    """What the run should show is not so."""


def check(holds: bool, what: str) -> None:
    """Go on only when it holds. Raises Wrong."""
    if not holds:
        raise Wrong(what)
