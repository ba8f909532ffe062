"""Functions by plain HTTP: raw JSON, the events of API Gateway and AppSync, refusals."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.function_host import ADD_ONE, embedded_host, write_functions
from workers.functions.context import User
from workers.functions.http_request import RequestHead

SOURCES = {
    "addOne.js": ADD_ONE,
    "utils/echo.js": "exports = (event) => event",
    "secret.js": "exports = () => 1",
    "request.js": "exports = () => context.request.rawQueryString",
    "page.js": """exports = (event) => ({ statusCode: 201, headers: { "Content-Type": "text/html" },
        cookies: ["a=1", "b=2"], body: `<b>${event.queryStringParameters.name}</b>` })""",
    "bytes.py": "def handler(event, context):\n    return {'statusCode': 200, 'body': event['body'],\n"
    "            'isBase64Encoded': event['isBase64Encoded']}\n",
    "empty.js": "exports = () => ({ statusCode: 204, body: 'x' })",
    "config.json": '[{"name": "secret", "private": true}]',
}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app with these functions."""
    return write_functions(tmp_path, SOURCES)


async def test_json_goes_in_and_out(app: Path) -> None:
    """200 and the result; nested names; no body is an empty event; a failure is 500 with its error."""
    async with embedded_host(app) as host:
        done = await host.request("POST", "/functions/addOne", data=b"41")
        assert (done.status, done.body, done.headers["Content-Type"]) == (200, b"42", "application/json")
        assert len(done.headers["x-amzn-RequestId"]) == 36
        assert (await host.request("POST", "/functions/utils/echo")).json() == {}
        assert (await host.request("POST", "/functions/utils%2Fecho", data=b"[1]")).json() == [1]
        failed = await host.request("POST", "/functions/addOne", data=b'"x"')
        assert (failed.status, failed.function_error) == (500, "Unhandled")
        assert failed.json()["errorMessage"] == "You must call addOne() with a number"
        assert (await host.request("POST", "/functions/request?a=1&secret=s")).json() == "a=1"


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "/functions/nobody", b"1", (404, "ResourceNotFoundException")),
        ("POST", "/functions/addOne:live", b"1", (404, "ResourceNotFoundException")),
        ("POST", "/functions/../x", b"1", (404, "ResourceNotFoundException")),
        ("POST", "/functions/a%20b", b"1", (400, "InvalidParameterValueException")),
        ("POST", "/functions/secret", b"1", (403, "AccessDeniedException")),
        ("POST", "/functions/secret?event=apigw-v2", b"1", (403, "AccessDeniedException")),
        ("POST", "/functions/addOne", b"{", (400, "InvalidRequestContentException")),
        ("GET", "/functions/addOne", b"", (405, "MethodNotAllowedException")),
        ("GET", "/functions/addOne?event=appsync", b"", (405, "MethodNotAllowedException")),
        ("POST", "/functions/addOne?event=alb", b"", (400, "InvalidParameterValueException")),
        ("POST", "/functions/utils/echo?event=appsync", b"[]", (400, "InvalidRequestContentException")),
        ("POST", "/functions/addOne", b" " * 6_291_457, (413, "RequestTooLargeException")),
        (
            "POST",
            "/functions/utils/echo?event=apigw-v1",
            b"\xff" * 5_000_000,
            (413, "RequestTooLargeException"),
        ),
    ],
)
async def test_refusals_are_those_of_the_invoke_api(
    app: Path, method: str, path: str, body: bytes, expected: tuple[int, str]
) -> None:
    """Codes and statuses; base64 may make an event too large."""
    async with embedded_host(app) as host:
        answer = await host.request(method, path, data=BytesIO(body))
    assert (answer.status, answer.headers["x-amzn-ErrorType"]) == expected


