"""What a JavaScript function sees and how its result gets out, in a real worker process."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.function_host import ADD_ONE, Answer, embedded_host, write_functions
from workers.functions import HostSettings
from workers.functions.host_calls import Asker


async def _call(tmp_path: Path, source: str, event: Any = None, **headers: str) -> Answer:
    write_functions(tmp_path, {"f.js": source})
    async with embedded_host(tmp_path, HostSettings(timeout_seconds=10)) as host:
        return await host.call("f", event, **headers)


async def test_add_one_runs_verbatim(tmp_path: Path) -> None:
    """The manifest documentation's own function: its result, and its Error with type, message and stack."""
    write_functions(tmp_path, {"addOne.js": ADD_ONE})
    async with embedded_host(tmp_path) as host:
        good = await host.call("addOne", 41)
        bad = await host.call("addOne", "41")
    assert (good.status, good.body, good.function_error) == (200, b"42", None)
    assert good.headers["X-Amz-Executed-Version"] == "$LATEST"
    assert (bad.status, bad.function_error) == (200, "Unhandled")
    assert bad.json() == {
        "errorType": "Error",
        "errorMessage": "You must call addOne() with a number",
        "trace": [
            "Error: You must call addOne() with a number",
            "at addOne (functions/addOne.js:3:15)",
        ],
    }


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("exports = (event) => event", {"a": [1, None, "é\0"]}),
        ("exports = async (event) => { await null; return event.a.length }", 3),
        ("exports = () => undefined", None),
        ("exports = () => () => 1", None),
        ("exports = () => ({ then: (done) => done('thenable') })", "thenable"),
        ("module.exports = function (event) { return arguments.length }", 1),
        ("exports.handler = (event, context) => context.functionName", "f"),
        ("exports = () => [typeof std, typeof os, typeof fetch, typeof __penstockLog]", ["undefined"] * 4),
        ("exports = () => '\\ud800'", "\ud800"),
        ("const first = 1; exports = () => first; // a comment at the end", 1),
        ("exports = () => 1\n'\\ud800'", 1),
        ("exports = () => new Promise((done) => setTimeout(done, 5, 'later'))", "later"),
        (
            "exports = async () => { const t = setTimeout(() => { throw 1 }, 1); clearTimeout(t); return 2 }",
            2,
        ),
    ],
)
async def test_results_arrive_as_json(tmp_path: Path, source: str, expected: Any) -> None:
    """Values, promises, thenables and timers; what has no JSON is null, as on Lambda."""
    answer = await _call(tmp_path, source, {"a": [1, None, "é\0"]})
    assert (answer.function_error, answer.json()) == (None, expected)


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        ("exports = () => { throw new TypeError('bad') }", "TypeError", "bad"),
        ("exports = async () => { await null; throw new RangeError('far') }", "RangeError", "far"),
        ("exports = () => { throw 'text' }", "string", "text"),
        ("exports = () => Promise.reject(null)", "null", "null"),
        ("exports = () => { throw { code: 7 } }", "object", '{"code":7}'),
        ("exports = () => 10n", "Runtime.MarshalError", "Unable to stringify the response"),
        ("exports = () => { const a = {}; a.a = a; return a }", "Runtime.MarshalError", "circular"),
        ("exports = () => require('fs')", "Error", 'require("fs"): functions run in a sandbox'),
        ("exports = () => { throw { get message() { throw 1 } } }", "Error", "cannot be described"),
        ("exports = () => new Promise(() => setTimeout(() => { throw new Error('in timer') }, 1))",
         "Error", "in timer"),
        ("exports = (", "Runtime.UserCodeSyntaxError", "SyntaxError"),
        ("exports = 5", "Runtime.HandlerNotFound", "functions/f.js exports no function"),
        ("exports = {}", "Runtime.HandlerNotFound", "functions/f.js exports no function"),
        ("import fs from 'fs'; exports = () => 1", "Runtime.UserCodeSyntaxError", "SyntaxError"),
        ("exports = () => 1 \0 ignored", "Runtime.UserCodeSyntaxError", "NUL"),
        ("throw new TypeError('at load'); exports = 1", "TypeError", "at load"),
        ("exports = missing()", "ReferenceError", "missing is not defined"),
    ],
)  # fmt: skip
async def test_failures_name_their_type_and_message(
    tmp_path: Path, source: str, error_type: str, message: str
) -> None:
    """Whatever is thrown, and wherever: the caller gets a function error of Lambda's shape."""
    answer = await _call(tmp_path, source)
    error = answer.json()
    assert (answer.status, answer.function_error, error["errorType"]) == (200, "Unhandled", error_type)
    assert message in error["errorMessage"]
    assert isinstance(error["trace"], list)


