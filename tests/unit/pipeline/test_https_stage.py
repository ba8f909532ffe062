"""`$https`: fields and rules of Atlas, extensions, and the request that comes out for a document."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Decimal128, Int64

from workers.errors import Invalid
from workers.model import Meta, Refused
from workers.pipeline import compile_processor, compile_stages
from workers.pipeline.program import CallSite, Program, RequestLine, RetrySpec

SOURCE = {"$source": {"connectionName": "kafka", "topic": "orders"}}
EMIT = {"$emit": {"connectionName": "kafka", "topic": "results"}}
WHERE = "pipeline[1].$https"


def program(fields: dict[str, Any], *after: dict[str, Any]) -> Program:
    call = {"connectionName": "api", "as": "answer", **fields}
    stage = {"$https": {name: value for name, value in call.items() if value is not ...}}
    return compile_processor([SOURCE, stage, *(after or (EMIT,))], "processors/p.yaml")


def site(fields: dict[str, Any], *after: dict[str, Any]) -> CallSite:
    (found,) = program(fields, *after).calls
    return found


def line(fields: dict[str, Any], doc: dict[str, Any]) -> RequestLine | Refused:
    https = site(fields).https
    assert https is not None
    return https.line(doc, Meta({"topic": "orders"}))


def target(fields: dict[str, Any], doc: dict[str, Any] | None = None) -> str:
    found = line(fields, doc or {})
    assert isinstance(found, RequestLine), found
    return found.target


def problems(fields: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        program(fields)
    assert all(problem.file == "processors/p.yaml" for problem in caught.value.problems)
    return {problem.path: f"{problem.found}; {problem.expected}" for problem in caught.value.problems}


def test_a_minimal_request_has_atlass_defaults() -> None:
    """GET without a body, 30 and 60 seconds, dead letters, Atlas's status table."""
    found = site({})
    assert (found.connection, found.function, found.operator, found.on_error) == (
        "api",
        "api",
        "$https",
        "dlq",
    )
    assert (found.timeout_seconds, found.retry, found.parallelism) == (60.0, RetrySpec(), 64)
    https = found.https
    assert https is not None
    assert (https.method, https.sends_body, https.connect_timeout_seconds) == ("GET", False, 30.0)
    assert (https.parse_json_strings, https.retry_on) == (False, None)
    assert line({}, {}) == RequestLine("", ())


def test_every_field_reaches_the_call_site() -> None:
    """Atlas's and ours."""
    found = site(
        {
            "path": "v1/x",
            "method": "PATCH",
            "onError": "Ignore",
            "payload": [{"$project": {"a": 1}}],
            "config": {"connectionTimeoutSec": 5, "requestTimeoutSec": 7, "parseJsonStrings": True},
            "parallelism": 3,
            "partitionBy": "$k",
            "retry": {"maxAttempts": 2},
            "retryOn": [429, "5xx", "timeout"],
        }
    )
    assert (found.on_error, found.parallelism, found.timeout_seconds) == ("ignore", 3, 7.0)
    assert found.retry.max_attempts == 2
    assert found.partition_by is not None
    assert found.payload is not None
    assert found.payload({"a": 1, "b": 2}, None) == {"a": 1}
    https = found.https
    assert https is not None
    assert (https.method, https.sends_body, https.connect_timeout_seconds) == ("PATCH", True, 5.0)
    assert https.parse_json_strings
    assert https.retry_on == frozenset[int | str]({429, "5xx", "timeout"})


@pytest.mark.parametrize(
    ("method", "has_body"),
    [("GET", False), ("DELETE", False), ("POST", True), ("PUT", True), ("PATCH", True)],
)
def test_which_methods_have_a_body(method: str, has_body: bool) -> None:
    """POST, PUT and PATCH send the document; every method sends a payload that is written."""
    https = site({"method": method}).https
    assert https is not None
    assert https.sends_body is has_body
    with_payload = site({"method": method, "payload": [{"$project": {"a": 1}}]}).https
    assert with_payload is not None
    assert with_payload.sends_body


