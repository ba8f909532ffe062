"""The one error of the local parts."""

from __future__ import annotations

from workers.errors import PenstockError


class LocalFailure(PenstockError):
    """The embedded Kafka cannot be had or does not run; the message says what to do about it."""
