"""boto3 clients that sign by the other side's clock. boto3 signs by this machine's, and is refused for good
where that is off by more than 5 minutes.
"""

from __future__ import annotations

import time
from typing import Any, Final

from botocore.auth import AUTH_TYPE_MAPS, SIGV4_TIMESTAMP, SigV4Auth
from botocore.exceptions import ClientError

from workers.adapters.server_clock import ServerClock

# What AWS's services say of a request whose time is not theirs; each of them may also mean a wrong key.
_REFUSALS: Final = frozenset(
    {"InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
)
_SIGNATURE: Final = "penstock-v4"
_CLOCK: Final = "penstock_clock"


class _ByTheirClock(SigV4Auth):  # type: ignore[misc]
    """Signature Version 4 with the time of the clock that goes with the request."""

    def _modify_request_before_signing(self, request: Any) -> None:
        clock: ServerClock = request.context[_CLOCK]
        request.context["timestamp"] = time.strftime(SIGV4_TIMESTAMP, time.gmtime(clock.now()))
        super()._modify_request_before_signing(request)


AUTH_TYPE_MAPS[_SIGNATURE] = _ByTheirClock


def sign_by(clock: ServerClock, client: Any) -> None:
    """Let a client of boto3 sign by `clock` from now on."""

    def with_clock(request: Any, **_: Any) -> None:
        request.context[_CLOCK] = clock

    def chosen(**_: Any) -> str:
        return _SIGNATURE

    client.meta.events.register_last("choose-signer", chosen)
    client.meta.events.register_first("before-sign", with_clock)


def corrected(clock: ServerClock, error: ClientError) -> bool:
    """Whether a refusal was about the time: `clock` was set by its `Date`, and the same request may pass
    now."""
    if error.response.get("Error", {}).get("Code") not in _REFUSALS:
        return False
    date = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if date is None:
        return False
    clock.heard([f"Date: {date}".encode()])
    return clock.corrected(clock.skew_seconds)
