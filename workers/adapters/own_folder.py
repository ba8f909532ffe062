"""A folder of this user's in the place for temporary files, and of nobody who could tamper with it."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def own_folder(purpose: str) -> Path:
    """The folder `penstock-<purpose>-<user id>`, made where it is missing. Raises OSError where it cannot be
    made, as on a read-only file system, or belongs to somebody else."""
    folder = Path(tempfile.gettempdir()) / f"penstock-{purpose}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise OSError(f"{folder} belongs to somebody else")
    return folder
