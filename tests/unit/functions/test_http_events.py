"""HTTP requests as the events of API Gateway and AppSync, and what functions return as HTTP answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from workers.functions.answers import ApiError
from workers.functions.call import Outcome
from workers.functions.context import User
from workers.functions.events.api_gateway import HttpApi, RestApi
from workers.functions.events.appsync import DirectResolver
from workers.functions.events.http_call import HttpCall

CALL = HttpCall(
    function="orders/get",
    method="PUT",
    path="/functions/orders/get",
    query="a=1&a=2&b=x%20y&c=",
    protocol="HTTP/1.1",
    headers=[
        ("Host", "fn.example.com"), ("User-Agent", "curl"), ("X-Two", "1"), ("Cookie", "k=1; l=2"),
        ("x-two", "2"), ("Cookie", "m=3"),
    ],
    body=b'{"n": 1}',
    remote_address="10.1.2.3",
    request_id="id-1",
    now_seconds=1_583_348_638.39,
)  # fmt: skip
TOKEN_USER = User("ann", data={"team": "red"}, identities=({"id": "ann", "issuer": "https://i/"},))
KEY_USER = User("ci", "server")
HTTP, REST, RESOLVER = HttpApi(), RestApi(), DirectResolver()


def done(value: Any) -> Outcome:
    """A function that returned this."""
    return Outcome(json.dumps(value).encode())


FAILED = Outcome(b'{"errorType":"Error","errorMessage":"no luck","trace":["secret place"]}', failed=True)


def test_format_2_joins_values_and_sets_cookies_apart() -> None:
    """Names in lower case, parameters decoded, the request in `requestContext.http`."""
    event = HTTP.wrap(CALL)
    context = event.pop("requestContext")
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/functions/orders/get",
        "rawQueryString": "a=1&a=2&b=x%20y&c=",
        "cookies": ["k=1", "l=2", "m=3"],
        "headers": {"host": "fn.example.com", "user-agent": "curl", "x-two": "1,2"},
        "queryStringParameters": {"a": "1,2", "b": "x y", "c": ""},
        "body": '{"n": 1}',
        "isBase64Encoded": False,
    }
    assert context["http"] == {
        "method": "PUT",
        "path": "/functions/orders/get",
        "protocol": "HTTP/1.1",
        "sourceIp": "10.1.2.3",
        "userAgent": "curl",
    }
    assert (context["time"], context["timeEpoch"]) == ("04/Mar/2020:19:03:58 +0000", 1_583_348_638_390)
    assert (context["requestId"], context["domainName"], context["stage"]) == (
        "id-1",
        "fn.example.com",
        "$default",
    )
    assert "authorizer" not in context


def test_format_2_leaves_out_what_is_not_there() -> None:
    """No cookies, no parameters, no body."""
    event = HTTP.wrap(replace(CALL, headers=[], query="", body=b""))
    assert event.keys() & {"cookies", "queryStringParameters", "body"} == set()
    assert event["headers"] == {}


def test_format_1_has_the_last_value_and_all_of_them() -> None:
    """Names as they were sent; null where there is nothing."""
    event = REST.wrap(CALL)
    assert (event["version"], event["httpMethod"], event["path"]) == ("1.0", "PUT", "/functions/orders/get")
    assert event["headers"]["Cookie"] == "m=3"
    assert event["multiValueHeaders"]["Cookie"] == ["k=1; l=2", "m=3"]
    assert event["queryStringParameters"] == {"a": "2", "b": "x y", "c": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": ["x y"], "c": [""]}
    assert (event["pathParameters"], event["stageVariables"]) == ({"proxy": "orders/get"}, None)
    context = event["requestContext"]
    assert context["identity"] == {"sourceIp": "10.1.2.3", "userAgent": "curl", "user": None}
    assert (context["requestTime"], context["authorizer"]) == ("04/Mar/2020:19:03:58 +0000", None)
    bare = REST.wrap(replace(CALL, query="", body=b""))
    assert [bare[name] for name in ("queryStringParameters", "multiValueQueryStringParameters", "body")] == [
        None
    ] * 3


@pytest.mark.parametrize("event", [HTTP, REST])
def test_bytes_that_are_no_text_come_in_base64(event: HttpApi | RestApi) -> None:
    """With the mark that says so."""
    found = event.wrap(replace(CALL, body=b"\xff\x00"))
    assert (found["body"], found["isBase64Encoded"]) == ("/wA=", True)
    assert event.wrap(replace(CALL, body="é".encode()))["body"] == "é"


def test_the_user_stands_where_aws_has_it() -> None:
    """Claims with a token, an id with a key."""
    claims = {"team": "red", "sub": "ann", "iss": "https://i/"}
    by_token, by_key = replace(CALL, user=TOKEN_USER, body=b""), replace(CALL, user=KEY_USER, body=b"")
    assert HTTP.wrap(by_token)["requestContext"]["authorizer"]["jwt"]["claims"] == claims
    assert HTTP.wrap(by_key)["requestContext"]["authorizer"] == {"iam": {"userId": "ci"}}
    assert REST.wrap(by_token)["requestContext"]["authorizer"] == {"claims": claims, "principalId": "ann"}
    assert REST.wrap(by_key)["requestContext"]["identity"]["user"] == "ci"
    assert RESOLVER.wrap(by_token)["identity"]["claims"] == claims
    assert RESOLVER.wrap(by_key)["identity"] == {"username": "ci", "sourceIp": ["10.1.2.3"]}


@pytest.mark.parametrize("event", [HTTP, REST])
def test_an_answer_has_its_status_headers_and_body(event: HttpApi | RestApi) -> None:
    """Numbers and booleans as text; of a header in both places, the several values."""
    answer = event.unwrap(
        done(
            {
                "statusCode": 201,
                "headers": {"X-A": 1, "x-b": True, "Set-Cookie": "gone=1"},
                "multiValueHeaders": {"set-cookie": ["a=1", "b=2"]},
                "body": "made",
            }
        )
    )
    assert (answer.status, answer.body) == (201, b"made")
    assert list(answer.headers)[:4] == [
        ("X-A", "1"),
        ("x-b", "true"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    ]


def test_an_answer_may_be_bytes_and_set_cookies() -> None:
    """Format 2.0's `cookies`; its own content type stands."""
    answer = HTTP.unwrap(
        done({"statusCode": "200", "cookies": ["a=1"], "body": "/wA=", "isBase64Encoded": True,
              "headers": {"content-type": "image/png", "Content-Length": "7", "Connection": "close"}})
    )  # fmt: skip
    assert answer == (200, [("content-type", "image/png"), ("Set-Cookie", "a=1")], b"\xff\x00")


