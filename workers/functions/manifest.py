"""Which functions an app folder has.

Today: the source files below `functions/`. `functions/config.json` will replace fields of the entries;
nothing else needs to know where an entry came from.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from workers.errors import Problem
from workers.functions.context import AppContext
from workers.functions.names import NAME_RULE, is_name
from workers.functions.settings import HostSettings

Language = Literal["javascript", "python"]
_LANGUAGES: Final[Mapping[str, Language]] = {".js": "javascript", ".py": "python"}
_MAX_FUNCTIONS: Final = 5_000  # a folder with more is not a folder of functions (node_modules, a checkout)


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """One function: where its source is and what it may use. `source` is absolute, `file` relative to the
    app. With `text` the source is that text, and `source` only says where it stands (a `run_as` script)."""

    name: str
    language: Language
    source: Path
    file: str
    timeout_seconds: float
    memory_bytes: int
    concurrency: int
    environment: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    app: AppContext = field(default_factory=AppContext)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The functions by name, and everything that is wrong with the folder."""

    entries: Mapping[str, FunctionEntry]
    problems: tuple[Problem, ...]


def load(app_dir: Path, settings: HostSettings | None = None) -> Manifest:
    """Look what is in `app_dir/functions`. Never raises for what a user wrote: see `problems`.

    Not looked at: files and folders that start with `_` or `.` (a Python function's own modules), other
    endings, `config.json`. Whether a source compiles and exports a function is found at the first call, by
    the engine that runs it."""
    limits = settings or HostSettings()
    root = app_dir / "functions"
    entries: dict[str, FunctionEntry] = {}
    problems: list[Problem] = []
    if not app_dir.is_dir():
        return Manifest({}, (Problem("", "", f"{app_dir} is no folder", "name the app folder"),))
    for count, path in enumerate(_sources(root)):
        file = path.relative_to(app_dir).as_posix()
        if count >= _MAX_FUNCTIONS:
            problems.append(Problem("functions", "", f"more than {_MAX_FUNCTIONS} source files"))
            break
        name = path.relative_to(root).with_suffix("").as_posix()
        problem = _problem(root, path, file, name) or _duplicate(file, entries.get(name))
        if problem:
            problems.append(problem)
            continue
        entries[name] = FunctionEntry(
            name=name,
            language=_LANGUAGES[path.suffix],
            source=path.resolve(),
            file=file,
            timeout_seconds=limits.timeout_seconds,
            memory_bytes=limits.memory_bytes,
            concurrency=limits.concurrency,
        )
    return Manifest(entries, tuple(problems))


def _sources(root: Path) -> Iterator[Path]:
    """Source files in a fixed order. Linked folders are not followed: they may lead anywhere, or in
    circles."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(one for one in folders if one[0] not in "._" and one != "node_modules")
        for one in sorted(files):
            if one[0] not in "._" and Path(one).suffix in _LANGUAGES:
                yield Path(folder, one)


def _problem(root: Path, path: Path, file: str, name: str) -> Problem | None:
    if not is_name(name):
        return Problem(file, "", f"{name!r} is no function name", NAME_RULE)
    if not path.is_file():
        return Problem(file, "", "is no readable file", "a JavaScript or Python source file")
    if not path.resolve().is_relative_to(root.resolve()):
        return Problem(file, "", "is a link that leads out of functions/", "copy the file here")
    if not os.access(path, os.R_OK):
        return Problem(file, "", "may not be read", "give the function host's user the right to read it")
    return None


def _duplicate(file: str, other: FunctionEntry | None) -> Problem | None:
    if other is None:
        return None
    return Problem(
        file, "", f"a second source of the function {other.name!r}", f"keep this file or {other.file}"
    )
