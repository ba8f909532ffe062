"""`functions/limits.yaml`: what Penstock adds to a function, kept out of `config.json` so that an export of
App Services stays one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from workers.errors import Problem
from workers.functions.app_files import Unreadable, read_yaml, resolve
from workers.functions.names import ALIAS_RULE, is_alias
from workers.functions.settings import HostSettings
from workers.settings import bytes_of, bytes_text, seconds_of

FILE: Final = "functions/limits.yaml"
EVERY: Final = "*"

_FIELDS: Final = ("timeout", "memory", "concurrency", "environment", "aliases")
# Lambda: 15 minutes and 10,240 MB; below 8 MiB no engine starts.
_TIMEOUT_SECONDS: Final = (0.1, 900.0)
_MEMORY_BYTES: Final = (8 << 20, 10_240 << 20)
_CONCURRENCY: Final = (1, 1_000)
_MAX_VARIABLES: Final = 100
_MAX_ALIASES: Final = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What one function may use."""

    timeout_seconds: float
    memory_bytes: int
    concurrency: int
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    aliases: frozenset[str] = frozenset()


@dataclass(slots=True)
class LimitsFile:
    """The file's content by function name; `*` stands for every function that it does not name itself."""

    settings: HostSettings
    app_dir: Path
    env: Mapping[str, str]
    entries: Mapping[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def read(self) -> None:
        """Read the file, if there is one."""
        try:
            found = read_yaml(self.app_dir, FILE)
        except FileNotFoundError:
            return
        except Unreadable as unreadable:
            self.problems.append(unreadable.problem)
            return
        if isinstance(found, dict):
            self.entries = found
        elif found is not None:
            self._refuse("", "is no document", "<function name>: {timeout: 30s, memory: 256MiB}")

    def of(self, name: str) -> Limits:
        """The limits of a function: its own, else those of `*`, else the host's."""
        merged: dict[str, Any] = {}
        for key in (EVERY, name):
            entry = self.entries.get(key)
            if isinstance(entry, dict):
                merged.update(entry)
        settings = self.settings
        return Limits(
            timeout_seconds=self._number(merged.get("timeout"), seconds_of, settings.timeout_seconds),
            memory_bytes=int(self._number(merged.get("memory"), bytes_of, settings.memory_bytes)),
            concurrency=int(self._number(merged.get("concurrency"), int, settings.concurrency)),
            environment=self._environment(merged.get("environment"), name),
            aliases=frozenset(one for one in _listed(merged.get("aliases")) if is_alias(one)),
        )

    def check(self, names: Mapping[str, Any]) -> None:
        """Note everything that is wrong with the file, given the functions there are."""
        for name, entry in self.entries.items():
            if name != EVERY and name not in names:
                self._refuse(name, "there is no such function", f"a function's name, or {EVERY} for all")
            if not isinstance(entry, dict):
                self._refuse(name, "is no document", "{timeout: 30s, memory: 256MiB}")
                continue
            for key in entry.keys() - set(_FIELDS):
                self._refuse(f"{name}.{key}", "unknown field", f"known: {', '.join(_FIELDS)}")
            self._check_number(entry, f"{name}.timeout", seconds_of, _TIMEOUT_SECONDS, "seconds")
            self._check_number(entry, f"{name}.memory", bytes_of, _MEMORY_BYTES, "bytes")
            self._check_number(entry, f"{name}.concurrency", _whole, _CONCURRENCY, "workers")
            self._check_environment(entry.get("environment", {}), f"{name}.environment")
            aliases = entry.get("aliases", [])
            if len(_listed(aliases)) > _MAX_ALIASES or _listed(aliases) != aliases:
                self._refuse(f"{name}.aliases", "is no list of names", f"at most {_MAX_ALIASES} names")
            for one in _listed(aliases):
                if not is_alias(one):
                    self._refuse(f"{name}.aliases", f"{str(one)[:40]!r} is no alias", ALIAS_RULE)

    def _check_number(
        self, entry: Mapping[str, Any], path: str, read: Any, bounds: tuple[float, float], unit: str
    ) -> None:
        key = path.rpartition(".")[2]
        if key not in entry:
            return
        try:
            number = read(entry[key])
        except ValueError as problem:
            self._refuse(path, "is no such number", str(problem))
            return
        if not bounds[0] <= number <= bounds[1]:
            if unit == "bytes":
                self._refuse(path, f"found {bytes_text(number)}", " to ".join(map(bytes_text, bounds)))
            else:
                self._refuse(path, f"found {number:g} {unit}", f"{bounds[0]:g} to {bounds[1]:g}")

    def _check_environment(self, found: Any, path: str) -> None:
        if not isinstance(found, dict) or len(found) > _MAX_VARIABLES:
            self._refuse(path, "is no document of texts", f"NAME: text, at most {_MAX_VARIABLES}")
            return
        for name, text in found.items():
            inside = f"{path}.{name}"
            if not isinstance(text, str) or "\0" in text or "=" in name or not name:
                self._refuse(inside, "is no text", "a text in quotes, or ${NAME}")
                continue
            try:
                resolve(text, self.app_dir, self.env, FILE, inside)
            except Unreadable as unreadable:
                self.problems.append(unreadable.problem)

    def _environment(self, found: Any, name: str) -> dict[str, str]:
        """What can be resolved; `check` says what cannot."""
        resolved: dict[str, str] = {}
        for key, text in (found if isinstance(found, dict) else {}).items():
            try:
                resolved[key] = resolve(str(text), self.app_dir, self.env, FILE, name)
            except Unreadable:
                continue
        return resolved

    @staticmethod
    def _number(found: Any, read: Any, default: float) -> float:
        try:
            return default if found is None else float(read(found))
        except (ValueError, TypeError):
            return default

    def _refuse(self, path: str, found: str, expected: str) -> None:
        self.problems.append(Problem(FILE, path, found, expected))


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _whole(found: Any) -> int:
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    raise ValueError("a whole number")