PATHS: list[tuple[Any, dict[str, Any], str]] = [
    ("endpoint", {}, "/endpoint"),
    ("/v1//x/", {}, "/v1//x/"),
    ("", {}, ""),
    ({"$concat": ["users/", "$id"]}, {"id": "7"}, "/users/7"),
    ("$p", {"p": "a b/ü?x=1#y"}, "/a%20b/%C3%BC%3Fx=1%23y"),
    ("$p", {"p": "//evil.example/x"}, "/evil.example/x"),
    ("$p", {"p": "@evil.example"}, "/@evil.example"),
    ("$p", {"p": "a%2Fb%zz%"}, "/a%2Fb%25zz%25"),
    ("$p", {"p": "a\r\nHost: evil\0\\"}, "/a%0D%0AHost:%20evil%00%5C"),
    ("$p", {"p": "...a/..b"}, "/...a/..b"),
    ({"$meta": "stream.source.topic"}, {}, "/orders"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "doc", "expected"), PATHS)
def test_paths(path: Any, doc: dict[str, Any], expected: str) -> None:
    """Fixed and by expression; what a document brings stays a path."""
    assert target({"path": path}, doc) == expected


CLIMBING = ["..", "../admin", "a/../../b", "a/.", "%2e%2E/x", ".%2e", "/..",
            "a/..%2Fadmin", "..%2f", "a%5C..%5cb", "..\\admin", "a/..;/b", "..;x=1"]  # fmt: skip


@pytest.mark.parametrize("path", CLIMBING)
def test_a_path_that_climbs_is_refused(path: str) -> None:
    """At start where it is fixed, with the document where an expression gives it."""
    found = line({"path": "$p"}, {"p": path})
    assert isinstance(found, Refused)
    assert (found.operator, found.path) == ("$https", f"{WHERE}.path")
    assert "segment" in problems({"path": path})[f"{WHERE}.path"]


PARAMETERS: list[tuple[dict[str, Any], str]] = [
    ({"q": "a b&c=d"}, "?q=a%20b%26c%3Dd"),
    ({"n": 5, "x": 1.5, "b": True, "c": False}, "?n=5&x=1.5&b=true&c=false"),
    ({"l": Int64(2**40), "d": Decimal128("1.50")}, "?l=1099511627776&d=1.50"),
    ({"a&b": "$v"}, "?a%26b=7"),
    ({"s": {"$toString": "$v"}, "t": {"$add": ["$v", 1]}}, "?s=7&t=8"),
    ({}, ""),
]


@pytest.mark.parametrize(("parameters", "expected"), PARAMETERS)
def test_parameters(parameters: dict[str, Any], expected: str) -> None:
    """Numbers, strings and booleans, in their order; names and values cannot end one another."""
    assert target({"parameters": parameters}, {"v": 7}) == expected
    assert target({"path": "p", "parameters": parameters}, {"v": 7}) == f"/p{expected}"


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"path": "$p"}, {}, "path", "must be a string, not missing"),
    ({"path": "$p"}, {"p": 5}, "path", "must be a string, not int"),
    ({"path": "$p"}, {"p": "\ud800"}, "path", "lone surrogate"),
    ({"path": {"$divide": [1, "$z"]}}, {"z": 0}, "path", "zero"),
    ({"parameters": {"q": "$q"}}, {}, "parameters.q", "must be a number, string or boolean, not missing"),
    ({"parameters": {"q": "$q"}}, {"q": [1]}, "parameters.q", "not array"),
    ({"parameters": {"q": "$q"}}, {"q": None}, "parameters.q", "not null"),
    ({"parameters": {"q": "$q"}}, {"q": float("nan")}, "parameters.q", "no number to send"),
    ({"parameters": {"q": "$q"}}, {"q": Decimal128("Infinity")}, "parameters.q", "no number to send"),
    ({"headers": {"X-A": "$h"}}, {"h": 5}, "headers.X-A", "must be a string, not int"),
    ({"headers": {"X-A": "$h"}}, {}, "headers.X-A", "must be a string, not missing"),
    ({"headers": {"X-A": {"$toInt": "$h"}}}, {"h": "x"}, "headers.X-A", "number"),
]