@pytest.mark.parametrize("value", ["text", 5, None, [1], {"a": 1}, {"body": "x"}, "\ud800"])
def test_any_json_without_a_status_is_format_2s_body(value: Any) -> None:
    """The shorthand: 200 and that JSON."""
    answer = HTTP.unwrap(done(value))
    assert (answer.status, json.loads(answer.body)) == (200, value)
    assert answer.headers == (("Content-Type", "application/json"),)
    assert REST.unwrap(done(value)).status == 502


@pytest.mark.parametrize(
    "fields",
    [
        {"statusCode": 99},
        {"statusCode": 600},
        {"statusCode": True},
        {"statusCode": "abc"},
        {"statusCode": None},
        {"body": {"a": 1}},
        {"body": "no base64", "isBase64Encoded": True},
        {"body": "\ud800"},
        {"headers": {"X": "a\r\nSet-Cookie: b"}},
        {"headers": {"X": "a\0"}},
        {"headers": {"X Y": "a"}},
        {"headers": {"": "a"}},
        {"headers": {"X": ["a"]}},
        {"headers": {"X": None}},
        {"headers": [1]},
        {"multiValueHeaders": {"X": "a"}},
        {"cookies": "a=1"},
        {"cookies": ["a=1\nX: y"]},
    ],
)
def test_an_answer_that_cannot_be_sent_is_the_gateways_error(fields: dict[str, Any]) -> None:
    """Wrong types, line ends in headers, statuses that are none."""
    found = done({"statusCode": 200, **fields})
    assert HTTP.unwrap(found) == (
        500,
        (("Content-Type", "application/json"),),
        b'{"message":"Internal Server Error"}',
    )
    assert REST.unwrap(found) == (
        502,
        (("Content-Type", "application/json"),),
        b'{"message": "Internal server error"}',
    )


def test_a_function_that_failed_shows_nothing_of_its_code() -> None:
    """As behind API Gateway; AppSync shows the message."""
    assert HTTP.unwrap(FAILED).status == 500
    assert REST.unwrap(FAILED).status == 502
    answer = RESOLVER.unwrap(FAILED)
    error = {"errorType": "Lambda:Unhandled", "message": "no luck"}
    assert (answer.status, json.loads(answer.body)) == (500, {"data": None, "errors": [error]})


def test_a_resolver_gets_its_context() -> None:
    """What the body says, and the request's headers in lower case."""
    body = {
        "arguments": {"id": 1},
        "info": {"fieldName": "order", "parentTypeName": "Query"},
        "source": {"a": 2},
    }
    event = RESOLVER.wrap(replace(CALL, body=json.dumps(body).encode()))
    assert event["arguments"] == {"id": 1}
    assert event["info"] == {
        "fieldName": "order",
        "parentTypeName": "Query",
        "variables": {},
        "selectionSetList": [],
        "selectionSetGraphQL": "{}",
    }
    assert (event["source"], event["prev"], event["stash"], event["identity"]) == ({"a": 2}, None, {}, None)
    assert event["request"]["headers"]["x-two"] == "1, 2"
    assert RESOLVER.unwrap(done([1])).body == b"[1]"


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"identity": {}}', b'{"info": 1}'])
def test_a_resolver_takes_no_other_body(body: bytes) -> None:
    """Who calls is not for the body to say."""
    with pytest.raises(ApiError) as caught:
        RESOLVER.wrap(replace(CALL, body=body))
    assert caught.value.code == "InvalidRequestContentException"
