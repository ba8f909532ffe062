"""What the other side's clock says, where ours is wrong: AWS takes signatures made within 5 minutes of its
own time, whatever a machine that slept or lost its time server believes.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Final

# A `Date` counts whole seconds and travels a while; a clock that is off by less is not why AWS refused.
SKEW_SECONDS: Final = 60.0


class ServerClock:
    """Seconds to add to this machine's time when signing. Corrected only after a refusal, never by the way:
    an answer's `Date` may be a proxy's."""

    def __init__(self) -> None:
        self.skew_seconds = 0.0
        self._heard_seconds: float | None = None

    def now(self) -> float:
        """Seconds since the epoch, as the other side counts them."""
        return time.time() + self.skew_seconds

    def heard(self, head: list[bytes]) -> None:
        """Take the `Date` of a refusal's header lines, if there is one."""
        for line in head:
            name, colon, value = line.partition(b":")
            if colon and name.lower() == b"date":
                try:
                    date = parsedate_to_datetime(value.strip().decode("latin-1"))
                except ValueError:
                    return
                self._heard_seconds = date.timestamp() - time.time()

    def corrected(self, signed_with_seconds: float) -> bool:
        """Whether a request that was signed with this skew should be signed anew: the last refusal's `Date`
        lies elsewhere, and is our time from now on."""
        heard = self._heard_seconds
        if heard is None or abs(heard - signed_with_seconds) < SKEW_SECONDS:
            return False
        self.skew_seconds = heard
        return True
