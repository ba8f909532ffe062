"""What a process learned of the limits of its functions, in a file, so that its successor need not learn it
again. Nothing depends on it: without the file a process begins as if it knew nothing."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from workers.adapters.own_folder import own_folder
from workers.logs import log_event

log = logging.getLogger(__name__)

VERSION: Final = 1
# 10,000 functions with ARNs of 150 characters and three ceilings each are 3 MB.
MAX_BYTES: Final = 4 * 1024 * 1024


class LimitsFile:
    """The file `limits-<name>.json`. Processes that share one write over each other's, which loses nothing
    but precision."""

    def __init__(self, folder: str, name: str) -> None:
        """An empty `folder` is one of this user's in the place for temporary files."""
        self._path: Path | None = None
        try:
            place = Path(folder) if folder else own_folder("state")
            self._path = place / f"limits-{name}.json"
        except OSError as error:
            self._complain(error)

    def read(self) -> Mapping[str, Any]:
        """What was kept; nothing where there is no file, or none of ours."""
        if self._path is None:
            return {}
        try:
            with self._path.open("rb") as file:
                found = orjson.loads(file.read(MAX_BYTES + 1))
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict) or found.get("version") != VERSION:
            return {}
        limits = found.get("limits")
        return limits if isinstance(limits, dict) else {}

    def write(self, limits: Mapping[str, Any]) -> None:
        """Keep them. The file is whole at every moment. A folder that cannot be written to is said once."""
        if self._path is None:
            return
        aside = self._path.with_suffix(f".{os.getpid()}.new")
        try:
            aside.write_bytes(orjson.dumps({"version": VERSION, "limits": limits}))
            aside.replace(self._path)
        except OSError as error:
            self._path = None
            self._complain(error)

    async def keep(self, export: Callable[[], Mapping[str, Any]], every_seconds: float) -> None:
        """Write them again and again, for ever."""
        while True:
            await asyncio.sleep(every_seconds)
            await asyncio.to_thread(self.write, export())

    def _complain(self, error: OSError) -> None:
        log_event(log, logging.INFO, "limits_not_kept", reason=str(error))
