"""Messages between the host and one worker process, over a pipe each way. Version: both ends are of one
install.

A frame is a header (payload length u32, kind u8, call number u32, big-endian) and the payload. Answers repeat
the number of the call they belong to, so an answer that comes late can never reach another caller.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

HEADER: Final = struct.Struct("!IBI")
_CONTEXT_LENGTHS: Final = struct.Struct("!II")

# host -> worker
LOAD: Final = 1  # JSON: what to load and with which limits; the first frame
CALL: Final = 2  # see `pack_call`
HOST_ANSWERS: Final = 3  # JSON: [{"id", "ok", "value"}]
# worker -> host
READY: Final = 16  # the source is loaded
LOAD_FAILED: Final = 17  # JSON error; the worker ends after it
SUCCEEDED: Final = 18  # the JSON answer as it goes to the caller
FAILED: Final = 19  # JSON error
FAILED_LAST: Final = 20  # JSON error; the worker ends after it (its memory is used up)
HOST_CALLS: Final = 21  # JSON: [{"id", "name", "args"}]

REQUEST_ID_BYTES: Final = 36  # the length of a UUID in text
_CONTEXTS_START: Final = REQUEST_ID_BYTES + _CONTEXT_LENGTHS.size


class FrameTooLarge(Exception):
    """The other side announced a payload over the bound: nothing it sends can be trusted any more."""


class Frame(NamedTuple):
    """One whole message."""

    kind: int
    call: int
    payload: bytes


def pack(kind: int, call: int, payload: bytes) -> bytes:
    """One frame, ready to send."""
    return HEADER.pack(len(payload), kind, call) + payload


def pack_call(call: int, request_id: bytes, client_context: bytes, context: bytes, args: bytes) -> bytes:
    """The frame of one call. `request_id` has 36 bytes, `client_context` is JSON or empty, `context` is
    `context.CallContext.encoded` or empty, `args` a JSON array."""
    size = _CONTEXTS_START + len(client_context) + len(context) + len(args)
    return b"".join(
        (
            HEADER.pack(size, CALL, call),
            request_id,
            _CONTEXT_LENGTHS.pack(len(client_context), len(context)),
            client_context,
            context,
            args,
        )
    )


def unpack_call(payload: bytes) -> tuple[str, bytes, bytes, bytes]:
    """(request id, client context, context, args) of a CALL payload."""
    client_length, length = _CONTEXT_LENGTHS.unpack_from(payload, REQUEST_ID_BYTES)
    middle = _CONTEXTS_START + client_length
    end = middle + length
    request_id = payload[:REQUEST_ID_BYTES].decode("ascii")
    return request_id, payload[_CONTEXTS_START:middle], payload[middle:end], payload[end:]


class FrameReader:
    """Cuts a stream into frames. Holds at most one unfinished frame, so at most `max_payload_bytes`."""

    __slots__ = ("_held", "_max_payload_bytes")

    def __init__(self, max_payload_bytes: int) -> None:
        self._held = bytearray()
        self._max_payload_bytes = max_payload_bytes

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completed, in order. Raises FrameTooLarge; the reader is of no use after
        it."""
        held = self._held
        if not held and len(data) >= HEADER.size:
            length, kind, call = HEADER.unpack_from(data)
            if length + HEADER.size == len(data) and length <= self._max_payload_bytes:
                return [
                    Frame(kind, call, data[HEADER.size :])
                ]  # the everyday case: no copy through the buffer
        held += data
        frames: list[Frame] = []
        start = 0
        while len(held) - start >= HEADER.size:
            length, kind, call = HEADER.unpack_from(held, start)
            if length > self._max_payload_bytes:
                raise FrameTooLarge(f"a frame of {length} bytes, the bound is {self._max_payload_bytes}")
            end = start + HEADER.size + length
            if end > len(held):
                break
            frames.append(Frame(kind, call, bytes(held[start + HEADER.size : end])))
            start = end
        del held[:start]
        return frames