@pytest.mark.parametrize(("fields", "doc", "place", "reason"), REFUSED)
def test_a_document_whose_request_cannot_be_made_is_refused(
    fields: dict[str, Any], doc: dict[str, Any], place: str, reason: str
) -> None:
    """It is dead-lettered whatever onError says, and nothing is sent; the place is named."""
    found = line(fields, doc)
    assert isinstance(found, Refused)
    assert found.operator == "$https"
    assert found.path.startswith(f"{WHERE}.{place}")
    assert reason in found.reason.lower()
    assert found.doc == doc


HEADERS: list[tuple[str, tuple[tuple[str, str], ...]]] = [
    ("plain", (("X-A", "plain"), ("X-B", "fixed"))),
    ("  padded\t", (("X-A", "padded"), ("X-B", "fixed"))),
    ("", (("X-A", ""), ("X-B", "fixed"))),
    ("caf\xe9", (("X-A", "caf\xe9"), ("X-B", "fixed"))),
    ("a\r\nX-Evil: 1", (("X-B", "fixed"),)),
    ("nul\0", (("X-B", "fixed"),)),
    ("\u65e5", (("X-B", "fixed"),)),
]


@pytest.mark.parametrize(("value", "expected"), HEADERS)
def test_headers(value: str, expected: tuple[tuple[str, str], ...]) -> None:
    """One that HTTP does not have is left out and the request is made: Atlas's rule."""
    found = line({"headers": {"X-A": "$h", "X-B": "fixed"}}, {"h": value})
    assert isinstance(found, RequestLine)
    assert found.headers == expected


def test_headers_that_cannot_be_sent_are_warned_of() -> None:
    """Fixed ones are known at start."""
    found = program({"headers": {"bad name": "$x", "X-A": "line\nend"}, "parallelism": 1})
    assert [text.partition(":")[0] for text in found.warnings] == [
        f"{WHERE}.headers.bad name",
        f"{WHERE}.headers.X-A",
    ]
    https = found.calls[0].https
    assert https is not None
    assert https.line({}, None) == RequestLine("", ())


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"connectionName": ...}, WHERE, "'connectionName' is missing"),
    ({"connectionName": 5}, f"{WHERE}.connectionName", "a text that is not empty"),
    ({"as": ...}, WHERE, "'as' is missing"),
    ({"as": "a..b"}, f"{WHERE}.as", "a.b"),
    ({"path": 5}, f"{WHERE}.path", "must be a string"),
    ({"path": "x?y=1"}, f"{WHERE}.path", "`parameters`"),
    ({"path": {"$nope": 1}}, f"{WHERE}.path.$nope", "$nope"),
    ({"method": "HEAD"}, f"{WHERE}.method", "one of GET"),
    ({"method": "get"}, f"{WHERE}.method", "one of GET"),
    ({"parameters": []}, f"{WHERE}.parameters", "a document"),
    ({"parameters": {"$concat": ["a"]}}, f"{WHERE}.parameters.$concat", "not an expression"),
    ({"parameters": {"q": {"$literal": [1]}}}, f"{WHERE}.parameters.q.$literal", "not array"),
    ({"headers": "x"}, f"{WHERE}.headers", "a document"),
    ({"headers": {"X-A": 5}}, f"{WHERE}.headers.X-A", "a string"),
    ({"headers": {"Host": "evil"}}, f"{WHERE}.headers.Host", "sets itself"),
    ({"headers": {"Content-Length": "1"}}, f"{WHERE}.headers.Content-Length", "sets itself"),
    ({"headers": {"X-A": "1", "x-a": "2"}}, f"{WHERE}.headers.x-a", "each header once"),
    ({"onError": "discard"}, f"{WHERE}.onError", "one of dlq, ignore, fail"),
    ({"payload": [{"$match": {}}]}, f"{WHERE}.payload[0].$match", "$project"),
    ({"config": {"connectionTimeoutSec": 0}}, f"{WHERE}.config.connectionTimeoutSec", "from 1 to 3600"),
    ({"config": {"requestTimeoutSec": 1.5}}, f"{WHERE}.config.requestTimeoutSec", "a whole number"),
    ({"config": {"parseJsonStrings": "yes"}}, f"{WHERE}.config.parseJsonStrings", "true or false"),
    ({"config": {"parseJsonString": True}}, f"{WHERE}.config.parseJsonString", "parseJsonStrings"),
    ({"config": {"requestTimeoutSec": 5}, "timeout": "5s"}, f"{WHERE}.timeout", "one of them"),
    ({"parallelism": 1, "partitionBy": "$k"}, f"{WHERE}.partitionBy", "parallelism above 1"),
    ({"retryOn": "5xx"}, f"{WHERE}.retryOn", "an array"),
    ({"retryOn": [200]}, f"{WHERE}.retryOn[0]", "from 300 to 599"),
    ({"retryOn": [429, "6xx"]}, f"{WHERE}.retryOn[1]", "4xx, 5xx, connection"),
    ({"retryOn": [True]}, f"{WHERE}.retryOn[0]", "from 300 to 599"),
    ({"execution": "async"}, f"{WHERE}.execution", "no field 'execution'"),
    ({"retries": {}}, f"{WHERE}.retries", "did you mean"),
]


