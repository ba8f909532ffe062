"""Hot reload: what changed in an app folder, and which functions have to start anew for it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from workers.functions.manifest import FunctionEntry, Manifest

log = logging.getLogger("penstock.functions")

Stamp: TypeAlias = tuple[int, int, int]
"""When a file was changed (ns), its size and its inode: an editor that writes a new file beside the old one
and renames it, and a volume whose links are switched, change at least one of them."""

_FOLDERS: Final = ("functions", "values", "environments")
_MOST_FILES: Final = 20_000  # more is no folder of functions: what is beyond is not watched
# 200 files take 1 ms of the event loop. Beside a busy loop a thread waits up to 5 ms for the interpreter at
# each of its system calls: for few files it takes far longer than it saves.
_FEW_FILES: Final = 200
# What a worker process was started with. A change of anything else, such as an access rule, needs no new one.
_OF_A_PROCESS: Final = tuple(
    field.name
    for field in fields(FunctionEntry)
    if field.name not in ("access", "run_as_script", "concurrency", "aliases")
)


def stamps(app_dir: Path) -> dict[str, Stamp]:
    """Every file that functions are made of, by its path in the app folder."""
    found: dict[str, Stamp] = {}
    places: list[tuple[str, list[str], list[str]]] = [
        (str(app_dir), [], [path.name for path in app_dir.glob("*.json")])
    ]
    for name in _FOLDERS:
        places += os.walk(app_dir / name)
    for folder, folders, files in places:
        folders[:] = [one for one in folders if one[0] != "." and one not in ("__pycache__", "node_modules")]
        for name in files:
            path = os.path.join(folder, name)
            try:
                status = os.stat(path)
            except OSError:
                continue  # gone since the folder was listed
            found[os.path.relpath(path, app_dir)] = (status.st_mtime_ns, status.st_size, status.st_ino)
            if len(found) >= _MOST_FILES:
                return found
    return found


def to_restart(
    old: Mapping[str, FunctionEntry], new: Mapping[str, FunctionEntry], changed: frozenset[str]
) -> set[str]:
    """The functions whose processes run something else than what is written now.

    A Python function may import any file below `functions/` that is no function itself."""
    sources = {entry.file for entry in (*old.values(), *new.values())}
    shared = any(path.startswith(f"functions{os.sep}") and path.endswith(".py") for path in changed - sources)
    return {
        name
        for name, entry in new.items()
        if name in old
        and (
            entry.file in changed
            or (shared and entry.language == "python")
            or any(getattr(entry, field) != getattr(old[name], field) for field in _OF_A_PROCESS)
        )
    }


class Reloads(Protocol):
    """Whose functions are reloaded; kept by `host.FunctionHost`."""

    def read_again(self) -> Manifest:
        """What the app folder says now. Called on a thread."""
        ...

    def take_over(self, manifest: Manifest, changed: frozenset[str]) -> None:
        """Serve these functions from now on."""
        ...


async def watch(app_dir: Path, host: Reloads, seconds: float) -> None:
    """Look every `seconds` for ever. A change is taken over when two looks in a row found the same: a file
    that is half written is not run. What is wrong is logged, and the functions stay as they were."""
    applied = tried = seen = stamps(app_dir)
    while True:
        await asyncio.sleep(seconds)
        now = stamps(app_dir) if len(seen) <= _FEW_FILES else await asyncio.to_thread(stamps, app_dir)
        if now != seen or now == tried:
            seen = now
            continue
        tried = now
        manifest = await asyncio.to_thread(host.read_again)
        if manifest.problems:
            found = "; ".join(str(problem) for problem in manifest.problems[:5])
            log.warning("functions not reloaded", extra={"problems": found})
            continue
        changed = {path for path in now.keys() | applied.keys() if now.get(path) != applied.get(path)}
        applied = now
        host.take_over(manifest, frozenset(changed))
        log.info("functions reloaded", extra={"files": len(changed), "functions": len(manifest.entries)})
