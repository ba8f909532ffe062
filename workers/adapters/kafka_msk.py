"""Tokens with which Kafka clients come in to Amazon MSK: AWS_MSK_IAM, which to the client is OAUTHBEARER.

A token is a request for `kafka-cluster:Connect`, signed and never sent; Amazon's own signer makes it.
librdkafka asks for one when a client is made and again when four fifths of its life are over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from aws_msk_iam_sasl_signer import MSKAuthTokenProvider  # type: ignore[import-untyped]
from botocore import credentials as botocore_credentials
from botocore.credentials import RefreshableCredentials

from workers.adapters.aws_connection import AwsConnection
from workers.adapters.aws_session import load_keys, opener_of
from workers.adapters.server_clock import ServerClock
from workers.adapters.sigv4 import Credentials
from workers.errors import PenstockError
from workers.logs import log_event

log = logging.getLogger(__name__)

# The signer's tokens live for 15 minutes. One that is signed with keys that end sooner ends with those:
# botocore renews from 15 minutes before and insists from 10 minutes on, so for half of that they hold.
TOKEN_SECONDS: Final = 900.0
SHORT_SECONDS: Final = 300.0
# How soon a client asks again where there were no keys, four fifths of it to be exact.
AGAIN_SECONDS: Final = 10.0
# What a client gets where there is no token and never was one: an exception in its place would come out of
# whatever Python runs in the client's thread, and the client's constructor would wait for 10 s and raise. A
# broker refuses it, and the client asks again.
UNSIGNED: Final = "none"


class _Given(botocore_credentials.CredentialProvider):  # type: ignore[misc]
    """Hands the signer the keys that we found."""

    def __init__(self, keys: Credentials) -> None:
        super().__init__()
        self._keys = keys

    def load(self) -> botocore_credentials.Credentials:
        keys = self._keys
        return botocore_credentials.Credentials(
            keys.access_key_id, keys.secret_access_key, keys.session_token
        )


class MskTokens:
    """The `oauth_cb` of all clients of one connection. Called in the clients' threads.

    `trouble` says in words why there is no token; empty while there are.
    """

    def __init__(
        self, connection: AwsConnection, region: str, wall_clock: Callable[[], float] = time.time
    ) -> None:
        """Without a role in `connection` boto3's own chain finds the keys."""
        self.trouble = ""
        self._connection, self._region, self._now = connection, region, wall_clock
        self._clock = ServerClock()
        self._opener = opener_of(connection, region, self._clock)
        self._renewing: RefreshableCredentials | None = None
        self._last = (UNSIGNED, 0.0)
        self._lock = threading.Lock()

    def __call__(self, _config: str | None = None) -> tuple[str, float]:
        """A token and when it ends, in seconds of the epoch. Blocks while keys are fetched. Never raises: see
        UNSIGNED."""
        with self._lock:
            try:
                self._last = self._signed()
            except PenstockError as error:
                self._troubled(str(error))
                token, ends = self._last
                again = self._now() + AGAIN_SECONDS
                return (token, min(again, ends)) if ends > self._now() + 1.0 else (UNSIGNED, again)
            self._troubled("")
            return self._last

    def _signed(self) -> tuple[str, float]:
        loaded = load_keys(self._connection, self._opener, self._renewing, self._clock)
        self._renewing = loaded.renewing
        token, ends_ms = MSKAuthTokenProvider.generate_auth_token_from_credentials_provider(
            self._region, _Given(loaded.keys)
        )
        ends = ends_ms / 1_000
        if loaded.renewing is not None and loaded.renewing.refresh_needed(TOKEN_SECONDS):
            ends = min(ends, self._now() + SHORT_SECONDS)
        return token, ends

    def _troubled(self, trouble: str) -> None:
        if trouble == self.trouble:
            return
        self.trouble = trouble
        level, event = (logging.ERROR, "msk_token_failed") if trouble else (logging.INFO, "msk_token_made")
        log_event(log, level, event, connection=self._connection.name, reason=trouble)
