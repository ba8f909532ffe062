"""When a consumer that could not go on is built anew, and with which group protocol. Decides only."""

from __future__ import annotations

from typing import Final, Literal

from workers.adapters.kafka_source_settings import GroupProtocol

FIRST_SECONDS: Final = 0.5
CAP_SECONDS: Final = 30.0


class Rebuild:
    """The waits between the clients of one source."""

    def __init__(self, wanted: GroupProtocol) -> None:
        self.protocol: Literal["consumer", "classic"] = "classic" if wanted == "classic" else "consumer"
        self._may_fall_back = wanted == "auto"
        self._at = 0.0
        self._wait_seconds = FIRST_SECONDS

    def is_due(self, now: float) -> bool:
        return now >= self._at

    def refused(self, now: float) -> None:
        """The client refuses its settings: nothing changes until somebody changes them."""
        self._at = now + CAP_SECONDS

    def fall_back(self) -> bool:
        """The broker does not know the group protocol: whether to go on with the older one, at once."""
        if not self._may_fall_back or self.protocol == "classic":
            return False
        self.protocol = "classic"
        self._wait_seconds = 0.0
        return True

    def failed(self, now: float) -> None:
        """The next one is built after a wait that doubles each time."""
        self._at = now + self._wait_seconds
        self._wait_seconds = min(max(self._wait_seconds * 2, FIRST_SECONDS), CAP_SECONDS)

    def worked(self) -> None:
        """The client heard of a broker: the next wait is the first again."""
        self._wait_seconds = FIRST_SECONDS
