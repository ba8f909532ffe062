"""Lines between supervisor and engine: what is a status, and how much is held of one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.supervisor.frames import Frame, Lines, ProcessorStatus, first_line, parse

GOOD: dict[str, Any] = {
    "type": "status",
    "ready": True,
    "processors": [{"name": "orders", "state": "STARTED", "error": None, "lag": 3, "buffered": 2}],
    "metrics": "up 1\n",
}


def test_a_status_is_read_with_what_it_leaves_out_at_zero() -> None:
    """Unknown fields are passed over, so that an engine may say more than this supervisor knows."""
    extended = GOOD | {"processors": [GOOD["processors"][0] | {"mood": "good"}], "new": 1}
    wanted = Frame(True, (ProcessorStatus("orders", "STARTED", lag=3, buffered=2),), "up 1\n")
    assert parse(json.dumps(GOOD).encode()) == wanted
    assert parse(json.dumps(extended).encode()) == wanted


@pytest.mark.parametrize(
    "change",
    [{"type": "other"}, {"ready": 1}, {"ready": None}, {"processors": {}}, {"processors": ["orders"]},
     {"processors": [{"name": "orders"}]}, {"processors": [{"name": 1, "state": "STARTED"}]},
     {"processors": [{"name": "a", "state": "b", "lag": "3"}]},
     {"processors": [{"name": "a", "state": "b", "lag": True}]},
     {"processors": [{"name": "a", "state": "b", "error": 1}]},
     {"processors": [{"name": "a", "state": "b", "ready": None}]}, {"metrics": None}],
    ids=json.dumps,
)  # fmt: skip
def test_what_lacks_a_field_or_has_it_wrong_is_no_status(change: dict[str, Any]) -> None:
    """A status is taken whole or not at all."""
    assert parse(json.dumps(GOOD | change).encode()) is None


@pytest.mark.parametrize("line", [b"", b"null", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'"status"', b"12"])
def test_what_is_no_json_object_is_no_status(line: bytes) -> None:
    """Somebody's print in an engine process does not disturb the supervisor, however deep it nests."""
    assert parse(line) is None


def test_the_first_line_says_which_process_it_is() -> None:
    """One JSON object on one line, whatever the folder is called."""
    line = first_line("/app\nfolder/ü", ("orders",), 1, 4)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "app": "/app\nfolder/ü",
        "processors": ["orders"],
        "process": 1,
        "processes": 4,
    }


@given(st.lists(st.binary(max_size=30).filter(lambda b: b"\n" not in b), max_size=8), st.data())
def test_lines_are_the_same_however_the_stream_is_cut(lines: list[bytes], data: st.DataObject) -> None:
    """A pipe cuts where it likes."""
    stream = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    reader = Lines()
    assert [line for chunk in chunks for line in reader.feed(chunk)] == lines


@given(st.integers(1, 40), st.integers(1, 7))
def test_a_line_over_the_limit_is_told_once_and_the_next_one_is_whole(length: int, step: int) -> None:
    """At most the limit is held, in whatever pieces the long line comes."""
    reader, limit = Lines(limit=10), 10
    stream = b"x" * length + b"\nnext\n"
    found = [line for at in range(0, len(stream), step) for line in reader.feed(stream[at : at + step])]
    assert found == [b"x" * length if length <= limit else None, b"next"]
