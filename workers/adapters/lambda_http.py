"""The Lambda Invoke API over libcurl: the hot path of calls. Keeps the port `Invoker`.

Why not boto3 here: it costs 550 to 1,100 us of CPU a call and one thread each, and retries by itself.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol
from urllib.parse import quote, urlsplit

from workers.adapters.curl_exchange import Exchange, HandleOptions
from workers.adapters.exchange_pool import ExchangePool
from workers.adapters.server_clock import ServerClock
from workers.adapters.sigv4 import TOKEN, Credentials, RequestShape, Signer
from workers.errors import NoCredentials
from workers.ports import InvokeAnswer, InvokeRequest

API: Final = "2015-03-31"
CONTENT_TYPE: Final = "application/json"
CLIENT_CONTEXT: Final = "x-amz-client-context"

# A whole answer is 6 MB and 100 bytes at most; the rest is room for other hosts of the same API.
MAX_ANSWER_BYTES: Final = 6_291_556 + 65_536
# Call sites times invocation types: far below this. When a program has more, the cache starts anew.
MAX_TARGETS: Final = 1_024
# libcurl asks `Expect: 100-continue` from 1 MiB on: a round trip more, and Lambda has no use for it.
EXPECT_FROM_BYTES: Final = 1_048_576

# 403 answers that say the key or the time is at fault: nothing was run, and the same again meets the same.
STALE_CREDENTIALS: Final = frozenset(
    {
        "ExpiredToken", "ExpiredTokenException", "InvalidSignatureException", "RequestExpired",
        "RequestTimeTooSkewed", "SignatureDoesNotMatch", "UnrecognizedClientException",
    }
)  # fmt: skip


class CredentialSource(Protocol):
    """Where the keys come from. Kept by adapters/aws_session.py."""

    def current(self) -> Credentials | None:
        """The keys to sign with now, or None when they have to be fetched. Never blocks."""
        ...

    async def fetch(self) -> Credentials:
        """Wait for keys. Raises NoCredentials when none can be had now, ProcessorFailed when they were
        refused."""
        ...

    def refused(self, credentials: Credentials) -> None:
        """AWS refused these keys: fetch new ones before the next call, if they can be fetched."""
        ...

    def judged(self, trouble: str) -> None:
        """Renewed keys were refused, too, as `trouble` says; empty once AWS takes them again."""
        ...


@dataclass(frozen=True, slots=True)
class LambdaEndpoint:
    """Where to call and within which bounds.

    `connection` names it in errors. `idle_seconds` stays below the 60 s after which load balancers drop idle
    connections. Over `max_connections` calls wait for a free connection within their own time-out.
    """

    connection: str
    url: str
    region: str
    ca_bundle: str
    max_connections: int = 1_024
    connect_timeout_seconds: float = 5.0
    idle_seconds: int = 50
    max_answer_bytes: int = MAX_ANSWER_BYTES
    user_agent: str = "penstock"


def invocation_path(function: str) -> str:
    """Path and query of one function's invocations, percent-encoded as boto3 does.

    `name:alias` becomes a Qualifier; an ARN, whole or partial, stays whole with its colons as %3A. Raises
    ValueError for a name that is none.
    """
    if function.strip(".") == "":
        raise ValueError(f"function name {function!r}: a name, name:alias or ARN")
    name, colon, qualifier = function.partition(":")
    if colon and qualifier and ":" not in qualifier and name not in ("", "function"):
        return f"/{API}/functions/{_quoted(name)}/invocations?Qualifier={_quoted(qualifier)}"
    return f"/{API}/functions/{_quoted(function)}/invocations"


def _quoted(text: str) -> str:
    return quote(text, safe="-._~")


class _Target:
    """All that calls of one function and kind have in common."""

    __slots__ = ("headers", "shape", "url", "what")

    def __init__(self, endpoint: LambdaEndpoint, request: InvokeRequest, has_token: bool) -> None:
        self.what = f"invoking {request.function} (connection {endpoint.connection})"
        self.url = endpoint.url.rstrip("/") + invocation_path(request.function)
        fixed = {"Content-Type": CONTENT_TYPE, "X-Amz-Invocation-Type": request.invocation_type}
        if request.log_tail:
            fixed["X-Amz-Log-Type"] = "Tail"
        varying = [CLIENT_CONTEXT] if request.client_context else []
        if has_token:
            varying.append(TOKEN)
        self.shape = RequestShape("POST", self.url, fixed, varying)
        self.headers = [f"{name}: {value}" for name, value in fixed.items()]


class LambdaInvoker:
    """Calls functions of one connection. Every request is signed; nothing that may have run is sent twice.

    Bound to the event loop of its first call. Raises what the port says, and ProcessorFailed when AWS
    refuses the connection's credentials or role, which no retry of a call can mend.
    """

    def __init__(self, endpoint: LambdaEndpoint, credentials: CredentialSource) -> None:
        parts = urlsplit(endpoint.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise ValueError(
                f"connection {endpoint.connection}: endpoint {parts.hostname!r} is no http(s) URL"
            )
        self._endpoint = endpoint
        self._source = credentials
        self._signer = Signer(endpoint.region, "lambda")
        self.clock: Final = ServerClock()
        self._is_refused = False
        self._options = HandleOptions(
            endpoint.url, endpoint.ca_bundle, endpoint.user_agent, endpoint.connect_timeout_seconds,
            endpoint.idle_seconds, endpoint.max_answer_bytes, self.clock.heard,
        )  # fmt: skip
        self._targets: dict[tuple[str, str, bool, bool, bool], _Target] = {}
        self._pool = ExchangePool(
            endpoint.connection, endpoint.max_connections, partial(Exchange, self._options)
        )

    async def invoke(self, request: InvokeRequest) -> InvokeAnswer:
        """See `ports.Invoker`. What AWS refused for its keys or its time was not run: it is sent once more,
        with renewed keys or the corrected time, and a third time where both were wrong. `clock` is the other
        side's, as far as it is known."""
        deadline = time.monotonic() + request.timeout_seconds
        credentials = self._source.current() or await self._fetch(request.timeout_seconds)
        skew_seconds = self.clock.skew_seconds
        answer = await self._attempt(request, credentials, deadline - time.monotonic())
        if answer.status == 403 and answer.error_type in STALE_CREDENTIALS:
            # What is left of the time-out, as a request of its own.
            left = request._replace(timeout_seconds=max(deadline - time.monotonic(), 0.001))
            return await self._again(left, answer, credentials, skew_seconds)
        if self._is_refused:
            self._judged("")
        return answer

    async def _again(
        self, request: InvokeRequest, refusal: InvokeAnswer, credentials: Credentials, skew_seconds: float
    ) -> InvokeAnswer:
        answer, deadline = refusal, time.monotonic() + request.timeout_seconds
        # After a machine slept its time is wrong and its keys are old: each is mended once.
        for _ in range(2):
            used, used_skew_seconds = credentials, skew_seconds
            if not self.clock.corrected(skew_seconds):
                self._source.refused(credentials)
                left = max(deadline - time.monotonic(), 0.001)
                credentials = self._source.current() or await self._fetch(left)
            skew_seconds = self.clock.skew_seconds
            if credentials == used and skew_seconds == used_skew_seconds:
                break
            answer = await self._attempt(request, credentials, max(deadline - time.monotonic(), 0.001))
            if answer.status != 403 or answer.error_type not in STALE_CREDENTIALS:
                if self._is_refused:
                    self._judged("")
                return answer
        self._judged(f"connection {self._endpoint.connection}: AWS refuses its keys ({answer.error_type})")
        return answer

    def _judged(self, trouble: str) -> None:
        self._is_refused = bool(trouble)
        self._source.judged(trouble)

    async def close(self) -> None:
        """See `ports.Invoker`. Open calls end with NotSent or UnknownOutcome."""
        self._pool.close()

    async def _fetch(self, timeout_seconds: float) -> Credentials:
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._source.fetch()
        except TimeoutError:
            name = self._endpoint.connection
            raise NoCredentials(f"connection {name}: no credentials within {timeout_seconds:g} s") from None

    async def _attempt(
        self, request: InvokeRequest, credentials: Credentials, timeout_seconds: float
    ) -> InvokeAnswer:
        token, context, body = credentials.session_token, request.client_context, request.body
        key = (request.function, request.invocation_type, request.log_tail, bool(context), bool(token))
        target = self._targets.get(key)
        if target is None:
            if len(self._targets) >= MAX_TARGETS:
                self._targets.clear()
            target = self._targets[key] = _Target(self._endpoint, request, bool(token))
        varying: dict[str, str] = {}
        headers = target.headers.copy()
        if context:
            varying[CLIENT_CONTEXT] = context
            headers.append(f"X-Amz-Client-Context: {context}")
        if token:
            varying[TOKEN] = token
            headers.append(f"X-Amz-Security-Token: {token}")
        if len(body) >= EXPECT_FROM_BYTES:
            headers.append("Expect:")
        stamp, authorization = self._signer.sign(target.shape, credentials, self.clock.now(), body, varying)
        headers.append(f"X-Amz-Date: {stamp}")
        headers.append(f"Authorization: {authorization}")
        exchange, answer = self._pool.take()
        exchange.prepare(target.what, target.url, headers, body, timeout_seconds, answer)
        return await self._pool.send(exchange)
