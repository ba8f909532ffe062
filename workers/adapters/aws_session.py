"""Credentials and endpoint of one AWS connection, made by boto3 and kept fresh without ever blocking the
loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    DeferredRefreshableCredentials,
    RefreshableCredentials,
)
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError

from workers.adapters.sigv4 import Credentials
from workers.errors import Invalid, NotSent, PenstockError, Problem, ProcessorFailed

FILE: Final = "connections.yaml"
# botocore begins to refresh 15 minutes before keys expire and insists from 10 minutes on, so a look each 30
# s has twenty tries before a call would meet expired keys. A look without anything to refresh costs
# microseconds.
LOOK_EVERY_SECONDS: Final = 30.0
# 200 open calls may all come back with 403: they lead to one renewal, not to 200.
RENEW_AT_MOST_EVERY_SECONDS: Final = 5.0
ROLE_SESSION_NAME: Final = "penstock"
_STS: Final = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "max_attempts": 3})
_AWS_HOST: Final = re.compile(r"https://[^/]+\.(amazonaws\.com|amazonaws\.com\.cn|api\.aws)(:\d+)?(/|$)")
_ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+")
_EXTERNAL_ID: Final = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
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


@dataclass(frozen=True, slots=True)
class AwsConnection:
    """What `connections.yaml` says about one AWS connection. Without keys boto3 searches as always."""

    name: str
    region: str | None = None
    endpoint_url: str | None = None
    role_arn: str | None = None
    external_id: str | None = field(default=None, repr=False)
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)


class AwsSession:
    """Keeps `lambda_http.CredentialSource`. Used on the loop's thread; its one thread fetches keys.

    `endpoint_url` is where Lambda answers, `region` what requests are signed for.
    """

    def __init__(
        self, connection: AwsConnection, region: str, endpoint_url: str,
        static: Credentials | None, open_keys: Callable[[], RefreshableCredentials],
    ) -> None:  # fmt: skip
        self.region: Final = region
        self.endpoint_url: Final = endpoint_url
        self._connection = connection
        self._static = static is not None
        self._open_keys = open_keys
        self._keys: RefreshableCredentials | None = None
        self._frozen = static
        self._look_at = 0.0
        self._renew_from = 0.0
        self._loading: asyncio.Future[Credentials] | None = None
        self._pool: ThreadPoolExecutor | None = None

    def current(self) -> Credentials | None:
        """The keys to sign with now; None when they have yet to be fetched or have run out. Never blocks."""
        if not self._static and self._loading is None and time.monotonic() >= self._look_at:
            self._load()
        return self._frozen

    async def fetch(self) -> Credentials:
        """The keys, fetched off the loop when need be.

        Raises NotSent when STS or the instance's metadata cannot be reached, ProcessorFailed when AWS
        refuses.
        """
        if self._frozen is not None:
            return self._frozen
        return await asyncio.shield(self._loading or self._load())

    def refused(self, credentials: Credentials) -> None:
        """AWS refused these keys although they had not expired: get new ones before the next call."""
        now = time.monotonic()
        if self._static or credentials is not self._frozen or now < self._renew_from:
            return
        self._renew_from = now + RENEW_AT_MOST_EVERY_SECONDS
        self._keys = self._frozen = None
        self._look_at = 0.0

    def close(self) -> None:
        """End the thread. Idempotent."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _load(self) -> asyncio.Future[Credentials]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"aws-{self._connection.name}")
        loading = asyncio.get_running_loop().run_in_executor(self._pool, self._frozen_keys)
        self._loading = loading
        loading.add_done_callback(self._loaded)
        return loading

    def _loaded(self, loading: asyncio.Future[Credentials]) -> None:
        self._loading = None
        self._look_at = time.monotonic() + LOOK_EVERY_SECONDS
        if loading.cancelled():
            return
        if loading.exception() is None:
            self._frozen = loading.result()
            return
        keys = self._keys
        if keys is None or keys.refresh_needed(refresh_in=0):
            self._frozen = None
            self._look_at = 0.0  # every call asks again; the caller's retry rule spaces them

    def _frozen_keys(self) -> Credentials:
        """Runs in the thread. Blocks while botocore refreshes."""
        with _in_words(self._connection):
            keys = self._keys
            if keys is None:
                keys = self._keys = self._open_keys()
            return _plain(keys.get_frozen_credentials())


