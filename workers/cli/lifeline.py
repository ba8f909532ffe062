"""A child that ends with its parent, however that ends: it watches its stdin, which only the parent holds."""

from __future__ import annotations

import os
import signal
import sys
import threading


def end_with_parent() -> None:
    """From now on the end of stdin is a SIGTERM to this process: it drains and ends as if it was asked to."""
    threading.Thread(target=_watch, name="parent", daemon=True).start()


def _watch() -> None:
    descriptor = sys.stdin.fileno()
    while os.read(descriptor, 4096):
        pass  # nothing is said over it; only its end means something
    os.kill(os.getpid(), signal.SIGTERM)
