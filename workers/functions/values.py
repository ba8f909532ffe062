"""`context.values` and `context.environment`, from where an App Services export has them: `values/*.json`,
`environments/*.json`, `root_config.json`."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from workers.errors import Problem
from workers.functions.app_files import Unreadable, read_json, secret
from workers.functions.context import AppContext

TAGS: Final = ("", "development", "testing", "qa", "production")
MAX_VALUES: Final = 1_000
_WITHOUT_TAG: Final = "no-environment"
_FIELDS: Final = frozenset({"id", "_id", "name", "value", "from_secret", "private"})


def load_values(app_dir: Path, env: Mapping[str, str]) -> tuple[AppContext, list[Problem]]:
    """What the calls of the app know, and everything that is wrong with it. Secrets are resolved by `env`."""
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    paths = sorted((app_dir / "values").glob("*.json"))
    if len(paths) > MAX_VALUES:
        problems.append(Problem("values", "", f"more than {MAX_VALUES} files"))
    for path in paths[:MAX_VALUES]:
        file = path.relative_to(app_dir).as_posix()
        try:
            values[path.stem] = _value(app_dir, file, path.stem, env)
        except Unreadable as unreadable:
            problems.append(unreadable.problem)
        except FileNotFoundError:
            problems.append(Problem(file, "", "is a link to nothing"))
    tag = ""
    with _noting(problems):
        tag = _tag(app_dir)
    environment: Mapping[str, Any] = {}
    with _noting(problems):
        environment = _environment(app_dir, tag)
    return AppContext(values, tag, environment), problems


def _noting(problems: list[Problem]) -> contextlib.AbstractContextManager[None]:
    @contextlib.contextmanager
    def noting() -> Any:
        try:
            yield
        except Unreadable as unreadable:
            problems.append(unreadable.problem)

    return noting()


def _value(app_dir: Path, file: str, name: str, env: Mapping[str, str]) -> Any:
    found = read_json(app_dir, file)
    if not isinstance(found, dict) or "value" not in found:
        raise Unreadable(
            Problem(file, "", "has no value", '{"name": ..., "value": ..., "from_secret": false}')
        )
    if unknown := sorted(found.keys() - _FIELDS):
        raise Unreadable(Problem(file, unknown[0], "unknown field", f"known: {', '.join(sorted(_FIELDS))}"))
    if found.get("name", name) != name:
        raise Unreadable(Problem(file, "name", f"found {found['name']!r}", f"the file's own name: {name!r}"))
    from_secret = found.get("from_secret", False)
    if not isinstance(from_secret, bool):
        raise Unreadable(Problem(file, "from_secret", "is neither true nor false", "true or false"))
    if not from_secret:
        return found["value"]
    if not isinstance(found["value"], str):
        raise Unreadable(Problem(file, "value", "is no text", "the name of a secret"))
    return secret(found["value"], env, file, "value")


def _tag(app_dir: Path) -> str:
    file = "root_config.json"
    try:
        found = read_json(app_dir, file)
    except FileNotFoundError:
        return ""
    if not isinstance(found, dict):
        raise Unreadable(Problem(file, "", "is no document", '{"name": ..., "environment": ...}'))
    tag = found.get("environment", "")
    if tag not in TAGS:
        known = ", ".join(repr(one) for one in TAGS)
        raise Unreadable(Problem(file, "environment", f"found {tag!r}", f"one of {known}"))
    return str(tag)


def _environment(app_dir: Path, tag: str) -> Mapping[str, Any]:
    """The values of the environment that is in force. All environments' files are read, so that a mistake in
    one is found before it is deployed."""
    found: dict[str, Mapping[str, Any]] = {}
    known = {one or _WITHOUT_TAG for one in TAGS}
    for path in sorted((app_dir / "environments").glob("*.json")):
        file = path.relative_to(app_dir).as_posix()
        if path.stem not in known:
            raise Unreadable(
                Problem(file, "", "is no environment's name", f"one of {', '.join(sorted(known))}")
            )
        try:
            content = read_json(app_dir, file)
        except FileNotFoundError:
            raise Unreadable(Problem(file, "", "is a link to nothing")) from None
        if not isinstance(content, dict) or not isinstance(content.get("values"), dict):
            raise Unreadable(Problem(file, "values", "is no document", '{"values": {...}}'))
        found[path.stem] = content["values"]
    return found.get(tag or _WITHOUT_TAG, {})
