"""How many topics one `$emit` may name. Pure."""

from __future__ import annotations


class DistinctTopics:
    """The topics that an expression has named so far, up to a limit.

    A field that holds an id by mistake would otherwise create a topic for each document, and the client keeps
    a queue for every topic it has seen.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._seen: set[str] = set()

    def admits(self, topic: str) -> bool:
        """Whether records may go there: it was named before, or there is room for one more."""
        if topic in self._seen:
            return True
        if len(self._seen) >= self.limit:
            return False
        self._seen.add(topic)
        return True
