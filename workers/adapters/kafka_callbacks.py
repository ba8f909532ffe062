"""Running a producer's callbacks, and what the client makes of a fatal error meanwhile.

confluent-kafka raises a fatal error out of whatever runs the callbacks, whether there is an `error_cb` or
not. When a delivery callback is due in the same moment it runs with that error set, and what comes out is a
SystemError with the true one as its cause (seen with 2.16.1, a fenced transactional client).
"""

from __future__ import annotations

from confluent_kafka import KafkaException, Producer


def poll(client: Producer, timeout_seconds: float) -> int:
    """Run what is due, or comes within the time. Raises KafkaException, and nothing else, for a fatal
    error."""
    try:
        return int(client.poll(timeout_seconds))
    except SystemError as problem:
        raise _behind(problem) from None


def flush(client: Producer, timeout_seconds: float) -> int:
    """Wait until all is written, or the time is over; returns what is not. Raises as `poll` does."""
    try:
        return int(client.flush(timeout_seconds))
    except SystemError as problem:
        raise _behind(problem) from None


def _behind(problem: SystemError) -> BaseException:
    return problem.__cause__ if isinstance(problem.__cause__, KafkaException) else problem
