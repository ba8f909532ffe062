"""The context that AppSync hands to a function as a direct resolver. Pure.

The request's body holds what the GraphQL server knows (`arguments`, `source`, `stash`, `prev`, `info`); the
host adds who calls and by which request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from workers.functions import answers
from workers.functions.call import Outcome
from workers.functions.events.api_gateway import claims_of
from workers.functions.events.http_call import HttpAnswer, HttpCall

_FIELDS: Final = ("arguments", "source", "stash", "prev", "info")
_INFO: Final[Mapping[str, Any]] = {
    "selectionSetList": [],
    "selectionSetGraphQL": "{}",
    "fieldName": None,
    "parentTypeName": None,
    "variables": {},
}
_JSON: Final = (("Content-Type", "application/json"),)


class DirectResolver:
    """`?event=appsync`."""

    def wrap(self, call: HttpCall) -> dict[str, Any]:
        """What the body leaves out is as AppSync has it for a query without it. Raises ApiError 400."""
        try:
            given = orjson.loads(call.body or b"{}")
        except orjson.JSONDecodeError as problem:
            raise answers.bad_content(f"Could not parse request body into json: {problem}") from problem
        if not isinstance(given, dict) or given.keys() - set(_FIELDS):
            raise answers.bad_content(f"An AppSync call has {', '.join(_FIELDS)} and nothing else.")
        info = given.get("info") or {}
        if not isinstance(info, dict):
            raise answers.bad_content("The info of an AppSync call is a document.")
        headers: dict[str, str] = {}
        for name, value in call.headers:
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        return {
            "arguments": given.get("arguments", {}),
            "identity": _identity(call),
            "source": given.get("source"),
            "request": {"headers": headers, "domainName": None},
            "prev": given.get("prev"),
            "info": {**_INFO, **info},
            "stash": given.get("stash", {}),
        }

    def unwrap(self, outcome: Outcome) -> HttpAnswer:
        """The field's value; when the function failed, the error as GraphQL shows it, status 500."""
        if not outcome.failed:
            return HttpAnswer(200, _JSON, outcome.body)
        error = orjson.loads(outcome.body)
        shown = {"errorType": "Lambda:Unhandled", "message": error.get("errorMessage", "")}
        return HttpAnswer(500, _JSON, orjson.dumps({"data": None, "errors": [shown]}))


def _identity(call: HttpCall) -> dict[str, Any] | None:
    user = call.user
    if user is None:
        return None
    if user.type != "normal":
        return {"username": user.id, "sourceIp": [call.remote_address]}
    claims = claims_of(user)
    return {"sub": user.id, "issuer": claims.get("iss"), "claims": claims, "sourceIp": [call.remote_address]}
