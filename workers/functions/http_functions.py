"""Functions by plain HTTP: `POST /functions/{name}`, raw JSON in and out, and `?event=` for AWS's events."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus

import orjson
from aiohttp import web
from multidict import CIMultiDict

from workers.functions import answers
from workers.functions.answers import ApiError
from workers.functions.call import Outcome
from workers.functions.context import User
from workers.functions.events.api_gateway import HttpApi, RestApi
from workers.functions.events.appsync import DirectResolver
from workers.functions.events.http_call import Event, HttpAnswer, HttpCall
from workers.functions.http_body import check_json
from workers.functions.http_request import authenticates
from workers.functions.settings import MAX_SYNC_REQUEST_BYTES

PREFIX: Final = "/functions/"
EVENTS: Final[Mapping[str, Event]] = {
    "apigw-v2": HttpApi(),
    "apigw-v1": RestApi(),
    "appsync": DirectResolver(),
}
_JSON: Final = (("Content-Type", "application/json"),)
_WITHOUT_BODY: Final = frozenset({204, 205, 304})


class PlainCall:
    """One request to `/functions/{name}`: the event to run the function with, and the answer to send."""

    def __init__(self, request: web.BaseRequest, request_id: str) -> None:
        """Raises ApiError: 400 for an event that there is not, 405 for a method that the event does not
        take."""
        self._request, self._request_id = request, request_id
        self._path, _, query = request.raw_path.partition("?")
        pairs = [pair for pair in query.split("&") if pair]
        chosen = [pair.partition("=")[2] for pair in pairs if pair.partition("=")[0] == "event"]
        self._query = "&".join(pair for pair in pairs if pair.partition("=")[0] != "event")
        self.name = self._path.removeprefix(PREFIX)
        name = unquote_plus(chosen[0]) if chosen else ""
        if chosen and name not in EVENTS:
            raise answers.bad_parameter(f"event {name[:40]!r} is none of {', '.join(EVENTS)}")
        self._event = EVENTS.get(name)
        if request.method != "POST" and name not in ("apigw-v2", "apigw-v1"):
            raise ApiError(405, "MethodNotAllowedException", f"{request.method[:20]}: a function takes POST")

    def args(self, body: bytes, user: User | None) -> bytes:
        """The function's arguments, a JSON array. Raises ApiError: 400, 413."""
        if self._event is None:
            check_json(body)
            return b"[%b]" % (body or b"{}")
        request = self._request
        call = HttpCall(
            function=self.name,
            method=request.method,
            path=self._path,
            query=self._query,
            protocol=f"HTTP/{request.version.major}.{request.version.minor}",
            # aiohttp's names are of a class of their own, which orjson takes for no text.
            headers=[
                (str(name), value) for name, value in request.headers.items() if not authenticates(name)
            ],
            body=body,
            remote_address=request.remote or "",
            request_id=self._request_id,
            now_seconds=time.time(),
            user=user,
        )
        try:
            event = orjson.dumps(self._event.wrap(call))
        except orjson.JSONEncodeError:  # a header in another encoding than UTF-8
            raise answers.bad_content("The request's headers are no UTF-8 text.") from None
        if len(event) > MAX_SYNC_REQUEST_BYTES:  # base64 is a third longer than what it stands for
            raise answers.too_large(MAX_SYNC_REQUEST_BYTES, "RequestResponse")
        return b"[%b]" % event

    def answer(self, outcome: Outcome) -> web.Response:
        """What goes back: 500 and the error for a function that failed, unless the event says otherwise."""
        if self._event is not None:
            found = self._event.unwrap(outcome)
        else:
            found = HttpAnswer(500 if outcome.failed else 200, _JSON, outcome.body)
        headers = CIMultiDict(found.headers)
        headers["x-amzn-RequestId"] = self._request_id
        if outcome.failed:
            headers["X-Amz-Function-Error"] = "Unhandled"
        body = None if found.status in _WITHOUT_BODY else found.body
        return web.Response(status=found.status, headers=headers, body=body)
