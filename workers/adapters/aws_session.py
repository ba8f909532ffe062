"""Credentials and endpoint of one AWS connection, made by boto3 and kept fresh without ever blocking the
loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from math import inf
from typing import Any, Final, TypeAlias

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    DeferredRefreshableCredentials,
    RefreshableCredentials,
)
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError, NoCredentialsError

from workers.adapters.aws_connection import AwsConnection, problem, problems_of
from workers.adapters.boto_clock import corrected, sign_by
from workers.adapters.server_clock import ServerClock
from workers.adapters.sigv4 import Credentials
from workers.errors import Invalid, NoCredentials, PenstockError, ProcessorFailed
from workers.logs import log_event

log = logging.getLogger(__name__)

# botocore begins to refresh 15 minutes before keys expire and insists from 10 minutes on, so a look each 30
# s has twenty tries before a call would meet expired keys. A look without anything to refresh costs
# microseconds.
LOOK_EVERY_SECONDS: Final = 30.0
# 200 open calls may all come back with 403: they lead to one renewal, not to 200.
RENEW_AT_MOST_EVERY_SECONDS: Final = 5.0
# Keys that live shorter than the time between two looks are renewed at this pace.
LOOK_SOON_SECONDS: Final = 1.0
ROLE_SESSION_NAME: Final = "penstock"
_STS: Final = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "max_attempts": 3})
AWS_HOST: Final = re.compile(r"https://[^/]+\.(amazonaws\.com|amazonaws\.com\.cn|api\.aws)(:\d+)?(/|$)")
# A function host that checks no signatures takes any key; everything is signed all the same.
PLACEHOLDER: Final = Credentials("penstock", "penstock")

# What STS says when waiting does not help: somebody has to change a key, a role or a trust policy.
_REFUSALS: Final = frozenset(
    {
        "AccessDenied", "AccessDeniedException", "ExpiredToken", "ExpiredTokenException",
        "InvalidAccessKeyId", "InvalidClientTokenId", "NoSuchEntity", "RegionDisabledException",
        "SignatureDoesNotMatch", "UnrecognizedClientException", "ValidationError",
    }
)  # fmt: skip


Opener: TypeAlias = Callable[[], RefreshableCredentials | Credentials]
"""Looks for the keys of a connection, in the session's thread. Blocks."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Keys that a load brought: ready to sign with, and what renews them (None: they do not expire)."""

    keys: Credentials
    renewing: RefreshableCredentials | None
    opened_by: Opener


