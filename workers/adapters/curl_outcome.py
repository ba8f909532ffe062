"""What a transfer that libcurl gave up means for the call: did the function run? Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from workers.errors import AnswerTooLarge, NotSent, Retryable, TimedOut, UnknownOutcome

# Numbers of libcurl's CURLcode, part of its ABI.
TIMED_OUT: Final = 28
ABORTED_BY_CALLBACK: Final = 42
CERTIFICATE_REFUSED: Final = 60
ANSWER_TOO_LARGE: Final = 63
CA_BUNDLE_UNREADABLE: Final = 77
CLOSED: Final = -1
"""Not libcurl's: we closed while the call was open."""

_HINTS: Final = {
    CERTIFICATE_REFUSED: "; to trust another authority name its bundle in AWS_CA_BUNDLE",
    CA_BUNDLE_UNREADABLE: "; AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE or SSL_CERT_FILE names it",
}


@dataclass(frozen=True, slots=True)
class Transfer:
    """How far a transfer came.

    `attempts` counts how often libcurl was about to write the request, connected and verified;
    `uploaded_bytes` of `body_bytes` were handed to the kernel in the last attempt.
    """

    what: str
    attempts: int
    uploaded_bytes: int
    body_bytes: int
    max_answer_bytes: int


def failure(code: int, message: str, transfer: Transfer) -> Retryable:
    """The error to raise for libcurl's `code`.

    Without an attempt nothing was written: NotSent, whatever the reason, a time-out included. More than one
    means that a kept-alive connection broke after the request had been written and libcurl asked to send it
    again; we refuse that, since the function may have run: UnknownOutcome. A body that was not written
    whole never reaches a function, Content-Length says that there is more: NotSent.
    """
    detail = f"{transfer.what}: {message or 'libcurl error'}{_HINTS.get(code, '')} (curl {code})"
    if code == CLOSED:
        detail = f"{transfer.what}: given up, the client was closed"
    if transfer.attempts == 0:
        return NotSent(detail)
    if transfer.attempts > 1:
        return UnknownOutcome(f"{transfer.what}: the kept-alive connection broke before an answer came")
    if code == ANSWER_TOO_LARGE:
        return AnswerTooLarge(f"{transfer.what}: the answer is larger than {transfer.max_answer_bytes} bytes")
    if transfer.uploaded_bytes < transfer.body_bytes:
        return NotSent(detail)
    return TimedOut(detail) if code == TIMED_OUT else UnknownOutcome(detail)
