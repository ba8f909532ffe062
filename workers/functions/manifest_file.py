"""`functions/config.json`, the manifest of App Services: read with every problem, written back whole.

An entry's fields and what they mean are those of App Services' documentation; nothing is added to them
(Penstock's own limits are in `functions/limits.yaml`), so the file goes back into an app as it came out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from workers.errors import Problem
from workers.functions.app_files import Unreadable, read_json
from workers.functions.names import NAME_RULE, is_name
from workers.functions.rules import Rule, RuleInvalid, compile_rule

FILE: Final = "functions/config.json"
MAX_SCRIPT_CHARACTERS: Final = 65_536

DEFAULTS: Final[Mapping[str, Any]] = {
    "private": False,
    "can_evaluate": {},
    "disable_arg_logs": False,
    "run_as_system": False,
    "run_as_user_id": "",
    "run_as_user_id_script_source": "",
}
_FLAGS: Final = ("private", "disable_arg_logs", "run_as_system")
_TEXTS: Final = ("run_as_user_id", "run_as_user_id_script_source")


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Who may call a function, whom it runs as, and what is logged of it."""

    private: bool = False
    can_evaluate: Rule | None = None
    disable_arg_logs: bool = False
    run_as_system: bool = False
    run_as_user_id: str = ""
    run_as_script: str = ""


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """The file: its entries as they stand, what they say by function name, and what is wrong."""

    entries: list[Any]
    rules: Mapping[str, AccessRules]
    paths: Mapping[str, str]
    problems: list[Problem]


def read(app_dir: Path) -> ManifestFile:
    """Read the file; without one every function has the defaults. Never raises for what a user wrote."""
    try:
        found = read_json(app_dir, FILE)
    except FileNotFoundError:
        return ManifestFile([], {}, {}, [])
    except Unreadable as unreadable:
        return ManifestFile([], {}, {}, [unreadable.problem])
    if not isinstance(found, list):
        return ManifestFile(
            [], {}, {}, [Problem(FILE, "", "is no list", "a list of entries, one a function")]
        )
    rules: dict[str, AccessRules] = {}
    paths: dict[str, str] = {}
    problems: list[Problem] = []
    for at, entry in enumerate(found):
        path = f"[{at}]"
        name = _name(entry, path, problems)
        if name is not None and name in paths:
            problems.append(
                Problem(FILE, f"{path}.name", f"{name!r} a second time", f"one entry; see {paths[name]}")
            )
            continue
        read_rules = _entry(entry, path, problems) if isinstance(entry, dict) else None
        if name is not None and read_rules is not None:
            rules[name], paths[name] = read_rules, path
    return ManifestFile(found, rules, paths, problems)


def _name(entry: Any, path: str, problems: list[Problem]) -> str | None:
    if not isinstance(entry, dict):
        problems.append(Problem(FILE, path, "is no document", '{"name": <function>, ...}'))
        return None
    name = entry.get("name")
    if not isinstance(name, str) or not is_name(name):
        found = "is missing" if "name" not in entry else "is no function name"
        problems.append(Problem(FILE, f"{path}.name", found, NAME_RULE))
        return None
    return name


def _entry(entry: Mapping[str, Any], path: str, problems: list[Problem]) -> AccessRules:
    for key in entry:
        if key != "name" and key not in DEFAULTS:
            known = ", ".join(("name", *DEFAULTS))
            problems.append(Problem(FILE, f"{path}.{key}", "unknown field", f"known: {known}"))
    problems += [
        Problem(FILE, f"{path}.{key}", "is neither true nor false", "true or false")
        for key in _FLAGS
        if not isinstance(entry.get(key, False), bool)
    ]
    for key in _TEXTS:
        text = entry.get(key, "")
        if not isinstance(text, str) or len(text) > MAX_SCRIPT_CHARACTERS:
            expected = f"a text of at most {MAX_SCRIPT_CHARACTERS} characters, or empty for none"
            problems.append(Problem(FILE, f"{path}.{key}", "is no text", expected))
    user_id, script = (_set_text(entry, key) for key in _TEXTS)
    if user_id and script:
        problems.append(
            Problem(FILE, f"{path}.run_as_user_id", "beside run_as_user_id_script_source", "one of the two")
        )
    return AccessRules(
        private=entry.get("private") is True,
        can_evaluate=_rule(entry.get("can_evaluate", {}), f"{path}.can_evaluate", problems),
        disable_arg_logs=entry.get("disable_arg_logs") is True,
        run_as_system=entry.get("run_as_system") is True,
        run_as_user_id=user_id,
        run_as_script=script,
    )


def _set_text(entry: Mapping[str, Any], key: str) -> str:
    """An empty text, or one of blanks, means not set."""
    text = entry.get(key, "")
    return text if isinstance(text, str) and text.strip() else ""


def _rule(node: Any, path: str, problems: list[Problem]) -> Rule | None:
    """None for an expression that is always true: nothing to evaluate."""
    try:
        rule = compile_rule(node)
    except RuleInvalid as invalid:
        where = f"{path}.{invalid.path}" if invalid.path else path
        problems.append(Problem(FILE, where, invalid.found, invalid.expected))
        return None
    return None if rule.is_always_true else rule


def missing_entries(found: ManifestFile, names: Iterable[str]) -> list[str]:
    """The functions without an entry, in order."""
    return sorted(set(names) - set(found.paths))


def complete(found: ManifestFile, names: Iterable[str]) -> list[Any]:
    """The file's entries as they stand, then one with the defaults for each function that has none."""
    return [*found.entries, *({"name": name, **DEFAULTS} for name in missing_entries(found, names))]


def dump(entries: list[Any]) -> str:
    """The text of the file: two spaces, keys in order, a line end at the end."""
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"


def write(app_dir: Path, entries: list[Any]) -> None:
    """Replace the file: who reads it sees the old one or the new one. Raises OSError."""
    path = app_dir / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8") as opened:
            opened.write(dump(entries))
            opened.flush()
            os.fsync(opened.fileno())
        if path.exists():
            beside.chmod(path.stat().st_mode & 0o777)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
