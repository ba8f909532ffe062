"""The text beside every commit: what was written is read back, and nothing else ever raises or skips."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.model import Position
from workers.progress.checkpoint import (
    MAP_CHARACTERS,
    MAX_CHARACTERS,
    VERSION,
    Checkpoint,
    Unreadable,
    bounded,
    decode,
    encode,
)
from workers.progress.offset_map import characters, fitted

OFFSETS = st.integers(0, 2**50)
LENGTHS = st.integers(1, 3) | st.integers(1, 10**6)


@st.composite
def positions(draw: Any, runs: int = 40) -> Position:
    """Any position with its map."""
    offset = end = draw(OFFSETS)
    settled: list[tuple[int, int]] = []
    for gap, length in draw(st.lists(st.tuples(LENGTHS, LENGTHS), max_size=runs)):
        settled.append((end + gap, end + gap + length))
        end += gap + length
    tried: list[tuple[int, int, int, int]] = []
    end = offset
    for gap, length, site, attempts in draw(
        st.lists(st.tuples(st.integers(0, 99), LENGTHS, st.integers(0, 20), st.integers(1, 99)), max_size=9)
    ):
        tried.append((end + gap, end + gap + length, site, attempts))
        end += gap + length
    return Position(offset, tuple(settled), tuple(tried))


@given(st.integers(0, 999_999_999), positions())
def test_what_was_written_is_read_back(count: int, position: Position) -> None:
    """The whole map, in ASCII, within the broker's limit; the length is known before."""
    text = encode(count, position)
    assert decode(text, position.offset) == Checkpoint(count, position.settled, position.tried)
    assert text.isascii()
    assert len(text) <= MAX_CHARACTERS
    assert len(text) <= len(f"2;n={count};s=;b=;a=;c=123456") + characters(position)


@pytest.mark.parametrize(
    ("position", "text"),
    [
        (Position(0), "2;n=8;c=EyWsd2"),
        (Position(100, ((101, 103), (110, 111))), "2;n=8;b=6G;c=z4hBH3"),
        (Position(5, ((1_000, 900_000),)), "2;n=8;s=ZVuzjR;c=IuMe43"),
        (Position(5, ((9, 5_000), (5_001, 5_002), (5_003, 5_004))), "2;n=8;s=4_x4;b=A;c=HobQa2"),
        (Position(7, (), ((7, 9, 0, 3), (40, 41, 1, 200))), "2;n=8;a=0203V11e6;c=JpICa0"),
    ],
)
def test_the_format_stays(position: Position, text: str) -> None:
    """Golden texts: what one release wrote the next reads."""
    assert encode(8, position) == text
    found = decode(text, position.offset)
    assert found == Checkpoint(8, position.settled, position.tried)


def test_the_first_format_is_still_read() -> None:
    """It had no map and no checksum."""
    assert decode("1;n=8", 7) == Checkpoint(8)


@given(positions(), st.integers(0, 400))
def test_a_map_that_does_not_fit_is_cut_to_what_does(position: Position, room: int) -> None:
    """Its lowest settled offsets, and the attempts that were most; never another offset or count."""
    cut = fitted(position, room)
    assert characters(cut) <= room
    assert cut.offset == position.offset
    assert cut.settled == position.settled[: len(cut.settled)]
    assert set(cut.tried) <= set(position.tried)
    left = [run[3] for run in position.tried if run not in cut.tried]
    assert not left or max(left) < min((run[3] for run in cut.tried), default=10**9)


def test_the_worst_map_fits() -> None:
    """Every other offset settled: 20,000 offsets are one bitmap; beyond the bound the text is cut."""
    every_other = Position(0, tuple((at, at + 1) for at in range(1, 20_000, 2)))
    assert decode(encode(8, every_other), 0) == Checkpoint(8, every_other.settled)
    scattered = Position(0, tuple((at, at + 1) for at in range(50, 500_000, 50)))
    text = encode(8, scattered)
    assert len(text) <= MAX_CHARACTERS
    found = decode(text, 0)
    assert isinstance(found, Checkpoint)
    assert len(found.settled) > MAP_CHARACTERS // 4
    assert found.settled == scattered.settled[: len(found.settled)]


