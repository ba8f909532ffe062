"""Frames between the host and its workers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.functions import frames

_FRAMES = st.lists(
    st.builds(frames.Frame, st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=200)),
    max_size=8,
)


@given(sent=_FRAMES, cut=st.integers(1, 50))
def test_frames_survive_any_cut_of_the_stream(sent: list[frames.Frame], cut: int) -> None:
    """However the bytes arrive, the same frames come out in the same order."""
    stream = b"".join(frames.pack(*frame) for frame in sent)
    reader = frames.FrameReader(200)
    seen = [f for start in range(0, len(stream), cut) for f in reader.feed(stream[start : start + cut])]
    assert seen == sent


@given(sent=_FRAMES)
def test_frames_that_arrive_at_once_are_told_apart(sent: list[frames.Frame]) -> None:
    """Several frames in one read come out one by one."""
    assert frames.FrameReader(200).feed(b"".join(frames.pack(*frame) for frame in sent)) == sent


@pytest.mark.parametrize("arrives", [frames.HEADER.size, frames.HEADER.size + 4, 10**6])
def test_a_payload_over_the_bound_is_refused_before_it_is_held(arrives: int) -> None:
    """The announced length decides: nothing of such a payload is waited for."""
    reader = frames.FrameReader(10)
    data = frames.pack(frames.SUCCEEDED, 1, b"x" * 11)
    with pytest.raises(frames.FrameTooLarge, match="11 bytes, the bound is 10"):
        reader.feed(data[:arrives])


@given(client=st.binary(max_size=50), context=st.binary(max_size=50), args=st.binary(max_size=50))
def test_a_call_comes_out_as_it_went_in(client: bytes, context: bytes, args: bytes) -> None:
    """Request id, client context, context and arguments are told apart whatever they hold."""
    request_id = "0b9c2f1e-0000-4000-8000-000000000001"
    (frame,) = frames.FrameReader(300).feed(frames.pack_call(7, request_id.encode(), client, context, args))
    assert (frame.kind, frame.call) == (frames.CALL, 7)
    assert frames.unpack_call(frame.payload) == (request_id, client, context, args)
