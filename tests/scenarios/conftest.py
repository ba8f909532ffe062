"""Every scenario gets a world of its own and leaves nothing running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scenarios.world import World


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A scenario's own deadlines are shorter than this, and say what did not come."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(600), append=False)


@pytest.fixture
def world(
    kafka: str, topic_name: Callable[[str], str], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[World]:
    """A scenario's surroundings; the workers' logs are shown when it fails."""
    made = World(kafka, tmp_path, topic_name)
    yield made
    made.stop()
    if request.session.testsfailed:
        request.node.add_report_section("teardown", "workers", made.logs())
