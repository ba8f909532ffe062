"""Which transactional ids a process takes."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from workers.adapters.slot_claim import SlotClaim


def test_an_id_names_release_host_number_and_processor(tmp_path: Path) -> None:
    """And the host is what it calls itself unless a slot is given."""
    assert SlotClaim("blue", "node-7", 3, tmp_path).transactional_id("orders") == "blue-node-7-0-orders"
    assert os.uname().nodename.split(".")[0] in SlotClaim("blue", "", 0, tmp_path).name


def test_two_live_claims_never_share_a_number(tmp_path: Path) -> None:
    """Of one name; another release counts by itself. A number that was given back is the next to be taken."""
    first, second, third = (SlotClaim("r", "host", 0, tmp_path) for _ in range(3))
    assert [claim.number for claim in (first, second, third)] == [0, 1, 2]
    assert SlotClaim("other", "host", 0, tmp_path).number == 0
    second.release()
    second.release()
    assert SlotClaim("r", "host", 0, tmp_path).number == 1


def _hold(folder: Path, pipe: Connection) -> None:
    pipe.send(SlotClaim("r", "host", 0, folder).number)
    pipe.recv()


def test_a_killed_process_leaves_its_number_to_its_successor(tmp_path: Path) -> None:
    """Not the one after it: the successor must end what was left open under the same ids."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_hold, args=(tmp_path, theirs))
    process.start()
    assert ours.recv() == 0
    assert SlotClaim("r", "host", 0, tmp_path).number == 1
    process.kill()
    process.join()
    assert SlotClaim("r", "host", 0, tmp_path).number == 0


def test_without_a_folder_the_process_number_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A read-only file system stops nobody, and is said."""
    claim = SlotClaim("r", "host", 3, tmp_path / "absent")
    assert claim.number == 3
    assert "slot_not_locked" in caplog.text
    claim.release()
