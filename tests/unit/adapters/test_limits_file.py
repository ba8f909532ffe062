"""What was learned of limits comes back after a restart, and nothing depends on it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.fakes.waiting import until
from workers.adapters.limits_file import MAX_BYTES, LimitsFile

LIMITS = {"aws score": {"limit": 12.5, "mark": 20.0, "ceilings": {}}}


def test_what_was_written_is_read_by_the_next_process(tmp_path: Path) -> None:
    """Of the same number; another has its own file. Nothing is left beside it."""
    LimitsFile(str(tmp_path), "blue-0").write(LIMITS)
    assert LimitsFile(str(tmp_path), "blue-0").read() == LIMITS
    assert LimitsFile(str(tmp_path), "blue-1").read() == {}
    assert [path.name for path in tmp_path.iterdir()] == ["limits-blue-0.json"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"version": 2, "limits": {"a": 1}}', '{"version": 1, "limits": []}', "\0"]
)
def test_a_file_that_is_none_of_ours_is_not_looked_at(tmp_path: Path, text: str) -> None:
    """Also a newer one: limits are learned again in seconds."""
    (tmp_path / "limits-blue-0.json").write_text(text)
    assert LimitsFile(str(tmp_path), "blue-0").read() == {}


def test_a_file_without_end_is_not_read_whole(tmp_path: Path) -> None:
    """Its first part is no JSON."""
    (tmp_path / "limits-blue-0.json").write_bytes(
        b'{"version": 1, "limits": {"' + b"a" * MAX_BYTES + b'": 1}}'
    )
    assert LimitsFile(str(tmp_path), "blue-0").read() == {}


def test_without_a_folder_nothing_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that is not there, or that nobody may write to, is said once."""
    caplog.set_level("INFO")
    limits = LimitsFile(str(tmp_path / "gone"), "blue-0")
    assert limits.read() == {}
    limits.write(LIMITS)
    limits.write(LIMITS)
    assert [record.message for record in caplog.records] == ["limits_not_kept"]


def test_without_a_place_for_temporary_files_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As on a read-only file system."""
    caplog.set_level("INFO")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "gone"))
    limits = LimitsFile("", "blue-0")
    limits.write(LIMITS)
    assert limits.read() == {}
    assert [record.message for record in caplog.records] == ["limits_not_kept"]


async def test_it_is_written_again_and_again(tmp_path: Path) -> None:
    """A crash forgets no more than the time in between."""
    limits = LimitsFile(str(tmp_path), "blue-0")
    keeping = asyncio.create_task(limits.keep(lambda: LIMITS, 0.001))
    try:
        await until(lambda: limits.read() == LIMITS)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
