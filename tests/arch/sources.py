"""The files that the gates look at: what git tracks or would track, so a new file is seen at once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("workers", "topics", "penstock", "tests", "benchmarks")
RUNNING = ("workers", "topics", "penstock")


@cache
def tracked(root: Path = ROOT) -> tuple[str, ...]:
    """Paths relative to the root, with slashes; deleted files and what .gitignore names left out."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    return tuple(sorted({path for path in listed.split("\0") if path and (root / path).is_file()}))


def python_files(*packages: str) -> Iterator[tuple[str, str]]:
    """(path, source) of each Python file in these packages."""
    for path in tracked():
        if path.endswith(".py") and path.split("/")[0] in packages:
            yield path, (ROOT / path).read_text(encoding="utf-8")


def text_files() -> Iterator[tuple[str, str]]:
    """(path, text) of each tracked file that is UTF-8 text."""
    for path in tracked():
        try:
            yield path, (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
