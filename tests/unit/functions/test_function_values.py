"""Values, environments, secrets and limits of an app folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.function_host import write_functions
from workers.functions import HostSettings, load
from workers.functions.values import load_values


def write(folder: Path, files: Mapping[str, Any]) -> Path:
    """Write JSON files (a text is written as it is); returns the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


EXPORT = {
    "values/greeting.json": {"name": "greeting", "value": "hello", "from_secret": False},
    "values/limits.json": {"id": "5f", "name": "limits", "value": {"max": [1, 2]}},
    "environments/no-environment.json": {"values": {"url": "none"}},
    "environments/qa.json": {"values": {"url": "qa"}},
}


@pytest.mark.parametrize(
    ("root", "tag", "url"),
    [(None, "", "none"), ({"name": "x"}, "", "none"), ({"environment": "qa"}, "qa", "qa")],
)
def test_values_come_from_where_an_export_has_them(tmp_path: Path, root: Any, tag: str, url: str) -> None:
    """values/*.json by name; the environment of root_config.json, else no-environment."""
    files = {**EXPORT, **({} if root is None else {"root_config.json": root})}
    app, problems = load_values(write(tmp_path, files), {})
    assert problems == []
    assert app.values == {"greeting": "hello", "limits": {"max": [1, 2]}}
    assert (app.environment_tag, app.environment_values) == (tag, {"url": url})


def test_an_environment_without_a_file_has_no_values(tmp_path: Path) -> None:
    """The tag alone is known."""
    app, problems = load_values(write(tmp_path, {"root_config.json": {"environment": "production"}}), {})
    assert (app.environment_tag, app.environment_values, problems) == ("production", {}, [])


def test_secrets_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    """By the secret's name, not the value's; nothing that is printed of the app shows them."""
    secrets = tmp_path / "mounted"
    write(secrets, {"db-password": "pw-2\n"})
    values = {
        "values/a.json": {"name": "a", "value": "api-key", "from_secret": True},
        "values/b.json": {"name": "b", "value": "db-password", "from_secret": True},
    }
    env = {"PENSTOCK_SECRET_api_key": "k-1", "PENSTOCK_SECRETS": str(secrets)}
    app, problems = load_values(write(tmp_path, values), env)
    assert problems == []
    assert app.values == {"a": "k-1", "b": "pw-2"}
    assert "k-1" not in repr(app)
    assert "pw-2" not in repr(app)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"values/a.json": {"name": "a"}}, "values/a.json: has no value"),
        ({"values/a.json": "[1"}, "values/a.json: line 1, column 3: "),
        ({"values/a.json": {"name": "b", "value": 1}}, "values/a.json: name: found 'b'; the file's own name"),
        ({"values/a.json": {"value": 1, "secret": 1}}, "values/a.json: secret: unknown field"),
        ({"values/a.json": {"value": 1, "from_secret": "x"}}, "values/a.json: from_secret: is neither true"),
        ({"values/a.json": {"value": 1, "from_secret": True}}, "values/a.json: value: is no text"),
        ({"values/a.json": {"value": "../x", "from_secret": True}}, "values/a.json: value: is no name of a"),
        ({"values/a.json": {"value": "x-y", "from_secret": True}},
         "values/a.json: value: the secret 'x-y' is set nowhere; set PENSTOCK_SECRET_x_y, or put"),
        ({"root_config.json": {"environment": "prod"}}, "root_config.json: environment: found 'prod'"),
        ({"root_config.json": []}, "root_config.json: is no document"),
        ({"environments/prod.json": {"values": {}}}, "environments/prod.json: is no environment's name"),
        ({"environments/qa.json": {}}, "environments/qa.json: values: is no document"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_values_is_named(tmp_path: Path, files: Mapping[str, Any], problem: str) -> None:
    """Which file, where in it, and what would be right."""
    _, problems = load_values(write(tmp_path, files), {})
    assert [str(one) for one in problems if str(one).startswith(problem)], problems


def test_limits_are_the_functions_own_then_everybodys_then_the_hosts(tmp_path: Path) -> None:
    """functions/limits.yaml: times and sizes with units, variables by reference."""
    write_functions(tmp_path, {"a.js": "exports = () => 1", "b.py": "def handler(e, c): return 1"})
    write(
        tmp_path,
        {
            "functions/limits.yaml": '"*": {timeout: 5s, concurrency: 3}\n'
            "b: {timeout: 2m, memory: 256MiB,\n"
            "    environment: {TABLE: orders, KEY: '${KEY}', F: '${file:k.txt}'}}\n",
            "k.txt": "from-file\n",
        },
    )
    manifest = load(tmp_path, HostSettings(memory_bytes=64 << 20), {"KEY": "k-1"})
    assert manifest.problems == ()
    a, b = manifest.entries["a"], manifest.entries["b"]
    assert (a.timeout_seconds, a.memory_bytes, a.concurrency, a.environment) == (5.0, 64 << 20, 3, {})
    assert (b.timeout_seconds, b.memory_bytes, b.concurrency) == (120.0, 256 << 20, 3)
    assert b.environment == {"TABLE": "orders", "KEY": "k-1", "F": "from-file"}
    assert "k-1" not in repr(b)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: {timeout: soon}", "a.timeout: is no such number; a time such as 500ms"),
        ("a: {timeout: 20m}", "a.timeout: found 1200 seconds; 0.1 to 900"),
        ("a: {memory: 1MB}", "a.memory: is no such number; a size such as"),
        ("a: {concurrency: 1.5}", "a.concurrency: is no such number; a whole number"),
        ("a: {concurrency: 0}", "a.concurrency: found 0 workers; 1 to 1000"),
        ("a: {retries: 5}", "a.retries: unknown field; known: timeout, memory, concurrency, environment"),
        ("a: 5", "a: is no document"),
        ("- a", "is no document"),
        ("a: {environment: {X: 5}}", "a.environment.X: is no text"),
        (
            "a: {environment: {X: '${NOT_SET}'}}",
            "a.environment.X: the environment variable NOT_SET is not set",
        ),
        ("a: {environment: {X: '${file:none}'}}", "a.environment.X: there is no file none"),
        ("a: {timeout: 1s", "line 1, column 16: "),
        ("nobody: {timeout: 1s}", "nobody: there is no such function; a function's name, or * for all"),
    ],
)
def test_what_is_wrong_with_limits_is_named(tmp_path: Path, text: str, problem: str) -> None:
    """Where, and what would be right."""
    write_functions(tmp_path, {"a.js": "exports = () => 1"})
    found = [str(one) for one in load(write(tmp_path, {"functions/limits.yaml": text})).problems]
    assert [one for one in found if one.startswith(f"functions/limits.yaml: {problem}")], found
