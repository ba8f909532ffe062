"""How many connections may be open at once, and what those are told that come when there are too many."""

from __future__ import annotations

from workers.functions import answers
from workers.functions.answers import ApiError
from workers.functions.settings import REFUSED_CONNECTIONS


class Admission:
    """Counts connections: at most `most` that are served, and a few more that are told so."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._served = self._refused = 0

    def enter(self) -> bool:
        """A connection was opened; whether it is served."""
        is_served = self._served < self._most
        if is_served:
            self._served += 1
        else:
            self._refused += 1
        return is_served

    def leave(self, *, is_served: bool) -> None:
        """It was closed; `is_served` is what `enter` said."""
        if is_served:
            self._served -= 1
        else:
            self._refused -= 1

    @property
    def is_overrun(self) -> bool:
        """Whether there are so many that those which are not served get no answer either."""
        return self._refused > REFUSED_CONNECTIONS

    def refusal(self) -> ApiError:
        """What a caller is told that is not served."""
        return answers.too_many(f"{self._most} connections are open")
