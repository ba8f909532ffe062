"""Every rule of the manifest over HTTP, each with both outcomes: who may call, as whom, what is logged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.function_host import Answer, EmbeddedHost, embedded_host, write_functions
from workers.functions.context import User
from workers.functions.http_request import RequestHead

# Several starts of processes, each of which may take long on a busy machine: more than the usual minute.
pytestmark = pytest.mark.timeout(240)

WHO = """exports = function (input) {
  const { id, type, data } = context.user ?? {};
  return { id: id ?? null, type: type ?? null, team: data?.team ?? null, system: context.runningAsSystem() };
};
"""
PY_WHO = """def handler(event, context):
    user = context.user or {}
    return {"id": user.get("id"), "type": user.get("type"), "system": context.running_as_system()}
"""


async def identify(request: RequestHead, body: bytes) -> User | None:
    """A stand-in for authentication: the caller says who they are."""
    name = request.headers.get("X-Test-User")
    return User(name, data={"team": "red"}) if name else None


def app(tmp_path: Path, sources: Mapping[str, str], *entries: dict[str, Any]) -> Path:
    """An app folder with these sources and this manifest."""
    return write_functions(tmp_path, {**sources, "config.json": json.dumps(list(entries))})


async def logs(host: EmbeddedHost, query: str = "") -> list[dict[str, Any]]:
    """The entries of the function log."""
    answer = await host.request("GET", f"/logs{query}")
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


def is_denied(answer: Answer) -> bool:
    """403 in AWS's shape, without saying which rule it was."""
    if answer.status != 403:
        return False
    assert answer.headers["x-amzn-ErrorType"] == "AccessDeniedException"
    body = answer.json()
    assert body["Type"] == "User"
    assert "not authorized to perform: lambda:InvokeFunction" in body["Message"]
    return True


async def test_a_private_function_is_for_other_functions_alone(tmp_path: Path) -> None:
    """From outside 403, for each kind of call; from a function and from %function it runs."""
    folder = app(
        tmp_path,
        {
            "secret.js": "exports = (n) => n * 2",
            "isTwo.js": "exports = (n) => n === 2",
            "open.js": "exports = async (n) => context.functions.execute('secret', n)",
            "guarded.js": "exports = (n) => n",
        },
        {"name": "secret", "private": True},
        {"name": "isTwo", "private": True},
        {"name": "open", "private": False},
        {"name": "guarded", "can_evaluate": {"%function": {"name": "isTwo", "arguments": ["%%args.0"]}}},
    )
    async with embedded_host(folder) as host:
        assert is_denied(await host.call("secret", 21))
        assert is_denied(await host.call("secret", 21, X_Amz_Invocation_Type="Event"))
        assert is_denied(await host.call("secret", 21, X_Amz_Invocation_Type="DryRun"))
        assert (await host.call("open", 21)).json() == 42
        assert (await host.call("guarded", 2)).json() == 2
        assert is_denied(await host.call("guarded", 3))


@pytest.mark.parametrize(
    ("expression", "event", "headers", "runs"),
    [
        ({"%%user.id": "ann"}, {}, {"X_Test_User": "ann"}, True),
        ({"%%user.id": "ann"}, {}, {"X_Test_User": "bob"}, False),
        ({"%%user.id": "ann"}, {}, {}, False),
        ({"%%user.data.team": {"%in": "%%values.teams"}}, {}, {"X_Test_User": "ann"}, True),
        ({"%%user.data.team": {"%nin": "%%values.teams"}}, {}, {"X_Test_User": "ann"}, False),
        ({"%%args.kind": "a"}, {"kind": "a"}, {}, True),
        ({"%%args.kind": "a"}, {"kind": "b"}, {}, False),
        ({"kind": {"%exists": True}}, {"kind": 0}, {}, True),
        ({"kind": {"%exists": True}}, {}, {}, False),
        ({"%%request.requestHeaders.x-key": "%%values.key"}, {}, {"X_Key": "k-1"}, True),
        ({"%%request.requestHeaders.x-key": "%%values.key"}, {}, {"X_Key": "k-2"}, False),
        ({"%%request.remoteIPAddress": "127.0.0.1"}, {}, {}, True),
        ({"%%environment.tag": "qa", "%%environment.values.max": {"%gt": 5}}, {}, {}, True),
        ({"%%environment.tag": "production"}, {}, {}, False),
        ({"%function": {"name": "throws"}}, {}, {}, False),
        ({"%not": {"%function": {"name": "throws"}}}, {}, {}, False),
        ({"%%args.id": {"%stringToOid": "%%args.0.text"}}, {"text": "no id"}, {}, False),
        ({"%%request.requestHeaders.authorization": {"%exists": True}}, {}, {"Authorization": "x"}, False),
        (False, {}, {}, False),
        (True, {}, {}, True),
    ],
)
async def test_can_evaluate_decides_every_call(
    tmp_path: Path, expression: Any, event: Any, headers: dict[str, str], runs: bool
) -> None:
    """True runs, false is 403; users, arguments, requests, values, environments and functions can decide."""
    folder = app(
        tmp_path,
        {"f.js": "exports = () => 'ran'", "throws.js": "exports = () => { throw new Error('no') }"},
        {"name": "f", "can_evaluate": expression},
        {"name": "throws", "private": True},
    )
    for file, content in {
        "values/teams.json": {"name": "teams", "value": ["red", "blue"]},
        "values/key.json": {"name": "key", "value": "theKey", "from_secret": True},
        "environments/qa.json": {"values": {"max": 10}},
        "environments/production.json": {"values": {"max": 1}},
        "root_config.json": {"name": "app", "environment": "qa"},
    }.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(json.dumps(content))
    env = {"PENSTOCK_SECRET_theKey": "k-1"}
    async with embedded_host(folder, identify=identify, env=env) as host:
        answer = await host.call("f", event, **headers)
        again = await host.call("f", event, **headers)
    assert (answer.json() == "ran" and again.json() == "ran") if runs else is_denied(answer)


