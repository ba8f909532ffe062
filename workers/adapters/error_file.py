"""Reads the error table that is shipped with the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import workers.calls
from workers.calls.error_table import FILE, ErrorTable, parse_table

_PATH: Final = Path(workers.calls.__file__).with_name(FILE)


@cache
def shipped_errors() -> ErrorTable:
    """The table, read once a process. Raises OSError where the package is not whole."""
    return parse_table(_PATH.read_text(encoding="utf-8"))