def open_session(connection: AwsConnection) -> AwsSession:
    """Find region, endpoint and keys of one connection.

    Blocks: it reads files, and asks the instance's metadata service (2 s where there is none) when nothing
    else holds keys. A role is assumed on the first call, not here. Raises Invalid with every problem found.
    """
    if problems := list(_problems(connection)):
        raise Invalid(problems)
    try:
        session = _boto3_session(connection)
        region = connection.region or session.region_name
        if region is None:
            raise Invalid([_problem(connection, "region", "no region", "set region here or AWS_REGION")])
        endpoint = connection.endpoint_url or _lambda_endpoint(session, region)
        found = session.get_credentials()
    except BotoCoreError as error:
        raise Invalid([_problem(connection, "", str(error), "see AWS_PROFILE and ~/.aws")]) from None

    if found is None and connection.role_arn is None and not _AWS_HOST.match(endpoint):
        return AwsSession(connection, region, endpoint, PLACEHOLDER, _never)
    if found is None:
        wanted = "accessKeyId and secretAccessKey here, AWS_ACCESS_KEY_ID, a profile, or a role of the pod"
        raise Invalid([_problem(connection, "", "no AWS credentials", wanted)])
    if connection.role_arn is not None:
        return AwsSession(
            connection, region, endpoint, None, lambda: _assumed(connection, session, found, region)
        )
    if not isinstance(found, RefreshableCredentials):
        return AwsSession(connection, region, endpoint, _plain(found.get_frozen_credentials()), _never)
    opened: list[RefreshableCredentials] = [found]

    def open_keys() -> RefreshableCredentials:
        return opened.pop() if opened else _boto3_session(connection).get_credentials()

    return AwsSession(connection, region, endpoint, None, open_keys)


def _never() -> RefreshableCredentials:
    raise AssertionError("static keys are never opened again")


def _problem(connection: AwsConnection, key: str, found: str, expected: str) -> Problem:
    return Problem(FILE, f"{connection.name}.{key}" if key else connection.name, found, expected)


def _problems(connection: AwsConnection) -> Iterator[Problem]:
    role, external_id, endpoint = connection.role_arn, connection.external_id, connection.endpoint_url
    if bool(connection.access_key_id) != bool(connection.secret_access_key):
        missing = "secretAccessKey" if connection.access_key_id else "accessKeyId"
        yield _problem(connection, missing, "not set", "accessKeyId and secretAccessKey come together")
    if connection.session_token and not connection.access_key_id:
        yield _problem(connection, "sessionToken", "set without keys", "it belongs to an accessKeyId")
    for key, value in (
        ("accessKeyId", connection.access_key_id),
        ("secretAccessKey", connection.secret_access_key),
        ("sessionToken", connection.session_token),
    ):
        if value and value.split() != [value]:
            yield _problem(connection, key, "blanks or line ends in it", "the value alone")
    if role is not None and not _ROLE_ARN.fullmatch(role):
        yield _problem(connection, "roleArn", repr(role), "arn:aws:iam::123456789012:role/name")
    if external_id is not None and role is None:
        yield _problem(connection, "externalId", "set without roleArn", "it is sent when a role is assumed")
    elif external_id is not None and not _EXTERNAL_ID.fullmatch(external_id):
        yield _problem(connection, "externalId", "not a valid id", "2 to 1224 letters, digits or +=,.@:/-_")
    if endpoint is not None and not re.match(r"https?://[^/\s?#@]+(/[^\s?#]*)?$", endpoint):
        yield _problem(connection, "endpointUrl", "no http or https address", "https://host:port")


def _boto3_session(connection: AwsConnection) -> Any:
    core = botocore.session.Session()
    if (
        connection.endpoint_url is not None
        and connection.role_arn is None
        and not _AWS_HOST.match(connection.endpoint_url)
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
    connection: AwsConnection, session: Any, source: Any, region: str
) -> DeferredRefreshableCredentials:
    def client_of(service: str, **keys: Any) -> Any:
        return session.client(service, region_name=region, config=_STS, **keys)

    extra = {"RoleSessionName": ROLE_SESSION_NAME}
    if connection.external_id is not None:
        extra["ExternalId"] = connection.external_id
    fetcher = AssumeRoleCredentialFetcher(client_of, source, connection.role_arn, extra_args=extra)
    return DeferredRefreshableCredentials(method="assume-role", refresh_using=fetcher.fetch_credentials)


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
        raise (_refusal(connection, f"{text} ({code})") if code in _REFUSALS else NotSent(text)) from None
    except (BotoCoreError, CredentialRetrievalError, OSError) as error:
        raise NotSent(f"connection {connection.name}: cannot {doing}: {error}") from None


def _refusal(connection: AwsConnection, text: str) -> PenstockError:
    if connection.role_arn is None:
        return ProcessorFailed(f"{text}; give the connection keys that AWS accepts")
    wanted = "must allow sts:AssumeRole to this identity"
    if connection.external_id is not None:
        wanted += " with the connection's externalId"
    return ProcessorFailed(f"{text}; the role's trust policy {wanted}")