async def test_a_function_runs_as_its_caller_unless_the_manifest_says_otherwise(tmp_path: Path) -> None:
    """Nobody, the caller, a fixed user, the one a script names, the system; system overrides the others."""
    script = "exports = function (event) { return event.as ?? context.user.id + '-2' }"
    folder = app(
        tmp_path,
        dict.fromkeys(("plain.js", "fixed.js", "script.js", "system.js", "both.js", "unset.js"), WHO)
        | {"python.py": PY_WHO},
        {"name": "fixed", "run_as_user_id": "u-7"},
        {"name": "script", "run_as_user_id_script_source": script},
        {"name": "system", "run_as_system": True},
        {"name": "both", "run_as_system": True, "run_as_user_id": "u-7"},
        {"name": "unset", "run_as_user_id": "", "run_as_user_id_script_source": " ", "run_as_system": False},
        {"name": "python", "run_as_user_id": "u-8"},
    )
    async with embedded_host(folder, identify=identify) as host:

        async def who(name: str, event: Any = None, **headers: str) -> list[Any]:
            found = (await host.call(name, event or {}, **headers)).json()
            return [found["id"], found["type"], found["system"]]

        ann = {"X_Test_User": "ann"}
        assert await who("plain") == [None, None, False]
        assert await who("plain", **ann) == ["ann", "normal", False]
        assert await who("unset", **ann) == ["ann", "normal", False]
        assert await who("fixed") == ["u-7", "normal", False]
        assert await who("fixed", **ann) == ["u-7", "normal", False]
        assert await who("script", **ann) == ["ann-2", "normal", False]
        assert await who("script", {"as": "eve"}, **ann) == ["eve", "normal", False]
        assert await who("system") == [None, "system", True]
        assert await who("system", **ann) == ["ann", "normal", True]
        assert await who("both") == [None, "system", True]
        assert await who("python") == ["u-8", "normal", False]
        mine = await host.call("script", {"as": "ann"}, **ann)
        assert mine.json()["team"] == "red"
        assert (await host.call("script", {"as": "eve"}, **ann)).json()["team"] is None


@pytest.mark.parametrize(
    ("script", "runs"),
    [
        ("exports = () => 'u-1'", True),
        ("exports = async () => { await null; return 'u-1' }", True),
        ("exports = () => ({ runAsSystem: true })", True),
        ("exports = () => ({ runAsSystem: false })", False),
        ("exports = () => 5", False),
        ("exports = () => ''", False),
        ("exports = () => undefined", False),
        ("exports = () => { throw new Error('nobody') }", False),
        ("exports = (", False),
    ],
)
async def test_a_script_names_the_user_or_the_call_is_denied(tmp_path: Path, script: str, runs: bool) -> None:
    """An id, or the system; whatever else it does ends in 403."""
    folder = app(tmp_path, {"f.js": WHO}, {"name": "f", "run_as_user_id_script_source": script})
    async with embedded_host(folder) as host:
        answer = await host.call("f", {})
    assert answer.status == 200 if runs else is_denied(answer)


async def test_who_is_denied_never_reaches_the_script(tmp_path: Path) -> None:
    """can_evaluate comes first: a stranger cannot make the script run."""
    folder = app(
        tmp_path,
        {"f.js": WHO, "count.js": "let n = 0; exports = (add) => n += add"},
        {
            "name": "f",
            "can_evaluate": {"%%user.id": "ann"},
            "run_as_user_id_script_source": "exports = async () => {"
            " await context.functions.execute('count', 1); return 'u' }",
        },
    )
    async with embedded_host(folder, identify=identify) as host:
        assert is_denied(await host.call("f", {}, X_Test_User="bob"))
        assert (await host.call("count", 0)).json() == 0
        assert (await host.call("f", {}, X_Test_User="ann")).json()["id"] == "u"
        assert (await host.call("count", 0)).json() == 1