class AwsSession:
    """Keeps `lambda_http.CredentialSource`. Used on the loop's thread; its one thread fetches keys.

    `endpoint_url` is where Lambda answers, `region` what requests are signed for. `trouble` says in words why
    there are no keys, or why AWS takes none of them; empty while all is well.
    """

    def __init__(
        self, connection: AwsConnection, region: str, endpoint_url: str, static: Credentials | None,
        opener: Opener, clock: ServerClock,
    ) -> None:  # fmt: skip
        """`clock` is STS's, as the keys' opener signs by it."""
        self.region: Final = region
        self.endpoint_url: Final = endpoint_url
        self.trouble = ""
        self._is_denied = False
        self._connection = connection
        self._static = static is not None
        self._open = self._opened_by = opener
        self._clock = clock
        self._renewing: RefreshableCredentials | None = None
        self._frozen = static
        self._look_at = 0.0
        self._renew_from = 0.0
        self._loading: asyncio.Future[Loaded] | None = None
        self._pool: ThreadPoolExecutor | None = None

    def current(self) -> Credentials | None:
        """The keys to sign with now; None when they have yet to be fetched or have run out. Never blocks."""
        if not self._static and self._loading is None and time.monotonic() >= self._look_at:
            if self._renewing is not None and self._renewing.refresh_needed(refresh_in=0):
                self._frozen = None  # nothing was called for longer than they live
            self._load()
        return self._frozen

    async def fetch(self) -> Credentials:
        """The keys, fetched off the loop when need be.

        Raises NoCredentials when STS or the instance's metadata cannot be reached, ProcessorFailed when AWS
        refuses.
        """
        if self._frozen is not None:
            return self._frozen
        return (await asyncio.shield(self._loading or self._load())).keys

    def refused(self, credentials: Credentials) -> None:
        """AWS refused these keys although they had not expired: get new ones before the next call."""
        now = time.monotonic()
        if credentials is not self._frozen or now < self._renew_from:
            return
        self._renew_from = now + RENEW_AT_MOST_EVERY_SECONDS
        self._renewing = self._frozen = None
        self._look_at = 0.0

    def judged(self, trouble: str) -> None:
        """What AWS said of the keys of a call: empty when it took them. Renewed ones were refused, too,
        otherwise."""
        if trouble != self.trouble:
            event, level = ("keys_refused", logging.ERROR) if trouble else ("keys_taken", logging.INFO)
            log_event(log, level, event, connection=self._connection.name, reason=trouble)
        self.trouble = trouble
        self._is_denied = bool(trouble)

    @property
    def is_ready(self) -> bool:
        """Whether calls can be signed, or nothing is known to be wrong yet. Trouble with the next keys is
        none while the old ones hold."""
        return not self.trouble or (self._frozen is not None and not self._is_denied)

    def rotated(self, connection: AwsConnection) -> None:
        """The same connection with other secrets: sign with them from now on. Keys of a role stay in use
        until the role was assumed anew, so that no call waits for it."""
        if connection == self._connection:
            return
        self._connection = connection
        if connection.role_arn is None and connection.access_key_id and connection.secret_access_key:
            self._static = True
            self._frozen = _given(connection)
        else:
            self._open = opener_of(connection, self.region, self._clock)
            self._look_at = 0.0

    def close(self) -> None:
        """End the thread. Idempotent."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _load(self) -> asyncio.Future[Loaded]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"aws-{self._connection.name}")
        loop = asyncio.get_running_loop()
        loading = loop.run_in_executor(self._pool, self._fetched, self._open, self._same_keys())
        self._loading = loading
        loading.add_done_callback(self._loaded)
        return loading

    def _same_keys(self) -> RefreshableCredentials | None:
        """What renews the keys in use, unless the secrets behind it have changed."""
        return self._renewing if self._opened_by is self._open else None

    def _loaded(self, loading: asyncio.Future[Loaded]) -> None:
        self._loading = None
        now = time.monotonic()
        self._look_at = now + LOOK_EVERY_SECONDS
        if loading.cancelled():
            return
        error = loading.exception()
        if error is None:
            found = loading.result()
            self._frozen, self._renewing = found.keys, found.renewing
            self._opened_by = found.opened_by
            if not self._is_denied:
                self.trouble = ""
            if found.opened_by is not self._open:
                self._look_at = 0.0  # the secrets changed while these were fetched
            elif found.renewing is not None and found.renewing.refresh_needed(LOOK_EVERY_SECONDS):
                self._look_at = now + LOOK_SOON_SECONDS
            return
        if self.trouble != str(error):
            self.trouble = str(error)
            name = self._connection.name
            log_event(log, logging.WARNING, "keys_not_renewed", connection=name, reason=self.trouble)
        if self._renewing is None or self._renewing.refresh_needed(refresh_in=0):
            self._frozen = None
            self._look_at = 0.0  # every call asks again; the caller's retry rule spaces them
        elif self._renewing.refresh_needed(LOOK_EVERY_SECONDS):
            self._look_at = now + LOOK_SOON_SECONDS

    def _fetched(self, opener: Opener, renewing: RefreshableCredentials | None) -> Loaded:
        """Runs in the thread."""
        return load_keys(self._connection, opener, renewing, self._clock)


def load_keys(
    connection: AwsConnection, opener: Opener, renewing: RefreshableCredentials | None, clock: ServerClock
) -> Loaded:
    """The keys of a connection: those of `renewing`, or looked for by `opener`. Blocks while botocore
    refreshes. Raises NoCredentials and ProcessorFailed as `AwsSession.fetch` does."""
    with _in_words(connection):
        if renewing is None:
            found = opener()
            if isinstance(found, Credentials):
                return Loaded(found, None, opener)
            renewing = found
        try:
            frozen = renewing.get_frozen_credentials()
        except ClientError as error:
            if not corrected(clock, error):
                raise
            frozen = renewing.get_frozen_credentials()
        return Loaded(_plain(frozen), renewing, opener)


def opener_of(connection: AwsConnection, region: str, clock: ServerClock) -> Opener:
    """What looks for the keys of a connection, from the beginning each time."""
    return partial(_reopened, connection, region, clock)


def open_session(
    connection: AwsConnection, reread: Callable[[], AwsConnection | None] | None = None
) -> AwsSession:
    """Find region, endpoint and keys of one connection.

    Blocks: it reads files, and asks the instance's metadata service (2 s where there is none) when nothing
    else holds keys. A role is assumed on the first call, not here. `reread` gives the connection as its files
    have it now, None where they cannot be read; it is called in a thread after AWS refused keys. Raises
    Invalid with every problem found.
    """
    if problems := list(problems_of(connection)):
        raise Invalid(problems)
    try:
        session = _boto3_session(connection)
        region = connection.region or session.region_name
        if region is None:
            raise Invalid([problem(connection, "region", "no region", "set region here or AWS_REGION")])
        endpoint = connection.endpoint_url or _lambda_endpoint(session, region)
        found = session.get_credentials()
    except BotoCoreError as error:
        raise Invalid([problem(connection, "", str(error), "see AWS_PROFILE and ~/.aws")]) from None

    clock = ServerClock()

    def again() -> RefreshableCredentials | Credentials:
        return _reopened((reread and reread()) or connection, region, clock)

    if found is None and connection.role_arn is None and not AWS_HOST.match(endpoint):
        return AwsSession(connection, region, endpoint, PLACEHOLDER, again, clock)
    if found is None:
        wanted = "accessKeyId and secretAccessKey here, AWS_ACCESS_KEY_ID, a profile, or a role of the pod"
        raise Invalid([problem(connection, "", "no AWS credentials", wanted)])
    if connection.role_arn is None and not isinstance(found, RefreshableCredentials):
        return AwsSession(connection, region, endpoint, _plain(found.get_frozen_credentials()), again, clock)
    first = [_keys(connection, session, found, region, clock)]
    return AwsSession(connection, region, endpoint, None, lambda: first.pop() if first else again(), clock)


def _reopened(
    connection: AwsConnection, region: str, clock: ServerClock
) -> RefreshableCredentials | Credentials:
    """The keys of a connection, looked for from the beginning."""
    session = _boto3_session(connection)
    found = session.get_credentials()
    if found is None:
        if connection.role_arn is None and connection.endpoint_url is not None:
            return PLACEHOLDER
        raise NoCredentialsError()
    return _keys(connection, session, found, region, clock)


def _keys(
    connection: AwsConnection, session: Any, found: Any, region: str, clock: ServerClock
) -> RefreshableCredentials | Credentials:
    if connection.role_arn is not None:
        return _assumed(connection, session, found, region, clock)
    return found if isinstance(found, RefreshableCredentials) else _plain(found.get_frozen_credentials())


def _given(connection: AwsConnection) -> Credentials:
    assert connection.access_key_id is not None
    assert connection.secret_access_key is not None
    return Credentials(connection.access_key_id, connection.secret_access_key, connection.session_token)


def _boto3_session(connection: AwsConnection) -> Any:
    core = botocore.session.Session()
    if (
        connection.endpoint_url is not None
        and connection.role_arn is None
        and not AWS_HOST.match(connection.endpoint_url)
    ):
        # A function host beside us: do not ask the instance's metadata, which for 2 s answers nobody.
        core.get_component("credential_provider").remove("iam-role")
    return boto3.Session(
        botocore_session=core,
        aws_access_key_id=connection.access_key_id,
        aws_secret_access_key=connection.secret_access_key,
        aws_session_token=connection.session_token,
        region_name=connection.region,
    )


def _lambda_endpoint(session: Any, region: str) -> str:
    client = session.client("lambda", region_name=region, config=Config(signature_version=UNSIGNED))
    endpoint: str = client.meta.endpoint_url
    client.close()
    return endpoint


def _assumed(
    connection: AwsConnection, session: Any, source: Any, region: str, clock: ServerClock
) -> DeferredRefreshableCredentials:
    def client_of(service: str, **keys: Any) -> Any:
        client = session.client(service, region_name=region, config=_STS, **keys)
        sign_by(clock, client)
        return client

    def now() -> datetime:
        """A session ends by the clock of who gave it."""
        return datetime.fromtimestamp(clock.now(), UTC)

    extra = {"RoleSessionName": ROLE_SESSION_NAME}
    if connection.external_id is not None:
        extra["ExternalId"] = connection.external_id
    # A fetcher keeps what it fetched and goes by this machine's clock; asked again it must ask STS again.
    fetcher = AssumeRoleCredentialFetcher(
        client_of, source, connection.role_arn, extra_args=extra, expiry_window_seconds=inf
    )
    return DeferredRefreshableCredentials(
        method="assume-role", refresh_using=fetcher.fetch_credentials, time_fetcher=now
    )


def _plain(frozen: Any) -> Credentials:
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token or None)


@contextlib.contextmanager
def _in_words(connection: AwsConnection) -> Iterator[None]:
    """Name the connection and the way out in place of boto3's errors."""
    doing = f"assume role {connection.role_arn}" if connection.role_arn else "fetch credentials"
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        text = f"connection {connection.name}: cannot {doing}: {error.response['Error'].get('Message', code)}"
        is_lasting = code in _REFUSALS
        raise (_refusal(connection, f"{text} ({code})") if is_lasting else NoCredentials(text)) from None
    except (BotoCoreError, CredentialRetrievalError, OSError, RuntimeError) as error:
        # A RuntimeError is how botocore says that what it just fetched has ended already.
        raise NoCredentials(f"connection {connection.name}: cannot {doing}: {error}") from None


def _refusal(connection: AwsConnection, text: str) -> PenstockError:
    if connection.role_arn is None:
        return ProcessorFailed(f"{text}; give the connection keys that AWS accepts")
    if "Signature expired" in text or "not yet current" in text:
        wanted = "set this machine's clock, STS takes requests within 5 minutes of its own"
        return NoCredentials(f"{text}; {wanted}")
    wanted = "must allow sts:AssumeRole to this identity"
    if connection.external_id is not None:
        wanted += " with the connection's externalId"
    return ProcessorFailed(f"{text}; the role's trust policy {wanted}")