async def test_module_state_stays_warm_and_calls_do_not_mix(tmp_path: Path) -> None:
    """An instance keeps its variables; what an old call left behind cannot answer a new one."""
    source = """
    let count = 0, old = null;
    exports = (event) => {
      count += 1;
      if (event === "leave") { new Promise((done) => { old = done }).then(() => count += 100); return count }
      if (event === "settle") {
        old("from the past");
        return new Promise((done) => setTimeout(() => done(count), 5));
      }
      return count;
    };
    """
    write_functions(tmp_path, {"f.js": source})
    async with embedded_host(tmp_path, HostSettings(concurrency=1)) as host:
        seen = [(await host.call("f", event)).json() for event in ("a", "leave", "settle", "b")]
    assert seen == [1, 2, 103, 104]


async def test_the_log_tail_holds_what_the_call_printed(tmp_path: Path) -> None:
    """START, console lines with level and request id, END, REPORT; only of this call, when asked."""
    source = "exports = (e) => { console.log('seen', e, [1]); console.error(new Error('odd\\ud800\\0')) }"
    write_functions(tmp_path, {"f.js": source})
    async with embedded_host(tmp_path, HostSettings(concurrency=1)) as host:
        plain = await host.call("f", "first")
        tailed = await host.call("f", "second", X_Amz_Log_Type="Tail")
    assert "X-Amz-Log-Result" not in plain.headers
    request_id = tailed.headers["x-amzn-RequestId"]
    lines = base64.b64decode(tailed.headers["X-Amz-Log-Result"]).decode().splitlines()
    assert lines[0] == f"START RequestId: {request_id} Version: $LATEST"
    assert lines[1].split("\t")[1:] == [request_id, "INFO", "seen second [1]"]
    assert lines[2].split("\t")[2:] == ["ERROR", "Error: odd\ufffd\ufffd"]
    assert lines[-2] == f"END RequestId: {request_id}"
    assert lines[-1].startswith(f"REPORT RequestId: {request_id}\tDuration: ")
    assert not any("first" in line for line in lines)


async def test_the_log_tail_is_the_last_four_kilobytes(tmp_path: Path) -> None:
    """However much is printed, and the function never waits for a reader."""
    source = "exports = () => { for (let i = 0; i < 20000; i++) console.log('line ' + i); return 1 }"
    answer = await _call(tmp_path, source, X_Amz_Log_Type="Tail")
    tail = base64.b64decode(answer.headers["X-Amz-Log-Result"])
    assert len(tail) == 4096
    assert b"line 19999\nEND RequestId" in tail


async def test_the_context_describes_the_call(tmp_path: Path) -> None:
    """Request id, client context, time left and memory, fresh for each call."""
    source = (
        "exports = () => [context.awsRequestId, context.clientContext, context.memoryLimitInMB, "
        "context.getRemainingTimeInMillis()]"
    )
    sent = base64.b64encode(json.dumps({"penstock": {"id": "a-1"}}).encode()).decode()
    answer = await _call(tmp_path, source, X_Amz_Client_Context=sent)
    request_id, client_context, memory, left = answer.json()
    assert request_id == answer.headers["x-amzn-RequestId"]
    assert (client_context, memory) == ({"penstock": {"id": "a-1"}}, "128")
    assert 0 < left <= 10_000


async def test_host_functions_run_side_by_side_and_reject_like_errors(tmp_path: Path) -> None:
    """`context.<name>` reaches the host; promises of one turn are one batch; exceptions arrive."""
    met = asyncio.Barrier(3)

    async def fetch(asker: Asker, args: list[Any]) -> Any:
        await met.wait()  # passes only when all three run at the same time
        return f"{asker.entry.name}:{args[0]}"

    async def refuse(asker: Asker, args: list[Any]) -> Any:
        raise PermissionError("not for you")

    source = """
    exports = async () => {
      const values = await Promise.all([1, 2, 3].map((n) => context.values.get(n)));
      try { await context.refuse() } catch (error) { return [values, error.name, error.message] }
    };
    """
    write_functions(tmp_path, {"f.js": source})
    async with embedded_host(tmp_path, host_functions={"values.get": fetch, "refuse": refuse}) as host:
        answer = await host.call("f")
    assert answer.json() == [["f:1", "f:2", "f:3"], "PermissionError", "not for you"]


async def test_an_answer_over_the_limit_is_a_function_error(tmp_path: Path) -> None:
    """6,291,556 bytes pass, one more does not; and a body of exactly 6 MiB goes in."""
    write_functions(
        tmp_path, {"f.js": "exports = (n) => 'x'.repeat(n - 2)", "size.js": "exports = (t) => t.length"}
    )
    async with embedded_host(tmp_path) as host:
        most = await host.call("f", 6_291_556)
        over = await host.call("f", 6_291_557)
        size = await host.call("size", "y" * (6_291_456 - 2))
        large = await host.call("size", "y" * (6_291_456 - 1))
    assert (most.function_error, len(most.body)) == (None, 6_291_556)
    assert (over.function_error, over.json()["errorType"]) == ("Unhandled", "Function.ResponseSizeTooLarge")
    assert size.json() == 6_291_454
    assert (large.status, large.headers["x-amzn-ErrorType"]) == (413, "RequestTooLargeException")