@pytest.mark.parametrize(("fields", "place", "text"), WRONG)
def test_what_is_wrong_is_refused_with_its_place(fields: dict[str, Any], place: str, text: str) -> None:
    """At start, before anything is read."""
    found = problems(fields)
    assert place in found, found
    assert text in found[place]


def test_all_problems_are_told_at_once() -> None:
    """Not one after the other."""
    assert len(problems({"path": 5, "method": "X", "as": ..., "retryOn": 1, "nope": 1})) == 5


@pytest.mark.parametrize(("place", "wrong"), [("headers", "a\nb"), ("parameters", [1])])
def test_a_name_that_another_begins_with_has_its_own_problems(place: str, wrong: Any) -> None:
    """What is wrong with `X-AB` says nothing of `X-A`."""
    found = problems({place: {"X-A": {"$literal": wrong}, "X-AB": {"$nope": 1}}})
    assert [path for path in found if path.startswith(f"{WHERE}.{place}.X-A")] == list(found)
    assert len(found) == 2


def test_as_may_be_left_out_at_the_end() -> None:
    """A request as the sink of a pipeline."""
    found = compile_processor([SOURCE, {"$https": {"connectionName": "api", "method": "POST"}}])
    assert found.sink is None
    assert found.calls[0].set_result is None
    assert not [text for text in found.warnings if "`as`" in text]


def test_several_requests_and_calls_stand_in_one_pipeline() -> None:
    """Each cuts the pipeline."""
    first = {"$https": {"connectionName": "a", "as": "x"}}
    call = {"$externalFunction": {"connectionName": "f", "functionName": "g", "as": "y"}}
    found = compile_stages([first, call, {"$https": {"connectionName": "b", "as": "z"}}])
    assert [one.operator for one in found.calls] == ["$https", "$externalFunction", "$https"]
    assert len(found.segments) == 4


@pytest.mark.parametrize(
    ("read", "is_read"),
    [("stream.https.httpStatusCode", True), ("stream", True), ("stream.externalFunction.attempts", False)],
)
def test_meta_is_left_only_where_it_is_read(read: str, is_read: bool) -> None:
    """As for functions."""
    assert site({}, {"$addFields": {"m": {"$meta": read}}}, EMIT).sets_meta is is_read
