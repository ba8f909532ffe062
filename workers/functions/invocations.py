"""Calls by the Lambda Invoke API, whichever server their request came through.

Who calls is asked first: whoever is not let in does not learn which functions there are. An `Event` call is
answered 202 with 0 bytes, a `DryRun` 204 with 0 bytes; these are the only answers without a body. A function
that returns nothing (`undefined`, `None`) answers `null`, as on Lambda.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol
from urllib.parse import parse_qs

import orjson

from workers.functions import answers, pages
from workers.functions.access import Wanted, is_open
from workers.functions.call import Call, Outcome
from workers.functions.context import CallContext, User
from workers.functions.dispatch import Answering, Dispatch, submit
from workers.functions.function_log import FunctionLog, Seen
from workers.functions.http_answer import Answer
from workers.functions.http_body import check_json
from workers.functions.http_request import (
    Identify,
    RequestHead,
    check_host,
    check_page,
    comes_from_page,
    is_meant,
    request_of,
)
from workers.functions.names import Target
from workers.functions.pool import Pool
from workers.functions.settings import (
    LOG_TAIL_BYTES,
    MAX_CLIENT_CONTEXT_BYTES,
    MAX_EVENT_REQUEST_BYTES,
    MAX_SYNC_REQUEST_BYTES,
)

PREFIX: Final = "/2015-03-31/functions/"
_SUFFIX: Final = "/invocations"
_ROUTES: Final = 4_096  # remembered paths; callers name few, and who names more starts again from none
LIMITS: Final = {
    "RequestResponse": MAX_SYNC_REQUEST_BYTES,
    "Event": MAX_EVENT_REQUEST_BYTES,
    "DryRun": MAX_SYNC_REQUEST_BYTES,
}
"""Bytes of a request's body, by invocation type."""


class Functions(Protocol):
    """What is served; kept by `host.FunctionHost`."""

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

    def metrics_text(self) -> str:
        """All samples in Prometheus' text format."""
        ...


class Wishes(NamedTuple):
    """What the headers of a call ask for."""

    invocation_type: str
    wants_log: bool
    client_context: bytes


class Known(NamedTuple):
    """What a request's head says, for requests that come again and again with the same one."""

    target: Target
    wishes: Wishes
    context: CallContext
    """As nobody in particular, which is how functions run that the manifest leaves open."""


