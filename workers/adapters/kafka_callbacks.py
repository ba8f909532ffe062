"""Running a client's callbacks, and what it makes of a fatal error meanwhile.

confluent-kafka raises a producer's fatal error out of whatever runs the callbacks, whether there is an
`error_cb` or not, and a consumer's where our own callback raises it. When another callback is due in the same
moment it runs with that error set, and what comes out is a SystemError with the true one as its cause (seen
with 2.16.1, a fenced transactional client).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaException, Producer


@contextmanager
def true_errors() -> Iterator[None]:
    """Within it a client raises KafkaException for a fatal error, and nothing else."""
    try:
        yield
    except SystemError as problem:
        if isinstance(problem.__cause__, KafkaException):
            raise problem.__cause__ from None
        raise


def poll(client: Producer, timeout_seconds: float) -> int:
    """Run what is due, or comes within the time. Raises as `true_errors` says."""
    with true_errors():
        return int(client.poll(timeout_seconds))


def flush(client: Producer, timeout_seconds: float) -> int:
    """Wait until all is written, or the time is over; returns what is not. Raises as `poll` does."""
    with true_errors():
        return int(client.flush(timeout_seconds))
