"""The tools, made when they are missing, and what the chart renders."""

from __future__ import annotations

import pytest

from tests.chart import toolchain


@pytest.fixture(scope="session")
def tools() -> toolchain.Tools:
    """All programs that judge the chart."""
    return toolchain.tools()
