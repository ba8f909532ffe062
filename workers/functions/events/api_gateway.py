"""The events of API Gateway: payload format 2.0 (HTTP APIs) and 1.0 (REST APIs), and their answers. Pure."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from workers.functions.call import Outcome
from workers.functions.context import User
from workers.functions.events.http_call import HttpAnswer, HttpCall
from workers.functions.events.proxy_answer import Malformed, proxy_answer

_JSON: Final = (("Content-Type", "application/json"),)
_ACCOUNT: Final = "000000000000"
_API: Final = "penstock"


class HttpApi:
    """`?event=apigw-v2`."""

    def wrap(self, call: HttpCall) -> dict[str, Any]:
        """Names in lower case, several values of one name joined by commas, cookies apart."""
        cookies = [value for name, value in call.headers if name.lower() == "cookie"]
        headers = _joined([(name.lower(), value) for name, value in call.headers if name.lower() != "cookie"])
        body, is_base64 = _body(call.body)
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": call.path,
            "rawQueryString": call.query,
            "headers": headers,
            "requestContext": _context_v2(call),
            "isBase64Encoded": is_base64,
        }
        optional = {
            "cookies": [one.strip() for one in ";".join(cookies).split(";") if one.strip()],
            "queryStringParameters": _joined(_parameters(call)),
            "body": body,
        }
        return event | {name: value for name, value in optional.items() if value}

    def unwrap(self, outcome: Outcome) -> HttpAnswer:
        """A document with `statusCode` describes the answer; any other JSON value is the answer's body."""
        if outcome.failed:
            return _FAILED_V2
        found = _parsed(outcome.body)
        if not isinstance(found, dict) or "statusCode" not in found:
            return HttpAnswer(200, _JSON, outcome.body)
        try:
            return proxy_answer(found, "text/plain;charset=utf-8")
        except Malformed:
            return _FAILED_V2


class RestApi:
    """`?event=apigw-v1`."""

    def wrap(self, call: HttpCall) -> dict[str, Any]:
        """Names as they were sent; the last value of each beside all of them."""
        parameters = _parameters(call)
        body, is_base64 = _body(call.body)
        return {
            "version": "1.0",
            "resource": "/functions/{proxy+}",
            "path": call.path,
            "httpMethod": call.method,
            "headers": dict(call.headers),
            "multiValueHeaders": _lists(call.headers),
            "queryStringParameters": dict(parameters) or None,
            "multiValueQueryStringParameters": _lists(parameters) or None,
            "pathParameters": {"proxy": call.function},
            "stageVariables": None,
            "requestContext": _context_v1(call),
            "body": body,
            "isBase64Encoded": is_base64,
        }

    def unwrap(self, outcome: Outcome) -> HttpAnswer:
        """A document with `statusCode`; anything else is a malformed answer, 502."""
        if outcome.failed:
            return _FAILED_V1
        found = _parsed(outcome.body)
        try:
            return proxy_answer(found, "application/json") if isinstance(found, dict) else _FAILED_V1
        except Malformed:
            return _FAILED_V1


# API Gateway's own answers when the function fails, or returns what cannot be sent.
_FAILED_V2: Final = HttpAnswer(500, _JSON, b'{"message":"Internal Server Error"}')
_FAILED_V1: Final = HttpAnswer(502, _JSON, b'{"message": "Internal server error"}')


def _context_v2(call: HttpCall) -> dict[str, Any]:
    context: dict[str, Any] = {
        "accountId": _ACCOUNT,
        "apiId": _API,
        "domainName": call.header("host"),
        "domainPrefix": call.header("host").partition(".")[0],
        "http": {
            "method": call.method,
            "path": call.path,
            "protocol": call.protocol,
            "sourceIp": call.remote_address,
            "userAgent": call.header("user-agent"),
        },
        "requestId": call.request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": _time(call.now_seconds),
        "timeEpoch": int(call.now_seconds * 1000),
    }
    if call.user is not None:
        is_token = call.user.type == "normal"
        by_token = {"jwt": {"claims": claims_of(call.user), "scopes": None}}
        context["authorizer"] = by_token if is_token else {"iam": {"userId": call.user.id}}
    return context


def _context_v1(call: HttpCall) -> dict[str, Any]:
    user = call.user
    is_token = user is not None and user.type == "normal"
    return {
        "accountId": _ACCOUNT,
        "apiId": _API,
        "authorizer": {"claims": claims_of(user), "principalId": user.id} if user and is_token else None,
        "domainName": call.header("host"),
        "domainPrefix": call.header("host").partition(".")[0],
        "extendedRequestId": call.request_id,
        "httpMethod": call.method,
        "identity": {
            "sourceIp": call.remote_address,
            "userAgent": call.header("user-agent"),
            "user": None if user is None else user.id,
        },
        "path": call.path,
        "protocol": call.protocol,
        "requestId": call.request_id,
        "requestTime": _time(call.now_seconds),
        "requestTimeEpoch": int(call.now_seconds * 1000),
        "resourceId": None,
        "resourcePath": "/functions/{proxy+}",
        "stage": "$default",
    }


def claims_of(user: User) -> dict[str, Any]:
    """What a token said of its user, as far as the host kept it."""
    issuers = [one["issuer"] for one in user.identities if "issuer" in one]
    return {**user.data, "sub": user.id, **({"iss": issuers[0]} if issuers else {})}


def _time(seconds: float) -> str:
    """`12/Mar/2020:19:03:58 +0000`, whatever language the system speaks."""
    at = datetime.fromtimestamp(seconds, UTC)
    month = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()[at.month - 1]
    return f"{at:%d}/{month}/{at:%Y:%H:%M:%S} +0000"


def _parsed(data: bytes) -> Any:
    """What the function returned. Half of a surrogate pair is legal JSON text and refused by orjson."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data)


def _parameters(call: HttpCall) -> list[tuple[str, str]]:
    return parse_qsl(call.query, keep_blank_values=True)


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    return {name: ",".join(values) for name, values in _lists(pairs).items()}


def _lists(pairs: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _body(data: bytes) -> tuple[str | None, bool]:
    """Text as it is; what is no UTF-8 in base64."""
    if not data:
        return None, False
    try:
        return data.decode("utf-8"), False
    except UnicodeDecodeError:
        return base64.b64encode(data).decode("ascii"), True
