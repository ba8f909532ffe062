"""The tools, made when they are missing, and what the chart renders."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.chart import toolchain

# The slowest renders a dozen sets of values: 6 s, and 30 on a machine with ten times more to do than cores.
TEST_SECONDS: Final = 240


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Time for a busy machine; and for the tools, which the first test has to make without `make chart`."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS, func_only=True))


@pytest.fixture(scope="session")
def tools() -> toolchain.Tools:
    """All programs that judge the chart."""
    return toolchain.tools()
