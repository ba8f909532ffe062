"""What libcurl's failures mean for the call."""

from __future__ import annotations

import pytest

from workers.adapters.curl_outcome import Transfer, failure
from workers.errors import AnswerTooLarge, NotSent, Retryable, TimedOut, UnknownOutcome

UNSENT = Transfer("invoking f", attempts=0, uploaded_bytes=0, body_bytes=10, max_answer_bytes=100)
PART = Transfer("invoking f", attempts=1, uploaded_bytes=4, body_bytes=10, max_answer_bytes=100)
SENT = Transfer("invoking f", attempts=1, uploaded_bytes=10, body_bytes=10, max_answer_bytes=100)
AGAIN = Transfer("invoking f", attempts=2, uploaded_bytes=0, body_bytes=10, max_answer_bytes=100)
EMPTY = Transfer("invoking f", attempts=1, uploaded_bytes=0, body_bytes=0, max_answer_bytes=100)


@pytest.mark.parametrize(
    ("code", "transfer", "expected"),
    [
        (6, UNSENT, NotSent),  # could not resolve
        (7, UNSENT, NotSent),  # refused
        (28, UNSENT, NotSent),  # timed out while connecting
        (35, UNSENT, NotSent),  # TLS handshake
        (60, UNSENT, NotSent),  # certificate
        (97, UNSENT, NotSent),  # proxy
        (-1, UNSENT, NotSent),  # closed by us
        (55, PART, NotSent),  # reset while sending
        (28, PART, NotSent),  # timed out while sending
        (56, PART, NotSent),
        (56, SENT, UnknownOutcome),  # reset while waiting
        (52, SENT, UnknownOutcome),  # closed without an answer
        (18, SENT, UnknownOutcome),  # half an answer
        (63, SENT, AnswerTooLarge),  # too large
        (63, PART, AnswerTooLarge),  # answered before the body was read, too large
        (-1, SENT, UnknownOutcome),
        (28, SENT, TimedOut),
        (28, EMPTY, TimedOut),
        (56, EMPTY, UnknownOutcome),
        (42, AGAIN, UnknownOutcome),  # libcurl wanted to send again
    ],
)
def test_the_error_of_a_failure(code: int, transfer: Transfer, expected: type[Retryable]) -> None:
    """Exactly this class: what cannot have run is NotSent, what may have is not."""
    assert type(failure(code, "text of libcurl", transfer)) is expected


def test_the_message_says_what_failed_and_how() -> None:
    """The call, libcurl's words and number."""
    assert str(failure(7, "Could not connect", UNSENT)) == "invoking f: Could not connect (curl 7)"
