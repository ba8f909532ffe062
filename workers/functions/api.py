"""The Lambda Invoke API over HTTP, and three pages: `GET /healthz`, `GET /functions` and `GET /logs`.

It sits on aiohttp's low-level server: routing and middlewares of an application cost as much as the rest of a
call. An `Event` call is answered 202 with 0 bytes, a `DryRun` 204 with 0 bytes; these are the only answers
without a body. A function that returns nothing (`undefined`, `None`) answers `null`, as on Lambda.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol
from urllib.parse import parse_qs, unquote

import orjson
from aiohttp import HttpVersion11, web

from workers.functions import answers
from workers.functions.access import Wanted
from workers.functions.answers import ApiError
from workers.functions.call import Call, Outcome
from workers.functions.context import User
from workers.functions.dispatch import Dispatch, submit
from workers.functions.function_log import FunctionLog
from workers.functions.http_answer import WholeAnswer
from workers.functions.http_request import Identify, request_of
from workers.functions.names import BadName, Target, parse_target
from workers.functions.pool import Pool
from workers.functions.settings import (
    LOG_TAIL_BYTES,
    MAX_CLIENT_CONTEXT_BYTES,
    MAX_EVENT_REQUEST_BYTES,
    MAX_SYNC_REQUEST_BYTES,
)

log = logging.getLogger("penstock.functions")

_PREFIX: Final = "/2015-03-31/functions/"
_SUFFIX: Final = "/invocations"
_ROUTES: Final = 4_096  # remembered paths; callers name few, and who names more starts again from none
_LIMITS: Final = {
    "RequestResponse": MAX_SYNC_REQUEST_BYTES,
    "Event": MAX_EVENT_REQUEST_BYTES,
    "DryRun": MAX_SYNC_REQUEST_BYTES,
}


class Functions(Protocol):
    """What the api serves; kept by `host.FunctionHost`."""

    is_draining: bool
    dispatch: Dispatch
    function_log: FunctionLog
    identify: Identify | None

    def pool(self, name: str) -> Pool:
        """The pool of a function. Raises ApiError 404."""
        ...

    def pools(self) -> Mapping[str, Pool]:
        """All pools by function name."""
        ...

    def submit_event(self, pool: Pool, call: Call) -> None:
        """Accept an `Event` call. Raises ApiError 429."""
        ...


class _Wishes(NamedTuple):
    """What the headers of a call ask for."""

    invocation_type: str
    wants_log: bool
    client_context: bytes


class Api:
    """Answers HTTP requests; `handle` is the whole of it."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._dispatch = functions.dispatch
        self._routes: dict[str, Target] = {}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request. Never raises for what a caller sent or a function did."""
        request_id = self._dispatch.new_id()
        try:
            path = request.raw_path
            if request.method == "POST" and path.startswith(_PREFIX):
                return await self._invoke(request, path, request_id)
            return await self._page(request, path)
        except ApiError as error:
            return _error(error, request_id)
        except web.RequestPayloadError:  # aiohttp found the chunks of the body malformed
            return _error(answers.bad_content("The request's body could not be read."), request_id)
        except Exception as problem:
            if isinstance(problem, ConnectionError):
                raise
            log.exception("call failed in the host", extra={"request_id": request_id})
            return _error(answers.broken("The function host failed."), request_id)

    async def _invoke(self, request: web.BaseRequest, path: str, request_id: str) -> web.StreamResponse:
        target = self._routes.get(path) or self._route(path)
        pool = self._functions.pool(target.name)
        wishes = _wishes(request)
        body = await _read_body(request, _LIMITS[wishes.invocation_type], wishes.invocation_type)
        _check_json(body)
        if self._functions.is_draining:
            raise answers.leaving()
        wanted = Wanted(
            args=b"[%b]" % (body or b"{}"),
            user=await self._caller(request, body),
            request=request_of(request),
            client_context=wishes.client_context,
        )
        context = await self._dispatch.admit(pool.entry, wanted, request_id)
        if wishes.invocation_type == "DryRun":
            return web.Response(status=204, headers={"x-amzn-RequestId": request_id})
        call = self._dispatch.call(pool.entry, wanted, context, request_id)
        if wishes.invocation_type == "Event":
            self._functions.submit_event(pool, call)
            return web.Response(status=202, headers={"x-amzn-RequestId": request_id})
        submit(pool, call)
        return _answer(request_id, await call.outcome, pool, wants_log=wishes.wants_log)

    async def _caller(self, request: web.BaseRequest, body: bytes) -> User | None:
        identify = self._functions.identify
        return None if identify is None else await identify(request, body)

    def _route(self, path: str) -> Target:
        path_only, _, query = path.partition("?")
        if not path_only.endswith(_SUFFIX):
            raise ApiError(404, "ResourceNotFoundException", "There is no such page.")
        text = unquote(path_only[len(_PREFIX) : -len(_SUFFIX)])
        qualifiers = parse_qs(query, keep_blank_values=True).get("Qualifier")
        try:
            target = parse_target(text, qualifiers[0] if qualifiers else None)
        except BadName as problem:
            raise answers.bad_parameter(str(problem)) from problem
        if len(self._routes) >= _ROUTES:
            self._routes.clear()
        self._routes[path] = target
        return target

    async def _page(self, request: web.BaseRequest, raw_path: str) -> web.Response:
        path, _, query = raw_path.partition("?")
        if request.method not in ("GET", "HEAD"):
            raise ApiError(404, "ResourceNotFoundException", "There is no such page.")
        pools = self._functions.pools()
        if path == "/healthz":
            draining = self._functions.is_draining
            state = {"status": "draining" if draining else "ok", "functions": len(pools)}
            return web.Response(
                status=503 if draining else 200, body=orjson.dumps(state), content_type="application/json"
            )
        await self._caller(request, b"")
        if path == "/logs":
            return _logs(self._functions.function_log, query)
        if path == "/functions":
            listed = [_describe(pool) for _, pool in sorted(pools.items())]
            return web.Response(body=orjson.dumps({"functions": listed}), content_type="application/json")
        raise ApiError(404, "ResourceNotFoundException", "There is no such page.")


def _wishes(request: web.BaseRequest) -> _Wishes:
    headers = request.headers
    invocation_type = headers.get("X-Amz-Invocation-Type", "RequestResponse")
    if invocation_type not in _LIMITS:
        raise answers.bad_parameter(f"{invocation_type[:40]!r} is none of {', '.join(_LIMITS)}")
    log_type = headers.get("X-Amz-Log-Type", "None")
    if log_type not in ("None", "Tail"):
        raise answers.bad_parameter(f"{log_type[:40]!r} is none of None, Tail")
    context = headers.get("X-Amz-Client-Context")
    return _Wishes(invocation_type, log_type == "Tail", _client_context(context) if context else b"")


def _client_context(text: str) -> bytes:
    """The JSON object of the header. Raises ApiError 400."""
    if len(text) > MAX_CLIENT_CONTEXT_BYTES:
        raise answers.bad_content(f"Client context must be no more than {MAX_CLIENT_CONTEXT_BYTES} bytes.")
    try:
        context = base64.b64decode(text, validate=True)
        is_object = isinstance(orjson.loads(context), dict)
    except ValueError:
        is_object = False
    if not is_object:
        raise answers.bad_content("Client context must be a valid Base64-encoded JSON object.")
    return context


async def _read_body(request: web.BaseRequest, limit_bytes: int, invocation_type: str) -> bytes:
    """The whole body. Raises ApiError 413 before it holds more than `limit_bytes` and one read.

    The announced length is not trusted alone: chunked bodies announce none.
    """
    if not request.can_read_body:
        return b""
    if (request.content_length or 0) > limit_bytes:
        raise answers.too_large(limit_bytes, invocation_type)
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    content = request.content
    body = await content.readany()
    if content.at_eof():
        if len(body) > limit_bytes:
            raise answers.too_large(limit_bytes, invocation_type)
        return body
    pieces = bytearray(body)
    while not content.at_eof():
        pieces += await content.readany()
        if len(pieces) > limit_bytes:
            raise answers.too_large(limit_bytes, invocation_type)
    return bytes(pieces)


def _check_json(body: bytes) -> None:
    """Raises ApiError 400. Half of a surrogate pair is refused by orjson and legal JSON text: asked again."""
    if not body:
        return
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        try:
            json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise answers.bad_content(f"Could not parse request body into json: {problem}") from problem


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _logs(function_log: FunctionLog, query: str) -> web.Response:
    """`?after=<number>&function=<name>&limit=<count>` of the function log. Raises ApiError 400."""
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    try:
        after, limit = int(asked.get("after", "0")), int(asked.get("limit", "100"))
    except ValueError as problem:
        raise answers.bad_parameter("after and limit are whole numbers") from problem
    return web.Response(
        body=function_log.page(after, asked.get("function"), limit), content_type="application/json"
    )


def _answer(request_id: str, outcome: Outcome, pool: Pool, *, wants_log: bool) -> WholeAnswer:
    headers = {"x-amzn-RequestId": request_id, "X-Amz-Executed-Version": "$LATEST"}
    if outcome.failed:
        headers["X-Amz-Function-Error"] = "Unhandled"
    if wants_log:
        headers["X-Amz-Log-Result"] = _log_result(request_id, outcome, pool)
    return WholeAnswer(headers, outcome.body)


def _log_result(request_id: str, outcome: Outcome, pool: Pool) -> str:
    """The last 4 KB of what Lambda would have logged, in base64."""
    milliseconds = outcome.seconds * 1000
    start = f"START RequestId: {request_id} Version: $LATEST\n"
    end = (
        f"END RequestId: {request_id}\nREPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\t"
        f"Memory Size: {pool.entry.memory_bytes >> 20} MB\n"
    )
    middle = outcome.log if not outcome.log or outcome.log.endswith(b"\n") else outcome.log + b"\n"
    whole = start.encode() + middle + end.encode()
    return base64.b64encode(whole[-LOG_TAIL_BYTES:]).decode("ascii")


def _describe(pool: Pool) -> dict[str, object]:
    entry = pool.entry
    return {
        "name": entry.name,
        "language": entry.language,
        "file": entry.file,
        "timeoutSeconds": entry.timeout_seconds,
        "memoryBytes": entry.memory_bytes,
        "concurrency": entry.concurrency,
        **pool.status(),
    }


def _error(error: ApiError, request_id: str) -> web.Response:
    headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": error.code}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    return web.Response(
        status=error.status, body=error.body(), headers=headers, content_type="application/json"
    )
