"""What tests/conftest.py promises every test."""

from __future__ import annotations

import os

import pytest

from tests import conftest


def test_a_developers_shell_does_not_reach_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and credentials go, the broker to use and the cache stay, AWS gets dummies."""
    for name in ("PENSTOCK_X", "AWS_PROFILE", "KAFKA_OPTS", "KAFKA_BOOTSTRAP", "PENSTOCK_CACHE"):
        monkeypatch.setenv(name, "leaked")
    for name in conftest.DUMMY_AWS:
        monkeypatch.setenv(name, "leaked")
    conftest.pytest_configure()
    left = {name: value for name, value in os.environ.items() if name.startswith(conftest.LEAKING)}
    assert left == {"KAFKA_BOOTSTRAP": "leaked", "PENSTOCK_CACHE": "leaked", **conftest.DUMMY_AWS}


def test_a_test_that_uses_the_broker_is_marked(request: pytest.FixtureRequest) -> None:
    """`-m "not kafka"` finds those without a mark too; the first one's start does not count as its time."""
    item = request.node
    item.fixturenames.append("kafka")
    conftest.pytest_collection_modifyitems([item])
    assert item.get_closest_marker("kafka") is not None
    assert item.get_closest_marker("timeout").kwargs == {"func_only": True}
