"""`penstock functions list | invoke | logs | manifest | new`: what authors do without Kafka."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import pytest

from tests.fakes.function_host import ADD_ONE, function_host, write_functions
from tests.unit.cli.run_command import penstock
from workers.functions.manifest_file import DEFAULTS

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An app with a few functions."""
    config = [
        {"name": "secret", "private": True, "run_as_system": True},
        {"name": "guarded", "can_evaluate": {"%%user.id": "ann"}},
    ]
    write_functions(
        tmp_path,
        {
            "addOne.js": ADD_ONE,
            "secret.js": "exports = () => context.runningAsSystem()",
            "guarded.js": "exports = () => {"
            " console.log('hi'); return [context.user.id, context.user.data] }",
            "sum.js": "exports = (a, b) => a + b",
            "config.json": json.dumps(config),
            "limits.yaml": "sum: {timeout: 2s, memory: 64MiB}",
        },
    )
    return tmp_path


def test_functions_are_listed_with_rules_and_limits(capsys: Capture, folder: Path) -> None:
    """A table for people, JSON for programs."""
    ran = penstock(capsys, "functions", "list", "--app", folder)
    assert ran.code == 0
    rows = [line.split() for line in ran.out.splitlines()]
    assert rows[2] == [
        "guarded", "javascript", "open", "a", "rule", "its", "caller", "30", "s", "128", "MB", "10",
    ]  # fmt: skip
    assert rows[3][:5] == ["secret", "javascript", "private", "always", "system"]
    assert "without an entry in functions/config.json, so with the defaults: addOne, sum" in ran.err
    data = penstock(capsys, "functions", "list", "--app", folder, "--json").data
    assert [one["name"] for one in data] == ["addOne", "guarded", "secret", "sum"]
    assert (data[3]["timeoutSeconds"], data[3]["memoryBytes"], data[3]["hasEntry"]) == (2.0, 64 << 20, False)


def test_a_call_shows_result_logs_duration_and_user(capsys: Capture, folder: Path) -> None:
    """The result alone on stdout, the rest on stderr; private functions too."""
    ran = penstock(capsys, "functions", "invoke", "addOne", "--app", folder, "--payload", "41")
    assert (ran.code, ran.out.strip()) == (0, "42")
    assert "user: nobody" in ran.err
    ran = penstock(capsys, "functions", "invoke", "guarded", "--app", folder, "--user", "ann",
                   "--user-data", '{"team": "red"}')  # fmt: skip
    assert (ran.code, json.loads(ran.out)) == (0, ["ann", {"team": "red"}])
    assert "\thi" in ran.err
    assert "ms, user: ann" in ran.err
    ran = penstock(capsys, "functions", "invoke", "secret", "--app", folder, "--json")
    assert ran.code == 0
    assert (ran.data["result"], ran.data["runsAsSystem"]) == (True, True)
    assert ran.data["durationMs"] > 0
    ran = penstock(capsys, "functions", "invoke", "sum", "--app", folder, "--args", "[1, 2]")
    assert ran.out.strip() == "3"


def test_a_payload_may_come_from_a_file(capsys: Capture, folder: Path) -> None:
    """@file, as curl and the aws command have it."""
    (folder / "event.json").write_text("7")
    ran = penstock(
        capsys, "functions", "invoke", "addOne", "--app", folder, "--payload", f"@{folder}/event.json"
    )
    assert ran.out.strip() == "8"


