"""Every request that is no plain call of the Invoke API: calls that ask for more of HTTP than one piece of
known length, functions by plain HTTP, and the pages of the host.

It sits on aiohttp's low-level server: routing and middlewares of an application cost as much as the rest of a
call. Plain calls take the shorter way of `connections`.
"""

from __future__ import annotations

import logging
import re
from typing import Final

from aiohttp import hdrs, web

from workers.functions import answers, descriptions, pages
from workers.functions.access import Wanted
from workers.functions.answers import ApiError
from workers.functions.dispatch import submit
from workers.functions.http_answer import as_response, refused
from workers.functions.http_body import Bodies, Room, read_body
from workers.functions.http_functions import PREFIX as PLAIN_PREFIX
from workers.functions.http_functions import PlainCall
from workers.functions.http_request import request_of
from workers.functions.invocations import LIMITS, PREFIX, Functions, Invocations, wishes_of
from workers.functions.settings import MAX_SYNC_REQUEST_BYTES

log = logging.getLogger("penstock.functions")

_OPERATION: Final = re.compile(r"/20\d\d-\d\d-\d\d/")
_DESCRIPTION: Final = re.compile(r"/2015-03-31/functions(?:/(?:[^/]+(?:/configuration)?)?)?")
_PAGE_BODY_BYTES: Final = 65_536


class Api:
    """Answers HTTP requests; `handle` is the whole of it."""

    def __init__(self, functions: Functions, invocations: Invocations, bodies: Bodies) -> None:
        self._functions, self._invocations, self._bodies = functions, invocations, bodies
        self._dispatch = functions.dispatch

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request. Never raises for what a caller sent or a function did."""
        request_id, room = self._dispatch.new_id(), Room(self._bodies)
        try:
            path = request.raw_path
            if request.method == "POST" and path.startswith(PREFIX):
                return await self._invoke(request, request_id, room)
            return await self._other(request, path, request_id, room)
        except ApiError as error:
            return as_response(refused(error, request_id))
        except web.RequestPayloadError:  # aiohttp found the chunks of the body malformed
            unread = answers.bad_content("The request's body could not be read.")
            return as_response(refused(unread, request_id))
        except Exception as problem:
            if isinstance(problem, ConnectionError):
                raise
            log.exception("call failed in the host", extra={"request_id": request_id})
            return as_response(refused(answers.broken("The function host failed."), request_id))
        finally:
            room.let_go()

    async def _invoke(self, request: web.BaseRequest, request_id: str, room: Room) -> web.StreamResponse:
        self._invocations.target(request.raw_path)  # a path that names nothing is refused before its body
        wishes = wishes_of(request)
        body = await read_body(request, LIMITS[wishes.invocation_type], wishes.invocation_type, room)
        return as_response(await self._invocations.invoke(request, wishes, body, request_id))

    async def _plain(self, request: web.BaseRequest, request_id: str, room: Room) -> web.StreamResponse:
        plain = PlainCall(request, request_id)
        target = pages.read_target(plain.name, None)
        body = await read_body(request, MAX_SYNC_REQUEST_BYTES, "RequestResponse", room)
        user = await self._invocations.caller(request, body)
        pool = self._functions.pool(target.name)
        if not pages.has_version(pool, target):
            raise answers.not_found(f"{target.name}:{target.qualifier}")
        wanted = Wanted(args=plain.args(body, user), user=user, request=request_of(request))
        context = await self._invocations.admit(pool, wanted, request_id)
        call = self._dispatch.call(pool.entry, wanted, context, request_id)
        submit(pool, call)
        return plain.answer(await call.outcome)

    async def _other(
        self, request: web.BaseRequest, raw_path: str, request_id: str, room: Room
    ) -> web.StreamResponse:
        """Everything but a call by the Invoke API."""
        path, _, query = raw_path.partition("?")
        functions = self._functions
        pools = functions.pools()
        is_get = request.method in ("GET", "HEAD")
        if is_get and path == "/healthz":
            return pages.healthz(pools, is_draining=functions.is_draining)
        if path.startswith(PLAIN_PREFIX):
            return await self._plain(request, request_id, room)
        is_description = is_get and _DESCRIPTION.fullmatch(path) is not None
        if _OPERATION.match(path) and not is_description:
            raise answers.no_operation(request.method, path)
        if not is_get:
            raise ApiError(404, "ResourceNotFoundException", "There is no such page.")
        body = await read_body(request, _PAGE_BODY_BYTES, "RequestResponse", room)
        user = await self._invocations.caller(request, body)
        if is_description:
            pages.check_may_look(user, pages.action_of(path))
            region = descriptions.region_of(request.headers.get(hdrs.AUTHORIZATION, ""))
            return await pages.described(path, query, region, pools)
        pages.check_may_look(user, f"penstock:Get{path[:40]}")
        if path == "/metrics":
            return pages.metrics(functions.metrics_text())
        return pages.own_page(path, query, pools, functions.function_log)
