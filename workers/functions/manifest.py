"""Which functions an app folder has: sources, `config.json`, limits and values put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from workers.errors import Problem
from workers.functions import manifest_file, source_files
from workers.functions.context import AppContext
from workers.functions.limits_file import Limits, LimitsFile
from workers.functions.manifest_file import AccessRules, ManifestFile
from workers.functions.settings import HostSettings
from workers.functions.source_files import LANGUAGES, MAX_FUNCTIONS, Language
from workers.functions.values import load_values

SCRIPT_PATH: Final = "run_as_user_id_script_source"
MAX_PROBLEMS: Final = 200
"""Of one report: who has more reads none of them."""


@dataclass(frozen=True, slots=True)
class FunctionEntry:
    """One function: where its source is, what it may use, and who may call it. `source` is absolute, `file`
    relative to the app. With `text` the source is that text, and `source` only says where it stands.

    `aliases` are names that callers may put behind its name: each stands for the one version there is.
    `run_as_script` is the function whose answer is the user that this one runs as, when the manifest has one.
    """

    name: str
    language: Language
    source: Path
    file: str
    timeout_seconds: float
    memory_bytes: int
    concurrency: int
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    text: str | None = None
    app: AppContext = field(default_factory=AppContext)
    access: AccessRules = field(default_factory=AccessRules)
    run_as_script: FunctionEntry | None = None
    aliases: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Manifest:
    """The functions by name, and everything that is wrong with the folder. `unlisted` are the functions
    without an entry in `config.json`: they have the defaults."""

    entries: Mapping[str, FunctionEntry]
    problems: tuple[Problem, ...]
    unlisted: tuple[str, ...] = ()


def load(
    app_dir: Path, settings: HostSettings | None = None, env: Mapping[str, str] | None = None
) -> Manifest:
    """Look what is in `app_dir/functions`. Never raises for what a user wrote: see `problems`.

    `env` resolves secrets and `${NAME}`. Whether a source compiles, and whether what it exports is a
    function, is found by the engine that runs it, at the first call."""
    if not app_dir.is_dir():
        return Manifest({}, (Problem("", "", f"{app_dir} is no folder", "name the app folder"),))
    found = manifest_file.read(app_dir)
    app, value_problems = load_values(app_dir, env or {})
    limits = LimitsFile(settings or HostSettings(), app_dir, env or {})
    limits.read()
    entries, problems = _entries(app_dir, limits, app, found.rules)
    problems += [*found.problems, *_without_source(app_dir, found, entries)]
    problems += _names_in_rules(found, entries, app)
    limits.check(entries)
    problems += [*limits.problems, *value_problems]
    unlisted = manifest_file.missing_entries(found, entries)
    return Manifest(entries, tuple(_bounded(problems)), tuple(unlisted))


def _entries(
    app_dir: Path, limits: LimitsFile, app: AppContext, rules: Mapping[str, AccessRules]
) -> tuple[dict[str, FunctionEntry], list[Problem]]:
    root = app_dir / "functions"
    entries: dict[str, FunctionEntry] = {}
    problems: list[Problem] = []
    for count, path in enumerate(source_files.sources(root)):
        file = path.relative_to(app_dir).as_posix()
        if count >= MAX_FUNCTIONS:
            problems.append(Problem("functions", "", f"more than {MAX_FUNCTIONS} source files"))
            break
        name = path.relative_to(root).with_suffix("").as_posix()
        problem = source_files.problem(root, path, file, name) or _duplicate(file, entries.get(name))
        if problem:
            problems.append(problem)
            continue
        entries[name] = _entry(name, path, file, limits.of(name), app)
        if name in rules:
            entries[name] = _with_access(entries[name], rules[name])
    return entries, problems


def _entry(name: str, path: Path, file: str, limits: Limits, app: AppContext) -> FunctionEntry:
    return FunctionEntry(
        name=name,
        language=LANGUAGES[path.suffix],
        source=path.resolve(),
        file=file,
        timeout_seconds=limits.timeout_seconds,
        memory_bytes=limits.memory_bytes,
        concurrency=limits.concurrency,
        environment=limits.environment,
        app=app,
        aliases=limits.aliases,
    )


def _with_access(entry: FunctionEntry, access: AccessRules) -> FunctionEntry:
    """The script that names the user is JavaScript, whatever the function itself is written in. It has the
    function's limits and none of its environment."""
    if not access.run_as_script or access.run_as_system:
        return replace(entry, access=access)
    script = replace(
        entry,
        language="javascript",
        file=f"{manifest_file.FILE}:{entry.name}.{SCRIPT_PATH}",
        text=access.run_as_script,
        environment={},
    )
    return replace(entry, access=access, run_as_script=script)


def _duplicate(file: str, other: FunctionEntry | None) -> Problem | None:
    if other is None:
        return None
    return Problem(
        file, "", f"a second source of the function {other.name!r}", f"keep this file or {other.file}"
    )


def _without_source(
    app_dir: Path, found: ManifestFile, entries: Mapping[str, FunctionEntry]
) -> list[Problem]:
    """Entries whose source is not there at all; a source that is refused has its own problem."""
    problems = []
    for name, path in found.paths.items():
        if name in entries or any(
            (app_dir / "functions" / f"{name}{ending}").is_symlink()
            or (app_dir / "functions" / f"{name}{ending}").exists()
            for ending in LANGUAGES
        ):
            continue
        text = f"functions/{name}.js or functions/{name}.py, or no entry"
        problems.append(Problem(manifest_file.FILE, f"{path}.name", f"{name!r} has no source file", text))
    return problems


def _names_in_rules(
    found: ManifestFile, entries: Mapping[str, FunctionEntry], app: AppContext
) -> list[Problem]:
    """Functions and values that a `can_evaluate` names and the app has not: a typing error there would deny,
    or admit, everybody."""
    problems = []
    for name, access in found.rules.items():
        rule, path = access.can_evaluate, f"{found.paths[name]}.can_evaluate"
        if rule is None:
            continue
        for function in sorted(rule.function_names - entries.keys()):
            expected = "the name of a function of this app"
            problems.append(
                Problem(
                    manifest_file.FILE, path, f"%function names {function!r}, which is not there", expected
                )
            )
        for value in sorted(rule.values - app.values.keys()):
            expected = f"values/{value}.json"
            problems.append(Problem(manifest_file.FILE, path, f"%%values.{value} is not there", expected))
    return problems


def _bounded(problems: list[Problem]) -> list[Problem]:
    if len(problems) <= MAX_PROBLEMS:
        return problems
    more = len(problems) - MAX_PROBLEMS
    return [*problems[:MAX_PROBLEMS], Problem("", "", f"and {more} more problems")]