@given(positions(), st.data())
@example(Position(3, ((5, 9),)), None)
def test_a_map_that_was_changed_or_moved_is_unreadable(position: Position, data: Any) -> None:
    """Nothing is skipped for it."""
    text = encode(8, position)
    assert isinstance(decode(text, position.offset + 1), Unreadable)
    if data is not None:
        at = data.draw(st.integers(2, len(text) - 1))
        other = data.draw(st.sampled_from("0a_;=x").filter(lambda digit: digit != text[at]))
        found = decode(text[:at] + other + text[at + 1 :], position.offset)
        assert isinstance(found, Unreadable)


@given(positions(), OFFSETS)
def test_a_map_never_names_what_is_not_written_yet(position: Position, end: int) -> None:
    """The partition ends before what the map names: the topic was made anew, nothing is skipped."""
    found = bounded(Checkpoint(8, position.settled), end)
    assert isinstance(found, Unreadable) == any(stop > end for _, stop in position.settled)


@given(positions(), st.integers(0, 10**6))
def test_a_start_above_the_committed_offset_keeps_what_is_above_it(position: Position, ahead: int) -> None:
    """Retention took the rest."""
    start = position.offset + ahead
    found = Checkpoint(8, position.settled, position.tried).from_offset(start)
    assert found.offset == start
    assert all(begin >= start for begin, _ in found.settled)
    assert {stop for _, stop in found.settled} == {stop for _, stop in position.settled if stop > start}
    assert {run[1:] for run in found.tried} == {run[1:] for run in position.tried if run[1] > start}


@given(st.integers(VERSION + 1, 10**12), st.text())
def test_a_newer_format_is_named_as_such(version: int, rest: str) -> None:
    """A worker that was rolled back says so instead of misreading."""
    found = decode(f"{version};{rest}", 0)
    assert isinstance(found, Unreadable)
    assert "newer" in found.reason


@given(
    st.text() | st.from_regex(r"[012]{0,2};?(n=)?[0-9;=nsbac]*", fullmatch=True) | st.just("2" * 5_000),
    OFFSETS,
)
def test_garbage_never_raises(text: str, offset: int) -> None:
    """Other programs' groups hold anything: the answer is a checkpoint, a reason, or nothing; never a map."""
    found = decode(text, offset)
    assert found is None or isinstance(found, Checkpoint | Unreadable)
    assert (found is None) == (text == "")
    assert not isinstance(found, Checkpoint) or found.settled == ()


@given(st.text("01_;=snbax-"), st.text("01_-;=x"), st.text("01_-Z"), OFFSETS)
def test_garbage_with_the_right_checksum_never_raises(
    runs: str, bitmap: str, tries: str, offset: int
) -> None:
    """Whoever makes a map up gets one with rising ranges, or a reason."""
    from workers.progress.checkpoint import _checksum

    body = f"2;n=8;s={runs};b={bitmap};a={tries}"
    found = decode(f"{body};c={_checksum(offset, body)}", offset)
    if isinstance(found, Checkpoint):
        ends = [end for run in found.settled for end in run]
        assert ends == sorted(ends)
        assert all(end >= offset for end in ends)


@given(st.integers(0, 10**6), st.dictionaries(st.from_regex(r"[a-m]{2,3}", fullmatch=True), st.just("x")))
def test_fields_of_a_later_release_of_the_same_format_are_passed_over(
    count: int, more: dict[str, str]
) -> None:
    """What this version does not know does not hide what it does."""
    text = ";".join(["1", *(f"{k}={v}" for k, v in more.items()), f"n={count}"])
    assert decode(text, 0) == Checkpoint(count)


@pytest.mark.parametrize(
    "text",
    ["1", "1;", "1;n=", "1;n=x", "1;n=-1", "1;n=²", "²;n=1", "x;n=1", "1;n=1234567890", "2;n=1", "2;n=1;c="],
)
def test_what_is_no_checkpoint(text: str) -> None:
    """Each is refused with a reason."""
    assert isinstance(decode(text, 0), Unreadable)


def test_no_text_is_no_checkpoint() -> None:
    """A group that commits without metadata."""
    assert decode(None, 0) is None
    assert decode("", 0) is None
