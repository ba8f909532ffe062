"""Prints docs/metrics.md."""

from __future__ import annotations

import sys

from workers.metrics import as_markdown

if __name__ == "__main__":
    sys.stdout.write(as_markdown())
