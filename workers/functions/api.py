"""The Lambda Invoke API over HTTP; functions by plain HTTP and the pages of the host beside it.

Who calls is asked first: whoever is not let in does not learn which functions there are.

It sits on aiohttp's low-level server: routing and middlewares of an application cost as much as the rest of a
call. An `Event` call is answered 202 with 0 bytes, a `DryRun` 204 with 0 bytes; these are the only answers
without a body. A function that returns nothing (`undefined`, `None`) answers `null`, as on Lambda.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol
from urllib.parse import parse_qs

import orjson
from aiohttp import hdrs, web

from workers.functions import answers, descriptions, pages
from workers.functions.access import Wanted
from workers.functions.answers import ApiError
from workers.functions.call import Call, Outcome
from workers.functions.context import CallContext, User
from workers.functions.dispatch import Dispatch, submit
from workers.functions.function_log import FunctionLog
from workers.functions.http_answer import WholeAnswer
from workers.functions.http_body import check_json, read_body
from workers.functions.http_functions import PREFIX as PLAIN_PREFIX
from workers.functions.http_functions import PlainCall
from workers.functions.http_request import Identify, check_origin, request_of
from workers.functions.names import Target
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
_OPERATION: Final = re.compile(r"/20\d\d-\d\d-\d\d/")
_DESCRIPTION: Final = re.compile(r"/2015-03-31/functions(?:/(?:[^/]+(?:/configuration)?)?)?")
_PAGE_BODY_BYTES: Final = 65_536
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
            return await self._other(request, path, request_id)
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
        wishes = _wishes(request)
        body = await read_body(request, _LIMITS[wishes.invocation_type], wishes.invocation_type)
        user = await self._caller(request, body)
        pool = self._functions.pool(target.name)
        if target.qualifier is not None and not pages.has_version(pool, target):
            raise answers.not_found(f"{target.name}:{target.qualifier}")
        check_json(body)
        wanted = Wanted(
            args=b"[%b]" % (body or b"{}"),
            user=user,
            request=request_of(request),
            client_context=wishes.client_context,
        )
        context = await self._admit(pool, wanted, request_id)
        if wishes.invocation_type == "DryRun":
            return web.Response(status=204, headers={"x-amzn-RequestId": request_id})
        call = self._dispatch.call(pool.entry, wanted, context, request_id)
        if wishes.invocation_type == "Event":
            self._functions.submit_event(pool, call)
            return web.Response(status=202, headers={"x-amzn-RequestId": request_id})
        submit(pool, call)
        return _answer(request_id, await call.outcome, pool, wants_log=wishes.wants_log)

    async def _plain(self, request: web.BaseRequest, request_id: str) -> web.StreamResponse:
        plain = PlainCall(request, request_id)
        target = pages.read_target(plain.name, None)
        body = await read_body(request, MAX_SYNC_REQUEST_BYTES, "RequestResponse")
        user = await self._caller(request, body)
        pool = self._functions.pool(target.name)
        if not pages.has_version(pool, target):
            raise answers.not_found(f"{target.name}:{target.qualifier}")
        wanted = Wanted(args=plain.args(body, user), user=user, request=request_of(request))
        context = await self._admit(pool, wanted, request_id)
        call = self._dispatch.call(pool.entry, wanted, context, request_id)
        submit(pool, call)
        return plain.answer(await call.outcome)

    async def _admit(self, pool: Pool, wanted: Wanted, request_id: str) -> CallContext:
        if self._functions.is_draining:
            raise answers.leaving()
        return await self._dispatch.admit(pool.entry, wanted, request_id)

    async def _caller(self, request: web.BaseRequest, body: bytes) -> User | None:
        identify = self._functions.identify
        if identify is not None:
            return await identify(request, body)
        if hdrs.ORIGIN in request.headers:
            check_origin(request.headers[hdrs.ORIGIN])
        return None

    def _route(self, path: str) -> Target:
        path_only, _, query = path.partition("?")
        if not path_only.endswith(_SUFFIX):
            raise answers.no_operation("POST", path_only)
        qualifiers = parse_qs(query, keep_blank_values=True).get("Qualifier")
        target = pages.read_target(
            path_only[len(_PREFIX) : -len(_SUFFIX)], qualifiers[0] if qualifiers else None
        )
        if len(self._routes) >= _ROUTES:
            self._routes.clear()
        self._routes[path] = target
        return target

    async def _other(self, request: web.BaseRequest, raw_path: str, request_id: str) -> web.StreamResponse:
        """Everything but a call by the Invoke API."""
        path, _, query = raw_path.partition("?")
        functions = self._functions
        pools = functions.pools()
        is_get = request.method in ("GET", "HEAD")
        if is_get and path == "/healthz":
            return pages.healthz(pools, is_draining=functions.is_draining)
        if path.startswith(PLAIN_PREFIX):
            return await self._plain(request, request_id)
        is_description = is_get and _DESCRIPTION.fullmatch(path) is not None
        if _OPERATION.match(path) and not is_description:
            raise answers.no_operation(request.method, path)
        if not is_get:
            raise ApiError(404, "ResourceNotFoundException", "There is no such page.")
        user = await self._caller(request, await read_body(request, _PAGE_BODY_BYTES, "RequestResponse"))
        if is_description:
            pages.check_may_look(user, pages.action_of(path))
            region = descriptions.region_of(request.headers.get(hdrs.AUTHORIZATION, ""))
            return await pages.described(path, query, region, pools)
        pages.check_may_look(user, f"penstock:Get{path[:40]}")
        return pages.own_page(path, query, pools, functions.function_log)


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


def _error(error: ApiError, request_id: str) -> web.Response:
    headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": error.code}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    return web.Response(
        status=error.status, body=error.body(), headers=headers, content_type="application/json"
    )
