"""How an engine process is told to allocate and collect."""

from __future__ import annotations

import subprocess
import sys

_PROBE = """
import gc, platform
from workers.adapters.allocation import settle_memory
settled = settle_memory()
print(settled == (platform.libc_ver()[0] == "glibc"))
print(gc.get_freeze_count() > 1000, gc.get_threshold()[0] > 10_000)
cycle = []
cycle.append(cycle)
del cycle
print(gc.collect() >= 1)
"""


def test_the_collector_looks_rarely_and_still_finds_cycles() -> None:
    """What exists at the start is frozen, the allocator keeps its memory, and a cycle made later is freed."""
    ran = subprocess.run(
        [sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=20, check=True
    )  # fmt: skip
    assert ran.stdout.split() == ["True", "True", "True", "True"]
