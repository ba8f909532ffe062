"""What AWS says about functions before the first record: a DryRun through the very client that will call, and
the configuration through boto3, as far as the connection may ask for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import boto3
import orjson
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from workers.adapters.aws_session import AWS_HOST, AwsSession
from workers.adapters.boto_clock import sign_by
from workers.adapters.curl_exchange import is_loopback
from workers.adapters.lambda_http import LambdaInvoker
from workers.adapters.server_clock import ServerClock
from workers.adapters.sigv4 import Credentials
from workers.calls.preflight import Configuration, Facts, FunctionName, parts_of
from workers.errors import ProcessorFailed, Retryable
from workers.ports import InvokeRequest

# Functions asked about at once: what AWS allows of these calls is 15 a second and account.
AT_ONCE: Final = 8
# Of an error's message, which may be a whole page of a proxy.
MESSAGE_CHARACTERS: Final = 300


async def learn(
    session: AwsSession, invoker: LambdaInvoker, functions: Iterable[str], limit_seconds: float
) -> dict[str, Facts]:
    """The facts of each function of one connection. Never raises: what is not known within `limit_seconds` is
    said in the facts."""
    places = asyncio.Semaphore(AT_ONCE)
    deadline = asyncio.get_running_loop().time() + limit_seconds
    asking = _Asking(session, invoker, limit_seconds)

    async def one(function: str) -> Facts:
        try:
            async with asyncio.timeout_at(deadline), places:
                return await asking.facts(function)
        except TimeoutError:
            return Facts(0, message=f"not within {limit_seconds:g} s", region=session.region)

    names = sorted(set(functions))
    try:
        return dict(zip(names, await asyncio.gather(*map(one, names)), strict=True))
    finally:
        asking.close()


class _Asking:
    """Asks about functions of one connection, all with one client of boto3: making one takes 0.2 s of CPU."""

    def __init__(self, session: AwsSession, invoker: LambdaInvoker, limit_seconds: float) -> None:
        self._session, self._invoker, self._limit_seconds = session, invoker, limit_seconds
        self._client: Any = None
        self._making = asyncio.Lock()

    async def facts(self, function: str) -> Facts:
        region, limit_seconds = self._session.region, self._limit_seconds
        try:
            answer = await self._invoker.invoke(InvokeRequest(function, b"{}", "DryRun", limit_seconds))
            if answer.status != 204:
                said = _message(answer.body)
                kind, is_hosted = answer.error_type or "", not AWS_HOST.match(self._session.endpoint_url)
                return Facts(answer.status, kind, said, region=region, is_hosted=is_hosted)
            async with self._making:
                if self._client is None:
                    keys = await self._session.fetch()
                    self._client = await asyncio.to_thread(
                        _client, self._session, keys, self._invoker.clock, limit_seconds
                    )
            found = await asyncio.to_thread(_configuration, self._client, function)
            return Facts(region=region, configuration=found)
        except ProcessorFailed as error:
            return Facts(0, refused=str(error), region=region)
        except Retryable as error:
            return Facts(0, message=str(error)[:MESSAGE_CHARACTERS], region=region)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _message(body: bytes) -> str:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    text = (found.get("message") or found.get("Message")) if isinstance(found, dict) else None
    return text[:MESSAGE_CHARACTERS] if isinstance(text, str) else ""


def _client(session: AwsSession, keys: Credentials, clock: ServerClock, limit_seconds: float) -> Any:
    client = boto3.Session(
        keys.access_key_id, keys.secret_access_key, keys.session_token, session.region
    ).client(
        "lambda",
        endpoint_url=session.endpoint_url,
        config=Config(
            connect_timeout=limit_seconds, read_timeout=limit_seconds, retries={"total_max_attempts": 1},
            inject_host_prefix=False, proxies={} if is_loopback(session.endpoint_url) else None,
        ),
    )  # fmt: skip
    sign_by(clock, client)
    return client


def _configuration(client: Any, function: str) -> Configuration:
    """Blocks. Each question that is refused or fails leaves its fields open."""
    name = parts_of(function)
    plain = function.removesuffix(f":{name.qualifier}") if name.qualifier else function
    found = _asked(client.get_function_configuration, FunctionName=plain, **_qualifier(name))
    if not found:
        return Configuration()
    reserved = _asked(client.get_function_concurrency, FunctionName=plain)
    url = _asked(client.get_function_url_config, FunctionName=plain, **_qualifier(name))
    return _of(found, reserved.get("ReservedConcurrentExecutions"), url.get("InvokeMode", ""))


def _qualifier(name: FunctionName) -> dict[str, str]:
    return {"Qualifier": name.qualifier} if name.qualifier else {}


def _asked(question: Callable[..., Any], **parameters: str) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = question(**parameters)
    except (ClientError, BotoCoreError):
        return {}
    return found


def _of(found: Mapping[str, Any], reserved: Any, invoke_mode: str) -> Configuration:
    tenancy = found.get("TenancyConfig") or {}
    return Configuration(
        timeout_seconds=found.get("Timeout"),
        memory_mib=found.get("MemorySize"),
        state=found.get("State", ""),
        state_reason=found.get("StateReason", ""),
        update_status=found.get("LastUpdateStatus", ""),
        reserved=reserved,
        invoke_mode=invoke_mode,
        tenancy=tenancy.get("TenantIsolationMode", ""),
    )
