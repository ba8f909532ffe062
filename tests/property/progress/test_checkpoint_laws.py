"""The text beside every commit: what was written is read back, and nothing else ever raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.progress.checkpoint import MAX_CHARACTERS, VERSION, Checkpoint, Unreadable, decode, encode


@given(st.integers(0, 999_999_999))
def test_what_was_written_is_read_back(count: int) -> None:
    """ASCII, within the broker's limit."""
    text = encode(Checkpoint(count))
    assert decode(text) == Checkpoint(count)
    assert text.isascii()
    assert len(text) <= MAX_CHARACTERS


@given(st.integers(VERSION + 1, 10**12), st.text())
def test_a_newer_format_is_named_as_such(version: int, rest: str) -> None:
    """A worker that was rolled back says so instead of misreading."""
    found = decode(f"{version};{rest}")
    assert isinstance(found, Unreadable)
    assert "newer" in found.reason


@given(st.text() | st.from_regex(r"[01]?;?(n=)?[0-9;=n]*", fullmatch=True))
def test_garbage_never_raises(text: str) -> None:
    """Other programs' groups hold anything: the answer is a checkpoint, a reason, or nothing."""
    found = decode(text)
    assert found is None or isinstance(found, Checkpoint | Unreadable)
    assert (found is None) == (text == "")


@given(st.integers(0, 10**6), st.dictionaries(st.from_regex(r"[a-m]{1,3}", fullmatch=True), st.just("x")))
def test_fields_of_a_later_release_of_the_same_format_are_passed_over(
    count: int, more: dict[str, str]
) -> None:
    """What this version does not know does not hide what it does."""
    text = ";".join([f"{VERSION}", *(f"{k}={v}" for k, v in more.items()), f"n={count}"])
    assert decode(text) == Checkpoint(count)


@pytest.mark.parametrize(
    "text", ["1", "1;", "1;n=", "1;n=x", "1;n=-1", "1;n=²", "²;n=1", "x;n=1", "1;n=1234567890"]
)
def test_what_is_no_checkpoint(text: str) -> None:
    """Each is refused with a reason."""
    assert isinstance(decode(text), Unreadable)


def test_no_text_is_no_checkpoint() -> None:
    """A group that commits without metadata."""
    assert decode(None) is None
    assert decode("") is None
