"""A source that an editor has emptied and not yet written anew."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from workers.functions.sandbox import child


def test_a_source_that_is_empty_for_a_moment_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker may start just then: it looks again until there is something."""
    source, looks = tmp_path / "f.js", 0
    source.touch()

    def wait(seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            source.write_text("anew", "utf-8")

    monkeypatch.setattr(time, "sleep", wait)
    assert child.read_source({"source": str(source), "file": "functions/f.js"}) == "anew"
    assert looks == 3


def test_a_source_that_stays_empty_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a second of looks: the engine says then that it exports nothing."""
    source, waited = tmp_path / "f.js", 0.0
    source.touch()

    def wait(seconds: float) -> None:
        nonlocal waited
        waited += seconds

    monkeypatch.setattr(time, "sleep", wait)
    assert child.read_source({"source": str(source), "file": "functions/f.js"}) == ""
    assert waited == pytest.approx(1.0)
