"""What every test runs under: a clean environment, hypothesis profiles, fixtures of the real broker."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.kafka_fixture"]

# A developer's shell must not change what a test sees; these two only say where things are.
KEPT: Final = ("KAFKA_BOOTSTRAP", "PENSTOCK_CACHE")
LEAKING: Final = ("PENSTOCK_", "AWS_", "KAFKA_")
# No test may reach AWS, find somebody's credentials, or wait for an instance's metadata service.
DUMMY_AWS: Final = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}

# No deadline: a shared machine stalls a single example for longer than any useful limit.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile(
    "ci", max_examples=200, deadline=None, derandomize=True, print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip


# Slowest first, so that four test processes end together: a scenario waits for 5 to 60 s, a unit test for
# nothing.
TIERS: Final = ("scenarios", "process", "contract")


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A command that a test runs in this process sets up its logs: the next test's are not to be silent."""
    kept = {name: logging.getLogger(name).level for name in (None, "workers", "topics", "penstock")}
    handlers = logging.getLogger().handlers[:]
    yield
    for name, level in kept.items():
        logging.getLogger(name).setLevel(level)
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if handler not in handlers and type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
    logging.captureWarnings(False)


def _tier(item: pytest.Item) -> int:
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    return TIERS.index(folder) if folder in TIERS else len(TIERS)


def pytest_configure() -> None:
    """Before any test module is imported."""
    for name in list(os.environ):
        if name.startswith(LEAKING) and name not in KEPT:
            del os.environ[name]
    os.environ.update(DUMMY_AWS)
    settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a broker, before `-m` selects.

    Their time-out covers the test alone: the first one also starts the broker, which on a new machine
    downloads it.
    """
    items.sort(key=_tier)
    for item in items:
        if "kafka" not in getattr(item, "fixturenames", ()):
            continue
        item.add_marker(pytest.mark.kafka)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(180, func_only=True))