def test_a_call_that_fails_or_is_denied_ends_with_1(capsys: Capture, folder: Path) -> None:
    """The function's error on stdout; the reason of a denial, which a client never learns."""
    ran = penstock(capsys, "functions", "invoke", "addOne", "--app", folder, "--payload", '"x"')
    assert ran.code == 1
    assert json.loads(ran.out)["errorMessage"] == "You must call addOne() with a number"
    ran = penstock(capsys, "functions", "invoke", "guarded", "--app", folder)
    assert (ran.code, ran.out) == (1, "")
    assert "denied: AccessDeniedException: can_evaluate is false" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["invoke", "nobody"], "nobody: there is no such function; known: addOne, guarded, secret, sum"),
        (["invoke", "addOne", "--payload", "{"], "--payload: is no JSON"),
        (["invoke", "addOne", "--payload", "@none"], "none: cannot be read"),
        (["invoke", "addOne", "--args", "5"], "--args: is no list"),
        (["invoke", "addOne", "--args", "[]", "--payload", "1"], "--payload: beside --args"),
        (["invoke", "addOne", "--user-data", "{}"], "--user-data: without --user"),
        (["invoke", "addOne", "--user", "a", "--user-data", "[]"], "--user: is no user"),
        (["new", "addOne"], "functions/addOne.js: is there already"),
        (["new", "../up"], "../up: is no function name"),
        (["manifest", "--write", "--check"], "--write: beside --check"),
        (["manifest", "--check"], "functions/config.json: no entry for 'addOne'"),
    ],
)
def test_wrong_input_is_said_and_ends_with_2(
    capsys: Capture, folder: Path, arguments: list[str], said: str
) -> None:
    """What was found and what would be right; nothing is run."""
    ran = penstock(capsys, "functions", *arguments, "--app", folder)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_the_manifest_is_printed_written_and_checked(capsys: Capture, folder: Path) -> None:
    """Missing entries are added once; a check then finds nothing, and loads every function."""
    whole = penstock(capsys, "functions", "manifest", "--app", folder).data
    assert [entry["name"] for entry in whole] == ["secret", "guarded", "addOne", "sum"]
    assert penstock(capsys, "functions", "manifest", "--app", folder, "--write").code == 0
    written = (folder / "functions/config.json").read_bytes()
    assert json.loads(written) == whole
    assert penstock(capsys, "functions", "manifest", "--app", folder, "--write").code == 0
    assert (folder / "functions/config.json").read_bytes() == written
    assert penstock(capsys, "functions", "manifest", "--app", folder, "--check").code == 0
    (folder / "functions/addOne.js").write_text("exports = 5")
    (folder / "functions/sum.js").write_text("exports = (")
    ran = penstock(capsys, "functions", "manifest", "--app", folder, "--check")
    assert ran.code == 2
    assert "functions/addOne.js: exports no function; exports = function (...) { ... };" in ran.err
    assert "functions/sum.js: does not load: Runtime.UserCodeSyntaxError" in ran.err


@pytest.mark.parametrize(("language", "file"), [("js", "utils/add.js"), ("py", "utils/add.py")])
def test_a_new_function_runs_at_once(capsys: Capture, tmp_path: Path, language: str, file: str) -> None:
    """Its source and its entry are written; nothing that is there is touched."""
    assert (
        penstock(capsys, "functions", "new", "utils/add", "--app", tmp_path, "--language", language).code == 0
    )
    assert (tmp_path / "functions" / file).is_file()
    config = json.loads((tmp_path / "functions/config.json").read_text())
    assert config == [{"name": "utils/add", **DEFAULTS}]
    ran = penstock(capsys, "functions", "invoke", "utils/add", "--app", tmp_path, "--payload", '{"a": 1}')
    assert json.loads(ran.out) == {"received": {"a": 1}}
    assert penstock(capsys, "functions", "manifest", "--app", tmp_path, "--check").code == 0


def test_the_log_of_a_running_host_is_shown(
    capsys: Capture, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who called what with which arguments, and how it ended; as lines or as JSON."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with function_host(folder) as endpoint:
        client = boto3.client("lambda", endpoint_url=endpoint, region_name="eu-central-1")
        client.invoke(FunctionName="addOne", Payload=b"41")
        with pytest.raises(client.exceptions.ClientError, match="AccessDeniedException"):
            client.invoke(FunctionName="secret")
        ran = penstock(capsys, "functions", "logs", "--endpoint", endpoint)
        lines = ran.out.splitlines()
        assert (" ok      addOne " in lines[0], lines[1]) == (True, "  arguments [41]")
        assert " denied  secret " in lines[2]
        ran = penstock(capsys, "functions", "logs", "--endpoint", endpoint, "--function", "secret", "--json")
        assert json.loads(ran.out)["error"] == "the function is private"
    ran = penstock(capsys, "functions", "logs", "--endpoint", endpoint)
    assert ran.code == 1
    assert "is a function host running there?" in ran.err
    assert penstock(capsys, "functions", "logs", "--endpoint", "file:///etc/passwd").code == 1
