"""The package's face, and what it costs a worker process to import it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import workers.functions


@pytest.mark.parametrize("name", workers.functions.__all__)
def test_every_exported_name_is_the_thing_itself(name: str) -> None:
    """A class or function, not the module that holds it."""
    assert callable(getattr(workers.functions, name))


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        workers.functions.nope  # noqa: B018 - the access is the test


def test_a_worker_process_imports_no_server() -> None:
    """aiohttp alone would take six times as long to load as the rest of a cold start."""
    sandbox = "workers.functions.sandbox"
    program = f"import sys, {sandbox}.py_worker, {sandbox}.js_worker; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    ).stdout.split()
    assert "workers.functions.frames" in loaded
    assert not {"aiohttp", "asyncio", "orjson", "boto3", "workers.functions.host"} & set(loaded)