async def test_a_function_written_for_an_http_api_answers_a_browser(app: Path) -> None:
    """Any method; status, headers, cookies and body are the function's."""
    async with embedded_host(app) as host:
        page = await host.request("GET", "/functions/page?event=apigw-v2&name=ann")
        assert (page.status, page.body) == (201, b"<b>ann</b>")
        assert page.headers["Content-Type"] == "text/html"
        cookies: Any = page.headers
        assert cookies.getall("Set-Cookie") == ["a=1", "b=2"]
        failed = await host.request("GET", "/functions/page?event=apigw-v1")
        assert (failed.status, failed.json()) == (502, {"message": "Internal server error"})
        empty = await host.request("DELETE", "/functions/empty?event=apigw-v2")
        assert (empty.status, empty.body) == (204, b"")
        echo = (await host.request("PATCH", "/functions/utils/echo?event=apigw-v2&a=1", data=b"x")).json()
        assert (echo["rawQueryString"], echo["body"], echo["requestContext"]["http"]["method"]) == (
            "a=1",
            "x",
            "PATCH",
        )
        plain = await host.request("POST", "/functions/utils/echo?event=apigw-v1", data=b"x")
        assert plain.status == 502  # the event has no statusCode: REST APIs know no shorthand


async def test_bytes_pass_a_python_function_unchanged(app: Path) -> None:
    """In as base64, out as they were."""
    data = bytes(range(256))
    async with embedded_host(app) as host:
        answer = await host.request("POST", "/functions/bytes?event=apigw-v2", data=data)
    assert answer.body == data


async def test_a_resolver_is_called_with_appsyncs_context(app: Path) -> None:
    """Headers that authenticate are not in it."""
    async with embedded_host(app) as host:
        answer = await host.request(
            "POST",
            "/functions/utils/echo?event=appsync",
            json={"arguments": {"id": 1}},
            headers={"x-api-key": "k"},
        )
    found = answer.json()
    assert (found["arguments"], found["info"]["selectionSetList"]) == ({"id": 1}, [])
    assert "x-api-key" not in found["request"]["headers"]


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://localhost:3000", 200), ("http://127.0.0.1:9000", 200), ("http://[::1]", 200), (None, 200),
     ("https://evil.example.com", 403), ("null", 403), ("http://localhost.example.com", 403), ("[", 403)],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/functions/addOne", "/2015-03-31/functions/addOne/invocations"])
async def test_pages_of_other_machines_do_not_call_functions(
    app: Path, path: str, origin: str | None, status: int
) -> None:
    """Where nobody has to say who they are, a browser would let any page send a call."""
    headers = {} if origin is None else {"Origin": origin}
    async with embedded_host(app) as host:
        assert (await host.request("POST", path, data=b"1", headers=headers)).status == status


@pytest.mark.parametrize(
    ("site", "status"), [("none", 200), ("same-origin", 200), ("same-site", 200), ("cross-site", 403)]
)
async def test_a_picture_of_a_web_page_calls_nothing(tmp_path: Path, site: str, status: int) -> None:
    """Browsers send GET without an Origin: what they say of the page counts then."""
    write_functions(tmp_path, SOURCES)
    async with embedded_host(tmp_path) as host:
        headers = {"Sec-Fetch-Site": site}
        called = await host.request("GET", "/functions/utils/echo?event=apigw-v2", headers=headers)
        read = await host.request("GET", "/logs", headers=headers)
    assert (called.status, read.status) == (status, status)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/logs"),
        ("GET", "/functions"),
        ("GET", "/metrics"),
        ("GET", "/2015-03-31/functions"),
        ("GET", "/functions/utils/echo?event=apigw-v2"),
        ("POST", "/functions/addOne"),
        ("POST", "/2015-03-31/functions/addOne/invocations"),
    ],
)
async def test_a_name_that_was_made_to_lead_here_is_refused(app: Path, method: str, path: str) -> None:
    """DNS rebinding: what a browser takes for a page's own origin is still called by that page's name. A host
    with authentication asks for more than a name, and says to anybody that it lives."""

    async def system(head: RequestHead, body: bytes) -> User | None:
        return User("ci", "server")

    headers = {"Host": "rebound.example:9000"}
    async with embedded_host(app) as host:
        refused = await host.request(method, path, headers=headers, data=b"1" if method == "POST" else None)
        assert refused.status == 403
        assert b"rebound.example:9000" in refused.body
        assert b"localhost" in refused.body
        assert (await host.request("GET", "/healthz", headers=headers)).status == 200
    async with embedded_host(app, identify=system) as host:
        served = await host.request(method, path, headers=headers, data=b"1" if method == "POST" else None)
        assert served.status == 200