async def test_a_called_function_inherits_the_user_and_its_own_entry_still_counts(tmp_path: Path) -> None:
    """As system below a system function, as its own user when the manifest names one; can_evaluate is asked
    for inner calls too, and its 403 reaches the function that called as an error."""
    caller = "exports = async (name) => { try { return await context.functions.execute(name) }"
    caller += " catch (error) { return error.name } }"
    folder = app(
        tmp_path,
        {"outer.js": caller, "root.js": caller, "who.js": WHO, "fixed.js": WHO, "never.js": WHO},
        {"name": "root", "run_as_system": True},
        {"name": "fixed", "private": True, "run_as_user_id": "u-7"},
        {"name": "never", "can_evaluate": {"%%user.id": "zoe"}},
    )
    async with embedded_host(folder, identify=identify) as host:
        ann = {"X_Test_User": "ann"}
        outer = await host.call("outer", "who", **ann)
        assert (outer.json()["id"], outer.json()["team"], outer.json()["system"]) == ("ann", "red", False)
        assert (await host.call("root", "who", **ann)).json()["system"] is True
        assert (await host.call("root", "fixed", **ann)).json() == {
            "id": "u-7", "type": "normal", "team": None, "system": False
        }  # fmt: skip
        assert (await host.call("outer", "never", **ann)).json() == "AccessDeniedException"
        assert (await host.call("outer", "absent", **ann)).json() == "ResourceNotFoundException"


async def test_functions_that_call_each_other_for_ever_are_stopped(tmp_path: Path) -> None:
    """The depth has a bound, whatever calls: functions or rules."""
    folder = app(
        tmp_path,
        {
            "down.js": "exports = async (n) => { try {"
            " return await context.functions.execute('down', n + 1) }"
            " catch (error) { return [n, error.name] } }",
            "a.js": "exports = () => true",
        },
        {"name": "a", "can_evaluate": {"%function": {"name": "a"}}},
    )
    (folder / "functions/limits.yaml").write_text("down: {concurrency: 20, timeout: 55s}\n")
    async with embedded_host(folder) as host:
        assert (await host.call("down", 0)).json() == [16, "RecursiveInvocationException"]
        assert is_denied(await host.call("a"))


async def test_the_function_log_holds_arguments_unless_the_manifest_says_no(tmp_path: Path) -> None:
    """Cut at 512 bytes, with user, outcome and what was printed; denied calls too, with the reason."""
    folder = app(
        tmp_path,
        {
            "f.js": "exports = (event) => { console.log('seen', event.n); return 1 }",
            "quiet.js": "exports = () => { throw new Error('broken') }",
            "shut.js": "exports = () => 1",
        },
        {"name": "quiet", "disable_arg_logs": True},
        {"name": "shut", "private": True, "disable_arg_logs": True},
    )
    async with embedded_host(folder, identify=identify) as host:
        await host.call("f", {"n": 5, "long": "x" * 2_000}, X_Test_User="ann")
        await host.call("quiet", {"secret": "s3cret"})
        await host.call("shut", {"secret": "s3cret"})
        found = await logs(host)
        assert [(one["function"], one["status"]) for one in found] == [
            ("f", "ok"), ("quiet", "error"), ("shut", "denied"),
        ]  # fmt: skip
        first, quiet, shut = found
        assert first["arguments"].startswith('[{"n": 5, "long": "xxx')
        assert (len(first["arguments"]), first["argumentsBytes"]) == (512, 2_022)
        assert first["user"] == {"id": "ann", "type": "normal"}
        assert first["logs"][0].endswith("seen 5")
        assert "s3cret" not in json.dumps([quiet, shut])
        assert "broken" in quiet["error"]
        assert shut["error"] == "the function is private"
        assert [one["number"] for one in await logs(host, f"?after={first['number']}")] == [2, 3]
        assert [one["function"] for one in await logs(host, "?function=quiet")] == ["quiet"]
        assert (await host.request("GET", "/logs?after=x")).status == 400


async def test_process_logs_never_hold_payloads_or_secrets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Arguments, answers, errors, values and reasons of a denial stay out of them."""
    caplog.set_level("DEBUG")
    folder = app(
        tmp_path,
        {"f.js": "exports = (e) => { console.log(e); throw new Error(e.p + context.values.get('key')) }"},
        {"name": "f", "can_evaluate": {"%%args.p": {"%ne": "%%values.key"}}},
    )
    (folder / "values").mkdir()
    (folder / "values/key.json").write_text('{"name": "key", "value": "theKey", "from_secret": true}')
    async with embedded_host(folder, env={"PENSTOCK_SECRET_theKey": "hidden-1"}) as host:
        thrown = await host.call("f", {"p": "payload-1"})
        assert is_denied(await host.call("f", {"p": "hidden-1"}))
    assert thrown.json()["errorMessage"] == "payload-1hidden-1"
    said = " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "payload-1" not in said
    assert "hidden-1" not in said