class Invocations:
    """Runs calls of the Invoke API. Every method is called on the event loop."""

    def __init__(self, functions: Functions, address: str) -> None:
        """`address`: what the host was told to listen on."""
        self._functions, self._address = functions, address
        self._routes: dict[str, Target] = {}

    def known(self, head: RequestHead, wishes: Wishes) -> Known | None:
        """What `begin` needs of a head. None: it has to be judged by `invoke`, and perhaps refused there."""
        if wishes.invocation_type != "RequestResponse" or comes_from_page(head):
            return None
        if self._functions.identify is not None or not is_meant(head, self._address):
            return None
        try:
            target = self.target(head.raw_path)
        except answers.ApiError:
            return None
        return Known(target, wishes, CallContext(target.name, request=request_of(head)))

    def begin(self, known: Known, body: bytes, request_id: str, answer: Answering) -> bool:
        """Start a call that can be decided at once: open to everybody, run as nobody in particular. What
        becomes of it goes to `answer`. False when somebody has to be asked: `invoke` does so. Raises ApiError
        for what is no call yet."""
        functions = self._functions
        if functions.identify is not None:
            return False
        target = known.target
        pool = functions.pool(target.name)
        entry = pool.entry
        if not is_open(entry):
            return False
        _check_version(pool, target)
        check_json(body)
        if functions.is_draining:
            raise answers.leaving()
        args = b"[%b]" % (body or b"{}")
        seen = Seen(known.context, args, request_id)
        call = functions.dispatch.start(entry, known.wishes.client_context, seen, answer)
        try:
            pool.submit(call)
        except answers.ApiError as error:
            call.refuse(error)
        return True

    def finished(self, known: Known, outcome: Outcome, request_id: str) -> Answer:
        """The answer to a call that `begin` started."""
        pool = self._functions.pools().get(known.target.name) if known.wishes.wants_log else None
        return answered(request_id, outcome, pool)

    async def invoke(self, head: RequestHead, wishes: Wishes, body: bytes, request_id: str) -> Answer:
        """Run one call. Raises ApiError."""
        target = self.target(head.raw_path)
        user = await self.caller(head, body)
        pool = self._functions.pool(target.name)
        _check_version(pool, target)
        check_json(body)
        wanted = Wanted(
            args=b"[%b]" % (body or b"{}"),
            user=user,
            request=request_of(head),
            client_context=wishes.client_context,
        )
        context = await self.admit(pool, wanted, request_id)
        if wishes.invocation_type == "DryRun":
            return Answer(204, {"x-amzn-RequestId": request_id})
        call = self._functions.dispatch.call(pool.entry, wanted, context, request_id)
        if wishes.invocation_type == "Event":
            try:
                self._functions.submit_event(pool, call)
            except answers.ApiError as error:
                call.refuse(error)  # for the function log
                raise
            return Answer(202, {"x-amzn-RequestId": request_id})
        submit(pool, call)
        return answered(request_id, await call.outcome, pool if wishes.wants_log else None)

    async def admit(self, pool: Pool, wanted: Wanted, request_id: str) -> CallContext:
        """The context of a call that may run. Raises ApiError: 403, 503 while the host stops."""
        if self._functions.is_draining:
            raise answers.leaving()
        return await self._functions.dispatch.admit(pool.entry, wanted, request_id)

    async def caller(self, head: RequestHead, body: bytes) -> User | None:
        """Who sends a request. Raises ApiError 403."""
        identify = self._functions.identify
        if identify is not None:
            return await identify(head, body)
        check_host(head, self._address)
        check_page(head)
        return None

    def target(self, path: str) -> Target:
        """Which function a path with its query names. Raises ApiError 400."""
        return self._routes.get(path) or self._route(path)

    def _route(self, path: str) -> Target:
        path_only, _, query = path.partition("?")
        if not path_only.endswith(_SUFFIX):
            raise answers.no_operation("POST", path_only)
        qualifiers = parse_qs(query, keep_blank_values=True).get("Qualifier")
        target = pages.read_target(
            path_only[len(PREFIX) : -len(_SUFFIX)], qualifiers[0] if qualifiers else None
        )
        if len(self._routes) >= _ROUTES:
            self._routes.clear()
        self._routes[path] = target
        return target


def wishes_of(head: RequestHead) -> Wishes:
    """Raises ApiError 400."""
    headers = head.headers
    invocation_type = headers.get("X-Amz-Invocation-Type", "RequestResponse")
    if invocation_type not in LIMITS:
        raise answers.bad_parameter(f"{invocation_type[:40]!r} is none of {', '.join(LIMITS)}")
    log_type = headers.get("X-Amz-Log-Type", "None")
    if log_type not in ("None", "Tail"):
        raise answers.bad_parameter(f"{log_type[:40]!r} is none of None, Tail")
    context = headers.get("X-Amz-Client-Context")
    return Wishes(invocation_type, log_type == "Tail", _client_context(context) if context else b"")


def answered(request_id: str, outcome: Outcome, pool: Pool | None) -> Answer:
    """What became of a call; with the tail of its log when a pool is given."""
    headers = {"x-amzn-RequestId": request_id, "X-Amz-Executed-Version": "$LATEST"}
    if outcome.failed:
        headers["X-Amz-Function-Error"] = "Unhandled"
    if pool is not None:
        headers["X-Amz-Log-Result"] = _log_result(request_id, outcome, pool)
    return Answer(200, headers, outcome.body)


def _check_version(pool: Pool, target: Target) -> None:
    if target.qualifier is not None and not pages.has_version(pool, target):
        raise answers.not_found(f"{target.name}:{target.qualifier}")


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
